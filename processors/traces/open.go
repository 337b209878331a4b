package traces

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// span is what is kept of a span while its trace is open.
type span struct {
	id, parent          telemetry.SpanID
	start, end          int64
	service, name, host uint32 // names
	peer                uint32 // a name
	next                uint32 // the span of the trace that came before, 0 for none
	kind, status        uint8
	peerKind            telemetry.EdgeKind
}

// key is the span id as a number.
func (s *span) key() uint64 { return binary.LittleEndian.Uint64(s.id[:]) }

// openTrace is a trace that is not over.
type openTrace struct {
	id     telemetry.TraceID
	tenant uint32 // a name
	// opened is the watermark when its first span came, touched when its last did.
	opened, touched int64
	first, count    uint32 // spans, the last that came first
	// older and newer are its neighbours in the order of touched.
	older, newer uint32
	large        *largeTrace
	// due is set where the trace is to be closed after the record.
	due bool
}

// openTraces are the open traces, found by their ids and in the order in which
// they were touched.
type openTraces struct {
	traces pages[openTrace]
	// index is an open-addressing table of the traces' numbers, 0 where empty; a
	// power of two.
	index []uint32
	count int
	seed  maphash.Seed
	// head is the trace that was touched least recently and tail the last, 0
	// where there are none.
	head, tail uint32
}

func newOpenTraces() openTraces {
	return openTraces{traces: newPages[openTrace](), index: make([]uint32, 64), seed: maphash.MakeSeed()}
}

func (o *openTraces) at(t uint32) *openTrace { return o.traces.at(t) }

// find returns a trace. A fresh one has only tenant and id, and must be touched.
func (o *openTraces) find(tenant uint32, id telemetry.TraceID) (t uint32, fresh bool) {
	slot := o.home(tenant, &id)
	mask := uint32(len(o.index) - 1)
	for ; ; slot = (slot + 1) & mask {
		t := o.index[slot]
		if t == 0 {
			break
		}
		if e := o.at(t); e.id == id && e.tenant == tenant {
			return t, false
		}
	}
	t = o.traces.take()
	*o.at(t) = openTrace{id: id, tenant: tenant}
	o.index[slot] = t
	o.pushNewest(t)
	if o.count++; 2*o.count > len(o.index) {
		o.grow()
	}
	return t, true
}

func (o *openTraces) home(tenant uint32, id *telemetry.TraceID) uint32 {
	h := maphash.Bytes(o.seed, id[:]) + uint64(tenant)*0x9E3779B97F4A7C15
	return uint32(h>>32) & uint32(len(o.index)-1)
}

func (o *openTraces) grow() {
	o.index = make([]uint32, 2*len(o.index))
	mask := uint32(len(o.index) - 1)
	for t := o.head; t != 0; t = o.at(t).newer {
		e := o.at(t)
		slot := o.home(e.tenant, &e.id)
		for o.index[slot] != 0 {
			slot = (slot + 1) & mask
		}
		o.index[slot] = t
	}
}

// remove forgets a trace.
func (o *openTraces) remove(t uint32) {
	e := o.at(t)
	mask := uint32(len(o.index) - 1)
	slot := o.home(e.tenant, &e.id)
	for o.index[slot] != t {
		slot = (slot + 1) & mask
	}
	for next := (slot + 1) & mask; o.index[next] != 0; next = (next + 1) & mask {
		moved := o.at(o.index[next])
		home := o.home(moved.tenant, &moved.id)
		// The entry may move to the hole unless its home lies behind the hole.
		if (next-home)&mask >= (next-slot)&mask {
			o.index[slot] = o.index[next]
			slot = next
		}
	}
	o.index[slot] = 0
	o.count--
	o.unlink(t)
	*e = openTrace{}
	o.traces.give(t)
}

// oldest returns the trace that was touched least recently, 0 where there is none.
func (o *openTraces) oldest() uint32 { return o.head }

// idle counts the traces, and their spans, that were last touched before a time.
func (o *openTraces) idle(before int64) (traces, spans int) {
	for t := o.head; t != 0; {
		e := o.at(t)
		if e.touched >= before {
			break
		}
		traces, spans, t = traces+1, spans+int(e.count), e.newer
	}
	return traces, spans
}

// touch notes that something came of a trace.
func (o *openTraces) touch(t uint32, now int64) {
	e := o.at(t)
	if e.touched == now {
		return // its place among those that were touched now does not matter
	}
	e.touched = now
	if o.tail != t {
		o.unlink(t)
		o.pushNewest(t)
	}
}

// touchAll notes that the clock was wrong: every trace waits anew.
func (o *openTraces) touchAll(now int64) {
	for t := o.head; t != 0; t = o.at(t).newer {
		e := o.at(t)
		e.touched, e.opened = now, now
	}
}

func (o *openTraces) pushNewest(t uint32) {
	e := o.at(t)
	e.older, e.newer = o.tail, 0
	if o.tail != 0 {
		o.at(o.tail).newer = t
	} else {
		o.head = t
	}
	o.tail = t
}

func (o *openTraces) unlink(t uint32) {
	e := o.at(t)
	if e.older != 0 {
		o.at(e.older).newer = e.newer
	} else {
		o.head = e.newer
	}
	if e.newer != 0 {
		o.at(e.newer).older = e.older
	} else {
		o.tail = e.older
	}
}

func (o *openTraces) bytes() int64 { return o.traces.bytes() + 4*int64(cap(o.index)) }
