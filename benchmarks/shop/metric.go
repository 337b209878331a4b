package shop

import (
	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
)

// Temporalities of OTLP.
const (
	delta      = 1
	cumulative = 2
)

// label is an attribute of a point.
type label struct{ key, value string }

// number is one point of a gauge or sum.
type number struct {
	labels []label
	value  float64
	whole  bool // encode as an integer
}

func whole[T int | int64](value T, labels ...label) number {
	return number{labels, float64(value), true}
}

func fraction(value float64, labels ...label) number { return number{labels, value, false} }

// description says what a metric is.
type description struct{ name, unit, text string }

// The fields of Metric that hold the points.
const (
	fieldGauge       = 5
	fieldSum         = 7
	fieldHistogram   = 9
	fieldExponential = 10
	fieldSummary     = 11
)

// meter encodes the metrics of one source at one moment.
type meter struct {
	shop   *Shop
	source *source
	start  int64 // since when counters count
	at     int64
}

func (s *Shop) meter(src *source, start, at int64) *meter {
	skew := s.effects.skew[src.host.index]
	return &meter{s, src, start + skew, at + skew}
}

// metric encodes one metric; content appends the message with n points.
func (m *meter) metric(d description, field uint32, n int, content func(b []byte) []byte) {
	out, parcel := m.shop.open(m.source, metricsSignal, metricsSignal, n)
	b, mark := encode.Open(parcel.body, 2)
	b = encode.Bytes(b, 1, d.name)
	if d.text != "" {
		b = encode.Bytes(b, 2, d.text)
	}
	b = encode.Bytes(b, 3, d.unit)
	b, inner := encode.Open(b, field)
	b = encode.Close(content(b), inner)
	m.shop.shut(out, parcel, encode.Close(b, mark), n)
}

func (m *meter) gauge(d description, points ...number) {
	m.metric(d, fieldGauge, len(points), func(b []byte) []byte { return m.numbers(b, 0, points) })
}

// counter encodes a cumulative monotonic sum.
func (m *meter) counter(d description, points ...number) {
	m.metric(d, fieldSum, len(points), func(b []byte) []byte {
		b = m.numbers(b, m.start, points)
		b = encode.Uint(b, 2, cumulative)
		return encode.Uint(b, 3, 1)
	})
}

// level encodes a cumulative sum that can fall.
func (m *meter) level(d description, points ...number) {
	m.metric(d, fieldSum, len(points), func(b []byte) []byte {
		b = m.numbers(b, m.start, points)
		return encode.Uint(b, 2, cumulative)
	})
}

func (m *meter) numbers(b []byte, start int64, points []number) []byte {
	for i := range points {
		p := &points[i]
		var mark int
		b, mark = encode.Open(b, 1)
		b = m.times(b, start)
		if p.whole {
			b = encode.Fixed64(b, 6, uint64(int64(p.value)))
		} else {
			b = encode.Double(b, 4, p.value)
		}
		for _, l := range p.labels {
			b = encode.StringAttr(b, 7, l.key, l.value)
		}
		b = encode.Close(b, mark)
	}
	return b
}

// times appends start and time, which have the same fields in every point.
func (m *meter) times(b []byte, start int64) []byte {
	if start != 0 {
		b = encode.Fixed64(b, 2, uint64(start))
	}
	return encode.Fixed64(b, 3, uint64(m.at))
}

// summary encodes one point with alternating quantiles and values.
func (m *meter) summary(d description, count int64, sum float64, quantiles ...float64) {
	m.metric(d, fieldSummary, 1, func(b []byte) []byte {
		b, mark := encode.Open(b, 1)
		b = m.times(b, m.start)
		b = encode.Fixed64(b, 4, uint64(count))
		b = encode.Double(b, 5, sum)
		for i := 0; i+1 < len(quantiles); i += 2 {
			var q int
			b, q = encode.Open(b, 6)
			b = encode.Double(b, 1, quantiles[i])
			b = encode.Double(b, 2, quantiles[i+1])
			b = encode.Close(b, q)
		}
		return encode.Close(b, mark)
	})
}
