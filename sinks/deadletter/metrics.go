package deadletter

import "github.com/prometheus/client_golang/prometheus"

// Metrics are what the sinks of a process say of themselves.
type Metrics struct {
	published, refused prometheus.Counter
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		published: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_deadletter_published_total", Help: "Dead letters written to the dead letter topic.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_deadletter_refused_total", Help: "Dead letters that Kafka refused; they are in ClickHouse only.",
		}),
	}
	reg.MustRegister(m.published, m.refused)
	return m
}
