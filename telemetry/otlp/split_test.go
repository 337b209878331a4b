package otlp

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// checkSplit checks what must hold for the split of any request that can be
// decoded: together with what was rejected, the parts are the request.
func checkSplit(t *testing.T, s *Splitter, signal telemetry.Signal, body []byte, partitions int, received int64) {
	t.Helper()
	lim := s.lim
	before := slices.Clone(body)
	whole := decoded(signal, body, received, &lim)
	if err := s.Split(signal, body, partitions, received); err != nil {
		t.Fatalf("splitting: %v", err)
	}
	if !bytes.Equal(before, body) {
		t.Fatal("the body was changed")
	}

	rejected := maps.Collect(s.RejectedBy())
	tooLarge := rejected[ReasonRecord] + rejected[ReasonHeaders]
	delete(rejected, ReasonRecord)
	delete(rejected, ReasonHeaders)
	if diff := cmp.Diff(rejectsOf(whole), rejected); diff != "" {
		t.Fatalf("the splitter rejects other rows than Decode (-decode +split):\n%s", diff)
	}
	if total := s.Accepted() + s.Rejected(); total != whole.Records[0].Decoded {
		t.Fatalf("accepted %d, rejected %d, but there are %d events", s.Accepted(), s.Rejected(), whole.Records[0].Decoded)
	}
	if (s.Message() == "") != (s.Rejected() == 0) {
		t.Fatalf("%d rejected, message %q", s.Rejected(), s.Message())
	}

	want := linesOf(t, whole)
	var got []string
	var accepted int64
	previous := -1
	for i, p := range s.Parts() {
		if p.Partition < previous || p.Partition >= max(1, partitions) {
			t.Fatalf("part %d has partition %d after %d of %d", i, p.Partition, previous, partitions)
		}
		previous = p.Partition
		if len(p.Value) > int(lim.MaxRecordBytes) {
			t.Fatalf("part %d has %d bytes", i, len(p.Value))
		}
		accepted += p.Events
		b := decoded(signal, p.Value, received, &lim)
		if len(b.Rejects) > 0 || int64(b.EventCount()) != p.Events || p.Events == 0 {
			t.Fatalf("part %d of %d events decodes to %d, rejects %v", i, p.Events, b.EventCount(), b.Rejects)
		}
		if signal == telemetry.Spans {
			for j := range b.Spans {
				if n := PartitionOfTrace(b.Spans[j].TraceID, partitions); n != p.Partition {
					t.Fatalf("a span of partition %d is in %d", n, p.Partition)
				}
			}
		}
		got = append(got, linesOf(t, b)...)
	}
	if accepted != s.Accepted() {
		t.Fatalf("accepted %d, but the parts hold %d", s.Accepted(), accepted)
	}
	slices.Sort(got)
	if tooLarge == 0 {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("the parts hold other rows than the request (-request +parts):\n%s", diff)
		}
	} else if int64(len(want)) != int64(len(got))+tooLarge || !contains(want, got) {
		t.Fatalf("of %d rows %d are in parts and %d too large", len(want), len(got), tooLarge)
	}
	checkAgain(t, s, signal, body, partitions, received)
}

// contains reports whether the sorted lines in all hold those in some.
func contains(all, some []string) bool {
	for _, line := range some {
		i, found := slices.BinarySearch(all, line)
		if !found {
			return false
		}
		all = slices.Delete(slices.Clone(all), i, i+1)
	}
	return true
}

// checkAgain checks that a new splitter gives the same parts, and that each of
// them when split again is left as it is.
func checkAgain(t *testing.T, s *Splitter, signal telemetry.Signal, body []byte, partitions int, received int64) {
	t.Helper()
	fresh := NewSplitter(s.lim)
	if err := fresh.Split(signal, body, partitions, received); err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(s.Parts(), fresh.Parts(), samePart) {
		t.Fatalf("another splitter gives other parts: %d, not %d", len(fresh.Parts()), len(s.Parts()))
	}
	again := NewSplitter(s.lim)
	for i, p := range s.Parts() {
		if err := again.Split(signal, p.Value, partitions, received); err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		if !slices.EqualFunc([]Part{p}, again.Parts(), samePart) {
			t.Fatalf("part %d is split again, into %d", i, len(again.Parts()))
		}
	}
}

