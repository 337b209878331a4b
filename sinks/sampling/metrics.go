package sampling

import "github.com/prometheus/client_golang/prometheus"

// Metrics are what the job says of itself.
type Metrics struct {
	days     prometheus.Counter
	removed  *prometheus.CounterVec
	bytes    prometheus.Counter
	failures prometheus.Counter
	seconds  prometheus.Histogram
	states   *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		days: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_sampling_days_total", Help: "Days of tenants that were thinned.",
		}),
		removed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_sampling_removed_rows_total", Help: "Rows that were deleted, by table: spans or traces.",
		}, []string{"table"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_sampling_removed_bytes_total", Help: "About how many bytes on disk these rows took.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_sampling_failures_total", Help: "Attempts to thin days that failed; each is made again.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "goshawk_sampling_duration_seconds", Help: "How long thinning a day took, for all tenants that it was due for.",
			Buckets: []float64{.5, 1, 5, 15, 60, 300, 1200, 3600, 14400},
		}),
		states: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "goshawk_sampling_days", Help: "Days of tenants by their state at the last look, as goshawk sampling --list names it.",
		}, []string{"state"}),
	}
	reg.MustRegister(m.days, m.removed, m.bytes, m.failures, m.seconds, m.states)
	return m
}

// show says in which states days are.
func (m *Metrics) show(days []Day) {
	counts := map[State]int{}
	for i := range days {
		counts[days[i].State]++
	}
	for s := range State(len(states)) {
		m.states.WithLabelValues(s.String()).Set(float64(counts[s]))
	}
}
