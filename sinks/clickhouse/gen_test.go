package clickhouse

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// gen draws batches with every field set to anything that the decoder lets
// through. Rows carry their number in a field, by which they are found again.
type gen struct {
	*rapid.T
	b *telemetry.Batch
}

var (
	genText = rapid.OneOf(
		rapid.StringN(0, 12, -1),
		rapid.SampledFrom([]string{"", "GET", "\x00", "'\"\\\n\t`", "日本語 🦅", strings.Repeat("x", 127), strings.Repeat("é", 64), strings.Repeat("long ", 5000)}),
	)
	genTime  = rapid.Int64Range(siteStart.UnixNano()-20*24*3600*1e9, siteStart.UnixNano()+24*3600*1e9)
	genAny   = rapid.OneOf(rapid.Int64Min(0), rapid.SampledFrom([]int64{0, 1, math.MaxInt64}))
	genFloat = rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 200, 0.1, 1e18, 1e20, -1e19, math.MaxFloat64, 5e-324}))
	genInt   = rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, 200, 1<<53 - 1, 1 << 53, 1<<53 + 1, math.MinInt64, math.MaxInt64}))
)

func (g *gen) text() string       { return genText.Draw(g.T, "text") }
func (g *gen) count() uint32      { return rapid.Uint32().Draw(g.T, "count") }
func (g *gen) bool() bool         { return rapid.Bool().Draw(g.T, "bool") }
func (g *gen) n(limit int) int    { return rapid.IntRange(0, limit).Draw(g.T, "n") }
func (g *gen) time() int64        { return genTime.Draw(g.T, "time") }
func (g *gen) anyTime() int64     { return genAny.Draw(g.T, "any time") }
func (g *gen) float() float64     { return genFloat.Draw(g.T, "float") }
func (g *gen) uint64() uint64     { return rapid.Uint64().Draw(g.T, "uint64") }
func (g *gen) int32() int32       { return rapid.Int32().Draw(g.T, "int32") }
func (g *gen) index(n int) uint32 { return uint32(rapid.IntRange(0, n-1).Draw(g.T, "index")) }

func (g *gen) traceID() (id telemetry.TraceID) {
	binary.LittleEndian.PutUint64(id[3:], g.uint64())
	return id
}

func (g *gen) spanID() (id telemetry.SpanID) {
	binary.LittleEndian.PutUint64(id[:], g.uint64())
	return id
}

func (g *gen) value() telemetry.Value {
	switch telemetry.Kind(g.n(7)) {
	case telemetry.KindString:
		return telemetry.StringValue(g.text())
	case telemetry.KindBool:
		return telemetry.BoolValue(g.bool())
	case telemetry.KindInt:
		return telemetry.IntValue(genInt.Draw(g.T, "int"))
	case telemetry.KindDouble:
		return telemetry.DoubleValue(g.float())
	case telemetry.KindArray: // ["a"]
		return telemetry.Value{Kind: telemetry.KindArray, Str: "\x0a\x03\x0a\x01a"}
	case telemetry.KindMap: // {"k":"v"}
		return telemetry.Value{Kind: telemetry.KindMap, Str: "\x0a\x08\x0a\x01k\x12\x03\x0a\x01v"}
	case telemetry.KindBytes:
		return telemetry.Value{Kind: telemetry.KindBytes, Str: "\x00\xff" + g.text()}
	case telemetry.KindEmpty:
	}
	return telemetry.Value{}
}

// attrs draws attributes with different keys.
func (g *gen) attrs() telemetry.Range {
	start := uint32(len(g.b.Attrs))
	for i := range g.n(6) {
		key := fmt.Sprintf("%s.%d", g.text()[:0]+rapid.SampledFrom([]string{"http.method", "k", "ключ", ""}).Draw(g.T, "key"), i)
		g.b.Attrs = append(g.b.Attrs, telemetry.Attr{Key: key, Value: g.value()})
	}
	if g.bool() { // attributes with columns of their own
		str(g.b, "service.version", g.text())
		attr(g.b, "host.name", telemetry.IntValue(int64(g.n(9))))
		str(g.b, "http.route", g.text())
		attr(g.b, "http.response.status_code", telemetry.IntValue(int64(g.n(999))))
	}
	return telemetry.Range{Start: start, End: uint32(len(g.b.Attrs))}
}

