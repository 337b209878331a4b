package remotewrite

import (
	"encoding/hex"

	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// The tags of an Exemplar of OTLP.
const (
	exemplarTime      = 2<<3 | wire.Fixed64Type
	exemplarValue     = 3<<3 | wire.Fixed64Type
	exemplarSpanID    = 4<<3 | wire.LengthType
	exemplarTraceID   = 5<<3 | wire.LengthType
	exemplarAttribute = 7<<3 | wire.LengthType
)

// The labels of an exemplar that name a span.
const (
	traceIDLabel = "trace_id"
	spanIDLabel  = "span_id"
)

// exemplar is an exemplar of a series while it is read.
type exemplar struct {
	time  int64 // milliseconds, 0 where it has none
	value uint64
	bad   bool
}

// readExemplars reads the exemplars of the current series, whose fields have the
// given tag, and encodes them as the exemplars of a NumberDataPoint. It returns
// how many those are.
func (s *splitter) readExemplars(tag byte) (n int64, ok bool) {
	se := &s.series
	body := s.body[:se.end]
	s.exemplarTime = 0
	for pos := se.exemplars; pos < se.end; {
		if body[pos] != tag {
			if pos = s.next(pos, se.end); pos < 0 {
				return 0, false
			}
			continue
		}
		start, end := wire.Extent(body, pos+1)
		e, ok := s.exemplar(body[:end], start)
		if !ok {
			return 0, false
		}
		pos = end
		switch {
		case se.bad != fine: // is told of the series
		case e.bad:
			s.reject(badExemplar, "")
		case !s.putExemplar(&e):
			return 0, false
		default:
			n++
		}
	}
	return n, true
}

// exemplar reads an Exemplar; its labels are in exemplarLabels.
func (s *splitter) exemplar(buf []byte, pos int) (e exemplar, ok bool) {
	s.exemplarLabels = s.exemplarLabels[:0]
	refs := references{into: &s.exemplarLabels}
	for pos < len(buf) {
		tag, next := wire.Uvarint(buf, pos)
		switch {
		case tag == 1<<3|wire.LengthType && s.version == version1:
			pos = s.label1(buf, next, &s.exemplarLabels)
		case tag == 1<<3|wire.LengthType || tag == 1<<3|wire.VarintType && s.version == version2:
			pos = s.references(&refs, buf, next, tag)
		case tag == 2<<3|wire.Fixed64Type:
			e.value, pos = wire.Fixed64(buf, next)
		case tag == 3<<3|wire.VarintType:
			var n uint64
			n, pos = wire.Uvarint(buf, next)
			e.time = int64(n)
		default:
			pos = skipField(buf, next, tag, 1<<1|1<<2|1<<3)
		}
		if pos < 0 {
			return e, false
		}
	}
	e.bad = refs.problem() != fine || len(s.exemplarLabels) > s.maxLabels ||
		s.version == version1 && !validLabels(s.body, s.exemplarLabels)
	for _, l := range s.exemplarLabels {
		if n := l.name.size(); n == 0 || n > s.maxName || l.value.size() > s.maxValue {
			e.bad = true
		}
	}
	return e, true
}

// putExemplar encodes an exemplar, whose labels are in exemplarLabels.
func (s *splitter) putExemplar(e *exemplar) bool {
	var traceID [16]byte
	var spanID [8]byte
	size := 9
	at := startOf(e.time)
	if at != 0 {
		size += 9
		if e.time >= s.oldest && e.time <= s.newest {
			s.exemplarTime = max(s.exemplarTime, at)
		}
	}
	kept := s.exemplarLabels[:0]
	withTrace, withSpan := false, false
	for _, l := range s.exemplarLabels {
		name, value := l.name.of(s.body), l.value.of(s.body)
		switch {
		case !withTrace && string(name) == traceIDLabel && readID(traceID[:], value):
			withTrace = true
			size += 2 + len(traceID)
		case !withSpan && string(name) == spanIDLabel && readID(spanID[:], value):
			withSpan = true
			size += 2 + len(spanID)
		default:
			kept = append(kept, l)
			size += attributeLen(len(name), len(value))
		}
	}
	total := fieldLen(size)
	if !s.need(total) {
		return false
	}
	from := len(s.exemplars)
	if from+total > cap(s.exemplars) {
		larger := make([]byte, from, max(2*cap(s.exemplars), from+total))
		copy(larger, s.exemplars)
		s.exemplars = larger
	}
	b := s.exemplars[:from+total]
	pos := putHead(b, from, numberExemplar, size)
	if at != 0 {
		pos = putFixed(b, pos, exemplarTime, at)
	}
	pos = putFixed(b, pos, exemplarValue, e.value)
	if withSpan {
		pos = putText(b, pos, exemplarSpanID, spanID[:])
	}
	if withTrace {
		pos = putText(b, pos, exemplarTraceID, traceID[:])
	}
	for _, l := range kept {
		pos = putAttribute(b, pos, exemplarAttribute, l.name.of(s.body), l.value.of(s.body))
	}
	s.exemplars = b
	return true
}

// readID reads an id in lower-case hexadecimal. An id that is zero is none.
func readID(id, value []byte) bool {
	if len(value) != 2*len(id) {
		return false
	}
	for _, c := range value {
		if c >= 'A' && c <= 'F' {
			return false
		}
	}
	if _, err := hex.Decode(id, value); err != nil {
		return false
	}
	for _, c := range id {
		if c != 0 {
			return true
		}
	}
	return false
}

// retag gives encoded exemplars the tag that they have in another kind of point.
func retag(exemplars []byte, tag byte) {
	for pos := 0; pos < len(exemplars); {
		exemplars[pos] = tag
		_, pos = wire.Extent(exemplars, pos+1)
	}
}