func samePart(a, b Part) bool {
	return a.Partition == b.Partition && a.Events == b.Events && bytes.Equal(a.Value, b.Value)
}

func TestSplit(t *testing.T) {
	for _, signal := range telemetry.Signals {
		t.Run(signal.String(), func(t *testing.T) {
			g := newGenerator(uint64(signal)+30, 0.02)
			small, full := DefaultLimits(), DefaultLimits()
			small.MaxRecordBytes = 2 << 10
			splitters := []*Splitter{NewSplitter(full), NewSplitter(small)}
			cut, tooLarge := 0, int64(0)
			for range 100 {
				body := g.mangleRequest(signal, g.request(signal))
				for _, s := range splitters {
					for _, partitions := range []int{1, 2, 13} {
						checkSplit(t, s, signal, body, partitions, testReceived)
						if len(s.Parts()) > 1 {
							cut++
						}
						tooLarge += s.Rejected()
					}
				}
			}
			if cut == 0 || tooLarge == 0 {
				t.Fatalf("%d requests were cut, %d rows rejected: the test tests nothing", cut, tooLarge)
			}
		})
	}
}

func TestSplitPassesThrough(t *testing.T) {
	s := NewSplitter(DefaultLimits())
	body := append(marshalLogs(t, benchLogs(50, 5)), 0xf8, 0x3f, 1) // and an unknown field
	if err := s.Split(telemetry.Logs, body, 1, benchTime); err != nil {
		t.Fatal(err)
	}
	if p := s.Parts(); len(p) != 1 || &p[0].Value[0] != &body[0] || len(p[0].Value) != len(body) || p[0].Events != 50 {
		t.Fatal("a request for one partition is not passed through")
	}
	// A resource of its own per partition needs no copy either.
	if err := s.Split(telemetry.Logs, body, 1000, benchTime); err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Parts() {
		if i := bytes.Index(body, p.Value); i < 0 || &p.Value[0] != &body[i] {
			t.Fatal("a part that is an extent of the body is copied")
		}
	}
	if len(s.Parts()) != 5 {
		t.Fatalf("5 resources make %d parts", len(s.Parts()))
	}
}

func TestSplitEmpty(t *testing.T) {
	s := NewSplitter(DefaultLimits())
	for name, body := range map[string]string{
		"nothing":           "",
		"empty resource":    "\n\x00",
		"empty scope":       "\n\x02\x12\x00",
		"resource only":     "\n\x04\n\x02\x10\x01",
		"unknown field":     "\xf8\x3f\x01",
		"metric, no points": "\n\x08\x12\x06\x12\x04\n\x02up",
	} {
		signal := telemetry.Logs
		if strings.HasPrefix(name, "metric") {
			signal = telemetry.Metrics
		}
		if err := s.Split(signal, []byte(body), 8, testReceived); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(s.Parts()) != 0 || s.Accepted() != 0 || s.Rejected() != 0 {
			t.Errorf("%s: %d parts, %d accepted, %d rejected", name, len(s.Parts()), s.Accepted(), s.Rejected())
		}
	}
}

// The partition of a trace must be the one that a collector's Kafka exporter
// chooses, whose key is the trace id in hexadecimal.
func TestPartitionOfTrace(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	balancer := &kafka.Hash{}
	for _, n := range []int{1, 2, 3, 12, 100} {
		partitions := make([]int, n)
		for i := range partitions {
			partitions[i] = i
		}
		for range 500 {
			id := telemetry.TraceID(randomID(r))
			want := balancer.Balance(kafka.Message{Key: []byte(pcommon.TraceID(id).String())}, partitions...)
			if got := PartitionOfTrace(id, n); got != want {
				t.Fatalf("trace %x of %d: partition %d, want %d", id, n, got, want)
			}
		}
	}
}

