// Package spanwriter writes ExportTraceServiceRequests span by span, for
// protocols whose spans are not OTLP: a decoder fills in one span after the
// other, and what comes out is checked and cut as any other request.
//
// Spans that follow each other and share resource and scope share their wrappers.
// Nothing is allocated for a span, and all memory that grows with a request is
// claimed from who hands it out.
//
// It must not know the protocols.
package spanwriter

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/convert"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// Kinds of spans and codes of a status, as OTLP numbers them.
const (
	KindUnspecified = iota
	KindInternal
	KindServer
	KindClient
	KindProducer
	KindConsumer

	StatusUnset = 0
	StatusOK    = 1
	StatusError = 2
)

// FlagSampled is the bit of Span.Flags for a span that was sampled.
const FlagSampled = 1

// Span is what a span has beside its lists. Texts may be views of anything that
// stays until [Writer.EndSpan].
type Span struct {
	TraceID          [16]byte
	SpanID, ParentID [8]byte
	Name, TraceState []byte
	Kind             byte
	// Start and End are Unix nanoseconds, 0 where they are not known.
	Start, End uint64
	Flags      uint32
	Status     byte
	Message    []byte // of the status

	DroppedAttributes, DroppedEvents, DroppedLinks uint32

	ScopeName, ScopeVersion []byte
}

// Writer writes one request. It is used by one goroutine at a time and keeps its
// memory between requests. After memory ran out it does nothing.
type Writer struct {
	// Span is the current span.
	Span Span
	// Attributes are those of the current span and Resource those of its
	// resource; EventAttributes and LinkAttributes belong to the event or link
	// that [Writer.Event] or [Writer.Link] will add.
	Attributes, Resource, EventAttributes, LinkAttributes List
	// Shared are the attributes of a resource that many spans have, filled in
	// before the first of them.
	Shared List

	events, links, scope List
	out                  []byte
	// The wrappers that are open, as positions in out: where their content
	// begins, and the extents of their headers. Zero where none is.
	resourceAt, scopeAt       int
	resourceHead, scopeHead   int
	resourceStart, scopeStart int
	// useShared is set where the current span has the shared resource, openShared
	// where that is the one that is open.
	useShared, openShared bool

	memory convert.Memory
}

// keptBytes is how much memory for output is kept between requests, leastBytes how
// much is made at a time, and keptScratch how much of every list is kept, for which
// nothing is claimed either.
const (
	keptBytes   = 8 << 20
	leastBytes  = 64 << 10
	keptScratch = 64 << 10
)

func (w *Writer) init(claim func(int64) error) {
	w.memory = convert.NewMemory(claim)
	for list, tag := range map[*List]byte{
		&w.Attributes: 9<<3 | wire.LengthType, &w.Resource: 1<<3 | wire.LengthType, &w.Shared: 1<<3 | wire.LengthType,
		&w.EventAttributes: 3<<3 | wire.LengthType, &w.LinkAttributes: 4<<3 | wire.LengthType,
		&w.events: 0, &w.links: 0, &w.scope: 0,
	} {
		*list = List{w: w, tag: tag}
	}
}

// reset forgets the request.
func (w *Writer) reset() {
	w.memory.Reset()
	w.resourceAt, w.scopeAt = 0, 0
	if cap(w.out) > keptBytes {
		w.out = nil
	}
	w.out = w.out[:0]
	w.StartSpan()
	w.Shared.Clear()
	for _, list := range []*List{&w.Attributes, &w.Resource, &w.Shared, &w.EventAttributes, &w.LinkAttributes, &w.events, &w.links, &w.scope} {
		list.Release()
	}
}

// Claim says that the request needs n more bytes of memory. It reports false
// where there are none; the decoder then gives up, and the sender is told.
func (w *Writer) Claim(n int) bool { return w.memory.Claim(n) }

// Full reports whether memory ran out.
func (w *Writer) Full() bool { return w.memory.Err() != nil }

// Err says why memory ran out, nil if it did not.
func (w *Writer) Err() error { return w.memory.Err() }

// room makes sure that n bytes can be written to out.
func (w *Writer) room(n int) bool {
	if !w.Claim(n) {
		return false
	}
	if len(w.out)+n > cap(w.out) {
		// It grows by no more than a bit beyond what is claimed.
		larger := make([]byte, len(w.out), max(len(w.out)+n, cap(w.out)+min(cap(w.out), keptBytes/2), leastBytes))
		copy(larger, w.out)
		w.out = larger
	}
	return true
}

