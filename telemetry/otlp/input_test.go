package otlp

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// nestedValue returns an AnyValue of empty arrays or maps in each other.
func nestedValue(depth int, isMap bool) []byte {
	var lengths []int // of the content at each level, innermost first
	var p []byte
	n := 0
	for range depth {
		lengths = append(lengths, n)
		n += 1 + wire.UvarintLen(uint64(n)) // array_value
		if isMap {
			lengths = append(lengths, n)
			n += 1 + wire.UvarintLen(uint64(n)) // KeyValue.value
		}
		lengths = append(lengths, n)
		n += 1 + wire.UvarintLen(uint64(n)) // values
	}
	// The outermost "values" belongs to no message.
	lengths = lengths[:max(0, len(lengths)-1)]
	if isMap {
		lengths = lengths[:max(0, len(lengths)-1)]
	}
	for i := len(lengths) - 1; i >= 0; i-- {
		tag := byte(tagArray)
		switch {
		case isMap && i%3 == 0:
			tag = tagMap
		case isMap && i%3 == 1:
			tag = tagKeyValue
		case isMap || i%2 == 1:
			tag = tagValues
		}
		p = binary.AppendUvarint(append(p, tag), uint64(lengths[i]))
	}
	return p
}

// rejectCase is a request of one bad row beside one good one.
type rejectCase struct {
	name   string
	signal telemetry.Signal
	body   []byte
	code   string // "" where both rows are good
}

func logWith(edit func(plog.LogRecord)) func(testing.TB) []byte {
	return func(tb testing.TB) []byte {
		ld := benchLogs(2, 1)
		edit(ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1))
		return marshalLogs(tb, ld)
	}
}

// logField returns a request of a good log record and one with the raw field.
func logField(tb testing.TB, field []byte) []byte {
	tb.Helper()
	good := marshalLogs(tb, benchLogs(1, 1))
	return append(good, lengthField(tagRepeatedFirst, lengthField(tagChild, lengthField(tagChild, field)))...)
}

func spanWith(edit func(ptrace.Span)) func(testing.TB) []byte {
	return func(tb testing.TB) []byte {
		td := benchSpans(2, 1)
		edit(td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(1))
		return marshalSpans(tb, td)
	}
}

// spanField returns a request of a good span and one with a raw field after the
// fields that make it good.
func spanField(tb testing.TB, field []byte) []byte {
	tb.Helper()
	good := marshalSpans(tb, benchSpans(1, 1))
	span := append(lengthField(1<<3|wire.LengthType, []byte("0123456789abcdef")), lengthField(2<<3|wire.LengthType, []byte("01234567"))...)
	return append(good, lengthField(tagRepeatedFirst, lengthField(tagChild, lengthField(tagChild, append(span, field...))))...)
}

func histogramWith(counts []uint64, bounds []float64) func(testing.TB) []byte {
	return func(tb testing.TB) []byte {
		md := pmetric.NewMetrics()
		points := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyHistogram().DataPoints()
		points.AppendEmpty()
		p := points.AppendEmpty()
		p.BucketCounts().FromRaw(counts)
		p.ExplicitBounds().FromRaw(bounds)
		return marshalMetrics(tb, md)
	}
}

func attributesOf(n int) func(pcommon.Map) {
	return func(m pcommon.Map) {
		for i := m.Len(); i < n; i++ {
			m.PutInt(string(binary.AppendUvarint([]byte("k"), uint64(i))), 1)
		}
	}
}

