package logpattern_test

import (
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry/logpattern"
)

// BenchmarkWorst has long lines of what is looked at more than once.
func BenchmarkWorst(b *testing.B) {
	for name, unit := range map[string]string{
		"colons": "1:1:", "quotes": `" "`, "half_quotes": `="a`, "dots": "a.b.c.", "slashes": "a/", "dashes": "1-", "dates": "Sun, Jan 1 ",
		"urls": "a://b ", "braces": `{"a":`, "signs": "_-1e-1", "backslashes": `\\`, "double_colons": "::1", "spaces": "1 ", "wild": "<*>",
	} {
		line := strings.Repeat(unit, 4096/len(unit))
		if unit[0] != '{' {
			line = "x" + line
		}
		b.Run(name, func(b *testing.B) {
			var m logpattern.Masker
			b.ReportAllocs()
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				m.Shape(line)
			}
		})
	}
}
