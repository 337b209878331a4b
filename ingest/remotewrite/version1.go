package remotewrite

import (
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// request1 walks over a WriteRequest of version 1.0. It returns false where the
// body is none, or memory is short.
func (s *splitter) request1(received int64) bool {
	body := s.body
	metadata := -1
	for pos := 0; pos < len(body); {
		at := pos
		tag, next := wire.Uvarint(body, pos)
		switch tag {
		case 1<<3 | wire.LengthType:
			start, end := wire.Extent(body, next)
			if end < 0 || !s.series1(start, end) {
				return false
			}
			s.index++
			pos = end
		case 3<<3 | wire.LengthType:
			start, end := wire.Extent(body, next)
			if end < 0 || !s.familyMetadata(body[:end], start) {
				return false
			}
			if metadata < 0 {
				metadata = at
			}
			pos = end
		default:
			if pos = skipField(body, next, tag, 1<<1|1<<3); pos < 0 {
				return false
			}
		}
	}
	return metadata < 0 || s.metadata1(metadata, received)
}

func (s *splitter) series1(start, end int) bool {
	se := s.startSeries(end)
	body := s.body[:end]
	pos := start
	for pos < end && body[pos] == 1<<3|wire.LengthType {
		if pos = s.label1(body, pos+1, &s.labels); pos < 0 {
			return false
		}
	}
	plain := ascii(body[start:pos])
	for pos < end {
		at := pos
		tag, next := wire.Uvarint(body, pos)
		switch tag {
		case 1<<3 | wire.LengthType:
			plain = false
			pos = s.label1(body, next, &s.labels)
		case 2<<3 | wire.LengthType:
			_, pos = wire.Extent(body, next)
			mark(&se.samples, at)
		case 3<<3 | wire.LengthType:
			_, pos = wire.Extent(body, next)
			mark(&se.exemplars, at)
		case 4<<3 | wire.LengthType:
			_, pos = wire.Extent(body, next)
			mark(&se.histograms, at)
		default:
			pos = skipField(body, next, tag, fields1.known)
		}
		if pos < 0 {
			return false
		}
	}
	if !plain && !validLabels(s.body, s.labels) {
		se.bad = notUTF8
	}
	return s.data(&fields1)
}

// mark sets the position of a first field.
func mark(first *int, at int) {
	if *first < 0 {
		*first = at
	}
}

func validLabels(body []byte, labels []label) bool {
	for i := range labels {
		if !valid(labels[i].name.of(body)) || !valid(labels[i].value.of(body)) {
			return false
		}
	}
	return true
}

// label1 reads a Label whose length is at pos and adds it to the list, which
// holds no more than is needed to see that there are too many. It returns the
// position after it, -1 where it is broken.
func (s *splitter) label1(buf []byte, pos int, into *[]label) int {
	start, end := wire.Extent(buf, pos)
	if end < 0 {
		return -1
	}
	l, ok := plainLabel(buf[:end], start)
	if !ok {
		if l, ok = anyLabel(buf[:end], start); !ok {
			return -1
		}
	}
	if len(*into) <= s.maxLabels {
		*into = append(*into, l)
	}
	return end
}

// plainLabel reads a label that is a name and then a value, which every sender
// writes.
func plainLabel(buf []byte, pos int) (label, bool) {
	if pos+4 > len(buf) || buf[pos] != 1<<3|wire.LengthType || buf[pos+1] >= 0x80 {
		return label{}, false
	}
	name := text{uint32(pos + 2), uint32(pos + 2 + int(buf[pos+1]))}
	pos = int(name.end)
	if pos+2 > len(buf) || buf[pos] != 2<<3|wire.LengthType {
		return label{}, false
	}
	start, end := wire.Extent(buf, pos+1)
	if end != len(buf) {
		return label{}, false
	}
	return label{name, text{uint32(start), uint32(end)}}, true
}

func anyLabel(buf []byte, pos int) (l label, ok bool) {
	for pos < len(buf) {
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case 1<<3 | wire.LengthType:
			l.name, pos = textAt(buf, next)
		case 2<<3 | wire.LengthType:
			l.value, pos = textAt(buf, next)
		default:
			pos = skipField(buf, next, tag, 1<<1|1<<2)
		}
		if pos < 0 {
			return l, false
		}
	}
	return l, true
}

// textAt reads a string at pos; next is -1 where it is broken.
func textAt(buf []byte, pos int) (t text, next int) {
	start, end := wire.Extent(buf, pos)
	if end < 0 {
		return text{}, -1
	}
	return text{uint32(start), uint32(end)}, end
}

// metadata1 writes what the request says of metrics as such, beginning with the
// field at the given position. The time of these points follows from the request
// where it can: from its newest sample.
func (s *splitter) metadata1(pos int, received int64) bool {
	const minute = 60_000_000_000
	at := uint64(s.newestKept) * 1_000_000
	if at == 0 && received > 0 {
		at = uint64(received - received%minute)
	}
	s.labels = s.labels[:0]
	for pos < len(s.body) {
		tag, next := wire.Uvarint(s.body, pos)
		if tag != 3<<3|wire.LengthType {
			pos = skipField(s.body, next, tag, 0)
			continue
		}
		start, end := wire.Extent(s.body, next)
		s.familyMetadata(s.body[:end], start)
		pos = end
		if se := &s.series; se.name.size() == 0 || !valid(se.name.of(s.body)) || se.name.size() > s.maxValue {
			continue // of no metric that could ever be asked for
		}
		if !s.groupOf(text{}, text{}) {
			return false
		}
		const size = 9 + 2
		if s.tooLarge(size) {
			continue
		}
		b, pos, ok := s.openPoint(itemKind{shape: gaugeShape, kind: s.series.kind, scope: metadataScope}, size)
		if !ok {
			return false
		}
		pos = putFixed(b, pos, numberTime, at)
		b[pos], b[pos+1] = numberFlags, telemetry.FlagNoRecordedValue
		s.out = b[:pos+2]
	}
	return true
}

// familyMetadata reads a MetricMetadata into the current series.
func (s *splitter) familyMetadata(buf []byte, pos int) bool {
	se := s.startSeries(len(buf))
	for pos < len(buf) {
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case 1<<3 | wire.VarintType:
			var n uint64
			n, pos = wire.Uvarint(buf, next)
			se.kind = typeOf(n)
		case 2<<3 | wire.LengthType:
			se.name, pos = textAt(buf, next)
		case 4<<3 | wire.LengthType:
			se.help, pos = textAt(buf, next)
		case 5<<3 | wire.LengthType:
			se.unit, pos = textAt(buf, next)
		default:
			pos = skipField(buf, next, tag, 1<<1|1<<2|1<<4|1<<5)
		}
		if pos < 0 {
			return false
		}
	}
	se.help, se.unit = s.usable(se.help), s.usable(se.unit)
	return true
}

// usable returns a text about a metric, or nothing where it could not be stored:
// no sample is refused for that.
func (s *splitter) usable(t text) text {
	if t.size() > s.maxText || !valid(t.of(s.body)) {
		return text{}
	}
	return t
}
