package kafkaexporter

import (
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// Environment is what the process around the collector lends to its exporters.
// It must not be copied after its first use.
type Environment struct {
	Log      *slog.Logger
	Registry prometheus.Registerer
	// Stopping ends when the process has no time left to wait for Kafka. What
	// is under way then stays in the queue.
	Stopping context.Context
	// Defaults are the settings that a configuration starts from.
	Defaults Defaults

	once sync.Once
	m    *metrics
}

// metrics is what all exporters of a process report.
type metrics struct {
	accepted   *prometheus.CounterVec
	rejections *prometheus.CounterVec
}

func (e *Environment) metrics() *metrics {
	e.once.Do(func() {
		e.m = &metrics{
			accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
				Name: "goshawk_agent_accepted_events_total", Help: "Events that Kafka acknowledged.",
			}, []string{"signal"}),
			rejections: prometheus.NewCounterVec(prometheus.CounterOpts{
				Name: "goshawk_agent_rejected_events_total", Help: "Events that were dropped because Kafka or goshawk never take them, by reason.",
			}, []string{"signal", "reason"}),
		}
		e.Registry.MustRegister(e.m.accepted, e.m.rejections)
	})
	return e.m
}

func (m *metrics) reject(signal telemetry.Signal, reason string, events int64) {
	m.rejections.WithLabelValues(signal.String(), reason).Add(float64(events))
}