// block draws what is common to all signals.
func (g *gen) block(signal telemetry.Signal, from int64) {
	b := g.b
	b.Reset()
	b.Block = telemetry.Block{Topic: "otlp_" + signal.String(), Partition: rapid.Int32Range(0, 40).Draw(g.T, "partition"), From: from, To: from + 10, Signal: signal, Epoch: 9}
	for i := range 1 + g.n(3) {
		b.Records = append(b.Records, telemetry.Record{
			Offset: from + int64(i), ReceiveTime: g.time(), Declared: -1,
			Tenant: rapid.SampledFrom([]string{"default", "acme", "Ünïted"}).Draw(g.T, "tenant"),
		})
	}
	for range 1 + g.n(3) {
		b.Resources = append(b.Resources, telemetry.Resource{
			Attrs: g.attrs(), Service: g.text(), SchemaURL: g.text(), DroppedAttrs: g.count(), Record: g.index(len(b.Records)),
		})
	}
	for range 1 + g.n(2) {
		b.Scopes = append(b.Scopes, telemetry.Scope{
			Name: g.text(), Version: g.text(), SchemaURL: g.text(), Attrs: g.attrs(), DroppedAttrs: g.count(),
		})
	}
}

func (g *gen) logs(from int64) {
	g.block(telemetry.Logs, from)
	b := g.b
	for i := range 1 + g.n(20) {
		l := telemetry.Log{
			Time: g.time(), Observed: g.anyTime(), TraceID: g.traceID(), Body: g.value(), SeverityText: g.text(), EventName: g.text(),
			Attrs: g.attrs(), DroppedAttrs: g.count(), Flags: g.count(), Resource: g.index(len(b.Resources)), Scope: g.index(len(b.Scopes)),
			Severity: uint8(g.n(24)), Pattern: g.uint64(),
		}
		binary.BigEndian.PutUint64(l.SpanID[:], uint64(i))
		b.Logs = append(b.Logs, l)
	}
}

func (g *gen) spans(from int64) {
	g.block(telemetry.Spans, from)
	b := g.b
	for i := range 1 + g.n(20) {
		sp := telemetry.Span{
			Start: g.time(), End: g.anyTime(), TraceID: g.traceID(), ParentID: g.spanID(), Name: g.text(), TraceState: g.text(),
			StatusMessage: g.text(), Attrs: g.attrs(), DroppedAttrs: g.count(), DroppedEvents: g.count(), DroppedLinks: g.count(),
			Flags: g.count(), Resource: g.index(len(b.Resources)), Scope: g.index(len(b.Scopes)), Kind: uint8(g.n(5)), Status: uint8(g.n(2)),
		}
		binary.BigEndian.PutUint64(sp.SpanID[:], uint64(i))
		sp.Events.Start = uint32(len(b.Events))
		for range g.n(3) {
			b.Events = append(b.Events, telemetry.Event{Time: g.anyTime(), Name: g.text(), Attrs: g.attrs(), DroppedAttrs: g.count()})
		}
		sp.Events.End = uint32(len(b.Events))
		sp.Links.Start = uint32(len(b.Links))
		for range g.n(2) {
			b.Links = append(b.Links, telemetry.Link{TraceID: g.traceID(), SpanID: g.spanID(), TraceState: g.text(), Attrs: g.attrs(), DroppedAttrs: g.count(), Flags: g.count()})
		}
		sp.Links.End = uint32(len(b.Links))
		b.Spans = append(b.Spans, sp)
	}
	g.traces()
	g.counts()
}

