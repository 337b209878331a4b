package filelog

import (
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/ingest/logbatch"
)

// BenchmarkEncode cuts a piece of a file into lines and writes the request.
func BenchmarkEncode(b *testing.B) {
	line := ("2026-11-21 12:00:00 " + strings.Repeat("GET /products/4711 HTTP/1.1 200 ", 8))[:231] + "\n"
	data := []byte(strings.Repeat(line, 3000))
	for _, rule := range []string{"", "timestamp", "not_blank"} {
		b.Run("first line "+rule, func(b *testing.B) {
			t := &Tailer{cfg: DefaultConfig(), target: logbatch.Target{MaxRecord: 900 << 10}}
			in := newInput(Input{Include: []string{"/x"}, Multiline: Multiline{StartsWith: rule}})
			batch := &batch{tail: &tail{state: &state{}, input: in, resource: t.resourceOf(in, "/x")}, plan: &plan{Observed: 1}}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				batch.events, batch.cut = 0, 0
				if n, _ := t.encode(batch, region{data: data, whole: true}, t.target.MaxRecord); n == 0 {
					b.Fatal("nothing is taken")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(max(batch.events, 1)), "ns/record")
		})
	}
}