// StartSpan begins a span: its resource, too, which every span has to say anew.
func (w *Writer) StartSpan() {
	w.Span = Span{}
	w.useShared = false
	w.Attributes.Clear()
	w.Resource.Clear()
	w.EventAttributes.Clear()
	w.LinkAttributes.Clear()
	w.events.Clear()
	w.links.Clear()
}

// ShareResource gives the current span the shared resource instead of its own.
func (w *Writer) ShareResource() { w.useShared = true }

// Event adds an event with the attributes in EventAttributes.
func (w *Writer) Event(time uint64, name []byte, dropped uint32) {
	size := w.EventAttributes.Len() + textLen(name) + varintLen(uint64(dropped))
	if time != 0 {
		size += 9
	}
	if e := &w.events; e.message(11<<3|wire.LengthType, size) {
		if time != 0 {
			e.b = appendFixed64(e.b, 1<<3|wire.Fixed64Type, time)
		}
		e.b = appendText(e.b, 2<<3|wire.LengthType, name)
		e.b = append(e.b, w.EventAttributes.b...)
		e.b = appendVarint(e.b, 4<<3|wire.VarintType, uint64(dropped))
	}
	w.EventAttributes.Clear()
}

// Link adds a link with the attributes in LinkAttributes.
func (w *Writer) Link(traceID [16]byte, spanID [8]byte, traceState []byte, dropped uint32) {
	size := idFields + w.LinkAttributes.Len() + textLen(traceState) + varintLen(uint64(dropped))
	if l := &w.links; l.message(13<<3|wire.LengthType, size) {
		l.b = appendIDs(l.b, traceID, spanID)
		l.b = appendText(l.b, 3<<3|wire.LengthType, traceState)
		l.b = append(l.b, w.LinkAttributes.b...)
		l.b = appendVarint(l.b, 5<<3|wire.VarintType, uint64(dropped))
	}
	w.LinkAttributes.Clear()
}

// idFields is the length of the fields with the ids of a trace and a span.
const idFields = 2 + 16 + 2 + 8

// headRoom is what is left for the length of a wrapper.
const headRoom = binary.MaxVarintLen32

// EndSpan writes the current span.
func (w *Writer) EndSpan() {
	s := &w.Span
	status := textLen(s.Message) + varintLen(uint64(s.Status))
	size := idFields + textLen(s.TraceState) + textLen(s.Name) + varintLen(uint64(s.Kind)) +
		w.Attributes.Len() + varintLen(uint64(s.DroppedAttributes)) +
		w.events.Len() + varintLen(uint64(s.DroppedEvents)) + w.links.Len() + varintLen(uint64(s.DroppedLinks))
	if s.ParentID != [8]byte{} {
		size += 2 + 8
	}
	if s.Start != 0 {
		size += 9
	}
	if s.End != 0 {
		size += 9
	}
	if status > 0 {
		size += 1 + wire.UvarintLen(uint64(status)) + status
	}
	if s.Flags != 0 {
		size += 2 + 4
	}
	if !w.wrap() || !w.room(1+headRoom+size) {
		return
	}
	b := append(w.out, 2<<3|wire.LengthType)
	b = binary.AppendUvarint(b, uint64(size))
	b = appendIDs(b, s.TraceID, s.SpanID)
	b = appendText(b, 3<<3|wire.LengthType, s.TraceState)
	if s.ParentID != [8]byte{} {
		b = append(append(b, 4<<3|wire.LengthType, 8), s.ParentID[:]...)
	}
	b = appendText(b, 5<<3|wire.LengthType, s.Name)
	b = appendVarint(b, 6<<3|wire.VarintType, uint64(s.Kind))
	if s.Start != 0 {
		b = appendFixed64(b, 7<<3|wire.Fixed64Type, s.Start)
	}
	if s.End != 0 {
		b = appendFixed64(b, 8<<3|wire.Fixed64Type, s.End)
	}
	b = append(b, w.Attributes.b...)
	b = appendVarint(b, 10<<3|wire.VarintType, uint64(s.DroppedAttributes))
	b = append(b, w.events.b...)
	b = appendVarint(b, 12<<3|wire.VarintType, uint64(s.DroppedEvents))
	b = append(b, w.links.b...)
	b = appendVarint(b, 14<<3|wire.VarintType, uint64(s.DroppedLinks))
	if status > 0 {
		b = binary.AppendUvarint(append(b, 15<<3|wire.LengthType), uint64(status))
		b = appendText(b, 2<<3|wire.LengthType, s.Message)
		b = appendVarint(b, 3<<3|wire.VarintType, uint64(s.Status))
	}
	if s.Flags != 0 {
		b = binary.AppendUvarint(b, 16<<3|wire.Fixed32Type)
		b = binary.LittleEndian.AppendUint32(b, s.Flags)
	}
	w.out = b
}

