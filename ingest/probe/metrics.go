package probe

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// ownMetrics are the receiver's own figures, beside the results.
type ownMetrics struct {
	runs    metric.Int64Counter
	skipped metric.Int64Counter
	lost    metric.Int64Counter
	targets metric.Int64Gauge
}

var (
	succeeded = metric.WithAttributeSet(attribute.NewSet(attribute.Bool("success", true)))
	failed    = metric.WithAttributeSet(attribute.NewSet(attribute.Bool("success", false)))
)

func newOwnMetrics(provider metric.MeterProvider) (*ownMetrics, error) {
	meter := provider.Meter(Scope)
	var m ownMetrics
	var errs [4]error
	m.runs, errs[0] = meter.Int64Counter("goshawk.probe.runs",
		metric.WithUnit("{probe}"), metric.WithDescription("Probes that ended, scheduled and on demand."))
	m.skipped, errs[1] = meter.Int64Counter("goshawk.probe.skipped",
		metric.WithUnit("{probe}"), metric.WithDescription("Scheduled probes that were left out because the one before still waited or ran."))
	m.lost, errs[2] = meter.Int64Counter("goshawk.probe.lost",
		metric.WithUnit("{result}"), metric.WithDescription("Results that the pipeline did not take, by signal."))
	m.targets, errs[3] = meter.Int64Gauge("goshawk.probe.targets",
		metric.WithUnit("{target}"), metric.WithDescription("Targets that are probed on schedule."))
	return &m, errors.Join(errs[:]...)
}

func (m *ownMetrics) ran(success bool) {
	with := failed
	if success {
		with = succeeded
	}
	m.runs.Add(context.Background(), 1, with)
}

func (m *ownMetrics) lose(signal string, results int) {
	m.lost.Add(context.Background(), int64(results), metric.WithAttributes(attribute.String("signal", signal)))
}
