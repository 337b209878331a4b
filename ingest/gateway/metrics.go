package gateway

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// protocol is the way that a request came.
type protocol uint8

const (
	overHTTP protocol = iota
	overGRPC
	protocols // the number of protocols
)

func (p protocol) String() string {
	if p == overGRPC {
		return "grpc"
	}
	return "http"
}

// metrics are the gateway's own figures. Every series of the hot path is
// resolved once, so that counting a request looks up no label.
type metrics struct {
	requests  [protocols][len(telemetry.Signals)][outcomes]prometheus.Counter
	received  [protocols][len(telemetry.Signals)]prometheus.Counter
	bodies    [protocols][len(telemetry.Signals)]prometheus.Counter
	durations [protocols][len(telemetry.Signals)]prometheus.Observer
	accepted  [len(telemetry.Signals)]prometheus.Counter
	rejected  *prometheus.CounterVec
	open      [protocols]prometheus.Gauge
	refused   [protocols]prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, m *memory) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goshawk_gateway_" + name, Help: help}, labels)
	}
	requests := counter("requests_total", "Requests by the status they were answered with: the HTTP status, or the name of the gRPC code.",
		"protocol", "signal", "status")
	received := counter("received_bytes_total", "Bytes of request bodies as they were sent.", "protocol", "signal")
	bodies := counter("body_bytes_total", "Bytes of request bodies without their compression.", "protocol", "signal")
	accepted := counter("accepted_events_total", "Log records, spans and points that Kafka acknowledged.", "signal")
	rejected := counter("rejected_events_total", "Log records, spans and points that were refused by a partial success.", "signal", "reason")
	refused := counter("refused_connections_total", "Connections that were closed because too many are open.", "protocol")
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "goshawk_gateway_request_duration_seconds",
		Help:    "Time from the headers of a request to its answer.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"protocol", "signal"})
	open := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "goshawk_gateway_connections", Help: "Open connections.",
	}, []string{"protocol"})
	inflight := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "goshawk_gateway_inflight_bytes", Help: "Memory that request bodies hold now.",
	}, func() float64 { return float64(m.used.Load()) })
	limit := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "goshawk_gateway_inflight_limit_bytes", Help: "Memory that request bodies may hold.",
	}, func() float64 { return float64(m.max) })
	for _, c := range []prometheus.Collector{requests, received, bodies, accepted, rejected, refused, durations, open, inflight, limit} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}

	r := &metrics{rejected: rejected}
	for _, s := range telemetry.Signals {
		r.accepted[s] = accepted.WithLabelValues(s.String())
		for _, code := range otlp.ReasonCodes() {
			rejected.WithLabelValues(s.String(), code)
		}
		for p := range protocols {
			r.received[p][s] = received.WithLabelValues(p.String(), s.String())
			r.bodies[p][s] = bodies.WithLabelValues(p.String(), s.String())
			r.durations[p][s] = durations.WithLabelValues(p.String(), s.String())
			for o := range outcomes {
				r.requests[p][s][o] = requests.WithLabelValues(p.String(), s.String(), o.label(p))
			}
		}
	}
	for p := range protocols {
		r.open[p] = open.WithLabelValues(p.String())
		r.refused[p] = refused.WithLabelValues(p.String())
	}
	return r, nil
}

// label is the value of the status label.
func (o outcome) label(p protocol) string {
	if p == overGRPC {
		return answers[o].code.String()
	}
	return strconv.Itoa(answers[o].status)
}

func (m *metrics) reject(signal telemetry.Signal, reason string, events int64) {
	m.rejected.WithLabelValues(signal.String(), reason).Add(float64(events))
}
