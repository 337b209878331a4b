// Package pointwriter writes ExportMetricsServiceRequests of one resource and one
// scope point by point, for what a processor or a sink counts itself.
//
// Nothing is allocated for a point: a metric is collected where its length is not
// known yet, and only the finished request is made anew. [Totals] keeps counters
// and histograms from request to request.
//
// It must not know what is counted.
package pointwriter

import (
	"encoding/binary"
	"math"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// Kind is the shape of a metric's points.
type Kind uint8

// The kinds.
const (
	// Sum is cumulative and monotonic.
	Sum Kind = iota
	Gauge
	// Histogram is cumulative and has explicit bounds.
	Histogram
	// Delta is a monotonic sum of what came since the point before.
	Delta
)

// Label is an attribute of a resource or a point, a text.
type Label struct{ Key, Value string }

// Exemplar is a measurement that a point remembers. Its ids are left out where
// they are zero.
type Exemplar struct {
	Time    int64 // Unix nanoseconds
	Value   float64
	TraceID telemetry.TraceID
	SpanID  telemetry.SpanID
}

// Tags of the messages around points, by the field numbers of OTLP.
const (
	tagResourceMetrics = 1<<3 | wire.LengthType
	tagResource        = 1<<3 | wire.LengthType
	tagScopeMetrics    = 2<<3 | wire.LengthType
	tagScope           = 1<<3 | wire.LengthType
	tagMetric          = 2<<3 | wire.LengthType

	tagPoint       = 1<<3 | wire.LengthType
	tagTemporality = 2<<3 | wire.VarintType
	tagMonotonic   = 3<<3 | wire.VarintType
)

// shapes are the tags of the kinds in a Metric.
var shapes = [...]byte{Sum: 7<<3 | wire.LengthType, Gauge: 5<<3 | wire.LengthType, Histogram: 9<<3 | wire.LengthType, Delta: 7<<3 | wire.LengthType}

// Writer writes one request after the other. It is used by one goroutine at a time.
type Writer struct {
	resource, scope []byte // encoded, without their own heads
	metrics         []byte // the metrics that are complete
	points          []byte // of the current metric
	events          int64

	name, unit, description string
	kind                    Kind
}

// New returns a writer of requests with the given resource, and with the name of
// a scope, which may be empty.
func New(resource []Label, scope string) *Writer {
	w := &Writer{}
	w.resource = appendLabels(nil, tagResourceLabel, resource)
	w.scope = appendText(nil, 1<<3|wire.LengthType, scope)
	return w
}

// Reset forgets the request that has not been finished.
func (w *Writer) Reset() {
	w.metrics, w.points, w.events = w.metrics[:0], w.points[:0], 0
	w.name, w.unit, w.description, w.kind = "", "", "", Sum
}

// Len returns about how long the request is by now, in bytes.
func (w *Writer) Len() int { return len(w.resource) + len(w.metrics) + len(w.points) }

// Metric begins a metric, to which the points belong that follow. One without
// points is left out.
func (w *Writer) Metric(name, unit, description string, kind Kind) {
	w.endMetric()
	w.name, w.unit, w.description, w.kind = name, unit, description, kind
}

func (w *Writer) endMetric() {
	if len(w.points) == 0 {
		return
	}
	shape := len(w.points)
	switch w.kind {
	case Sum, Delta:
		shape += 4
	case Histogram:
		shape += 2
	case Gauge:
	}
	size := textLen(w.name) + textLen(w.description) + textLen(w.unit) + messageLen(shape)
	b := appendHead(w.metrics, tagMetric, size)
	b = appendText(b, 1<<3|wire.LengthType, w.name)
	b = appendText(b, 2<<3|wire.LengthType, w.description)
	b = appendText(b, 3<<3|wire.LengthType, w.unit)
	b = appendHead(b, shapes[w.kind], shape)
	b = append(b, w.points...)
	switch w.kind {
	case Sum, Histogram:
		b = append(b, tagTemporality, byte(telemetry.Cumulative))
	case Delta:
		b = append(b, tagTemporality, byte(telemetry.Delta))
	case Gauge:
	}
	if w.kind == Sum || w.kind == Delta {
		b = append(b, tagMonotonic, 1)
	}
	w.metrics, w.points = b, w.points[:0]
}

// Tags of attributes and exemplars, which differ by the shape of the point.
const (
	tagResourceLabel = 1<<3 | wire.LengthType

	tagNumberExemplar = 5<<3 | wire.LengthType
	tagNumberLabel    = 7<<3 | wire.LengthType

	tagHistogramExemplar = 8<<3 | wire.LengthType
	tagHistogramLabel    = 9<<3 | wire.LengthType
)

// Number adds a point of a sum or a gauge. Times are Unix nanoseconds; a start of
// 0 is left out.
func (w *Writer) Number(labels []Label, start, time int64, value float64, exemplars ...Exemplar) {
	size := timesLen(start) + 9 + labelsLen(labels) + exemplarsLen(exemplars)
	b := appendHead(w.points, tagPoint, size)
	b = appendTimes(b, start, time)
	b = appendDouble(b, 4<<3|wire.Fixed64Type, value)
	b = appendExemplars(b, tagNumberExemplar, exemplars)
	w.points = appendLabels(b, tagNumberLabel, labels)
	w.events++
}

// Histogram adds a point of a histogram: bounds are the upper bounds, ascending,
// and there is one more count than bounds, each of its bucket alone.
func (w *Writer) Histogram(labels []Label, start, time int64, count uint64, sum float64, bounds []float64, counts []uint64, exemplars ...Exemplar) {
	size := timesLen(start) + 9 + 9 + messageLen(8*len(counts)) + messageLen(8*len(bounds)) + labelsLen(labels) + exemplarsLen(exemplars)
	b := appendHead(w.points, tagPoint, size)
	b = appendTimes(b, start, time)
	b = appendFixed64(b, 4<<3|wire.Fixed64Type, count)
	b = appendDouble(b, 5<<3|wire.Fixed64Type, sum)
	b = appendHead(b, 6<<3|wire.LengthType, 8*len(counts))
	for _, n := range counts {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	b = appendHead(b, 7<<3|wire.LengthType, 8*len(bounds))
	for _, bound := range bounds {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(bound))
	}
	b = appendExemplars(b, tagHistogramExemplar, exemplars)
	w.points = appendLabels(b, tagHistogramLabel, labels)
	w.events++
}

// Stale adds a point which says that the series has ended, whatever kind the
// metric is of.
func (w *Writer) Stale(labels []Label, time int64) {
	tag, flags := byte(tagNumberLabel), byte(8<<3|wire.VarintType)
	if w.kind == Histogram {
		tag, flags = tagHistogramLabel, 10<<3|wire.VarintType
	}
	b := appendHead(w.points, tagPoint, 9+labelsLen(labels)+2)
	b = appendTimes(b, 0, time)
	b = appendLabels(b, tag, labels)
	w.points = append(b, flags, telemetry.FlagNoRecordedValue)
	w.events++
}

// Finish returns the request, which is the caller's, and the number of points in
// it. Without points there is no request. The writer begins another one.
func (w *Writer) Finish() (value []byte, events int64) {
	w.endMetric()
	if events = w.events; events == 0 {
		w.Reset()
		return nil, 0
	}
	scope := messageLen(len(w.scope)) + len(w.metrics)
	whole := messageLen(len(w.resource)) + messageLen(scope)
	value = make([]byte, 0, messageLen(whole))
	value = appendHead(value, tagResourceMetrics, whole)
	value = append(appendHead(value, tagResource, len(w.resource)), w.resource...)
	value = appendHead(value, tagScopeMetrics, scope)
	value = append(appendHead(value, tagScope, len(w.scope)), w.scope...)
	value = append(value, w.metrics...)
	w.Reset()
	return value, events
}

// messageLen returns the length of a field with a message of the given size.
func messageLen(size int) int { return 1 + wire.UvarintLen(uint64(size)) + size }

func appendHead(b []byte, tag byte, size int) []byte {
	return binary.AppendUvarint(append(b, tag), uint64(size))
}

// textLen returns the length of a field with a text, which is left out where it
// is empty.
func textLen(s string) int {
	if s == "" {
		return 0
	}
	return messageLen(len(s))
}

func appendText(b []byte, tag byte, s string) []byte {
	if s == "" {
		return b
	}
	return append(appendHead(b, tag, len(s)), s...)
}

func appendFixed64(b []byte, tag byte, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, tag), v)
}

