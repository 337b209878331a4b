package weblog_test

import (
	"os"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/internal/datasetstest"
	"github.com/goshawk-observability/goshawk/processors/weblog"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// BenchmarkProcess reads ten thousand lines of a real access log, and as many of a
// program's log.
func BenchmarkProcess(b *testing.B) {
	data, err := os.ReadFile(datasetstest.File(b, "weblog/apache_combined_10k.log"))
	if err != nil {
		b.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	plain := make([]string, len(lines))
	for i := range plain {
		plain[i] = `product found product_id=0PUK6V6EV0 cache_hit=true duration_ms=1.25 session=7f3c9a2e`
	}
	structured := make([]string, len(lines))
	for i := range structured {
		structured[i] = `{"level":30,"time":1727712000000,"msg":"request completed","path":"/product/1","statusCode":200,"responseTime":3}`
	}
	for _, test := range []struct {
		name  string
		lines []string
		group bool
	}{{"access log", lines, false}, {"access log, grouped", lines, true}, {"text", plain, true}, {"JSON", structured, true}} {
		b.Run(test.name, func(b *testing.B) {
			cfg := weblog.DefaultConfig()
			cfg.Group = test.group
			p, err := weblog.New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			batch := &telemetry.Batch{
				Records: []telemetry.Record{{Tenant: "acme", ReceiveTime: 1432155996e9}}, Resources: []telemetry.Resource{{Service: "apache"}},
			}
			for _, line := range test.lines {
				start := uint32(len(batch.Attrs))
				batch.Attrs = append(batch.Attrs, telemetry.Attr{Key: "log.file.path", Value: telemetry.StringValue("/var/log/apache2/access.log")},
					telemetry.Attr{Key: "log.iostream", Value: telemetry.StringValue("stdout")})
				batch.Logs = append(batch.Logs, telemetry.Log{Body: telemetry.StringValue(line), Attrs: telemetry.Range{Start: start, End: uint32(len(batch.Attrs))}})
			}
			b.ReportAllocs()
			for b.Loop() {
				batch.WebHits, batch.Derived = batch.WebHits[:0], batch.Derived[:0]
				if err := p.Process(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch.Logs)), "ns/log")
		})
	}
}
