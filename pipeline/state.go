package pipeline

import (
	"context"
	"time"
)

// Stateful is a processor whose rows depend on records of earlier blocks.
//
// What it does must be a function of the records of its partition, one after the
// other: the same whatever blocks they come in, and the same whether its state
// was carried on in memory or restored. It is used by one goroutine.
type Stateful interface {
	Processor
	// Snapshot appends the state to dst. It is called between blocks, and the
	// worker waits for it.
	Snapshot(dst []byte) []byte
	// Restore replaces the state by one that Snapshot returned; none at all is
	// the state before the first record. It keeps nothing of src, which may be
	// anything: after an error the state is empty.
	Restore(src []byte) error
}

// Measured is a processor that says how much it keeps from block to block.
type Measured interface {
	// Held returns the number of things it keeps and about how much memory they
	// take. What has no more to do as time goes on does not count as a thing: while
	// there are any, the clock of a silent partition is moved on for them.
	Held() (items, bytes int64)
}

// Idler is a source that can move the clock of a silent partition on. The clock
// of processors is made of the times in the records: without records, what they
// keep would wait for ever.
type Idler interface {
	Source
	// IdleAfter says for how long Take waits for a block until it writes a record
	// to the partition that has Idle set when it comes back; 0 for never. While
	// nothing else comes, it waits longer each time.
	IdleAfter(silence time.Duration)
}

// Snapshot is the state of the processors of one partition after all records
// before an offset.
type Snapshot struct {
	Topic     string
	Partition int32
	// Epoch is the Block.Epoch that the offset is of.
	Epoch  uint32
	Offset int64
	// States has what Stateful.Snapshot returned, by name of the processor.
	States []State
}

// State is the state of one processor.
type State struct {
	Name  string
	Bytes []byte
}

// SnapshotStore keeps snapshots. It is safe for concurrent use.
type SnapshotStore interface {
	// Save begins to write a snapshot, and sends the outcome when it is durable
	// or when that failed, at the latest soon after the context has ended. The
	// snapshot's memory is the store's, which lets go of it then. An earlier snapshot
	// of the partition stays until a later one is complete.
	Save(ctx context.Context, s *Snapshot) <-chan error
	// Load calls take with the snapshots of a partition, the latest first, until
	// take returns true. Their memory is valid until take returns. Incomplete
	// and damaged ones are passed over. An error says that the store could not be
	// read, and that trying again may help.
	Load(ctx context.Context, topic string, partition int32, take func(*Snapshot) bool) error
}

// Rewinder is a source that can go back before what its group has committed.
type Rewinder interface {
	Source
	// Position returns where the partition stands.
	Position() Position
	// Rewind makes the blocks up to the committed offset come again, from an
	// offset on, with Replayed set; they must not be committed. Which records
	// are repeats is found out as it was the first time. It is called before the
	// first Take, if at all.
	Rewind(from int64)
}

// Position is where a partition stands when it is assigned.
type Position struct {
	Topic     string
	Partition int32
	// First is the first offset that is still there, Committed the one after the
	// last block that is done.
	First, Committed int64
	// Epoch is the Block.Epoch that the next block has.
	Epoch uint32
	// Fresh is set where the group has not read the partition before.
	Fresh bool
}
