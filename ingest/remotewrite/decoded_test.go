package remotewrite

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// decoded renders what the parts hold. It checks that every part is on the
// partition of its resources, as the splitter of OTLP would have it, and that
// that splitter has nothing to refuse.
func decoded(t testing.TB, parts []otlp.Part, partitions int) (lines []string) {
	t.Helper()
	lim := otlp.DefaultLimits()
	lim.MaxAge, lim.MaxFuture = math.MaxInt64, math.MaxInt64
	split := otlp.NewSplitter(lim)
	for _, p := range parts {
		if err := split.Split(telemetry.Metrics, p.Value, partitions, 0); err != nil {
			t.Fatalf("a part is not OTLP: %v", err)
		}
		if split.Rejected() != 0 || split.Accepted() != p.Events || len(split.Parts()) != 1 || split.Parts()[0].Partition != p.Partition {
			t.Fatalf("a part of %d events for partition %d: %d are accepted, %d rejected (%s), in %+v",
				p.Events, p.Partition, split.Accepted(), split.Rejected(), split.Message(), len(split.Parts()))
		}
		if int64(len(p.Value)) > int64(lim.MaxRecordBytes) {
			t.Fatalf("a part has %d bytes", len(p.Value))
		}
		lines = append(lines, decodedPart(t, p.Value, &lim)...)
	}
	slices.Sort(lines)
	return lines
}

func decodedPart(t testing.TB, part []byte, lim *otlp.Limits) (lines []string) {
	t.Helper()
	b := new(telemetry.Batch)
	b.Signal = telemetry.Metrics
	b.Records = append(b.Records, telemetry.Record{Value: part, ReceiveTime: 7})
	otlp.Decode(b, lim)
	if len(b.Rejects) != 0 {
		t.Fatalf("%s", b.Rejects[0].Reason)
	}
	prefix := func(p *telemetry.Point) string {
		m := &b.Metrics[p.Metric]
		job, instance := "", ""
		for _, a := range b.AttrsOf(b.Resources[m.Resource].Attrs) {
			switch a.Key {
			case "service.name":
				job = a.Value.Str
			case "service.instance.id":
				instance = a.Value.Str
			default:
				t.Fatalf("resource attribute %s", a.Key)
			}
		}
		scope, ok := strings.CutPrefix(b.Scopes[m.Scope].Name, telemetry.ScopeRemoteWrite)
		if !ok {
			t.Fatalf("scope %s", b.Scopes[m.Scope].Name)
		}
		kind, floats := "", false
		for _, a := range b.AttrsOf(m.Metadata) {
			switch a.Key {
			case telemetry.MetadataType:
				kind = a.Value.Str
			case telemetry.MetadataCounts:
				floats = a.Value.Str == telemetry.MetadataCountsFloat
			}
		}
		temporality := ""
		switch m.Temporality {
		case telemetry.Cumulative:
			temporality = "/cumulative"
		case telemetry.Delta:
			temporality = "/delta"
		case telemetry.TemporalityUnspecified:
		}
		if floats {
			temporality += "/floats"
		}
		if m.Monotonic {
			temporality += "/monotonic"
		}
		shape := map[telemetry.MetricKind]string{
			telemetry.Gauge: "gauge", telemetry.Sum: "sum", telemetry.Histogram: "histogram", telemetry.ExponentialHistogram: "exponential",
		}[m.Kind] + temporality
		var ls []string
		for _, a := range b.AttrsOf(p.Attrs) {
			if a.Value.Kind != telemetry.KindString {
				t.Fatalf("attribute %s is no string", a.Key)
			}
			ls = append(ls, a.Key, a.Value.Str)
		}
		return fmt.Sprintf("%q %q %s %q %s unit=%q help=%q type=%s %s", job, instance, scope, m.Name, shape, m.Unit, m.Description, kind, labels.FromStrings(ls...))
	}
	exemplars := func(p *telemetry.Point) (text string) {
		for _, e := range b.Exemplars[p.Exemplars.Start:p.Exemplars.End] {
			trace, span, rest := "", "", ""
			if !e.TraceID.IsZero() {
				trace = hex.EncodeToString(e.TraceID[:])
			}
			if !e.SpanID.IsZero() {
				span = hex.EncodeToString(e.SpanID[:])
			}
			for _, a := range b.AttrsOf(e.Attrs) {
				rest += fmt.Sprintf("%q=%q,", a.Key, a.Value.Str)
			}
			text += fmt.Sprintf(" exemplar{t=%d v=%016x trace=%s span=%s %s}", e.Time, math.Float64bits(e.Value), trace, span, rest)
		}
		return text
	}
	for i := range b.Numbers {
		n := &b.Numbers[i]
		switch scope := b.Scopes[b.Metrics[n.Metric].Scope].Name; scope {
		case telemetry.ScopeRemoteWriteExemplars:
			lines = append(lines, fmt.Sprintf("%s flags=%d%s", prefix(&n.Point), n.Flags, exemplars(&n.Point)))
		case telemetry.ScopeRemoteWriteMetadata:
			lines = append(lines, fmt.Sprintf("%s t=%d flags=%d", prefix(&n.Point), n.Time, n.Flags))
		default:
			lines = append(lines, fmt.Sprintf("%s t=%d start=%d v=%016x flags=%d%s", prefix(&n.Point), n.Time, n.Start,
				math.Float64bits(n.Value), n.Flags, exemplars(&n.Point)))
		}
	}
	counts := func(sign string, first int, r telemetry.Range) (text string) {
		for i, c := range b.Uints[r.Start:r.End] {
			if c != 0 {
				text += fmt.Sprintf(" %s%d:%x", sign, first+i, c)
			}
		}
		return text
	}
	for i := range b.Exponentials {
		e := &b.Exponentials[i]
		line := fmt.Sprintf("%s t=%d start=%d schema=%d sum=%016x flags=%d", prefix(&e.Point), e.Time, e.Start, e.Scale, math.Float64bits(e.Sum), e.Flags)
		if e.Flags&telemetry.FlagNoRecordedValue == 0 {
			line += fmt.Sprintf(" count=%x zero=%x/%x bounds=%x", e.Count, e.ZeroCount, math.Float64bits(e.ZeroThreshold), []float64{})
		}
		line += counts("+", int(e.Positive.Offset)+1, e.Positive.Counts) + counts("-", int(e.Negative.Offset)+1, e.Negative.Counts)
		lines = append(lines, line+exemplars(&e.Point))
	}
	for i := range b.Histograms {
		h := &b.Histograms[i]
		line := fmt.Sprintf("%s t=%d start=%d schema=-53 sum=%016x flags=%d", prefix(&h.Point), h.Time, h.Start, math.Float64bits(h.Sum), h.Flags)
		if h.Flags&telemetry.FlagNoRecordedValue == 0 {
			line += fmt.Sprintf(" count=%x zero=0/0 bounds=%x", h.Count, b.Floats[h.Bounds.Start:h.Bounds.End])
		}
		lines = append(lines, line+counts("+", 0, h.Counts)+exemplars(&h.Point))
	}
	return lines
}