func rejectCases(tb testing.TB) []rejectCase {
	lim := DefaultLimits()
	at := func(d time.Duration) pcommon.Timestamp { return pcommon.Timestamp(benchTime + int64(d)) }
	log := func(name, code string, edit func(plog.LogRecord)) rejectCase {
		return rejectCase{name, telemetry.Logs, logWith(edit)(tb), code}
	}
	field := func(name, code string, field []byte) rejectCase {
		return rejectCase{name, telemetry.Logs, logField(tb, field), code}
	}
	span := func(name, code string, edit func(ptrace.Span)) rejectCase {
		return rejectCase{name, telemetry.Spans, spanWith(edit)(tb), code}
	}
	spanRaw := func(name, code string, field []byte) rejectCase {
		return rejectCase{name, telemetry.Spans, spanField(tb, field), code}
	}
	histogram := func(name, code string, counts []uint64, bounds []float64) rejectCase {
		return rejectCase{name, telemetry.Metrics, histogramWith(counts, bounds)(tb), code}
	}
	long := strings.Repeat("x", int(lim.MaxValueBytes))
	body := func(p []byte) []byte { return lengthField(5<<3|wire.LengthType, p) }
	return []rejectCase{
		log("latest time", "", func(l plog.LogRecord) { l.SetTimestamp(at(lim.MaxFuture)) }),
		log("later", ReasonFuture, func(l plog.LogRecord) { l.SetTimestamp(at(lim.MaxFuture + 1)) }),
		log("far future", ReasonFuture, func(l plog.LogRecord) { l.SetTimestamp(math.MaxUint64) }),
		log("beyond int64", ReasonFuture, func(l plog.LogRecord) { l.SetTimestamp(math.MaxInt64 + 1) }),
		log("earliest time", "", func(l plog.LogRecord) { l.SetTimestamp(at(-lim.MaxAge)) }),
		log("earlier", ReasonAge, func(l plog.LogRecord) { l.SetTimestamp(at(-lim.MaxAge - 1)) }),
		log("zero time", "", func(l plog.LogRecord) { l.SetTimestamp(0) }),
		log("zero times", "", func(l plog.LogRecord) { l.SetTimestamp(0); l.SetObservedTimestamp(0) }),
		log("zero time, observed long ago", ReasonAge, func(l plog.LogRecord) { l.SetTimestamp(0); l.SetObservedTimestamp(1) }),
		log("observed in the far future", "", func(l plog.LogRecord) { l.SetObservedTimestamp(math.MaxUint64) }),
		log("1024 attributes", "", func(l plog.LogRecord) { attributesOf(1024)(l.Attributes()) }),
		log("1025 attributes", ReasonAttributes, func(l plog.LogRecord) { attributesOf(1025)(l.Attributes()) }),
		log("10,000 attributes", ReasonAttributes, func(l plog.LogRecord) { attributesOf(10_000)(l.Attributes()) }),
		log("10,000 entries in a map", ReasonAttributes, func(l plog.LogRecord) { attributesOf(10_000)(l.Body().SetEmptyMap()) }),
		log("long value", "", func(l plog.LogRecord) { l.Attributes().PutStr("k", long) }),
		log("longer value", ReasonValue, func(l plog.LogRecord) { l.Attributes().PutStr("k", long+"x") }),
		log("longer bytes", ReasonValue, func(l plog.LogRecord) { l.Attributes().PutEmptyBytes("k").FromRaw([]byte(long + "x")) }),
		log("longer key", ReasonValue, func(l plog.LogRecord) { l.Attributes().PutStr(long+"x", "v") }),
		log("longer key of a number", ReasonValue, func(l plog.LogRecord) { l.Attributes().PutInt(long+"x", 1) }),
		log("longer value in an array", ReasonValue, func(l plog.LogRecord) { l.Attributes().PutEmptySlice("k").AppendEmpty().SetStr(long + "x") }),
		log("longer key in a map", ReasonValue, func(l plog.LogRecord) { l.Attributes().PutEmptyMap("k").PutInt(long+"x", 1) }),
		log("longer severity text", ReasonValue, func(l plog.LogRecord) { l.SetSeverityText(long + "x") }),
		log("longer event name", ReasonValue, func(l plog.LogRecord) { l.SetEventName(long + "x") }),
		log("longer body", "", func(l plog.LogRecord) { l.Body().SetStr(long + long) }),
		log("longer value in the body", "", func(l plog.LogRecord) { l.Body().SetEmptySlice().AppendEmpty().SetStr(long + long) }),
		field("64 deep", "", body(nestedValue(64, false))),
		field("65 deep", ReasonDepth, body(nestedValue(65, false))),
		field("maps 64 deep", "", body(nestedValue(64, true))),
		field("maps 65 deep", ReasonDepth, body(nestedValue(65, true))),
		field("1,000 deep", ReasonDepth, body(nestedValue(1000, false))),
		field("3,000 deep", ReasonDepth, body(nestedValue(3000, true))),
		field("1,000 deep in an attribute", ReasonDepth, lengthField(6<<3|wire.LengthType, lengthField(tagKeyValue, nestedValue(1000, true)))),
		field("trace id of 15 bytes", "", lengthField(9<<3|wire.LengthType, make([]byte, 15))),
		field("span id of 9 bytes", "", lengthField(10<<3|wire.LengthType, make([]byte, 9))),
		field("not UTF-8", "", body(lengthField(tagString, []byte("a\xff\xffb")))),
		field("key not UTF-8", "", lengthField(6<<3|wire.LengthType, lengthField(tagKey, []byte("\xc3\x28")))),
		field("unknown fields", "", append(group(3), 0xf8, 0x3f, 1)),
		field("severity out of range", "", []byte{2 << 3, 99}),
		field("empty", "", nil),
		span("no trace id", ReasonTraceID, func(s ptrace.Span) { s.SetTraceID(pcommon.TraceID{}) }),
		span("no span id", ReasonSpanID, func(s ptrace.Span) { s.SetSpanID(pcommon.SpanID{}) }),
		span("no start", "", func(s ptrace.Span) { s.SetStartTimestamp(0) }),
		span("no end", "", func(s ptrace.Span) { s.SetEndTimestamp(0) }),
		span("no times", "", func(s ptrace.Span) { s.SetStartTimestamp(0); s.SetEndTimestamp(0) }),
		span("ends in the far future", ReasonFuture, func(s ptrace.Span) { s.SetEndTimestamp(math.MaxUint64) }),
		span("started long ago", ReasonAge, func(s ptrace.Span) { s.SetStartTimestamp(1) }),
		span("longer name", ReasonValue, func(s ptrace.Span) { s.SetName(long + "x") }),
		span("event with 1025 attributes", ReasonAttributes, func(s ptrace.Span) { attributesOf(1025)(s.Events().AppendEmpty().Attributes()) }),
		span("link with 1025 attributes", ReasonAttributes, func(s ptrace.Span) { attributesOf(1025)(s.Links().AppendEmpty().Attributes()) }),
		span("1024 attributes each", "", func(s ptrace.Span) {
			attributesOf(1024)(s.Attributes())
			attributesOf(1024)(s.Events().AppendEmpty().Attributes())
			attributesOf(1024)(s.Links().AppendEmpty().Attributes())
		}),
		spanRaw("a good one", "", nil),
		spanRaw("trace id of zeros", ReasonTraceID, lengthField(1<<3|wire.LengthType, make([]byte, 16))),
		spanRaw("trace id of 15 bytes", ReasonTraceID, lengthField(1<<3|wire.LengthType, []byte("0123456789abcde"))),
		spanRaw("span id of 16 bytes", ReasonSpanID, lengthField(2<<3|wire.LengthType, []byte("0123456789abcdef"))),
		spanRaw("parent of 7 bytes", "", lengthField(4<<3|wire.LengthType, make([]byte, 7))),
		spanRaw("link with ids of wrong lengths", "", lengthField(tagSpanLink, append(lengthField(1<<3|wire.LengthType, []byte("x")), lengthField(2<<3|wire.LengthType, []byte("y"))...))),
		histogram("no buckets", "", nil, nil),
		histogram("buckets", "", []uint64{1, 2}, []float64{3}),
		histogram("one bucket", "", []uint64{1}, nil),
		histogram("not a number", "", []uint64{1, 2}, []float64{math.NaN()}),
		histogram("as many counts as bounds", ReasonBuckets, []uint64{1, 2}, []float64{3, 4}),
		histogram("bounds only", ReasonBuckets, nil, []float64{3}),
		histogram("two counts too many", ReasonBuckets, []uint64{1, 2, 3}, nil),
	}
}

