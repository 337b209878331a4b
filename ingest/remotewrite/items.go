package remotewrite

import (
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// scope says which of the scopes a metric is in.
type scope uint8

const (
	sampleScope scope = iota
	exemplarScope
	metadataScope
	scopes // the number of scopes
)

var scopeNames = [scopes]string{telemetry.ScopeRemoteWrite, telemetry.ScopeRemoteWriteExemplars, telemetry.ScopeRemoteWriteMetadata}

// shape is a kind of metric of OTLP.
type shape uint8

const (
	gaugeShape shape = iota
	sumShape
	histogramShape
	exponentialShape
	shapes // the number of shapes
)

var shapeTags = [shapes]byte{gaugeShape: 5<<3 | wire.LengthType, sumShape: 7<<3 | wire.LengthType, histogramShape: 9<<3 | wire.LengthType, exponentialShape: 10<<3 | wire.LengthType}

// temporality is the field of a Sum or histogram that says that it is cumulative,
// monotonic says of a Sum that it never falls.
var (
	temporality = []byte{2<<3 | wire.VarintType, byte(telemetry.Cumulative)}
	monotonic   = []byte{3<<3 | wire.VarintType, 1}
)

// itemKind is what the points of one metric have in common beside names.
type itemKind struct {
	shape  shape
	kind   metricType
	scope  scope
	floats bool // the counts are those of a float histogram
}

// typeName returns the type that the metric's metadata tell, "" for none.
func (k itemKind) typeName() string {
	if k.scope != metadataScope && (k.kind == unknown || k.kind == gauge || k.kind == counter) {
		return ""
	}
	return typeNames[k.kind]
}

// item is a metric with adjacent points in out.
type item struct {
	points           text // in out
	name, help, unit text
	group            uint32
	events           uint32
	size             uint32 // as a field of its ScopeMetrics
	itemKind
}

// itemBytes is what an item takes beside its points.
const itemBytes = 64

// openPoint begins a point of the given size, of the current series. It returns
// out with room for the point, and the position where it is written. The caller
// sets out to end there where the point ends.
func (s *splitter) openPoint(kind itemKind, size int) (b []byte, pos int, ok bool) {
	total := fieldLen(size)
	if !s.room(total) {
		return nil, 0, false
	}
	from := len(s.out)
	b = s.out[:cap(s.out)]
	pos = putHead(b, from, 1<<3|wire.LengthType, size)
	s.events++
	se := &s.series
	if n := len(s.items); n > 0 {
		it := &s.items[n-1]
		// Pieces of a record are small, so that they fill records well.
		if it.group == se.group && it.itemKind == kind && it.points.size()+total <= s.maxRecord/8 &&
			s.sameText(it.name, se.name) && s.sameText(it.help, se.help) && s.sameText(it.unit, se.unit) {
			it.points.end += uint32(total)
			it.events++
			return b, pos, true
		}
	}
	if !s.need(itemBytes) {
		return nil, 0, false
	}
	s.items = append(s.items, item{
		points: text{uint32(from), uint32(from + total)},
		name:   se.name, help: se.help, unit: se.unit,
		group: se.group, events: 1, itemKind: kind,
	})
	return b, pos, true
}

func (s *splitter) sameText(a, b text) bool {
	return a == b || a.size() == b.size() && string(a.of(s.body)) == string(b.of(s.body))
}

// wrappers is at least what a record has around a point beside names and labels.
const wrappers = 256

// tooLarge reports whether a point of the given size could not be put into any
// record, and counts it as refused then.
func (s *splitter) tooLarge(size int) bool {
	se := &s.series
	size += se.name.size() + se.help.size() + se.unit.size() + s.groups[se.group].resource.size() + wrappers
	if size <= s.maxRecord {
		return false
	}
	s.reject(tooLarge, "")
	return true
}

// data is the length of what is in the shape's field.
func (it *item) data() int {
	n := it.points.size()
	switch {
	case it.shape == sumShape:
		n += len(temporality) + len(monotonic)
	case it.shape != gaugeShape && !it.floats:
		n += len(temporality)
	}
	return n
}

// measure returns the length of the item as a Metric.
func (it *item) measure() int {
	n := fieldLen(it.name.size()) + fieldLen(it.data())
	if it.help.size() > 0 {
		n += fieldLen(it.help.size())
	}
	if it.unit.size() > 0 {
		n += fieldLen(it.unit.size())
	}
	if t := it.typeName(); t != "" {
		n += attributeLen(len(telemetry.MetadataType), len(t))
	}
	if it.floats {
		n += attributeLen(len(telemetry.MetadataCounts), len(telemetry.MetadataCountsFloat))
	}
	return n
}

// metadataTag is the tag of a Metric's metadata.
const metadataTag = 12<<3 | wire.LengthType

// put writes the item as a field of its ScopeMetrics and returns the position
// after it.
func (s *splitter) put(b []byte, pos int, it *item) int {
	pos = putHead(b, pos, 2<<3|wire.LengthType, it.measure())
	pos = putText(b, pos, 1<<3|wire.LengthType, it.name.of(s.body))
	if it.help.size() > 0 {
		pos = putText(b, pos, 2<<3|wire.LengthType, it.help.of(s.body))
	}
	if it.unit.size() > 0 {
		pos = putText(b, pos, 3<<3|wire.LengthType, it.unit.of(s.body))
	}
	pos = putHead(b, pos, shapeTags[it.shape], it.data())
	pos += copy(b[pos:], it.points.of(s.out))
	if it.shape != gaugeShape && !it.floats {
		pos += copy(b[pos:], temporality)
	}
	if it.shape == sumShape {
		pos += copy(b[pos:], monotonic)
	}
	if t := it.typeName(); t != "" {
		pos = putAttribute(b, pos, metadataTag, telemetry.MetadataType, []byte(t))
	}
	if it.floats {
		pos = putAttribute(b, pos, metadataTag, telemetry.MetadataCounts, []byte(telemetry.MetadataCountsFloat))
	}
	return pos
}