// wrap makes sure that the wrappers of the current span are open.
func (w *Writer) wrap() bool {
	s := &w.Span
	w.scope.Clear()
	if len(s.ScopeName)+len(s.ScopeVersion) > 0 && w.scope.room(textLen(s.ScopeName)+textLen(s.ScopeVersion)) {
		w.scope.b = appendText(w.scope.b, 1<<3|wire.LengthType, s.ScopeName)
		w.scope.b = appendText(w.scope.b, 2<<3|wire.LengthType, s.ScopeVersion)
	}
	if !w.inResource() {
		w.closeResource()
		resource := &w.Resource
		if w.useShared {
			resource = &w.Shared
		}
		w.openShared = w.useShared
		if !w.open(&w.resourceAt, &w.resourceHead, &w.resourceStart, 1<<3|wire.LengthType, resource.b) {
			return false
		}
	}
	if w.scopeAt == 0 || !bytes.Equal(w.out[w.scopeHead:w.scopeStart], w.scope.b) {
		w.closeScope()
		return w.open(&w.scopeAt, &w.scopeHead, &w.scopeStart, 2<<3|wire.LengthType, w.scope.b)
	}
	return true
}

// inResource reports whether the resource of the current span is open.
func (w *Writer) inResource() bool {
	switch {
	case w.resourceAt == 0:
		return false
	case w.useShared || w.openShared:
		return w.useShared == w.openShared // however large, it is compared with none
	}
	return bytes.Equal(w.out[w.resourceHead:w.resourceStart], w.Resource.b)
}

// open begins a wrapper with its header, the first field of each.
func (w *Writer) open(at, head, start *int, tag byte, header []byte) bool {
	if !w.room(1 + headRoom + 1 + headRoom + len(header)) {
		return false
	}
	w.out = append(w.out, tag)
	w.out = w.out[:len(w.out)+headRoom]
	*at = len(w.out)
	if len(header) > 0 {
		w.out = binary.AppendUvarint(append(w.out, 1<<3|wire.LengthType), uint64(len(header)))
	}
	*head = len(w.out)
	w.out = append(w.out, header...)
	*start = len(w.out)
	return true
}

// shut writes the length of a wrapper, and moves its content to behind that.
func (w *Writer) shut(at *int) {
	if *at == 0 {
		return
	}
	content := w.out[*at:]
	b := binary.AppendUvarint(w.out[:*at-headRoom], uint64(len(content)))
	w.out = append(b, content...)
	*at = 0
}

func (w *Writer) closeScope() { w.shut(&w.scopeAt) }

func (w *Writer) closeResource() {
	w.closeScope()
	w.shut(&w.resourceAt)
}

// finish returns the request, which is valid until the next reset.
func (w *Writer) finish() []byte {
	w.closeResource()
	return w.out
}

// Append appends to a list of the decoder and claims what is larger than a list
// may be in any case. The list is as it was where memory ran out.
func Append[T any](w *Writer, list []T, v T, size int) []T {
	if len(list) == cap(list) {
		grown := max(64, 2*cap(list))
		if grown*size > keptScratch && !w.Claim(grown*size) {
			return list
		}
		list = slices.Grow(list, grown-len(list))
	}
	return append(list, v)
}

// Nanos returns Unix nanoseconds of a time in microseconds. What does not fit is
// a time in the far future, which is refused later on.
func Nanos(micros uint64) uint64 {
	if micros > math.MaxInt64/1000 {
		return math.MaxInt64
	}
	return micros * 1000
}
