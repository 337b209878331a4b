package probe_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/goshawk-observability/goshawk/ingest/probe"
)

// flaky refuses batches some times before it takes them.
type flaky struct {
	consumertest.MetricsSink
	mu      sync.Mutex
	refuse  []error
	offered int
	mutates bool
}

func (f *flaky) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: f.mutates}
}

func (f *flaky) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.offered++
	if len(f.refuse) > 0 {
		err := f.refuse[0]
		f.refuse = f.refuse[1:]
		if f.mutates {
			pmetric.NewMetrics().CopyTo(md)
		}
		return err
	}
	return f.MetricsSink.ConsumeMetrics(ctx, md)
}

func TestRefusedBatches(t *testing.T) {
	address, _ := tcpServer(t, "127.0.0.1:0")
	busy := errors.New("busy")
	for name, c := range map[string]struct {
		refuse  []error
		mutates bool
		lost    bool
	}{
		"for now":               {[]error{busy, busy}, false, false},
		"for now, and spoilt":   {[]error{busy, busy}, true, false},
		"for good":              {[]error{consumererror.NewPermanent(busy)}, false, true},
		"for good, second time": {[]error{busy, consumererror.NewPermanent(busy)}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := fast(probe.Target{Target: address, Module: "tcp_connect", Labels: map[string]string{"fast": "yes"}})
			sink := &flaky{refuse: c.refuse, mutates: c.mutates}
			set := settings()
			r := rig{own: metric.NewManualReader()}
			set.MeterProvider = metric.NewMeterProvider(metric.WithReader(r.own))
			rec, err := probe.NewFactory().CreateMetrics(t.Context(), set, cfg, sink)
			if err != nil {
				t.Fatal(err)
			}
			if err := rec.Start(t.Context(), componenttest.NewNopHost()); err != nil {
				t.Fatal(err)
			}
			until(t, "a batch that is taken", func() bool { return sink.DataPointCount() > 0 })
			if err := rec.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			for _, md := range sink.AllMetrics() {
				if md.DataPointCount() == 0 {
					t.Error("what the consumer had spoilt was offered again")
				}
			}
			if lost := r.count(t, "goshawk.probe.lost"); (lost > 0) != c.lost {
				t.Errorf("%d results were lost", lost)
			}
		})
	}
}
