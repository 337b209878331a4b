package red

import (
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/pointwriter"
)

// The metrics have the names and labels of the span metrics of Grafana Tempo, so
// that dashboards made for those work.
const (
	scope = "github.com/goshawk-observability/goshawk/processors/red"

	// calls and latency are places in the families.
	calls   = 0
	latency = 1
)

// kindLabels and statusLabels are the values of labels by the numbers of OTLP.
var (
	kindLabels = [kinds]string{
		"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
	}
	statusLabels = [...]string{"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"}
)

// told are the series of an operation by the code of the status, nil where it is
// not known yet.
type told [len(statusLabels)]*pointwriter.Series

func newTotals(cfg *MetricsConfig) *pointwriter.Totals {
	return pointwriter.NewTotals(pointwriter.TotalsConfig{
		Service: "goshawk", Scope: scope, Labels: []string{"service", "span_name", "span_kind", "status_code"},
		Families: []pointwriter.Family{
			calls: {
				Name: "traces_spanmetrics_calls_total", Kind: pointwriter.Sum,
				Description: "Spans by service, name, kind and status.",
			},
			// With a unit its name would have a suffix, which Tempo's has not.
			latency: {
				Name: "traces_spanmetrics_latency", Kind: pointwriter.Histogram, Bounds: cfg.Bounds,
				Description: "Durations of spans in seconds, by service, name, kind and status.",
			},
		},
		Interval: cfg.Interval, MaxSeries: cfg.MaxSeries,
	})
}

// tell counts a span in the metrics.
func (p *Processor) tell(s *service, o *operation, duration, at int64, span *telemetry.Span) {
	status := span.Status
	if int(status) >= len(statusLabels) {
		status = 0
	}
	series := o.series[status]
	if series == nil || series.Gone {
		series = p.totals.Series(s.tenant, s.service, o.name, kindLabels[o.kind], statusLabels[status])
		o.series[status] = series
	}
	series.Add(calls, 1)
	p.totals.Observe(series, latency, duration, at, span.TraceID, span.SpanID)
}
