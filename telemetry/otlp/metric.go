package otlp

import (
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// Tags of the shapes of a Metric, a oneof, and of their data points.
const (
	tagGauge       = 5<<3 | wire.LengthType
	tagSum         = 7<<3 | wire.LengthType
	tagHistogram   = 9<<3 | wire.LengthType
	tagExponential = 10<<3 | wire.LengthType
	tagSummary     = 11<<3 | wire.LengthType

	tagPoint = 1<<3 | wire.LengthType

	knownMetric = 1<<1 | 1<<2 | 1<<3 | 1<<5 | 1<<7 | 1<<9 | 1<<10 | 1<<11 | 1<<12
)

func kindOf(shape uint64) telemetry.MetricKind {
	switch shape {
	case tagGauge:
		return telemetry.Gauge
	case tagSum:
		return telemetry.Sum
	case tagHistogram:
		return telemetry.Histogram
	case tagExponential:
		return telemetry.ExponentialHistogram
	case tagSummary:
		return telemetry.Summary
	}
	return telemetry.MetricEmpty
}

// metricData walks over a Metric and its data points. Of its shapes the last one
// counts; where that occurs several times in a row, the occurrences are one
// message.
func (w *walker) metricData(buf []byte, at, pos int) bool {
	w.place.row = -1
	if w.picked(at, len(buf)) {
		return true
	}
	m := w.enter(at, len(buf), tagChild)
	w.why, w.count = problem{}, 0
	if w.picks == nil {
		w.metric = uint32(len(w.b.Metrics))
		w.b.Metrics = append(w.b.Metrics, telemetry.Metric{Resource: w.resource, Scope: w.scope})
	}
	shape, from := w.metricFields(buf, pos)
	if from < 0 {
		return false
	}
	if w.picks == nil {
		metric := &w.b.Metrics[w.metric]
		metric.Kind = kindOf(shape)
		metric.Metadata = telemetry.Range{Start: m.attrs, End: uint32(len(w.b.Attrs))}
	}
	why := w.why
	if shape != 0 {
		if w.cut != nil {
			w.node = w.cut.open(extent{}, w.node, byte(shape))
		}
		w.place.row = 0
		if !w.eachShape(buf, from, shape, false) || !w.eachShape(buf, from, shape, true) {
			return false
		}
		w.place.row = -1
		if w.cut != nil {
			w.node = w.cut.nodes[w.node].parent
		}
	}
	w.leave(&m, why, at, len(buf))
	return true
}

// metricFields reads the fields of a Metric other than its data. It returns the
// tag of the shape that counts, 0 where there is none, and the position where it
// starts to count, -1 where the metric is broken.
func (w *walker) metricFields(buf []byte, pos int) (shape uint64, from int) {
	var metric telemetry.Metric // a place for text when picking
	into := &metric
	if w.picks == nil {
		into = &w.b.Metrics[w.metric]
	}
	from = pos
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case 1<<3 | wire.LengthType:
			into.Name, pos = w.text(buf, next)
		case 2<<3 | wire.LengthType:
			into.Description, pos = w.text(buf, next)
		case 3<<3 | wire.LengthType:
			into.Unit, pos = w.text(buf, next)
		case tagGauge, tagSum, tagHistogram, tagExponential, tagSummary:
			if shape != tag {
				shape, from = tag, at
			}
			if pos = w.stepOver(buf, next); pos < 0 {
				return 0, -1
			}
			continue
		case 12<<3 | wire.LengthType:
			if w.picks != nil {
				pos = w.stepOver(buf, next)
			} else {
				pos = w.attributes(buf, next, byte(tag))
			}
		default:
			pos = w.other(buf, at, next, tag, knownMetric)
		}
		if pos < 0 {
			return 0, -1
		}
		if w.cut != nil {
			w.cut.head(w.node, at, pos)
		}
	}
	return shape, from
}

// eachShape walks over the occurrences of the shape in a metric, from the given
// position on: over their data points, or over everything else.
func (w *walker) eachShape(buf []byte, pos int, shape uint64, points bool) bool {
	for pos < len(buf) {
		tag, next := wire.Uvarint(buf, pos)
		if tag != shape {
			pos = skip(buf, next, tag)
			continue
		}
		start, end := wire.Extent(buf, next)
		if points && !w.points(buf[:end], start, shape) || !points && !w.shapeFields(buf[:end], start, shape) {
			return false
		}
		pos = end
	}
	return true
}

// shapeFields reads the fields of a shape other than its points.
func (w *walker) shapeFields(buf []byte, pos int, shape uint64) bool {
	known := uint32(1 << 1)
	switch shape {
	case tagSum:
		known = 1<<1 | 1<<2 | 1<<3
	case tagHistogram, tagExponential:
		known = 1<<1 | 1<<2
	}
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch {
		case tag == tagPoint:
			if pos = w.stepOver(buf, next); pos < 0 {
				return false
			}
			continue
		case tag == 2<<3|wire.VarintType && known>>2&1 != 0:
			var n uint64
			if n, pos = w.varint(buf, next); w.picks == nil {
				w.b.Metrics[w.metric].Temporality = telemetry.Temporality(upTo(n, uint8(telemetry.Cumulative)))
			}
		case tag == 3<<3|wire.VarintType && known>>3&1 != 0:
			var n uint64
			if n, pos = w.varint(buf, next); w.picks == nil {
				w.b.Metrics[w.metric].Monotonic = n != 0
			}
		default:
			pos = w.other(buf, at, next, tag, known)
		}
		if pos < 0 {
			return false
		}
		if w.cut != nil {
			w.cut.head(w.node, at, pos)
		}
	}
	return true
}

// points walks over the data points of a shape, which was walked over before.
func (w *walker) points(buf []byte, pos int, shape uint64) bool {
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		if tag != tagPoint {
			pos = skip(buf, next, tag)
			continue
		}
		start, end := wire.Extent(buf, next)
		done := w.picked(at, end)
		if !done {
			w.why, w.count = problem{}, 0
			switch shape {
			case tagGauge, tagSum:
				done = w.number(buf[:end], at, start)
			case tagHistogram:
				done = w.histogram(buf[:end], at, start)
			case tagExponential:
				done = w.exponential(buf[:end], at, start)
			case tagSummary:
				done = w.summary(buf[:end], at, start)
			}
		}
		if !done {
			return false
		}
		w.place.row++
		pos = end
	}
	return true
}
