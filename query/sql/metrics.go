package sql

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	duration    *prometheus.HistogramVec
	refused     *prometheus.CounterVec
	inFlight    prometheus.Gauge
	resultBytes prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "goshawk_query_sql_duration_seconds",
			Help:    "Time from an SQL request to the end of its answer, by HTTP status.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}, []string{"status"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_query_sql_refused_total",
			Help: "SQL requests that were not answered with rows, by reason.",
		}, []string{"reason"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "goshawk_query_sql_in_flight",
			Help: "SQL queries that run now.",
		}),
		resultBytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_query_sql_result_bytes_total",
			Help: "Bytes of SQL results that were sent to clients.",
		}),
	}
	reg.MustRegister(m.duration, m.refused, m.inFlight, m.resultBytes)
	return m
}

func (m *metrics) observe(status int, d time.Duration) {
	m.duration.WithLabelValues(strconv.Itoa(status)).Observe(d.Seconds())
}