// Bad rows are rejected with their reason and the good one beside them is kept,
// by the decoder and by the splitter.
func TestRejects(t *testing.T) {
	for _, c := range rejectCases(t) {
		t.Run(c.signal.String()+" "+c.name, func(t *testing.T) {
			want, rows := map[string]int64{}, 2
			if c.code != "" {
				want[c.code], rows = 1, 1
			}
			lim := DefaultLimits()
			b := decoded(c.signal, c.body, benchTime, &lim)
			if diff := cmp.Diff(want, rejectsOf(b)); diff != "" || b.EventCount() != rows {
				t.Fatalf("%d rows, rejects (-want +got):\n%s", b.EventCount(), diff)
			}
			for _, r := range b.Rejects {
				checkReject(t, c.signal, &r, benchTime)
			}
			checkSplit(t, NewSplitter(lim), c.signal, c.body, 3, benchTime)
		})
	}
}

// What is wrong with a resource, scope or metric is wrong with all its rows.
func TestRejectsWrapper(t *testing.T) {
	for name, edit := range map[string]func(pmetric.Metrics){
		"resource": func(md pmetric.Metrics) { attributesOf(1025)(md.ResourceMetrics().At(0).Resource().Attributes()) },
		"scope": func(md pmetric.Metrics) {
			attributesOf(1025)(md.ResourceMetrics().At(0).ScopeMetrics().At(0).Scope().Attributes())
		},
		"metric": func(md pmetric.Metrics) {
			attributesOf(1025)(md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Metadata())
		},
	} {
		for _, mixed := range []bool{false, true} {
			md := benchMetrics(30)
			benchMetrics(20).ResourceMetrics().MoveAndAppendTo(md.ResourceMetrics())
			benchMetrics(10).ResourceMetrics().At(0).ScopeMetrics().MoveAndAppendTo(md.ResourceMetrics().At(0).ScopeMetrics())
			if mixed { // a bad row counts as one of the wrapper's
				md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(3).SetTimestamp(1)
			}
			bad := map[string]int64{"resource": 40, "scope": 30, "metric": 10}[name]
			edit(md)
			body := marshalMetrics(t, md)
			lim := DefaultLimits()
			b := decoded(telemetry.Metrics, body, benchTime, &lim)
			if diff := cmp.Diff(map[string]int64{ReasonAttributes: bad}, rejectsOf(b)); diff != "" || b.EventCount() != 60-int(bad) {
				t.Fatalf("%s: %d rows, rejects (-want +got):\n%s", name, b.EventCount(), diff)
			}
			checkReject(t, telemetry.Metrics, &b.Rejects[0], benchTime)
			checkArenas(t, b)
			checkSplit(t, NewSplitter(lim), telemetry.Metrics, body, 3, benchTime)
		}
	}
}

