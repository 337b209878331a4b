package otlp

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// The benchmarks report the time per log record, span or point, not per request, so that they can be
// compared with each other and with pdata, the yardstick in the same file.

const benchTime = 1_760_000_000_000_000_000

func randomID(r *rand.Rand) (id [16]byte) {
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	id[0] |= 1
	return id
}

func benchResource(r pcommon.Resource, n int) {
	a := r.Attributes()
	a.PutStr("service.name", fmt.Sprintf("checkout-%d", n))
	a.PutStr("service.namespace", "shop")
	a.PutStr("service.version", "1.42.7")
	a.PutStr("host.name", fmt.Sprintf("node-%d.eu-west-1.example.com", n))
	a.PutStr("k8s.pod.name", fmt.Sprintf("checkout-%d-7d9f5c6b8-x2x4z", n))
	a.PutStr("deployment.environment.name", "production")
}

// benchAttributes puts the ten attributes of a request to a web server.
func benchAttributes(a pcommon.Map, r *rand.Rand) {
	a.PutStr("http.request.method", "GET")
	a.PutStr("url.path", fmt.Sprintf("/api/v2/products/%d/reviews", r.IntN(4000)))
	a.PutStr("url.scheme", "https")
	a.PutInt("http.response.status_code", 200)
	a.PutStr("server.address", "shop.example.com")
	a.PutInt("server.port", 443)
	a.PutStr("client.address", fmt.Sprintf("203.0.113.%d", r.IntN(256)))
	a.PutStr("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/128.0 Safari/537.36")
	a.PutDouble("request.duration", r.Float64())
	a.PutBool("cache.hit", r.IntN(2) == 0)
}

func benchLogs(records, resources int) plog.Logs {
	r := rand.New(rand.NewPCG(1, 2))
	ld := plog.NewLogs()
	for i := range resources {
		rl := ld.ResourceLogs().AppendEmpty()
		benchResource(rl.Resource(), i)
		sl := rl.ScopeLogs().AppendEmpty()
		sl.Scope().SetName("github.com/example/shop/web")
		for range (records + resources - 1 - i) / resources {
			l := sl.LogRecords().AppendEmpty()
			l.SetTimestamp(benchTime)
			l.SetObservedTimestamp(benchTime + 1000)
			l.SetSeverityNumber(plog.SeverityNumberInfo)
			l.SetSeverityText("INFO")
			l.Body().SetStr(fmt.Sprintf("GET /api/v2/products/%d/reviews served in %d ms", r.IntN(4000), r.IntN(300)))
			benchAttributes(l.Attributes(), r)
			l.SetTraceID(randomID(r))
			id := randomID(r)
			l.SetSpanID(pcommon.SpanID(id[:8]))
		}
	}
	return ld
}

func benchSpans(spans, resources int) ptrace.Traces {
	r := rand.New(rand.NewPCG(3, 4))
	td := ptrace.NewTraces()
	var trace [16]byte
	for i := range resources {
		rs := td.ResourceSpans().AppendEmpty()
		benchResource(rs.Resource(), i)
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName("go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp")
		for n := range (spans + resources - 1 - i) / resources {
			s := ss.Spans().AppendEmpty()
			if n%8 == 0 {
				trace = randomID(r)
			}
			s.SetTraceID(trace)
			id, parent := randomID(r), randomID(r)
			s.SetSpanID(pcommon.SpanID(id[:8]))
			s.SetParentSpanID(pcommon.SpanID(parent[:8]))
			s.SetName("GET /api/v2/products/{id}/reviews")
			s.SetKind(ptrace.SpanKindServer)
			s.SetStartTimestamp(benchTime)
			s.SetEndTimestamp(benchTime + 12_345_678)
			s.SetFlags(0x101)
			benchAttributes(s.Attributes(), r)
			s.Status().SetCode(ptrace.StatusCodeOk)
		}
	}
	return td
}

func benchMetrics(points int) pmetric.Metrics {
	r := rand.New(rand.NewPCG(5, 6))
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	benchResource(rm.Resource(), 0)
	sm := rm.ScopeMetrics().AppendEmpty()
	for range points / 10 {
		m := sm.Metrics().AppendEmpty()
		m.SetName("http.server.request.count")
		m.SetUnit("{request}")
		sum := m.SetEmptySum()
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		sum.SetIsMonotonic(true)
		for range 10 {
			p := sum.DataPoints().AppendEmpty()
			p.SetTimestamp(benchTime)
			p.SetStartTimestamp(benchTime - 1e9)
			p.SetDoubleValue(r.Float64())
			p.Attributes().PutStr("http.request.method", "GET")
			p.Attributes().PutStr("http.route", fmt.Sprintf("/api/v2/products/%d", r.IntN(100)))
			p.Attributes().PutInt("http.response.status_code", 200)
		}
	}
	return md
}

