package errors_test

import (
	"context"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/errors"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestScripts(t *testing.T) { pipelinetest.RunScripts(t, errors.Registration(), "testdata") }

// BenchmarkProcess reads logs without an exception, as nearly all are, and errors
// with a stack of twenty frames.
func BenchmarkProcess(b *testing.B) {
	attrs := []telemetry.Attr{}
	for _, key := range []string{"http.request.method", "url.path", "error.type", "thread.name", "code.function.name", "exchange.rate"} {
		attrs = append(attrs, telemetry.Attr{Key: key, Value: telemetry.StringValue("value")})
	}
	stack := "java.lang.IllegalStateException: closed\n" + strings.Repeat("\tat com.shop.Cart.pay(Cart.java:52)\n\tat org.springframework.web.Servlet.service(Servlet.java:897)\n", 10)
	attrs = append(attrs, telemetry.Attr{Key: "exception.type", Value: telemetry.StringValue("java.lang.IllegalStateException")},
		telemetry.Attr{Key: "exception.stacktrace", Value: telemetry.StringValue(stack)})
	for _, c := range []struct {
		name  string
		attrs telemetry.Range
	}{{"plain", telemetry.Range{End: 6}}, {"errors", telemetry.Range{End: 8}}} {
		b.Run(c.name, func(b *testing.B) {
			p, err := errors.New(errors.DefaultConfig())
			if err != nil {
				b.Fatal(err)
			}
			const n = 1000
			batch := &telemetry.Batch{Records: make([]telemetry.Record, 1), Resources: []telemetry.Resource{{Service: "cart"}}, Attrs: attrs}
			for range n {
				batch.Logs = append(batch.Logs, telemetry.Log{Time: 1, Severity: 17, Attrs: c.attrs})
			}
			b.ReportAllocs()
			for b.Loop() {
				batch.Failures = batch.Failures[:0]
				if err := p.Process(context.Background(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
		})
	}
}
