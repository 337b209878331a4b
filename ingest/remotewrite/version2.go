package remotewrite

import "github.com/goshawk-observability/goshawk/telemetry/wire"

// symbol is a string of the table of a request of version 2.0.
type symbol struct {
	text
	invalid bool // UTF-8
}

// symbolBytes is what a symbol takes.
const symbolBytes = 12

// request2 walks over a Request of version 2.0: first over its symbols, which
// may come after the series that refer to them. It returns false where the body
// is no request, or memory is short.
func (s *splitter) request2() bool {
	body := s.body
	first := -1
	for pos := 0; pos < len(body); {
		at := pos
		tag, next := wire.Uvarint(body, pos)
		switch tag {
		case 4<<3 | wire.LengthType:
			var t text
			if t, pos = textAt(body, next); pos < 0 || !s.need(symbolBytes) {
				return false
			}
			s.symbols = append(s.symbols, symbol{t, !valid(t.of(body))})
		case 5<<3 | wire.LengthType:
			mark(&first, at)
			_, pos = wire.Extent(body, next)
		default:
			pos = skipField(body, next, tag, 1<<4|1<<5)
		}
		if pos < 0 {
			return false
		}
	}
	if first < 0 {
		return true
	}
	for pos := first; pos < len(body); {
		tag, next := wire.Uvarint(body, pos)
		if tag != 5<<3|wire.LengthType {
			pos = skipField(body, next, tag, 0)
			continue
		}
		start, end := wire.Extent(body, next)
		if !s.series2(start, end) {
			return false
		}
		s.index++
		pos = end
	}
	return true
}

func (s *splitter) series2(start, end int) bool {
	se := s.startSeries(end)
	body := s.body[:end]
	refs := references{into: &s.labels}
	var help, unit uint64
	for pos := start; pos < end; {
		at := pos
		tag, next := wire.Uvarint(body, pos)
		switch tag {
		case 1<<3 | wire.LengthType, 1<<3 | wire.VarintType:
			pos = s.references(&refs, body, next, tag)
		case 2<<3 | wire.LengthType:
			_, pos = wire.Extent(body, next)
			mark(&se.samples, at)
		case 3<<3 | wire.LengthType:
			_, pos = wire.Extent(body, next)
			mark(&se.histograms, at)
		case 4<<3 | wire.LengthType:
			_, pos = wire.Extent(body, next)
			mark(&se.exemplars, at)
		case 5<<3 | wire.LengthType:
			pos = seriesMetadata(body, next, se, &help, &unit)
		case 6<<3 | wire.VarintType:
			// The start was here before samples had their own.
			var n uint64
			n, pos = wire.Uvarint(body, next)
			se.created = int64(n)
		default:
			pos = skipField(body, next, tag, fields2.known)
		}
		if pos < 0 {
			return false
		}
	}
	se.bad = refs.problem()
	var ok1, ok2 bool
	se.help, ok1 = s.about(help)
	se.unit, ok2 = s.about(unit)
	if se.bad == fine && !(ok1 && ok2) {
		se.bad = badReference
	}
	return s.data(&fields2)
}

// about returns the text about a metric that a reference means.
func (s *splitter) about(ref uint64) (text, bool) {
	if ref >= uint64(len(s.symbols)) {
		return text{}, false
	}
	sym := s.symbols[ref]
	if sym.invalid || sym.size() > s.maxText {
		return text{}, true
	}
	return sym.text, true
}

// references are the labels that a list of references to symbols means.
type references struct {
	into *[]label
	name text
	half bool // a name was read, and its value not yet
	bad  reason
}

func (r *references) problem() reason {
	if r.half && r.bad == fine {
		return badReference
	}
	return r.bad
}

// references reads a field of references, packed or not, and returns the
// position after it, -1 where it is broken.
func (s *splitter) references(r *references, buf []byte, pos int, tag uint64) int {
	var end int
	if tag&7 == wire.LengthType {
		if pos, end = wire.Extent(buf, pos); end < 0 {
			return -1
		}
		buf = buf[:end]
	} else if _, end = wire.Uvarint(buf, pos); end < 0 {
		return -1
	}
	labels := *r.into
	for pos < end {
		var n uint64
		switch {
		case buf[pos] < 0x80:
			n = uint64(buf[pos])
			pos++
		case pos+1 < end && buf[pos+1] < 0x80:
			n = uint64(buf[pos]&0x7f) | uint64(buf[pos+1])<<7
			pos += 2
		default:
			if n, pos = wire.UvarintLong(buf, pos); pos < 0 {
				return -1
			}
		}
		if n = uint64(uint32(n)); n >= uint64(len(s.symbols)) {
			r.bad = badReference
			r.half = !r.half
			continue
		}
		sym := &s.symbols[n]
		if sym.invalid && r.bad == fine {
			r.bad = notUTF8
		}
		if r.half = !r.half; r.half {
			r.name = sym.text
		} else if len(labels) <= s.maxLabels {
			labels = append(labels, label{r.name, sym.text})
		}
	}
	*r.into = labels
	return end
}

// seriesMetadata reads a Metadata and returns the position after it, -1 where it
// is broken.
func seriesMetadata(buf []byte, pos int, se *series, help, unit *uint64) int {
	start, end := wire.Extent(buf, pos)
	if end < 0 {
		return -1
	}
	buf = buf[:end]
	for pos = start; pos < end; {
		tag, next := wire.Uvarint(buf, pos)
		var n uint64
		switch tag {
		case 1<<3 | wire.VarintType:
			n, pos = wire.Uvarint(buf, next)
			se.kind = typeOf(n)
		case 3<<3 | wire.VarintType:
			n, pos = wire.Uvarint(buf, next)
			*help = uint64(uint32(n))
		case 4<<3 | wire.VarintType:
			n, pos = wire.Uvarint(buf, next)
			*unit = uint64(uint32(n))
		default:
			pos = skipField(buf, next, tag, 1<<1|1<<3|1<<4)
		}
		if pos < 0 {
			return -1
		}
	}
	return end
}
