// Package pipeline moves blocks of Kafka records through a chain of processors
// into sinks: take, decode, process, write, commit, one sequential worker per
// partition.
//
// It must not know Kafka or ClickHouse: both ends are the interfaces below.
package pipeline

import (
	"context"
	"errors"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// ErrLost says that the partition belongs to somebody else now, or may do so:
// whoever has it goes on from the last commit.
var ErrLost = errors.New("partition was lost")

// Source yields the blocks of one partition, in order.
//
// A source is used by one goroutine. Between Take and Commit of a block it must
// hold the exact range of the block durably (the plan), so that after a crash
// Take returns the very same block first.
type Source interface {
	// Take waits for the next block and fills the batch's Block, Begun, Replayed and
	// Records: values are owned by the batch until the next call of Take. It returns an
	// error that wraps ErrLost when the partition was taken away, or the
	// context's error.
	Take(ctx context.Context, b *telemetry.Batch) error
	// Commit records that the block is durable in every sink. It returns an
	// error that wraps ErrLost when the partition belongs to somebody else.
	Commit(ctx context.Context, block telemetry.Block) error
}

// A Processor edits one batch in place: it may add rows, drop rows and change
// them. It keeps nothing of the batch after it returns; to keep a string, it
// clones it. It starts no goroutine and reads no wall clock. An error means a
// bug, and stops the worker before anything is committed: what is wrong with
// the data goes to Batch.Rejects instead.
type Processor interface {
	Process(ctx context.Context, b *telemetry.Batch) error
}

// A Sink writes one batch and returns nil only when all of it is durable. The
// worker calls it again with the same batch after an error, so a sink must make
// a repeated write of the same block harmless. It keeps nothing of the batch
// after it returns. It is used by one goroutine.
type Sink interface {
	Write(ctx context.Context, b *telemetry.Batch) error
}

// A Decoder turns the values of a batch's Records into rows. What cannot be
// decoded goes to Batch.Rejects; a Decoder never fails.
type Decoder func(b *telemetry.Batch)
