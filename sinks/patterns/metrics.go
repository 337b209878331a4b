package patterns

import "github.com/prometheus/client_golang/prometheus"

// Metrics are those of the job.
type Metrics struct {
	events   *prometheus.CounterVec
	refused  prometheus.Counter
	failures prometheus.Counter
	patterns *prometheus.GaugeVec
	unseen   prometheus.Gauge
	seconds  prometheus.Histogram
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_patterns_events_total", Help: "Events that Kafka has acknowledged, by name; those that were produced again count again.",
		}, []string{"event"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_patterns_refused_total", Help: "Events that Kafka would not take, and that are lost.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_patterns_failures_total", Help: "Tenants that could not be looked at; they are tried again.",
		}),
		patterns: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "goshawk_patterns_known", Help: "Merged patterns of tenants that had lines at the last look, by state.",
		}, []string{"state"}),
		unseen: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "goshawk_patterns_unwatched", Help: "Patterns that were seen at the last look and are not watched because of sinks.patterns.max_patterns and max_total.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "goshawk_patterns_look_duration_seconds", Help: "How long a look at all tenants took.",
			Buckets: []float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100},
		}),
	}
	reg.MustRegister(m.events, m.refused, m.failures, m.patterns, m.unseen, m.seconds)
	return m
}

// show says what is known.
func (m *Metrics) show(tenants map[string]*tenant) {
	counts, unseen := map[string]int{}, 0
	for _, t := range tenants {
		unseen += t.refused
		for _, s := range t.services {
			for id, member := range s.members {
				if member.merged == id {
					counts[member.state()]++
				}
			}
		}
	}
	for _, state := range []string{present, vanished} {
		m.patterns.WithLabelValues(state).Set(float64(counts[state]))
	}
	m.unseen.Set(float64(unseen))
}
