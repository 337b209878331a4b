// Package logbatch is what the agent's own log inputs have in common: the
// resource of their records, and delivering these to Kafka until they are
// acknowledged.
//
// It must not know where the records come from.
package logbatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// Producer is the way into Kafka, which [topic.Producer] is. It is safe for
// concurrent use.
type Producer interface {
	// Partitions returns how many partitions the topic has.
	Partitions(ctx context.Context, topic string) (int, error)
	// Produce writes the parts and returns nil only when Kafka acknowledged all
	// of them; see [topic.Producer.Produce] for its errors.
	Produce(ctx context.Context, parts []topic.Part) error
}

// Target is where the records of an input go.
type Target struct {
	Producer Producer
	// Topic is that of logs, Tenant the owner of all records.
	Topic, Tenant string
	// MaxRecord bounds the value of one Kafka record, in bytes.
	MaxRecord int
	// Resource are the attributes that every resource begins with, such as
	// host.name.
	Resource []logwriter.Attribute
	Log      *slog.Logger
}

// Least and greatest time between two attempts to deliver.
const (
	leastPause    = 100 * time.Millisecond
	greatestPause = 5 * time.Second
)

// warnEvery bounds how often the log tells that Kafka is away.
const warnEvery = 10 * time.Second

// Delivery delivers batches. It is used by one goroutine at a time.
type Delivery struct {
	target *Target
	warned time.Time
}

// NewDelivery returns a delivery to the target.
func NewDelivery(t *Target) *Delivery { return &Delivery{target: t} }

// Deliver returns nil when every part is acknowledged, or refused for ever, of
// which refused is told. Until then it tries again: what is written twice has
// the same id. It gives up only when ctx ends.
func (d *Delivery) Deliver(ctx context.Context, parts []topic.Part, refused func(part int, err error)) error {
	err := d.attempt(ctx, parts)
	if !errors.Is(err, topic.ErrRefused) {
		return err
	}
	if len(parts) == 1 {
		refused(0, err)
		return nil
	}
	// One of them is refused; the others may be written or not.
	for i := range parts {
		err := d.attempt(ctx, parts[i:i+1])
		if errors.Is(err, topic.ErrRefused) {
			refused(i, err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// attempt tries until the parts are acknowledged or refused, or ctx ends.
func (d *Delivery) attempt(ctx context.Context, parts []topic.Part) error {
	for pause := leastPause; ; pause = min(2*pause, greatestPause) {
		err := d.target.Producer.Produce(ctx, parts)
		if err == nil || errors.Is(err, topic.ErrRefused) {
			return err
		}
		if err := d.wait(ctx, pause, err); err != nil {
			return err
		}
	}
}

// Partition returns the partition of the logs of an encoded Resource, which is
// where the gateway would put them. It waits for Kafka to say how many there are.
func (d *Delivery) Partition(ctx context.Context, resource []byte) (int32, error) {
	for pause := leastPause; ; pause = min(2*pause, greatestPause) {
		n, err := d.target.Producer.Partitions(ctx, d.target.Topic)
		if err == nil {
			return int32(otlp.PartitionOfResource(resource, n)), nil
		}
		if err := d.wait(ctx, pause, err); err != nil {
			return 0, err
		}
	}
}

// wait waits before the next attempt, and returns an error where ctx ends.
func (d *Delivery) wait(ctx context.Context, pause time.Duration, cause error) error {
	if ctx.Err() == nil {
		if now := time.Now(); now.Sub(d.warned) >= warnEvery {
			d.warned = now
			d.target.Log.Warn("kafka does not take logs, trying again", "topic", d.target.Topic, "error", cause)
		}
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("delivering logs: %w", context.Cause(ctx))
	case <-time.After(pause):
		return nil
	}
}
