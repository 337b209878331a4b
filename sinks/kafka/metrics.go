package kafka

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/pipeline"
)

// Metrics are what the sinks of a process say of themselves.
type Metrics struct {
	records, events, refused *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goshawk_derived_" + name, Help: help}, []string{"topic"})
		reg.MustRegister(c)
		return c
	}
	return &Metrics{
		records: counter("records_total", "Records that processors derived and that are in Kafka, repeats included."),
		events:  counter("events_total", "Events in these records."),
		refused: counter("refused_events_total", "Events that processors derived and that Kafka refused; they are lost."),
	}
}

func (m *Metrics) done(r *pipeline.Message) {
	m.records.WithLabelValues(r.Topic).Inc()
	m.events.WithLabelValues(r.Topic).Add(float64(r.Events))
}
