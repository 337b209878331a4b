package watch

import "github.com/prometheus/client_golang/prometheus"

// Metrics are those that every job has.
type Metrics struct {
	// Refused counts the events that are lost.
	Refused  prometheus.Counter
	events   *prometheus.CounterVec
	failures prometheus.Counter
	seconds  prometheus.Histogram
}

// NewMetrics registers the metrics of a job.
func NewMetrics(reg prometheus.Registerer, job string) *Metrics {
	m := &Metrics{
		Refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_" + job + "_refused_total", Help: "Events that Kafka would not take, and that are lost.",
		}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_" + job + "_events_total", Help: "Events that Kafka has acknowledged, by name; those that were produced again count again.",
		}, []string{"event"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_" + job + "_failures_total", Help: "Tenants that could not be looked at; they are tried again.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "goshawk_" + job + "_look_duration_seconds", Help: "How long a look at all tenants took.",
			Buckets: []float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100},
		}),
	}
	reg.MustRegister(m.Refused, m.events, m.failures, m.seconds)
	return m
}
