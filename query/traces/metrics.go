package traces

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	rows    *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_query_traces_rows_read_total",
			Help: "Rows that ClickHouse read for requests for traces, by API.",
		}, []string{"api"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "goshawk_query_traces_seconds",
			Help: "How long requests for traces took, from when their turn came, by API.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 13),
		}, []string{"api"}),
	}
	reg.MustRegister(m.rows, m.seconds)
	return m
}
