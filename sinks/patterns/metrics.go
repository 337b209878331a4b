package patterns

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/sinks/watch"
)

// Metrics are those of the job.
type Metrics struct {
	*watch.Metrics
	patterns *prometheus.GaugeVec
	unseen   prometheus.Gauge
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		Metrics: watch.NewMetrics(reg, "patterns"),
		patterns: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "goshawk_patterns_known", Help: "Merged patterns of tenants that had lines at the last look, by state.",
		}, []string{"state"}),
		unseen: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "goshawk_patterns_unwatched", Help: "Patterns that were seen at the last look and are not watched because of sinks.patterns.max_patterns and max_total.",
		}),
	}
	reg.MustRegister(m.patterns, m.unseen)
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
					counts[member.State()]++
				}
			}
		}
	}
	for _, state := range []string{watch.Present, watch.Vanished} {
		m.patterns.WithLabelValues(state).Set(float64(counts[state]))
	}
	m.unseen.Set(float64(unseen))
}
