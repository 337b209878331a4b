package pipeline

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// Consumer hands out partitions: it calls handle in a goroutine for each one
// that this process has, as long as it has it, and returns when the context
// ends or a handler fails.
type Consumer interface {
	Run(ctx context.Context, handle func(ctx context.Context, partition int32, source Source) error) error
}

// Pipeline is one consumer and what is done with the blocks of its partitions.
type Pipeline struct {
	Name  string
	Topic string
	// Consumer yields the partitions.
	Consumer Consumer
	// NewWorker makes the worker of one partition. Workers share nothing but
	// what is safe for concurrent use.
	NewWorker func(partition int32, source Source) (*Worker, error)
	// Room is shared by the workers; nil gives each one without bounds.
	Room *Room
}

// Runner runs the pipelines of a process.
type Runner struct {
	Pipelines []Pipeline
	Metrics   *WorkerMetrics
}

// Run returns when the context ends and every worker has stopped (nil), or when
// a pipeline has failed (its error); then all the others are stopped first.
func (r *Runner) Run(ctx context.Context) error {
	if len(r.Pipelines) == 0 {
		return ErrNothingToRun
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range r.Pipelines {
		p := &r.Pipelines[i]
		group.Go(func() error {
			err := p.Consumer.Run(ctx, func(ctx context.Context, partition int32, source Source) error {
				w, err := p.NewWorker(partition, source)
				if err != nil {
					return err
				}
				w.room = p.Room
				defer r.Metrics.Forget(p.Topic, partition)
				return w.Run(ctx)
			})
			if err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("pipeline %s: %w", p.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}
