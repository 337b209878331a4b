package topic

import (
	"time"
	"unsafe"

	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// block is a range of offsets while it is gathered and under way.
type block struct {
	epoch    uint32
	from, to int64
	// at is the commitment's at, once the block is complete.
	at      int64
	records []telemetry.Record
	// opened is when its first record was fetched.
	opened time.Time
	events int64
	bytes  int64
	// repeats lists the distances of repeated records from from.
	repeats []int64
	size    repeatsSize
	// planned is set where the plan is in the commit metadata already.
	planned bool
	// replayed is set where the block is one that is done already.
	replayed bool

	memory []*kafka.Buffer
	held   int64
}

// hold makes the block one of the memory's users, in place of the caller.
func (b *block) hold(memory *kafka.Buffer, budget *budget) {
	if n := len(b.memory); n > 0 && b.memory[n-1] == memory {
		memory.Release() // the same answer again: one hold is enough
		return
	}
	b.memory = append(b.memory, memory)
	n := int64(cap(memory.B))
	b.held += n
	budget.add(n)
}

// grew accounts for the room of more records: a keyed collector writes one
// small record for each trace.
func (b *block) grew(records int, budget *budget) {
	n := int64(records) * int64(unsafe.Sizeof(telemetry.Record{}))
	b.held += n
	budget.add(n)
}

// release gives the memory of the records back.
func (b *block) release(budget *budget) {
	clear(b.records)
	b.records = b.records[:0]
	for i, m := range b.memory {
		m.Release()
		b.memory[i] = nil
	}
	b.memory = b.memory[:0]
	budget.add(-b.held)
	b.held = 0
}

// eventSize is the assumed size of an event where nobody declared a number.
const eventSize = 256

// weight is the number of events that a record counts for.
func weight(declared int64, value []byte) int64 {
	if declared >= 0 {
		return declared
	}
	return int64(len(value))/eventSize + 1
}
