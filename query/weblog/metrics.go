package weblog

import "github.com/prometheus/client_golang/prometheus"

type metrics struct{ seconds *prometheus.HistogramVec }

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "goshawk_query_weblog_request_duration_seconds", Help: "How long requests for web statistics and findings took.",
		Buckets: []float64{.005, .02, .1, .5, 2, 10, 60},
	}, []string{"request"})}
	reg.MustRegister(m.seconds)
	return m
}
