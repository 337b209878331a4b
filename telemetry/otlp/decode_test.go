package otlp

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// decoded returns a batch with the rows of one request.
func decoded(signal telemetry.Signal, body []byte, received int64, lim *Limits) *telemetry.Batch {
	b := &telemetry.Batch{}
	b.Signal = signal
	b.Records = append(b.Records, telemetry.Record{ReceiveTime: received, Declared: -1, Value: body})
	Decode(b, lim)
	return b
}

// rejectsOf returns how many events were rejected for which reason.
func rejectsOf(b *telemetry.Batch) map[string]int64 {
	m := map[string]int64{}
	for _, r := range b.Rejects {
		m[r.ReasonCode] += r.Events
	}
	return m
}

// checkDecode compares what Decode makes of a request with what the oracles do.
func checkDecode(t *testing.T, signal telemetry.Signal, body []byte, received int64) *telemetry.Batch {
	t.Helper()
	lim := DefaultLimits()
	plain, err := canonicalRequest(signal, body)
	if err != nil {
		t.Fatalf("the oracle refuses the request: %v", err)
	}
	want := expect(t, signal, plain, received, &lim)
	b := decoded(signal, body, received, &lim)
	if diff := cmp.Diff(want.lines, linesOf(t, b)); diff != "" {
		t.Fatalf("rows differ (-want +got):\n%s\nrejects %v", diff, b.Rejects)
	}
	if diff := cmp.Diff(want.rejects, rejectsOf(b)); diff != "" {
		t.Fatalf("rejects differ (-want +got):\n%s", diff)
	}
	if b.Records[0].Decoded != want.events {
		t.Fatalf("Decoded is %d, want %d", b.Records[0].Decoded, want.events)
	}
	for _, r := range b.Rejects {
		checkReject(t, signal, &r, received)
	}
	checkArenas(t, b)
	return b
}

// checkArenas checks that all of the arenas belongs to rows: what was added for
// rejected rows was taken back.
func checkArenas(t *testing.T, b *telemetry.Batch) {
	t.Helper()
	var attrs, exemplars, floats, uints, events, links int
	for _, r := range b.Resources {
		attrs += r.Attrs.Len()
	}
	for _, r := range b.Scopes {
		attrs += r.Attrs.Len()
	}
	for _, r := range b.Logs {
		attrs += r.Attrs.Len()
	}
	for _, r := range b.Spans {
		attrs += r.Attrs.Len()
		events += r.Events.Len()
		links += r.Links.Len()
	}
	for _, r := range b.Events {
		attrs += r.Attrs.Len()
	}
	for _, r := range b.Links {
		attrs += r.Attrs.Len()
	}
	for _, r := range b.Metrics {
		attrs += r.Metadata.Len()
	}
	point := func(p *telemetry.Point) {
		attrs += p.Attrs.Len()
		exemplars += p.Exemplars.Len()
	}
	for i := range b.Numbers {
		point(&b.Numbers[i].Point)
	}
	for i := range b.Histograms {
		p := &b.Histograms[i]
		point(&p.Point)
		floats += p.Bounds.Len()
		uints += p.Counts.Len()
	}
	for i := range b.Exponentials {
		p := &b.Exponentials[i]
		point(&p.Point)
		uints += p.Positive.Counts.Len() + p.Negative.Counts.Len()
	}
	for i := range b.Summaries {
		p := &b.Summaries[i]
		point(&p.Point)
		floats += p.Quantiles.Len()
	}
	for _, e := range b.Exemplars {
		attrs += e.Attrs.Len()
	}
	got := []int{len(b.Attrs), len(b.Exemplars), len(b.Floats), len(b.Uints), len(b.Events), len(b.Links)}
	if want := []int{attrs, exemplars, floats, uints, events, links}; !slices.Equal(want, got) {
		t.Fatalf("rows refer to %v entries of the arenas, which have %v", want, got)
	}
}

// checkReject checks that a reject's value is a request with just those events
// and that each of them is rejected for that reason again.
func checkReject(t *testing.T, signal telemetry.Signal, r *telemetry.Reject, received int64) {
	t.Helper()
	lim := DefaultLimits()
	if _, err := canonicalRequest(signal, r.Value); err != nil {
		t.Fatalf("reject for %s is not a request: %v", r.ReasonCode, err)
	}
	again := decoded(signal, r.Value, received, &lim)
	if diff := cmp.Diff(map[string]int64{r.ReasonCode: r.Events}, rejectsOf(again)); diff != "" || again.EventCount() != 0 {
		t.Fatalf("reject for %s decodes to %d rows and other rejects (-want +got):\n%s", r.ReasonCode, again.EventCount(), diff)
	}
	if r.Reason == "" {
		t.Fatal("reject without a reason")
	}
}