func TestRepairs(t *testing.T) {
	lim := DefaultLimits()
	bad := "a\xff\xfeb"
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.SetSchemaUrl(bad)
	rl.Resource().Attributes().PutStr("service.name", bad)
	l := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	l.Body().SetStr(bad)
	l.SetSeverityText(bad)
	l.Attributes().PutInt(bad, 1)
	l.Attributes().PutStr(bad+"2", bad)
	b := decoded(telemetry.Logs, marshalLogs(t, ld), benchTime, &lim)
	const good = "a\uFFFDb"
	for i, s := range []string{
		b.Resources[0].SchemaURL, b.Resources[0].Service, b.Logs[0].Body.Str, b.Logs[0].SeverityText,
		b.Attrs[1].Key, strings.TrimSuffix(b.Attrs[2].Key, "2"), b.Attrs[2].Value.Str,
	} {
		if s != good {
			t.Errorf("string %d is %q", i, s)
		}
	}
	if b.Logs[0].Time != benchTime {
		t.Errorf("time is %d", b.Logs[0].Time)
	}
}

// What is missing or out of range is filled in, left out, or made unspecified.
func TestFilledIn(t *testing.T) {
	lim := DefaultLimits()
	const at = benchTime - 1000
	logs := func(edit func(plog.LogRecord)) telemetry.Log {
		b := decoded(telemetry.Logs, logWith(edit)(t), benchTime, &lim)
		return b.Logs[1]
	}
	if l := logs(func(l plog.LogRecord) { l.SetTimestamp(0); l.SetObservedTimestamp(at) }); l.Time != at || l.Observed != at {
		t.Errorf("a log record without a time has %d", l.Time)
	}
	if l := logs(func(l plog.LogRecord) { l.SetTimestamp(0); l.SetObservedTimestamp(0) }); l.Time != benchTime || l.Observed != 0 {
		t.Errorf("a log record without times has %d, %d", l.Time, l.Observed)
	}
	if l := logs(func(l plog.LogRecord) { l.SetObservedTimestamp(math.MaxUint64) }); l.Time != benchTime || l.Observed != 0 {
		t.Errorf("a log record observed in the far future has %d, %d", l.Time, l.Observed)
	}
	if l := logs(func(l plog.LogRecord) { l.SetSeverityNumber(25) }); l.Severity != 0 {
		t.Errorf("severity is %d", l.Severity)
	}
	ids := append(lengthField(9<<3|wire.LengthType, make([]byte, 15)), lengthField(10<<3|wire.LengthType, []byte("12345678"))...)
	if l := decoded(telemetry.Logs, logField(t, ids), benchTime, &lim).Logs[1]; !l.TraceID.IsZero() || l.SpanID != telemetry.SpanID([]byte("12345678")) {
		t.Errorf("ids are %x, %x", l.TraceID, l.SpanID)
	}
	spans := func(start, end pcommon.Timestamp) telemetry.Span {
		b := decoded(telemetry.Spans, spanWith(func(s ptrace.Span) {
			s.SetStartTimestamp(start)
			s.SetEndTimestamp(end)
		})(t), benchTime, &lim)
		return b.Spans[1]
	}
	for _, c := range []struct{ start, end, wantStart, wantEnd int64 }{
		{0, 0, benchTime, benchTime}, {0, at, at, at}, {at, 0, at, at}, {at, at + 1, at, at + 1},
	} {
		if s := spans(pcommon.Timestamp(c.start), pcommon.Timestamp(c.end)); s.Start != c.wantStart || s.End != c.wantEnd {
			t.Errorf("a span of %d, %d has %d, %d", c.start, c.end, s.Start, s.End)
		}
	}
	link := lengthField(tagSpanLink, append(lengthField(1<<3|wire.LengthType, []byte("x")), lengthField(2<<3|wire.LengthType, []byte("12345678"))...))
	b := decoded(telemetry.Spans, spanField(t, append(link, 6<<3, 9)), benchTime, &lim)
	if len(b.Links) != 1 || !b.Links[0].TraceID.IsZero() || b.Links[0].SpanID.IsZero() || b.Spans[1].Kind != 0 {
		t.Errorf("links %+v, kind %d", b.Links, b.Spans[1].Kind)
	}
	b = decoded(telemetry.Metrics, histogramWith(nil, nil)(t), benchTime, &lim)
	if p := b.Histograms[0]; p.Time != benchTime || p.Start != 0 {
		t.Errorf("a point without times has %d, %d", p.Time, p.Start)
	}
	// Where the time of receipt is not known, any time is taken.
	b = decoded(telemetry.Logs, logWith(func(l plog.LogRecord) { l.SetTimestamp(1) })(t), 0, &lim)
	if len(b.Rejects) != 0 || b.Logs[1].Time != 1 {
		t.Errorf("rejects %v", b.Rejects)
	}
}

