package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestViewsHaveTheirColumns(t *testing.T) {
	s := newStore(t)
	for _, view := range tables.Views() {
		var want []string
		for _, c := range view.Columns {
			want = append(want, c.Name+" "+c.Type)
		}
		got := s.text(t, "SELECT concat(name, ' ', type) FROM system.columns WHERE database = 'goshawk' AND table = '"+view.Name+"' ORDER BY position")
		if diff := cmp.Diff(strings.Join(want, "\n"), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", view.Name, diff)
		}
	}
}

// TestContribQueries asks the views what tools for the contrib layout ask.
func TestContribQueries(t *testing.T) {
	s := newStore(t)
	sink := s.sink()
	at := siteStart.UnixNano()
	trace := telemetry.TraceID{0xde, 0xad, 0xbe, 0xef, 15: 1}
	attrs := func(b *telemetry.Batch, pairs ...any) telemetry.Range {
		return ranged(b, func() {
			for i := 0; i < len(pairs); i += 2 {
				switch v := pairs[i+1].(type) {
				case string:
					str(b, pairs[i].(string), v)
				case int:
					attr(b, pairs[i].(string), telemetry.IntValue(int64(v)))
				case float64:
					attr(b, pairs[i].(string), telemetry.DoubleValue(v))
				}
			}
		})
	}
	begin := func(signal telemetry.Signal) *telemetry.Batch {
		b := &telemetry.Batch{Block: telemetry.Block{Topic: "otlp_" + signal.String(), From: 1, To: 2, Signal: signal}}
		b.Records = []telemetry.Record{{Offset: 1, Tenant: "default", ReceiveTime: at, Declared: -1}}
		b.Resources = []telemetry.Resource{{Service: "cart", SchemaURL: "https://schema", Attrs: attrs(b, "service.name", "cart", "host.name", "h1", "process.pid", 7)}}
		b.Scopes = []telemetry.Scope{{Name: "lib", Version: "1.0", Attrs: attrs(b, "sk", "sv"), DroppedAttrs: 3}}
		return b
	}

	logs := begin(telemetry.Logs)
	logs.Logs = []telemetry.Log{
		{Time: at, TraceID: trace, SpanID: telemetry.SpanID{7: 9}, Flags: 0x101, Severity: 17, SeverityText: "ERROR", Body: telemetry.StringValue("payment failed"), EventName: "ev", Attrs: attrs(logs, "code", 402)},
		{Time: at + 1, Body: telemetry.StringValue("ok")},
	}
	spans := begin(telemetry.Spans)
	spans.Spans = []telemetry.Span{
		{
			Start: at, End: at + 2e9, TraceID: trace, SpanID: telemetry.SpanID{7: 1}, Name: "GET /", Kind: 2, Status: 2, StatusMessage: "boom", TraceState: "a=b",
			Attrs:  attrs(spans, "http.route", "/", "http.response.status_code", 500, "ratio", 0.5),
			Events: telemetry.Range{Start: 0, End: 1}, Links: telemetry.Range{Start: 0, End: 1},
		},
		{Start: at + 1e9, End: at + 1, TraceID: trace, SpanID: telemetry.SpanID{7: 2}, ParentID: telemetry.SpanID{7: 1}, Name: "db", Kind: 3},
	}
	spans.Events = []telemetry.Event{{Time: at + 5, Name: "exception", Attrs: attrs(spans, "exception.type", "E")}}
	spans.Links = []telemetry.Link{{TraceID: telemetry.TraceID{15: 5}, SpanID: telemetry.SpanID{7: 6}, TraceState: "x"}}

	points := begin(telemetry.Metrics)
	for kind := telemetry.Gauge; kind <= telemetry.Summary; kind++ {
		points.Metrics = append(points.Metrics, telemetry.Metric{
			Name: fmt.Sprintf("metric.%d", kind), Description: "what", Unit: "s", Kind: kind, Temporality: telemetry.Cumulative, Monotonic: true,
		})
	}
	point := func(metric uint32) telemetry.Point {
		return telemetry.Point{Time: at, Start: at - 1e9, Metric: metric, Attrs: attrs(points, "route", "/")}
	}
	points.Floats, points.Uints = []float64{1, 2, 0.5, 10, 0.9, 20}, []uint64{3, 4, 5}
	points.Numbers = []telemetry.NumberPoint{{Point: point(0), Value: 1.5}, {Point: point(1), Value: 42, Int: 42, IsInt: true}}
	points.Histograms = []telemetry.HistogramPoint{{Point: point(2), Count: 12, Sum: 9, Min: 1, Max: 2, Bounds: telemetry.Range{End: 2}, Counts: telemetry.Range{End: 3}}}
	points.Exponentials = []telemetry.ExponentialPoint{{Point: point(3), Count: 12, Scale: 3, Positive: telemetry.Buckets{Counts: telemetry.Range{End: 2}, Offset: -1}}}
	points.Summaries = []telemetry.SummaryPoint{{Point: point(4), Count: 5, Sum: 6, Quantiles: telemetry.Range{Start: 2, End: 6}}}
	for _, b := range []*telemetry.Batch{logs, spans, points} {
		if err := sink.Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}

	for _, c := range []struct{ name, query, want string }{
		{
			"logs of a trace", `SELECT concat(Body, '|', ServiceName, '|', SeverityText, '|', toString(SeverityNumber), '|', SpanId, '|', toString(TraceFlags), '|', EventName, '|',
				LogAttributes['code'], '|', ResourceAttributes['host.name'], '|', ResourceAttributes['process.pid'], '|', ScopeName, '|', ScopeAttributes['sk'], '|', ResourceSchemaUrl)
				FROM otel_logs WHERE TraceId = 'deadbeef000000000000000000000001' AND Timestamp >= toDateTime64('2026-11-20 00:00:00', 9)`,
			"payment failed|cart|ERROR|17|0000000000000009|1|ev|402|h1|7|lib|sv|https://schema",
		},
		{"logs without ids", `SELECT concat(Body, '|', TraceId, '|', SpanId) FROM otel_logs WHERE TraceId = ''`, "ok||"},
		{
			"log volume", `SELECT concat(toString(toStartOfInterval(TimestampTime, INTERVAL 1 minute)), ' ', SeverityText, ' ', toString(count()))
				FROM otel_logs GROUP BY toStartOfInterval(TimestampTime, INTERVAL 1 minute), SeverityText ORDER BY SeverityText`,
			"2026-11-20 10:00:00  1\n2026-11-20 10:00:00 ERROR 1",
		},
		{
			"trace by id", `WITH 'deadbeef000000000000000000000001' AS id, (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE TraceId = id) AS start,
				(SELECT max(End) + 1 FROM otel_traces_trace_id_ts WHERE TraceId = id) AS end
				SELECT concat(SpanId, '<', ParentSpanId, '|', SpanName, '|', SpanKind, '|', StatusCode, '|', StatusMessage, '|', toString(Duration), '|', TraceState)
				FROM otel_traces WHERE TraceId = id AND Timestamp >= start AND Timestamp <= end ORDER BY Timestamp`,
			"0000000000000001<|GET /|Server|Error|boom|2000000000|a=b\n0000000000000002<0000000000000001|db|Client|Unset||0|",
		},
		{
			"span attributes", `SELECT concat(SpanAttributes['http.route'], '|', SpanAttributes['http.response.status_code'], '|', SpanAttributes['ratio'], '|',
				toString(Events.Name[1]), '|', Events.Attributes[1]['exception.type'], '|', toString(Events.Timestamp[1]), '|', Links.TraceId[1], '|', Links.SpanId[1], '|', Links.TraceState[1])
				FROM otel_traces WHERE SpanName = 'GET /'`,
			"/|500|0.5|exception|E|2026-11-20 10:00:00.000000005|00000000000000000000000000000005|0000000000000006|x",
		},
		{
			"gauge", `SELECT concat(MetricName, '|', toString(Value), '|', MetricUnit, '|', MetricDescription, '|', ServiceName, '|', Attributes['route'], '|', ResourceAttributes['host.name'], '|',
				ScopeName, '|', toString(ScopeDroppedAttrCount), '|', toString(TimeUnix), '|', toString(StartTimeUnix)) FROM otel_metrics_gauge`,
			"metric.1|1.5|s|what|cart|/|h1|lib|3|2026-11-20 10:00:00.000000000|2026-11-20 09:59:59.000000000",
		},
		{"sum", `SELECT concat(MetricName, '|', toString(Value), '|', toString(AggregationTemporality), '|', toString(IsMonotonic)) FROM otel_metrics_sum WHERE MetricName = 'metric.2'`, "metric.2|42|2|true"},
		{"histogram", `SELECT concat(MetricName, '|', toString(Count), '|', toString(BucketCounts), '|', toString(ExplicitBounds), '|', toString(AggregationTemporality)) FROM otel_metrics_histogram`, "metric.3|12|[3,4,5]|[1,2]|2"},
		{"exponential", `SELECT concat(MetricName, '|', toString(Scale), '|', toString(PositiveOffset), '|', toString(PositiveBucketCounts)) FROM otel_metrics_exponential_histogram`, "metric.4|3|-1|[3,4]"},
		{"summary", `SELECT concat(MetricName, '|', toString(ValueAtQuantiles.Quantile), '|', toString(ValueAtQuantiles.Value)) FROM otel_metrics_summary`, "metric.5|[0.5,0.9]|[10,20]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			query := strings.NewReplacer("FROM otel_", "FROM goshawk.otel_").Replace(c.query)
			if got := s.text(t, query); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
	if n := s.number(t, "SELECT count() FROM goshawk.otel_metrics_sum"); n != 1 {
		t.Errorf("%d rows of sums, want 1", n)
	}
}
