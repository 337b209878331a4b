package remotewrite

import (
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// series is what is known of the current series beside its labels.
type series struct {
	// The positions of the first sample, histogram and exemplar, -1 for none.
	samples, histograms, exemplars int
	// end is where the series ends.
	end int
	// created is the start of all samples that have none of their own, in
	// milliseconds.
	created int64
	kind    metricType
	// help and unit are empty where there are none.
	help, unit text
	// attributes is the length of all labels but the name as attributes of a
	// point.
	attributes int
	name       text
	nameAt     int // the index of its label
	group      uint32
	// bad is why nothing of the series can be taken.
	bad reason
}

// metricType is the type of a metric, with the numbers of both versions.
type metricType uint8

const (
	unknown metricType = iota
	counter
	gauge
	histogramType
	gaugeHistogram
	summary
	info
	stateSet
	metricTypes // the number of types
)

// typeNames are what Prometheus calls the types.
var typeNames = [metricTypes]string{"unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"}

func typeOf(n uint64) metricType {
	if n < uint64(metricTypes) {
		return metricType(n)
	}
	return unknown
}

// The fields of a TimeSeries.
type fields struct {
	samples, histograms, exemplars byte // tags
	known                          uint32
}

var fields1 = fields{samples: 2<<3 | wire.LengthType, exemplars: 3<<3 | wire.LengthType, histograms: 4<<3 | wire.LengthType, known: 1<<1 | 1<<2 | 1<<3 | 1<<4}

var fields2 = fields{
	samples: 2<<3 | wire.LengthType, histograms: 3<<3 | wire.LengthType, exemplars: 4<<3 | wire.LengthType,
	known: 1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<5 | 1<<6,
}

func (s *splitter) startSeries(end int) *series {
	s.labels = s.labels[:0]
	s.series = series{samples: -1, histograms: -1, exemplars: -1, end: end}
	return &s.series
}

// data writes the points of the current series, whose labels are read. It
// returns false where the request is malformed or memory is short.
func (s *splitter) data(f *fields) bool {
	se := &s.series
	if se.bad == fine {
		if se.bad = s.checkLabels(); s.memory.Err() != nil {
			return false
		}
	}
	if se.samples < 0 && se.histograms < 0 && se.exemplars < 0 {
		switch {
		case s.version == version1: // nothing was sent, so nothing is missing
		case se.bad != fine:
			s.reject(se.bad, "")
		default:
			s.reject(emptySeries, "")
		}
		return true
	}
	if se.bad == fine && !s.chooseGroup() {
		return false
	}
	s.exemplars = s.exemplars[:0]
	exemplars := int64(0)
	if se.exemplars >= 0 {
		var ok bool
		if exemplars, ok = s.readExemplars(f.exemplars); !ok {
			return false
		}
	}
	var last point // the last sample that is taken, which is not written yet
	if se.samples >= 0 && !s.readSamples(f.samples, &last) {
		return false
	}
	withSamples := last.set
	if withSamples {
		if !s.writeNumber(&last, s.exemplars) {
			return false
		}
		s.written.exemplars += exemplars
		exemplars = 0
	}
	if se.histograms >= 0 {
		attach := s.exemplars
		if withSamples {
			attach = nil
		}
		kept, ok := s.readHistograms(f.histograms, attach)
		if !ok {
			return false
		}
		if kept {
			s.written.exemplars += exemplars
			exemplars = 0
		}
	}
	if se.bad != fine && se.samples < 0 && se.histograms < 0 {
		s.reject(se.bad, "")
	}
	if exemplars > 0 && se.bad == fine {
		return s.writeExemplarsAlone(exemplars)
	}
	return true
}

// point is a sample before it is written. Times are in milliseconds, start is 0
// where it is not known.
type point struct {
	time, start int64
	value       uint64 // the bits of a double
	set         bool
}

// readSamples reads the samples of the current series and writes all that are
// taken but the last one.
func (s *splitter) readSamples(tag byte, last *point) bool {
	se := &s.series
	body := s.body[:se.end]
	for pos := se.samples; pos < se.end; {
		if body[pos] != tag {
			if pos = s.next(pos, se.end); pos < 0 {
				return false
			}
			continue
		}
		start, end := wire.Extent(body, pos+1)
		p := point{start: se.created, set: true}
		if !s.sample(body[:end], start, &p) {
			return false
		}
		pos = end
		switch {
		case se.bad != fine:
			s.reject(se.bad, "")
			continue
		case p.time < s.oldest:
			s.reject(timeTooOld, stamp(p.time))
			continue
		case p.time > s.newest:
			s.reject(timeInFuture, stamp(p.time))
			continue
		}
		if last.set && !s.writeNumber(last, nil) {
			return false
		}
		*last = p
	}
	return true
}

// next returns the position after the field at pos, which was walked over before.
func (s *splitter) next(pos, end int) int {
	tag, at := wire.Uvarint(s.body[:end], pos)
	return skipField(s.body[:end], at, tag, 0)
}

// sample reads a Sample. Both versions have the same fields but for the start.
func (s *splitter) sample(buf []byte, pos int, p *point) bool {
	for pos < len(buf) {
		tag, next := wire.Uvarint(buf, pos)
		switch {
		case tag == 1<<3|wire.Fixed64Type:
			p.value, pos = wire.Fixed64(buf, next)
		case tag == 2<<3|wire.VarintType:
			var n uint64
			n, pos = wire.Uvarint(buf, next)
			p.time = int64(n)
		case tag == 3<<3|wire.VarintType && s.version == version2:
			var n uint64
			if n, pos = wire.Uvarint(buf, next); n != 0 {
				p.start = int64(n)
			}
		default:
			pos = skipField(buf, next, tag, s.knownOfSample())
		}
		if pos < 0 {
			return false
		}
	}
	return true
}

func (s *splitter) knownOfSample() uint32 {
	if s.version == version2 {
		return 1<<1 | 1<<2 | 1<<3
	}
	return 1<<1 | 1<<2
}

// staleNaN is the value of a sample that says that its series ended.
const staleNaN = 0x7ff0000000000002

// The tags of a NumberDataPoint.
const (
	numberStart      = 2<<3 | wire.Fixed64Type
	numberTime       = 3<<3 | wire.Fixed64Type
	numberValue      = 4<<3 | wire.Fixed64Type
	numberExemplar   = 5<<3 | wire.LengthType
	numberAttributes = 7<<3 | wire.LengthType
	numberFlags      = 8<<3 | wire.VarintType
)

// writeNumber writes a sample, with exemplars that are encoded already.
func (s *splitter) writeNumber(p *point, exemplars []byte) bool {
	shape := gaugeShape
	kind := s.series.kind
	if kind == counter {
		shape = sumShape
	}
	start := startOf(p.start)
	size := 9 + 9 + len(exemplars) + s.series.attributes
	if start != 0 {
		size += 9
	}
	stale := p.value == staleNaN
	if stale {
		size += 2
	}
	if s.tooLarge(size) {
		return true
	}
	b, pos, ok := s.openPoint(itemKind{shape: shape, kind: kind}, size)
	if !ok {
		return false
	}
	if start != 0 {
		pos = putFixed(b, pos, numberStart, start)
	}
	pos = putFixed(b, pos, numberTime, uint64(p.time)*1_000_000)
	pos = putFixed(b, pos, numberValue, p.value)
	pos += copy(b[pos:], exemplars)
	pos = s.putAttributes(b, pos, numberAttributes)
	if stale {
		b[pos], b[pos+1] = numberFlags, telemetry.FlagNoRecordedValue
		pos += 2
	}
	s.out = b[:pos]
	s.written.samples++
	s.newestKept = max(s.newestKept, p.time)
	return true
}

// writeExemplarsAlone writes a point that holds nothing but the exemplars of a
// series of which nothing else is there.
func (s *splitter) writeExemplarsAlone(n int64) bool {
	size := len(s.exemplars) + s.series.attributes + 2
	if s.exemplarTime != 0 {
		size += 9
	}
	if s.tooLarge(size) {
		return true
	}
	b, pos, ok := s.openPoint(itemKind{shape: gaugeShape, kind: s.series.kind, scope: exemplarScope}, size)
	if !ok {
		return false
	}
	if s.exemplarTime != 0 {
		pos = putFixed(b, pos, numberTime, s.exemplarTime)
	}
	pos += copy(b[pos:], s.exemplars)
	pos = s.putAttributes(b, pos, numberAttributes)
	b[pos], b[pos+1] = numberFlags, telemetry.FlagNoRecordedValue
	s.out = b[:pos+2]
	s.written.exemplars += n
	return true
}

// startOf returns a start in milliseconds as Unix nanoseconds, 0 where it is not
// known or no such time exists.
func startOf(ms int64) uint64 {
	if ms <= 0 || ms > maxMillis {
		return 0
	}
	return uint64(ms) * 1_000_000
}