func TestDecodeEveryField(t *testing.T) {
	for _, signal := range telemetry.Signals {
		t.Run(signal.String(), func(t *testing.T) {
			g := newGenerator(uint64(signal)+1, 0)
			for n := range 400 {
				body := g.request(signal)
				checkDecode(t, signal, body, testReceived)
				mangled := g.mangleRequest(signal, body)
				checkDecode(t, signal, mangled, testReceived)
				if t.Failed() {
					t.Fatalf("request %d", n)
				}
			}
			checkFilled(t, g, newRequest(signal).ProtoReflect().Descriptor(), map[protoreflect.FullName]bool{})
		})
	}
}

// checkFilled fails where the generator left out a field of a message.
func checkFilled(t *testing.T, g *generator, d protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) {
	if seen[d.FullName()] {
		return
	}
	seen[d.FullName()] = true
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		if !g.filled[fd.FullName()] {
			t.Errorf("field %s was never filled", fd.FullName())
		}
		if fd.Message() != nil {
			checkFilled(t, g, fd.Message(), seen)
		}
	}
}

func TestDecodeFaultyRows(t *testing.T) {
	for _, signal := range telemetry.Signals {
		t.Run(signal.String(), func(t *testing.T) {
			g := newGenerator(uint64(signal)+10, 0.15)
			seen := map[string]int64{}
			for range 400 {
				b := checkDecode(t, signal, g.mangleRequest(signal, g.request(signal)), testReceived)
				for code, n := range rejectsOf(b) {
					seen[code] += n
				}
			}
			want := map[telemetry.Signal][]string{
				telemetry.Logs:    {ReasonFuture, ReasonAge},
				telemetry.Spans:   {ReasonFuture, ReasonAge, ReasonTraceID, ReasonSpanID},
				telemetry.Metrics: {ReasonFuture, ReasonAge, ReasonBuckets},
			}[signal]
			for _, code := range want {
				if seen[code] == 0 {
					t.Errorf("no row was rejected for %s", code)
				}
			}
		})
	}
}

// Records of a batch must not influence each other, whatever is wrong with one.
func TestDecodeSeveralRecords(t *testing.T) {
	lim := DefaultLimits()
	for _, signal := range telemetry.Signals {
		g := newGenerator(uint64(signal)+20, 0.05)
		b := &telemetry.Batch{}
		for round := range 20 {
			b.Reset()
			b.Signal = signal
			var want []string
			for i := range 12 {
				body := g.mangleRequest(signal, g.request(signal))
				r := telemetry.Record{Offset: int64(i), ReceiveTime: testReceived, Declared: -1, Value: body}
				switch i % 4 {
				case 1:
					r.Repeated = true
				case 2:
					r.Value = append(slices.Clone(body), 0xff)
				}
				b.Records = append(b.Records, r)
				if i%4 == 0 || i%4 == 3 {
					want = append(want, linesOf(t, decoded(signal, body, testReceived, &lim))...)
				}
			}
			Decode(b, &lim)
			checkArenas(t, b)
			slices.Sort(want)
			if diff := cmp.Diff(want, linesOf(t, b)); diff != "" {
				t.Fatalf("%s, round %d: rows differ (-want +got):\n%s", signal, round, diff)
			}
			for i, r := range b.Records {
				if i%4 == 1 && r.Decoded != 0 || i%4 == 2 && r.Decoded != 1 {
					t.Fatalf("record %d: Decoded is %d", i, r.Decoded)
				}
			}
			for _, r := range b.Resources {
				if i := r.Record % 4; i == 1 || i == 2 {
					t.Fatalf("a resource of record %d remains", r.Record)
				}
			}
		}
	}
}

