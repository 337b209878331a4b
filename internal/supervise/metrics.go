package supervise

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	restarts *prometheus.CounterVec
	up       *prometheus.GaugeVec
}

type childMetrics struct {
	restarts prometheus.Counter
	up       prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_supervise_restarts_total",
			Help: "Starts of a child process after its first.",
		}, []string{"child"}),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "goshawk_supervise_up",
			Help: "1 while the child process serves, else 0.",
		}, []string{"child"}),
	}
	reg.MustRegister(m.restarts, m.up)
	return m
}

func (m *metrics) of(child string) childMetrics {
	return childMetrics{m.restarts.WithLabelValues(child), m.up.WithLabelValues(child)}
}