// Rows of a resource must go to one partition, in whatever order a sender lists
// the resource's attributes; resources should be spread.
func TestSplitByResource(t *testing.T) {
	g := newGenerator(40, 0)
	s := NewSplitter(DefaultLimits())
	used := map[int]bool{}
	for i := range 60 {
		ld := plog.NewLogs()
		rl := ld.ResourceLogs().AppendEmpty()
		benchResource(rl.Resource(), i)
		rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetTimestamp(benchTime)
		md := pmetric.NewMetrics()
		rm := md.ResourceMetrics().AppendEmpty()
		attrs := slices.Collect(maps.Keys(rl.Resource().Attributes().AsRaw()))
		g.Shuffle(len(attrs), func(i, j int) { attrs[i], attrs[j] = attrs[j], attrs[i] })
		for _, k := range attrs {
			v, _ := rl.Resource().Attributes().Get(k)
			v.CopyTo(rm.Resource().Attributes().PutEmpty(k))
		}
		rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()

		partition := -1
		for _, c := range []struct {
			signal telemetry.Signal
			body   []byte
		}{{telemetry.Logs, marshalLogs(t, ld)}, {telemetry.Metrics, marshalMetrics(t, md)}} {
			if err := s.Split(c.signal, c.body, 8, benchTime); err != nil || len(s.Parts()) != 1 {
				t.Fatal(err, len(s.Parts()))
			}
			if partition >= 0 && s.Parts()[0].Partition != partition {
				t.Fatal("the order of a resource's attributes changes its partition")
			}
			partition = s.Parts()[0].Partition
		}
		used[partition] = true
	}
	if len(used) != 8 {
		t.Fatalf("60 resources use %d of 8 partitions", len(used))
	}
}

func TestSplitLargeMetric(t *testing.T) {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	benchResource(rm.Resource(), 0)
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("requests")
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for i := range 500 {
		p := sum.DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.Timestamp(benchTime))
		p.SetIntValue(int64(i))
	}
	lim := DefaultLimits()
	lim.MaxRecordBytes = 2 << 10
	s := NewSplitter(lim)
	checkSplit(t, s, telemetry.Metrics, marshalMetrics(t, md), 3, benchTime)
	if len(s.Parts()) < 5 || s.Accepted() != 500 {
		t.Fatalf("%d parts, %d accepted", len(s.Parts()), s.Accepted())
	}
	for _, p := range s.Parts() {
		b := decoded(telemetry.Metrics, p.Value, benchTime, &lim)
		if m := b.Metrics[0]; len(b.Metrics) != 1 || m.Name != "requests" || !m.Monotonic || m.Temporality != telemetry.Delta {
			t.Fatalf("a part has the metric %+v", m)
		}
	}
}

func TestSplitTooLarge(t *testing.T) {
	ld := benchLogs(20, 1)
	records := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	records.At(7).Body().SetStr(strings.Repeat("x", 901<<10))
	s := NewSplitter(DefaultLimits())
	checkSplit(t, s, telemetry.Logs, marshalLogs(t, ld), 2, benchTime)
	want := map[string]int64{ReasonValue: 1}
	if diff := cmp.Diff(want, maps.Collect(s.RejectedBy())); diff != "" || s.Accepted() != 19 {
		t.Fatalf("accepted %d, rejected (-want +got):\n%s", s.Accepted(), diff)
	}
	records.At(7).Body().SetStr(strings.Repeat("x", 900<<10))
	checkSplit(t, s, telemetry.Logs, marshalLogs(t, ld), 2, benchTime)
	if n := maps.Collect(s.RejectedBy())[ReasonRecord]; n != 1 || s.Accepted() != 19 {
		t.Fatalf("%d too large, accepted %d", n, s.Accepted())
	}
	if !strings.Contains(s.Message(), "more than the 921600 of a record") {
		t.Fatalf("message %q", s.Message())
	}
}

