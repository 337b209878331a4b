package probe

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// batcher collects results and hands them on, many at once. One goroutine does
// so. While the consumer does not take them the workers wait, the ticks that
// pass meanwhile are skipped and counted, and memory stays bounded.
type batcher struct {
	findings chan finding
	size     int
	timeout  time.Duration
	version  string
	metrics  consumer.Metrics
	traces   consumer.Traces
	// lost is told of results that the consumer has refused for good.
	lost func(signal string, results int, err error)
	// retries is how often a batch is offered again that was refused for now, and
	// pause how long to wait before the first time; each further wait doubles.
	retries int
	pause   time.Duration
}

// add hands a result over. It waits while the consumer is slow.
func (b *batcher) add(ctx context.Context, f finding) {
	select {
	case b.findings <- f:
	case <-ctx.Done():
	}
}

// run goes on until the findings are closed and handed on. The context bounds
// the calls of the consumers.
func (b *batcher) run(ctx context.Context) {
	timer := time.NewTimer(b.timeout)
	defer timer.Stop()
	metrics, traces := pmetric.NewMetrics(), ptrace.NewTraces()
	results, points := 0, 0
	flush := func() {
		if points > 0 {
			b.deliverMetrics(ctx, metrics, points)
			metrics = pmetric.NewMetrics()
		}
		if results > 0 {
			b.deliverTraces(ctx, traces, results)
			traces = ptrace.NewTraces()
		}
		results, points = 0, 0
	}
	for {
		select {
		case f, ok := <-b.findings:
			if !ok {
				flush()
				return
			}
			if results == 0 {
				timer.Reset(b.timeout)
			}
			if b.metrics != nil && !f.onDemand {
				f.appendMetrics(metrics, b.version)
				points++
			}
			if b.traces != nil {
				f.appendSpan(traces, b.version)
			}
			if results++; results >= b.size {
				flush()
			}
		case <-timer.C:
			flush()
		}
	}
}

func (b *batcher) deliverMetrics(ctx context.Context, md pmetric.Metrics, results int) {
	again := func() pmetric.Metrics { return md }
	if b.metrics.Capabilities().MutatesData {
		// What was refused may have been changed by then.
		again = func() pmetric.Metrics {
			c := pmetric.NewMetrics()
			md.CopyTo(c)
			return c
		}
	}
	if err := b.deliver(ctx, func() error { return b.metrics.ConsumeMetrics(ctx, again()) }); err != nil {
		b.lost("metrics", results, err)
	}
}

func (b *batcher) deliverTraces(ctx context.Context, td ptrace.Traces, results int) {
	if b.traces == nil {
		return
	}
	again := func() ptrace.Traces { return td }
	if b.traces.Capabilities().MutatesData {
		again = func() ptrace.Traces {
			c := ptrace.NewTraces()
			td.CopyTo(c)
			return c
		}
	}
	if err := b.deliver(ctx, func() error { return b.traces.ConsumeTraces(ctx, again()) }); err != nil {
		b.lost("traces", results, err)
	}
}

// deliver offers a batch until it is taken, refused for good, or too old.
func (b *batcher) deliver(ctx context.Context, offer func() error) error {
	pause := b.pause
	for attempt := 0; ; attempt++ {
		err := offer()
		if err == nil || consumererror.IsPermanent(err) || attempt == b.retries {
			return err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return err
		}
	}
}
