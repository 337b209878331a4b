package otlp

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// Rows are compared as lines of text that hold every one of their fields: the
// lines of a batch here, those that pdata's view of the same bytes should give
// in expect_test.go.

// num prints a float exactly, so that NaN equals NaN and 0 is not -0.
func num(f float64) string { return fmt.Sprintf("%016x", math.Float64bits(f)) }

type liner struct {
	tb testing.TB
	b  *telemetry.Batch
}

// linesOf returns a line for every row of the batch, sorted.
func linesOf(tb testing.TB, b *telemetry.Batch) []string {
	tb.Helper()
	l := &liner{tb, b}
	var lines []string
	for i := range b.Logs {
		r := &b.Logs[i]
		lines = append(lines, fmt.Sprintf("log %s time=%d observed=%d trace=%x span=%x body=%s severity=%d/%q event=%q attrs=%s dropped=%d flags=%d",
			l.origin(r.Resource, r.Scope), r.Time, r.Observed, r.TraceID, r.SpanID, l.value(&r.Body),
			r.Severity, r.SeverityText, r.EventName, l.attrs(r.Attrs), r.DroppedAttrs, r.Flags))
	}
	for i := range b.Spans {
		r := &b.Spans[i]
		var events, links []string
		for _, e := range b.Events[r.Events.Start:r.Events.End] {
			events = append(events, fmt.Sprintf("(%d %q %s %d)", e.Time, e.Name, l.attrs(e.Attrs), e.DroppedAttrs))
		}
		for _, k := range b.Links[r.Links.Start:r.Links.End] {
			links = append(links, fmt.Sprintf("(%x %x %q %s %d %d)", k.TraceID, k.SpanID, k.TraceState, l.attrs(k.Attrs), k.DroppedAttrs, k.Flags))
		}
		lines = append(lines, fmt.Sprintf("span %s start=%d end=%d trace=%x span=%x parent=%x name=%q state=%q status=%d/%q kind=%d attrs=%s events=%s links=%s dropped=%d/%d/%d flags=%d",
			l.origin(r.Resource, r.Scope), r.Start, r.End, r.TraceID, r.SpanID, r.ParentID, r.Name, r.TraceState,
			r.Status, r.StatusMessage, r.Kind, l.attrs(r.Attrs), events, links,
			r.DroppedAttrs, r.DroppedEvents, r.DroppedLinks, r.Flags))
	}
	for i := range b.Numbers {
		p := &b.Numbers[i]
		lines = append(lines, fmt.Sprintf("number %s value=%s/%d/%t", l.point(&p.Point), num(p.Value), p.Int, p.IsInt))
	}
	for i := range b.Histograms {
		p := &b.Histograms[i]
		lines = append(lines, fmt.Sprintf("histogram %s count=%d sum=%s bounds=%s counts=%v min=%s max=%s",
			l.point(&p.Point), p.Count, optional(p.HasSum, p.Sum), floats(b.Floats[p.Bounds.Start:p.Bounds.End]),
			b.Uints[p.Counts.Start:p.Counts.End], optional(p.HasMin, p.Min), optional(p.HasMax, p.Max)))
	}
	for i := range b.Exponentials {
		p := &b.Exponentials[i]
		lines = append(lines, fmt.Sprintf("exponential %s count=%d zero=%d/%s sum=%s scale=%d positive=%d%v negative=%d%v min=%s max=%s",
			l.point(&p.Point), p.Count, p.ZeroCount, num(p.ZeroThreshold), optional(p.HasSum, p.Sum), p.Scale,
			p.Positive.Offset, b.Uints[p.Positive.Counts.Start:p.Positive.Counts.End],
			p.Negative.Offset, b.Uints[p.Negative.Counts.Start:p.Negative.Counts.End],
			optional(p.HasMin, p.Min), optional(p.HasMax, p.Max)))
	}
	for i := range b.Summaries {
		p := &b.Summaries[i]
		lines = append(lines, fmt.Sprintf("summary %s count=%d sum=%s quantiles=%s",
			l.point(&p.Point), p.Count, num(p.Sum), floats(b.Floats[p.Quantiles.Start:p.Quantiles.End])))
	}
	slices.Sort(lines)
	return lines
}

func optional(has bool, f float64) string {
	if !has {
		return "none"
	}
	return num(f)
}

func floats(list []float64) string {
	var s []string
	for _, f := range list {
		s = append(s, num(f))
	}
	return fmt.Sprint(s)
}