// What decides over rows, or over where they are from, may come after them.
func TestDecodeFieldsAfterChildren(t *testing.T) {
	field := func(number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}
	first := func(message []byte, number protowire.Number) []byte {
		f := wire.FieldsOf(message)
		for f.Next() {
			if f.Tag == uint64(number)<<3|wire.LengthType {
				return f.Bytes()
			}
			f.Skip(0)
		}
		t.Fatalf("there is no field %d", number)
		return nil
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	url, unknown := field(3, []byte("https://example.com/1.0")), field(99, nil)
	for signal, body := range map[telemetry.Signal][]byte{
		telemetry.Logs: marshalLogs(t, benchLogs(3, 1)), telemetry.Spans: marshalSpans(t, benchSpans(3, 1)),
		telemetry.Metrics: marshalMetrics(t, benchMetrics(300)),
	} {
		resource := first(body, 1)
		scope := first(resource, 2)
		for name, order := range map[string]func(header, child []byte) []byte{
			"schema URL":      func(h, c []byte) []byte { return join(h, c, c, url) },
			"two schema URLs": func(h, c []byte) []byte { return join(h, url, c, field(3, []byte("later")), c) },
			"header":          func(h, c []byte) []byte { return join(url, c, h) },
			"two headers":     func(h, c []byte) []byte { return join(h, c, h, c) },
			"all":             func(h, c []byte) []byte { return join(c, h, url) },
			"unknown field":   func(h, c []byte) []byte { return join(h, c, unknown) },
			"no child":        func(h, _ []byte) []byte { return join(h, url) },
		} {
			t.Run(fmt.Sprintf("%s/%s", signal, name), func(t *testing.T) {
				ofResource := order(field(1, first(resource, 1)), field(2, scope))
				checkDecode(t, signal, field(1, ofResource), testReceived)
				ofScope := order(field(1, first(scope, 1)), field(2, first(scope, 2)))
				checkDecode(t, signal, field(1, join(field(1, first(resource, 1)), field(2, ofScope))), testReceived)
			})
		}
		lim := DefaultLimits()
		tooLong := field(3, make([]byte, lim.MaxValueBytes+1))
		b := decoded(signal, field(1, join(field(1, first(resource, 1)), field(2, scope), tooLong)), testReceived, &lim)
		if got := rejectsOf(b)[valueTooLong.String()]; b.EventCount() != 0 || got == 0 || got != b.Records[0].Decoded {
			t.Errorf("%s: of %d events %d are rejected for a schema URL that is too long", signal, b.Records[0].Decoded, got)
		}
	}
}

func TestDecodeMalformedRecord(t *testing.T) {
	lim := DefaultLimits()
	body := marshalLogs(t, benchLogs(3, 1))
	for _, declared := range []int64{-1, 0, 3} {
		b := &telemetry.Batch{Records: []telemetry.Record{{ReceiveTime: benchTime, Declared: declared, Value: body[:len(body)-1]}}}
		Decode(b, &lim)
		if b.EventCount() != 0 || len(b.Resources) != 0 || len(b.Attrs) != 0 {
			t.Fatal("rows of a malformed record remain")
		}
		want := []telemetry.Reject{{
			Events:     max(1, declared),
			Reason:     b.Rejects[0].Reason,
			ReasonCode: ReasonMalformed, Value: body[:len(body)-1],
		}}
		if diff := cmp.Diff(want, b.Rejects); diff != "" {
			t.Fatalf("rejects differ (-want +got):\n%s", diff)
		}
		if b.Records[0].Decoded != max(1, declared) {
			t.Fatalf("Decoded is %d", b.Records[0].Decoded)
		}
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	lim := DefaultLimits()
	for _, signal := range telemetry.Signals {
		body := map[telemetry.Signal][]byte{
			telemetry.Logs:    marshalLogs(t, benchLogs(100, 5)),
			telemetry.Spans:   marshalSpans(t, benchSpans(100, 5)),
			telemetry.Metrics: marshalMetrics(t, benchMetrics(100)),
		}[signal]
		var b telemetry.Batch
		allocs := testing.AllocsPerRun(20, func() {
			b.Reset()
			b.Signal = signal
			b.Records = append(b.Records, telemetry.Record{ReceiveTime: benchTime, Value: body})
			Decode(&b, &lim)
		})
		if allocs != 0 || b.EventCount() != 100 {
			t.Errorf("%s: %v allocations for %d events", signal, allocs, b.EventCount())
		}
		s := NewSplitter(lim)
		allocs = testing.AllocsPerRun(20, func() {
			if err := s.Split(signal, body, 8, benchTime); err != nil {
				t.Error(err)
			}
		})
		if allocs != 0 || s.Accepted() != 100 {
			t.Errorf("%s: splitting takes %v allocations for %d events", signal, allocs, s.Accepted())
		}
	}
}

func ExampleDecode() {
	lim := DefaultLimits()
	b := &telemetry.Batch{}
	b.Signal = telemetry.Logs
	request := []byte("\n\x11\x12\x0f\x12\r*\v\n\thello you")
	b.Records = append(b.Records, telemetry.Record{ReceiveTime: testReceived, Value: request})
	Decode(b, &lim)
	fmt.Println(b.Logs[0].Body.Str, b.Resources[0].Service)
	// Output: hello you unknown_service
}