// A large resource must not be multiplied by the number of its rows.
func TestSplitLargeResource(t *testing.T) {
	td := benchSpans(2000, 1)
	for i := range 6 {
		td.ResourceSpans().At(0).Resource().Attributes().PutStr(strings.Repeat("k", i+1), strings.Repeat("v", 120<<10))
	}
	body := marshalSpans(t, td)
	s := NewSplitter(DefaultLimits())
	if err := s.Split(telemetry.Spans, body, 1000, benchTime); err != nil {
		t.Fatal(err)
	}
	if n := maps.Collect(s.RejectedBy())[ReasonHeaders]; n != 2000 {
		t.Fatalf("%d of 2000 spans rejected", n)
	}

	td = benchSpans(2000, 1)
	td.ResourceSpans().At(0).Resource().Attributes().PutStr("k", strings.Repeat("v", 200<<10))
	body = marshalSpans(t, td)
	if err := s.Split(telemetry.Spans, body, 1000, benchTime); err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, p := range s.Parts() {
		size += len(p.Value)
	}
	if size > 8*len(body)+8<<20 || s.Accepted() == 0 || s.Rejected() == 0 {
		t.Fatalf("%d bytes become %d, accepted %d, rejected %d", len(body), size, s.Accepted(), s.Rejected())
	}
}

func TestSplitMalformed(t *testing.T) {
	s := NewSplitter(DefaultLimits())
	body := marshalLogs(t, benchLogs(3, 1))
	err := s.Split(telemetry.Logs, body[:len(body)-1], 4, benchTime)
	if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "byte 1: a length is broken") {
		t.Fatalf("error %v", err)
	}
	if len(s.Parts()) != 0 || s.Accepted() != 0 || s.Rejected() != 0 || s.Message() != "" {
		t.Fatal("a malformed request leaves something behind")
	}
	if err := s.Split(telemetry.Logs, body, 4, benchTime); err != nil || s.Accepted() != 3 {
		t.Fatalf("after it: %v, accepted %d", err, s.Accepted())
	}
}

func TestSplitterReset(t *testing.T) {
	s := NewSplitter(DefaultLimits())
	freed := make(chan struct{})
	split := func() {
		body := new([64 << 10]byte)
		n := copy(body[:], marshalLogs(t, benchLogs(100, 5)))
		runtime.AddCleanup(body, func(c chan struct{}) { close(c) }, freed)
		if err := s.Split(telemetry.Logs, body[:n], 7, benchTime); err != nil || len(s.Parts()) < 2 {
			t.Fatal(err, len(s.Parts()))
		}
	}
	split()
	s.Reset()
	if len(s.Parts()) != 0 || s.Accepted() != 0 {
		t.Fatal("parts remain after Reset")
	}
	for range 100 { // the cleanup runs some time after a collection
		runtime.GC()
		select {
		case <-freed:
			runtime.KeepAlive(s)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatal("the splitter holds the body after Reset")
}

func TestSplitMessage(t *testing.T) {
	ld := benchLogs(30, 2)
	for _, rl := range ld.ResourceLogs().All() {
		for i, l := range rl.ScopeLogs().At(0).LogRecords().All() {
			if i%2 == 1 {
				l.SetTimestamp(1)
			}
		}
	}
	s := NewSplitter(DefaultLimits())
	checkSplit(t, s, telemetry.Logs, marshalLogs(t, ld), 4, benchTime)
	message := s.Message()
	if !strings.HasPrefix(message, "resource_logs[0].scope_logs[0].log_records[1]: time 1970-01-01T00:00:00Z is earlier than 2025-09-09T08:53:20Z") {
		t.Errorf("message starts with %q", message)
	}
	if !strings.HasSuffix(message, "; and 6 more") || len(message) > 4096 {
		t.Errorf("message of %d bytes ends with %q", len(message), message[max(0, len(message)-40):])
	}
}