const damagedRequests = 20

// A request that is cut off anywhere, or has any one bit changed, must be refused
// or decoded as the oracles do it, with every event accounted for.
func TestDamaged(t *testing.T) {
	for _, signal := range telemetry.Signals {
		g := newGenerator(uint64(signal)+60, 0.01)
		lim := DefaultLimits()
		s := NewSplitter(lim)
		malformed := 0
		for range damagedRequests {
			body := g.mangleRequest(signal, g.request(signal))
			for range 100 {
				damaged := bytes.Clone(body)
				if len(body) == 0 {
					continue
				}
				if i := g.IntN(len(body)); g.IntN(2) == 0 {
					damaged = damaged[:i]
				} else {
					damaged[i] ^= 1 << g.IntN(8)
				}
				checkAny(t, signal, damaged, testReceived, lim)
				b := decoded(signal, damaged, testReceived, &lim)
				err := s.Split(signal, damaged, 5, testReceived)
				if refused := len(b.Rejects) == 1 && b.Rejects[0].ReasonCode == ReasonMalformed; refused != (err != nil) {
					t.Fatalf("%s: Decode refuses: %t, Split: %v", signal, refused, err)
				} else if refused {
					malformed++
					continue
				}
				if total := s.Accepted() + s.Rejected(); total != b.Records[0].Decoded {
					t.Fatalf("%s: %d events split, %d decoded", signal, total, b.Records[0].Decoded)
				}
			}
		}
		if malformed < 100 {
			t.Errorf("%s: only %d requests were malformed", signal, malformed)
		}
	}
}

func TestLimitsValidate(t *testing.T) {
	lim := DefaultLimits()
	if err := lim.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*Limits){
		"max_attributes":   func(l *Limits) { l.MaxAttributes = 0 },
		"max_depth":        func(l *Limits) { l.MaxDepth = deepest + 1 },
		"max_value_bytes":  func(l *Limits) { l.MaxValueBytes = l.MaxRecordBytes + 1 },
		"max_record_bytes": func(l *Limits) { l.MaxRecordBytes = minRecordBytes - 1 },
		"max_future":       func(l *Limits) { l.MaxFuture = 0 },
		"max_age":          func(l *Limits) { l.MaxAge = -1 },
	} {
		lim := DefaultLimits()
		edit(&lim)
		if err := lim.Validate(); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReasonCodes(t *testing.T) {
	seen := map[string]bool{}
	for _, code := range ReasonCodes() {
		if code == "" || seen[code] {
			t.Errorf("reason code %q is empty or there twice", code)
		}
		seen[code] = true
	}
	for r := ok + 1; r < reasons; r++ {
		if text := (problem{reason: r}).text(); text == "" {
			t.Errorf("%s has no text", r)
		}
	}
	s := NewSplitter(DefaultLimits())
	for range maps.Collect(s.RejectedBy()) {
		t.Error("a new splitter has rejected something")
	}
}
