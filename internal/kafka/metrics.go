package kafka

import "github.com/prometheus/client_golang/prometheus"

// producerMetrics is what a producer reports.
type producerMetrics struct {
	records  prometheus.Counter
	bytes    prometheus.Counter
	wire     prometheus.Counter
	requests prometheus.Counter
	full     prometheus.Counter
	errors   *prometheus.CounterVec
	buffered prometheus.Gauge
	seconds  prometheus.Histogram
}

func newProducerMetrics(reg prometheus.Registerer) *producerMetrics {
	m := &producerMetrics{
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_producer_records_total", Help: "Records that Kafka acknowledged.",
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_producer_bytes_total", Help: "Bytes of the acknowledged records, before compression.",
		}),
		wire: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_producer_sent_bytes_total", Help: "Bytes of the record batches sent, after compression, repeated attempts included.",
		}),
		requests: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_producer_requests_total", Help: "Produce requests sent.",
		}),
		full: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_producer_full_total", Help: "Calls refused because too much was waiting to be acknowledged.",
		}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_producer_errors_total", Help: "Record batches that were not acknowledged, by error; most are sent again.",
		}, []string{"error"}),
		buffered: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "goshawk_producer_buffered_bytes", Help: "Bytes that wait to be acknowledged.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "goshawk_producer_request_seconds", Help: "Time from sending a produce request to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
	}
	reg.MustRegister(m.records, m.bytes, m.wire, m.requests, m.full, m.errors, m.buffered, m.seconds)
	return m
}