func (l *liner) origin(resource, scope uint32) string {
	r, s := &l.b.Resources[resource], &l.b.Scopes[scope]
	return fmt.Sprintf("resource{%q %q %s %d} scope{%q %q %q %s %d}",
		r.Service, r.SchemaURL, l.attrs(r.Attrs), r.DroppedAttrs,
		s.Name, s.Version, s.SchemaURL, l.attrs(s.Attrs), s.DroppedAttrs)
}

func (l *liner) point(p *telemetry.Point) string {
	m := &l.b.Metrics[p.Metric]
	var exemplars []string
	for _, e := range l.b.Exemplars[p.Exemplars.Start:p.Exemplars.End] {
		exemplars = append(exemplars, fmt.Sprintf("(%d %s/%d/%t %s %x %x)", e.Time, num(e.Value), e.Int, e.IsInt, l.attrs(e.Attrs), e.TraceID, e.SpanID))
	}
	return fmt.Sprintf("%s metric{%q %q %q %s %d %d %t} time=%d start=%d attrs=%s exemplars=%s flags=%d",
		l.origin(m.Resource, m.Scope), m.Name, m.Description, m.Unit, l.attrs(m.Metadata), m.Kind, m.Temporality, m.Monotonic,
		p.Time, p.Start, l.attrs(p.Attrs), exemplars, p.Flags)
}

func (l *liner) attrs(r telemetry.Range) string {
	var s []string
	for _, a := range l.b.AttrsOf(r) {
		s = append(s, fmt.Sprintf("%q=%s", a.Key, l.value(&a.Value)))
	}
	return fmt.Sprint(s)
}

func (l *liner) value(v *telemetry.Value) string {
	switch v.Kind {
	case telemetry.KindEmpty:
		return "empty"
	case telemetry.KindString:
		return fmt.Sprintf("%q", v.Str)
	case telemetry.KindBool:
		return fmt.Sprint(v.Bool())
	case telemetry.KindInt:
		return fmt.Sprint(v.Int())
	case telemetry.KindDouble:
		return "d" + num(v.Double())
	case telemetry.KindBytes:
		return fmt.Sprintf("x%x", v.Str)
	case telemetry.KindArray, telemetry.KindMap:
		return pdataValue(parseValue(l.tb, encodeValue(v)))
	}
	l.tb.Fatalf("a value has the kind %d", v.Kind)
	return ""
}

// encodeValue returns an array or map as an encoded AnyValue.
func encodeValue(v *telemetry.Value) []byte {
	tag := byte(tagArray)
	if v.Kind == telemetry.KindMap {
		tag = tagMap
	}
	return lengthField(tag, []byte(v.Str))
}

// lengthField returns a length-delimited field with a tag of one byte.
func lengthField(tag byte, p []byte) []byte {
	return append(binary.AppendUvarint([]byte{tag}, uint64(len(p))), p...)
}

// parseValue decodes an AnyValue with the oracles, as the body of a log record.
func parseValue(tb testing.TB, encoded []byte) pcommon.Value {
	tb.Helper()
	record := lengthField(5<<3|wire.LengthType, canonicalValue(tb, encoded))
	body := lengthField(tagRepeatedFirst, lengthField(tagChild, lengthField(tagChild, record)))
	ld, err := new(plog.ProtoUnmarshaler).UnmarshalLogs(body)
	if err != nil {
		tb.Fatal(err)
	}
	return ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body()
}

// pdataValue prints a value of pdata as liner.value prints that of a row.
func pdataValue(v pcommon.Value) string {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return fmt.Sprintf("%q", v.Str())
	case pcommon.ValueTypeBool:
		return fmt.Sprint(v.Bool())
	case pcommon.ValueTypeInt:
		return fmt.Sprint(v.Int())
	case pcommon.ValueTypeDouble:
		return "d" + num(v.Double())
	case pcommon.ValueTypeBytes:
		return fmt.Sprintf("x%x", v.Bytes().AsRaw())
	case pcommon.ValueTypeSlice:
		var s []string
		for i := range v.Slice().Len() {
			s = append(s, pdataValue(v.Slice().At(i)))
		}
		return "[" + strings.Join(s, ", ") + "]"
	case pcommon.ValueTypeMap:
		return "{" + pdataMap(v.Map()) + "}"
	case pcommon.ValueTypeEmpty:
	}
	return "empty"
}

// pdataMap prints attributes as liner.attrs does.
func pdataMap(m pcommon.Map) string {
	var s []string
	for k, v := range m.All() {
		s = append(s, fmt.Sprintf("%q=%s", k, pdataValue(v)))
	}
	return fmt.Sprint(s)
}
