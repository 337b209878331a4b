package otlp

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// fuzzReceived is a time in the middle of those that bytes of a fuzzer hit now
// and then: the window around it covers most of what a float or text looks like.
const fuzzReceived = int64(0x3000_0000_0000_0000)

func fuzzLimits() Limits {
	lim := DefaultLimits()
	lim.MaxAge, lim.MaxFuture = 0x2fff_ffff_0000_0000, 0x2fff_ffff_0000_0000
	return lim
}

func addSeeds(f *testing.F, signal telemetry.Signal) {
	f.Helper()
	g := newGenerator(uint64(signal)+70, 0.05)
	for range 20 {
		body := g.request(signal)
		f.Add(body)
		f.Add(g.mangleRequest(signal, body))
	}
}

// sizeReasons are the reasons that the expectation knows nothing of.
var sizeReasons = []string{ReasonAttributes, ReasonDepth, ReasonValue, ReasonRecord, ReasonHeaders}

func fuzzDecode(f *testing.F, signal telemetry.Signal) {
	addSeeds(f, signal)
	f.Fuzz(func(t *testing.T, body []byte) { checkAny(t, signal, body, fuzzReceived, fuzzLimits()) })
}

// checkAny compares what Decode makes of any bytes with what the oracles do.
func checkAny(t *testing.T, signal telemetry.Signal, body []byte, received int64, lim Limits) {
	t.Helper()
	b := decoded(signal, body, received, &lim)
	rejects := rejectsOf(b)
	plain, err := canonicalRequest(signal, body)
	if rejects[ReasonMalformed] > 0 {
		// Whoever is stricter than both oracles loses data.
		if err == nil && pdataAccepts(signal, body) && !strings.Contains(b.Rejects[0].Reason, badSkip) {
			t.Fatalf("both oracles accept what is rejected: %s", b.Rejects[0].Reason)
		}
		return
	}
	if err != nil {
		// Google's runtime looks deeper than goshawk, and into what is lost of
		// a oneof.
		if rejects[ReasonDepth] == 0 && !(signal == telemetry.Metrics && severalShapes(body)) {
			t.Fatalf("Google's runtime refuses what is decoded: %v", err)
		}
		return
	}
	for _, code := range sizeReasons {
		if rejects[code] > 0 {
			return
		}
	}
	want := expect(t, signal, plain, received, &lim)
	if diff := cmp.Diff(want.lines, linesOf(t, b)); diff != "" {
		t.Fatalf("rows differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.rejects, rejects); diff != "" {
		t.Fatalf("rejects differ (-want +got):\n%s", diff)
	}
	checkArenas(t, b)
	for i := range b.Logs {
		if !utf8.ValidString(b.Logs[i].SeverityText) || !utf8.ValidString(b.Logs[i].EventName) {
			t.Fatal("a string is not UTF-8")
		}
	}
}

func pdataAccepts(signal telemetry.Signal, body []byte) bool {
	var err error
	switch signal {
	case telemetry.Logs:
		_, err = new(plog.ProtoUnmarshaler).UnmarshalLogs(body)
	case telemetry.Spans:
		_, err = new(ptrace.ProtoUnmarshaler).UnmarshalTraces(body)
	case telemetry.Metrics:
		_, err = new(pmetric.ProtoUnmarshaler).UnmarshalMetrics(body)
	}
	return err == nil
}

// severalShapes reports whether there may be a metric with several shapes, of
// which one counts.
func severalShapes(body []byte) bool {
	shapes := 0
	for _, c := range body {
		switch c {
		case tagGauge, tagSum, tagHistogram, tagExponential, tagSummary:
			shapes++
		}
	}
	return shapes > 1
}

func FuzzDecodeLogs(f *testing.F)    { fuzzDecode(f, telemetry.Logs) }
func FuzzDecodeSpans(f *testing.F)   { fuzzDecode(f, telemetry.Spans) }
func FuzzDecodeMetrics(f *testing.F) { fuzzDecode(f, telemetry.Metrics) }

func FuzzSplit(f *testing.F) {
	for _, signal := range telemetry.Signals {
		g := newGenerator(uint64(signal)+80, 0.05)
		for range 10 {
			f.Add(uint8(signal), uint8(g.IntN(20)), g.mangleRequest(signal, g.request(signal)))
		}
	}
	f.Fuzz(func(t *testing.T, signal, partitions uint8, body []byte) {
		lim := fuzzLimits()
		lim.MaxRecordBytes = minRecordBytes
		lim.MaxValueBytes = 300
		lim.MaxAttributes = 6
		lim.MaxDepth = 5
		s := NewSplitter(lim)
		of := telemetry.Signal(signal % 3)
		whole := decoded(of, body, fuzzReceived, &lim)
		if rejectsOf(whole)[ReasonMalformed] > 0 {
			if err := s.Split(of, body, int(partitions), fuzzReceived); err == nil {
				t.Fatal("split accepts what Decode does not")
			}
			return
		}
		checkSplit(t, s, of, body, int(partitions), fuzzReceived)
	})
}

func FuzzAppendJSON(f *testing.F) {
	g := newGenerator(90, 0.05)
	for range 20 {
		b := decoded(telemetry.Logs, g.mangleRequest(telemetry.Logs, g.request(telemetry.Logs)), testReceived, new(Limits{MaxAttributes: 99, MaxDepth: 99, MaxValueBytes: 9999, MaxRecordBytes: 9999, MaxFuture: 1 << 60, MaxAge: 1 << 60}))
		for i := range b.Attrs {
			v := &b.Attrs[i].Value
			f.Add(uint8(v.Kind), v.Num, v.Str)
		}
	}
	f.Add(uint8(telemetry.KindArray), uint64(0), string(nestedValue(3000, false)[2:]))
	f.Fuzz(func(t *testing.T, kind uint8, num uint64, str string) {
		v := telemetry.Value{Kind: telemetry.Kind(kind), Num: num, Str: str}
		p := AppendJSON([]byte("["), &v)
		p = append(p, ']')
		if !json.Valid(p) || !utf8.Valid(p) {
			t.Fatalf("not JSON: %q", p)
		}
		if text := AppendText(nil, &v); v.Kind == telemetry.KindMap && !json.Valid(text) {
			t.Fatalf("not JSON: %q", text)
		}
	})
}
