package logs

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	rows, lines prometheus.Counter
	seconds     *prometheus.HistogramVec
	tails       prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_query_logs_rows_read_total",
			Help: "Rows that ClickHouse read for requests for logs.",
		}),
		lines: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_query_logs_lines_total",
			Help: "Lines that the query service looked at itself, for what ClickHouse cannot do.",
		}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "goshawk_query_logs_seconds",
			Help: "How long requests for logs took, from when their turn came, by what was asked.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 13),
		}, []string{"request"}),
		tails: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "goshawk_query_logs_tails",
			Help: "Clients that follow logs.",
		}),
	}
	reg.MustRegister(m.rows, m.lines, m.seconds, m.tails)
	return m
}