func appendDouble(b []byte, tag byte, v float64) []byte {
	return appendFixed64(b, tag, math.Float64bits(v))
}

func timesLen(start int64) int {
	if start == 0 {
		return 9
	}
	return 18
}

func appendTimes(b []byte, start, time int64) []byte {
	if start != 0 {
		b = appendFixed64(b, 2<<3|wire.Fixed64Type, uint64(start))
	}
	return appendFixed64(b, 3<<3|wire.Fixed64Type, uint64(time))
}

// labelLen returns the length of a KeyValue. Its value is there even where it is
// empty.
func labelLen(l *Label) int { return textLen(l.Key) + messageLen(messageLen(len(l.Value))) }

func labelsLen(labels []Label) int {
	size := 0
	for i := range labels {
		size += messageLen(labelLen(&labels[i]))
	}
	return size
}

func appendLabels(b []byte, tag byte, labels []Label) []byte {
	for i := range labels {
		l := &labels[i]
		b = appendHead(b, tag, labelLen(l))
		b = appendText(b, 1<<3|wire.LengthType, l.Key)
		b = appendHead(b, 2<<3|wire.LengthType, messageLen(len(l.Value)))
		b = append(appendHead(b, 1<<3|wire.LengthType, len(l.Value)), l.Value...)
	}
	return b
}

func exemplarLen(e *Exemplar) int {
	size := 9 + 9
	if !e.SpanID.IsZero() {
		size += messageLen(len(e.SpanID))
	}
	if !e.TraceID.IsZero() {
		size += messageLen(len(e.TraceID))
	}
	return size
}

func exemplarsLen(exemplars []Exemplar) int {
	size := 0
	for i := range exemplars {
		size += messageLen(exemplarLen(&exemplars[i]))
	}
	return size
}

func appendExemplars(b []byte, tag byte, exemplars []Exemplar) []byte {
	for i := range exemplars {
		e := &exemplars[i]
		b = appendHead(b, tag, exemplarLen(e))
		b = appendFixed64(b, 2<<3|wire.Fixed64Type, uint64(e.Time))
		b = appendDouble(b, 3<<3|wire.Fixed64Type, e.Value)
		if !e.SpanID.IsZero() {
			b = append(appendHead(b, 4<<3|wire.LengthType, len(e.SpanID)), e.SpanID[:]...)
		}
		if !e.TraceID.IsZero() {
			b = append(appendHead(b, 5<<3|wire.LengthType, len(e.TraceID)), e.TraceID[:]...)
		}
	}
	return b
}
