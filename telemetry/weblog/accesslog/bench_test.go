package accesslog_test

import (
	"errors"
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

// combinedLine is as long as those of the load generator's are on average.
const combinedLine = `203.0.113.77 - - [17/May/2015:10:05:03 +0000] "GET /category/kitchen-lamps/search-3141?q=lamp&page=3 HTTP/1.1" 200 203023 "-" "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700"`

func BenchmarkParse(b *testing.B) {
	longest := map[string]string{"combined": combinedLine}
	formats := knownFormats(b)
	for _, line := range goldenLines(b) {
		if names := taking(formats, line); len(names) == 1 && names[0] != "combined" && len(line) > len(longest[names[0]]) {
			longest[names[0]] = line
		}
	}
	for _, f := range formats {
		line := longest[f.Name()]
		b.Run(f.Name(), func(b *testing.B) {
			var l accesslog.Line
			var scratch accesslog.Scratch
			b.ReportAllocs()
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				if err := f.Parse(line, &l, &scratch); err != nil {
					b.Fatal(err)
				}
				scratch.Reset()
			}
		})
	}
}

func BenchmarkDetector(b *testing.B) {
	for name, line := range map[string]string{"known": combinedLine, "none": "2024-02-29 23:59:59 INFO no access log at all"} {
		b.Run(name, func(b *testing.B) {
			var d accesslog.Detector
			var l accesslog.Line
			var scratch accesslog.Scratch
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Parse(line, &l, &scratch); err != nil && !errors.Is(err, accesslog.ErrSyntax) {
					b.Fatal(err)
				}
			}
		})
	}
}