func (g *gen) floats(n int) telemetry.Range {
	start := uint32(len(g.b.Floats))
	for range n {
		g.b.Floats = append(g.b.Floats, g.float())
	}
	return telemetry.Range{Start: start, End: uint32(len(g.b.Floats))}
}

func (g *gen) uints(n int) telemetry.Range {
	start := uint32(len(g.b.Uints))
	for range n {
		g.b.Uints = append(g.b.Uints, g.uint64())
	}
	return telemetry.Range{Start: start, End: uint32(len(g.b.Uints))}
}

// point draws a point of a new metric or an earlier one; flags hold its number.
func (g *gen) point(number int, kind telemetry.MetricKind) telemetry.Point {
	b := g.b
	b.Metrics = append(b.Metrics, telemetry.Metric{
		Name: g.text(), Description: g.text(), Unit: g.text(), Metadata: g.attrs(), Resource: g.index(len(b.Resources)),
		Scope: g.index(len(b.Scopes)), Kind: kind, Temporality: telemetry.Temporality(g.n(2)), Monotonic: g.bool(),
	})
	p := telemetry.Point{Time: g.time(), Start: g.anyTime(), Attrs: g.attrs(), Metric: uint32(len(b.Metrics) - 1), Flags: uint32(number)}
	p.Exemplars.Start = uint32(len(b.Exemplars))
	for range g.n(2) {
		i, isInt := genInt.Draw(g.T, "exemplar"), g.bool()
		e := telemetry.Exemplar{Time: g.anyTime(), Value: g.float(), Attrs: g.attrs(), TraceID: g.traceID(), IsInt: isInt}
		if isInt {
			e.Int, e.Value = i, float64(i)
		}
		binary.BigEndian.PutUint64(e.SpanID[:], uint64(len(b.Exemplars)))
		b.Exemplars = append(b.Exemplars, e)
	}
	p.Exemplars.End = uint32(len(b.Exemplars))
	return p
}

func (g *gen) metrics(from int64) {
	g.block(telemetry.Metrics, from)
	b := g.b
	for i := range 1 + g.n(6) {
		p := telemetry.NumberPoint{Point: g.point(i, telemetry.MetricKind(1+g.n(1))), Value: g.float(), IsInt: g.bool()}
		if p.IsInt {
			p.Int = genInt.Draw(g.T, "int")
			p.Value = float64(p.Int)
		}
		b.Numbers = append(b.Numbers, p)
	}
	for i := range g.n(4) {
		n := g.n(4)
		b.Histograms = append(b.Histograms, telemetry.HistogramPoint{
			Point: g.point(i, telemetry.Histogram), Count: g.uint64(), Sum: g.float(), Min: g.float(), Max: g.float(),
			Bounds: g.floats(n), Counts: g.uints(n + 1), HasSum: g.bool(), HasMin: g.bool(), HasMax: g.bool(),
		})
	}
	for i := range g.n(4) {
		b.Exponentials = append(b.Exponentials, telemetry.ExponentialPoint{
			Point: g.point(i, telemetry.ExponentialHistogram), Count: g.uint64(), ZeroCount: g.uint64(), Sum: g.float(), Min: g.float(), Max: g.float(),
			ZeroThreshold: g.float(), Scale: g.int32(), HasSum: g.bool(), HasMin: g.bool(), HasMax: g.bool(),
			Positive: telemetry.Buckets{Counts: g.uints(g.n(4)), Offset: g.int32()}, Negative: telemetry.Buckets{Counts: g.uints(g.n(4)), Offset: g.int32()},
		})
	}
	for i := range g.n(4) {
		b.Summaries = append(b.Summaries, telemetry.SummaryPoint{Point: g.point(i, telemetry.Summary), Count: g.uint64(), Sum: g.float(), Quantiles: g.floats(2 * g.n(3))})
	}
}
