package probe

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
)

// appendText writes points in the text format of Prometheus. Points of one name
// must follow each other.
func appendText(to *bytes.Buffer, points []prober.Point) {
	last := ""
	for _, p := range points {
		if p.Name != last {
			last = p.Name
			to.WriteString("# HELP " + p.Name + " " + prober.Help[p.Name] + "\n# TYPE " + p.Name + " gauge\n")
		}
		to.WriteString(p.Name)
		for i, l := range p.Labels {
			to.WriteByte(",{"[number(i == 0)])
			to.WriteString(l.Name + `="` + escaper.Replace(clean(l.Value)) + `"`)
		}
		if len(p.Labels) > 0 {
			to.WriteByte('}')
		}
		to.WriteString(" " + strconv.FormatFloat(p.Value, 'g', -1, 64) + "\n")
	}
}

var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
