package clickhouse

import "github.com/prometheus/client_golang/prometheus"

// Metrics are what the sinks of a process say of themselves. One is shared by
// all of them.
type Metrics struct {
	rows, inserts *prometheus.CounterVec
	failures      *prometheus.CounterVec
	again         *prometheus.CounterVec
	seconds       *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_clickhouse_rows_total", Help: "Rows sent to ClickHouse and acknowledged, repeated inserts included.",
		}, []string{"table"}),
		inserts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_clickhouse_inserts_total", Help: "Inserts acknowledged by ClickHouse.",
		}, []string{"table"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_clickhouse_insert_failures_total", Help: "Inserts that failed; each is tried again.",
		}, []string{"table"}),
		again: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_clickhouse_rows_again_total",
			Help: "Rows inserted once more because ClickHouse took their insert for a repeat but did not have them.",
		}, []string{"table"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "goshawk_clickhouse_insert_duration_seconds", Help: "Time from sending an insert to its acknowledgement.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"table"}),
	}
	reg.MustRegister(m.rows, m.inserts, m.failures, m.again, m.seconds)
	return m
}
