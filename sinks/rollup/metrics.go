package rollup

import "github.com/prometheus/client_golang/prometheus"

// Metrics are what the job says of itself.
type Metrics struct {
	days, rows *prometheus.CounterVec
	samples    prometheus.Counter
	failures   prometheus.Counter
	seconds    prometheus.Histogram
	states     *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		days: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_rollup_days_total", Help: "Days of tenants that were looked at anew: computed, or found to be unchanged by what came late.",
		}, []string{"result"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_rollup_rows_total", Help: "Rows of rollups written.",
		}, []string{"resolution"}),
		samples: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_rollup_samples_total", Help: "Samples that were summed up.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_rollup_failures_total", Help: "Attempts to compute, publish or clean up that failed; each is made again.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "goshawk_rollup_duration_seconds", Help: "How long computing a day of a tenant took.",
			Buckets: []float64{.1, .5, 1, 5, 15, 60, 300, 1200, 3600},
		}),
		states: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "goshawk_rollup_days", Help: "Days of tenants by their state at the last look, as goshawk rollup --list names it.",
		}, []string{"state"}),
	}
	reg.MustRegister(m.days, m.rows, m.samples, m.failures, m.seconds, m.states)
	return m
}

// show says in which states days are.
func (m *Metrics) show(days []Day) {
	counts := map[State]int{}
	for i := range days {
		counts[days[i].State]++
	}
	for _, s := range []State{Waiting, Missing, Clean, Late, Expired} {
		m.states.WithLabelValues(s.String()).Set(float64(counts[s]))
	}
}