func marshalLogs(tb testing.TB, ld plog.Logs) []byte {
	tb.Helper()
	body, err := new(plog.ProtoMarshaler).MarshalLogs(ld)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

func marshalSpans(tb testing.TB, td ptrace.Traces) []byte {
	tb.Helper()
	body, err := new(ptrace.ProtoMarshaler).MarshalTraces(td)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

func marshalMetrics(tb testing.TB, md pmetric.Metrics) []byte {
	tb.Helper()
	body, err := new(pmetric.ProtoMarshaler).MarshalMetrics(md)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// perEvent reports the time of one iteration divided by the number of events.
func perEvent(b *testing.B, events int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(events), "ns/record")
}

func benchDecode(b *testing.B, signal telemetry.Signal, body []byte, events int) {
	b.Helper()
	lim := DefaultLimits()
	var batch telemetry.Batch
	decode := func() {
		batch.Reset()
		batch.Signal = signal
		batch.Records = append(batch.Records, telemetry.Record{ReceiveTime: benchTime, Declared: -1, Value: body})
		Decode(&batch, &lim)
	}
	decode() // the batch is warm
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		decode()
	}
	if n := batch.EventCount(); n != events || len(batch.Rejects) != 0 {
		b.Fatalf("decoded %d of %d events, rejects %v", n, events, batch.Rejects)
	}
	perEvent(b, events)
}

// inSDKOrder encodes a request anew with its fields in the order of their
// numbers, as most SDKs do. The collector's pdata writes them the other way round.
func inSDKOrder(b *testing.B, signal telemetry.Signal, body []byte) []byte {
	b.Helper()
	ordered, err := canonicalRequest(signal, body)
	if err != nil {
		b.Fatal(err)
	}
	return ordered
}

func BenchmarkDecodeLogs(b *testing.B) {
	body := marshalLogs(b, benchLogs(1000, 5))
	b.Run("goshawk", func(b *testing.B) { benchDecode(b, telemetry.Logs, body, 1000) })
	b.Run("goshawk/order=sdk", func(b *testing.B) { benchDecode(b, telemetry.Logs, inSDKOrder(b, telemetry.Logs, body), 1000) })
	b.Run("pdata", func(b *testing.B) {
		var u plog.ProtoUnmarshaler
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := u.UnmarshalLogs(body); err != nil {
				b.Fatal(err)
			}
		}
		perEvent(b, 1000)
	})
}

func BenchmarkDecodeSpans(b *testing.B) {
	body := marshalSpans(b, benchSpans(1000, 5))
	b.Run("goshawk", func(b *testing.B) { benchDecode(b, telemetry.Spans, body, 1000) })
	b.Run("goshawk/order=sdk", func(b *testing.B) { benchDecode(b, telemetry.Spans, inSDKOrder(b, telemetry.Spans, body), 1000) })
	b.Run("pdata", func(b *testing.B) {
		var u ptrace.ProtoUnmarshaler
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := u.UnmarshalTraces(body); err != nil {
				b.Fatal(err)
			}
		}
		perEvent(b, 1000)
	})
}

func BenchmarkDecodeMetrics(b *testing.B) {
	body := marshalMetrics(b, benchMetrics(1000))
	b.Run("goshawk", func(b *testing.B) { benchDecode(b, telemetry.Metrics, body, 1000) })
	b.Run("pdata", func(b *testing.B) {
		var u pmetric.ProtoUnmarshaler
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := u.UnmarshalMetrics(body); err != nil {
				b.Fatal(err)
			}
		}
		perEvent(b, 1000)
	})
}

func benchSplit(b *testing.B, signal telemetry.Signal, body []byte, partitions, events int) {
	b.Helper()
	s := NewSplitter(DefaultLimits())
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Split(signal, body, partitions, benchTime); err != nil {
			b.Fatal(err)
		}
	}
	if s.Accepted() != int64(events) || s.Rejected() != 0 {
		b.Fatalf("accepted %d of %d: %s", s.Accepted(), events, s.Message())
	}
	b.ReportMetric(float64(len(s.Parts())), "parts")
	perEvent(b, events)
}

func BenchmarkSplitLogs(b *testing.B) {
	for _, events := range []int{1, 100, 1000} {
		body := marshalLogs(b, benchLogs(events, min(5, events)))
		for _, partitions := range []int{1, 12} {
			b.Run(fmt.Sprintf("events=%d/partitions=%d", events, partitions), func(b *testing.B) {
				benchSplit(b, telemetry.Logs, body, partitions, events)
			})
		}
	}
}

func BenchmarkSplitSpans(b *testing.B) {
	for _, events := range []int{1, 100, 1000} {
		body := marshalSpans(b, benchSpans(events, min(5, events)))
		for _, partitions := range []int{1, 12} {
			b.Run(fmt.Sprintf("events=%d/partitions=%d", events, partitions), func(b *testing.B) {
				benchSplit(b, telemetry.Spans, body, partitions, events)
			})
		}
	}
}
