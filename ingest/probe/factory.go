// Package probe is a receiver of the OpenTelemetry Collector that probes targets
// from outside: over HTTP, TCP, TLS, DNS, ICMP and gRPC. Each probe becomes a
// span, whose context the target is told, and the values of gauges with the
// names that users of blackbox_exporter know.
//
// The probes themselves are in the folder prober. This package decides when
// they run, and hands results on; it must not know any protocol.
package probe

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

// Type is the name of the receiver in a collector's configuration.
var Type = component.MustNewType("probe")

// NewFactory makes the receiver's factory. It yields metrics and traces; the
// pipelines that name the same receiver share one scheduler.
func NewFactory() receiver.Factory {
	s := &shared{receivers: map[*Config]*probeReceiver{}}
	return receiver.NewFactory(
		Type, createDefaultConfig,
		receiver.WithMetrics(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
			r, err := s.get(set, cfg.(*Config))
			if err == nil {
				r.metrics = next
			}
			return r, err
		}, component.StabilityLevelBeta),
		receiver.WithTraces(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Traces) (receiver.Traces, error) {
			r, err := s.get(set, cfg.(*Config))
			if err == nil {
				r.traces = next
			}
			return r, err
		}, component.StabilityLevelBeta),
	)
}

// shared finds the receiver that another pipeline has made already. The
// collector gives all pipelines the same configuration value.
type shared struct {
	mu        sync.Mutex
	receivers map[*Config]*probeReceiver
}

func (s *shared) get(set receiver.Settings, cfg *Config) (*probeReceiver, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.receivers[cfg]; ok {
		return r, nil
	}
	r, err := newReceiver(set, cfg)
	if err != nil {
		return nil, err
	}
	r.forget = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.receivers, cfg)
	}
	s.receivers[cfg] = r
	return r, nil
}
