package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/goshawk-observability/goshawk/pipeline"
)

// partitions is a consumer that hands out its partitions at once.
type partitions []int32

func (p partitions) Run(ctx context.Context, handle func(context.Context, int32, pipeline.Source) error) error {
	var errs []error
	for _, partition := range p {
		errs = append(errs, handle(ctx, partition, nil))
	}
	return errors.Join(errs...)
}

// TestBeside runs something as long as partition 0 is worked on.
func TestBeside(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		has  partitions
		runs int32
	}{{partitions{1, 2}, 0}, {partitions{0, 1, 2}, 1}, {partitions{0, 0}, 2}} {
		var running, runs atomic.Int32
		began := make(chan struct{}, len(c.has))
		b := beside{c.has, func(ctx context.Context) {
			runs.Add(1)
			running.Add(1)
			began <- struct{}{}
			<-ctx.Done()
			running.Add(-1)
		}}
		failed := errors.New("failed")
		err := b.Run(context.Background(), func(_ context.Context, partition int32, _ pipeline.Source) error {
			if partition == 0 {
				<-began
			}
			if got := running.Load(); got != 1 && partition == 0 || got != 0 && partition != 0 {
				t.Errorf("%d run beside partition %d", got, partition)
			}
			return failed
		})
		if !errors.Is(err, failed) || runs.Load() != c.runs || running.Load() != 0 {
			t.Errorf("%v: %v, it ran %d times and %d still run", c.has, err, runs.Load(), running.Load())
		}
	}
}
