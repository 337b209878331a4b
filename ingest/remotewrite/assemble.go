package remotewrite

import (
	"slices"

	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// assembly is the memory in which items are put together.
type assembly struct {
	counts []uint32
	order  []uint32 // items by partition, group and scope
	buffer []byte
}

func (a *assembly) reset() {
	if cap(a.buffer) > keptBytes {
		a.buffer = nil
	}
	const kept = keptBytes / 16
	if cap(a.counts) > kept || cap(a.order) > kept {
		a.counts, a.order = nil, nil
	}
}

// assemble makes the parts: the items by partition, by group in the order in
// which groups were met, by scope, and in the order of the request.
func (s *splitter) assemble() error {
	if len(s.items) == 0 {
		return nil
	}
	s.sortItems()
	order := s.assembly.order
	// What the parts take together, at most, tells how much memory they need.
	total := 0
	for from := 0; from < len(order); {
		to, size := s.fill(order, from)
		total += size
		from = to
	}
	if !s.need(total) {
		return s.memory.Err()
	}
	if cap(s.assembly.buffer) < total {
		s.assembly.buffer = make([]byte, total)
	}
	free := s.assembly.buffer[:total]
	for from := 0; from < len(order); {
		to, size := s.fill(order, from)
		events := int64(0)
		for _, i := range order[from:to] {
			events += int64(s.items[i].events)
		}
		value := s.putPart(free[:size:size], order[from:to])
		s.parts = append(s.parts, otlp.Part{
			Partition: int(s.groups[s.items[order[from]].group].partition),
			Events:    events,
			Value:     value,
		})
		free = free[size:]
		from = to
	}
	return nil
}

// sortItems puts the items in order, by counting: groups by partition, and then
// items by group and scope.
func (s *splitter) sortItems() {
	a := &s.assembly
	a.counts = slices.Grow(a.counts[:0], s.partitions+1)[:s.partitions+1]
	clear(a.counts)
	for i := range s.groups {
		a.counts[s.groups[i].partition+1]++
	}
	sum(a.counts)
	for i := range s.groups {
		g := &s.groups[i]
		g.rank = a.counts[g.partition]
		a.counts[g.partition]++
	}

	keys := len(s.groups) * int(scopes)
	a.counts = slices.Grow(a.counts[:0], keys+1)[:keys+1]
	clear(a.counts)
	for i := range s.items {
		it := &s.items[i]
		it.size = uint32(fieldLen(it.measure()))
		a.counts[s.key(it)+1]++
	}
	sum(a.counts)
	a.order = slices.Grow(a.order[:0], len(s.items))[:len(s.items)]
	for i := range s.items {
		at := &a.counts[s.key(&s.items[i])]
		a.order[*at] = uint32(i)
		*at++
	}
}

func sum(counts []uint32) {
	for i := 1; i < len(counts); i++ {
		counts[i] += counts[i-1]
	}
}

func (s *splitter) key(it *item) uint32 {
	return s.groups[it.group].rank*uint32(scopes) + uint32(it.scope)
}

// scopeLen is at least what a scope takes beside its metrics, and resourceLen
// what a resource takes beside its attributes and scopes.
const (
	scopeLen    = 6 + 2 + 2 + 80
	resourceLen = 6 + 6
)

// fill returns where the part ends that starts at the given place, and how large
// it is at most.
func (s *splitter) fill(order []uint32, from int) (to, size int) {
	first := &s.items[order[from]]
	partition := s.groups[first.group].partition
	group, scope := ^uint32(0), scopes
	for to = from; to < len(order); to++ {
		it := &s.items[order[to]]
		more := int(it.size)
		if it.group != group || it.scope != scope {
			more += scopeLen
		}
		if it.group != group {
			g := &s.groups[it.group]
			if g.partition != partition {
				break
			}
			more += resourceLen + g.resource.size()
		}
		if to > from && size+more > s.maxRecord {
			break
		}
		group, scope = it.group, it.scope
		size += more
	}
	return to, size
}

// putPart writes a request that holds the given items to dst.
func (s *splitter) putPart(dst []byte, order []uint32) []byte {
	pos := 0
	for from := 0; from < len(order); {
		group := s.items[order[from]].group
		resource := s.groups[group].resource.of(s.resources)
		size := fieldLen(len(resource))
		to := from
		for to < len(order) && s.items[order[to]].group == group {
			next, inner := s.scopeRun(order, to)
			size += fieldLen(inner)
			to = next
		}
		pos = putHead(dst, pos, 1<<3|wire.LengthType, size)
		pos = putText(dst, pos, 1<<3|wire.LengthType, resource)
		for at := from; at < to; {
			next, inner := s.scopeRun(order, at)
			name := scopeNames[s.items[order[at]].scope]
			pos = putHead(dst, pos, 2<<3|wire.LengthType, inner)
			pos = putHead(dst, pos, 1<<3|wire.LengthType, fieldLen(len(name)))
			pos = putText(dst, pos, 1<<3|wire.LengthType, name)
			for ; at < next; at++ {
				pos = s.put(dst, pos, &s.items[order[at]])
			}
		}
		from = to
	}
	return dst[:pos]
}

// scopeRun returns where the items end that share group and scope with the one
// at the given place, and the length of their ScopeMetrics.
func (s *splitter) scopeRun(order []uint32, from int) (to, size int) {
	first := &s.items[order[from]]
	size = fieldLen(fieldLen(len(scopeNames[first.scope])))
	for to = from; to < len(order); to++ {
		it := &s.items[order[to]]
		if it.group != first.group || it.scope != first.scope {
			break
		}
		size += int(it.size)
	}
	return to, size
}
