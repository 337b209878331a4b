package syslog

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	records, malformed, truncated prometheus.Counter
	dropped, received             *prometheus.CounterVec
	connections                   prometheus.Gauge
	refused                       *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "goshawk_syslog_" + name, Help: help})
		reg.MustRegister(c)
		return c
	}
	vector := func(name, help, label string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goshawk_syslog_" + name, Help: help}, []string{label})
		reg.MustRegister(c)
		return c
	}
	connections := prometheus.NewGauge(prometheus.GaugeOpts{Name: "goshawk_syslog_connections", Help: "Open connections of TCP and TLS."})
	reg.MustRegister(connections)
	m := &metrics{
		records:     counter("records_total", "Log records that Kafka has acknowledged."),
		malformed:   counter("malformed_messages_total", "Messages that begin as those of RFC 5424 and are not; they are taken as text."),
		truncated:   counter("truncated_messages_total", "Messages longer than max_message, which were cut."),
		received:    vector("received_bytes_total", "Bytes received.", "transport"),
		dropped:     vector("dropped_messages_total", "Messages that were lost: by the kernel before they were read (udp_overflow), because Kafka refused them (refused), or because the agent ended while Kafka was away (stopped).", "reason"),
		connections: connections,
		refused:     vector("closed_connections_total", "Connections that were closed: too many of them (limit), idle (idle), or with broken framing (framing).", "reason"),
	}
	for _, reason := range []string{"udp_overflow", "refused", "stopped"} {
		m.dropped.WithLabelValues(reason)
	}
	return m
}
