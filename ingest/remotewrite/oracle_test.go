package remotewrite

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	prometheus "github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// The oracle is Prometheus' own decoding and its own checks. A request is
// rendered as lines twice: from what Prometheus decodes, and from what our parts
// hold when they are decoded as anybody decodes them.

// modelSeries is a series of either version as Prometheus decodes it.
type modelSeries struct {
	labels     labels.Labels
	bad        bool // a reference is broken
	kind       string
	help, unit string
	samples    []modelSample
	histograms []modelHistogram
	exemplars  []modelExemplar
}

type modelSample struct {
	time, start int64
	value       float64
}

type modelHistogram struct {
	time, start int64
	ints        *prometheus.Histogram
	floats      *prometheus.FloatHistogram
}

type modelExemplar struct {
	labels [][2]string
	bad    bool
	time   int64
	value  float64
}

func model1(req *prompb.WriteRequest) (list []modelSeries) {
	for _, ts := range req.Timeseries {
		b := labels.NewScratchBuilder(0)
		m := modelSeries{labels: ts.ToLabels(&b, nil)}
		for _, p := range ts.Samples {
			m.samples = append(m.samples, modelSample{p.Timestamp, 0, p.Value})
		}
		for _, h := range ts.Histograms {
			m.histograms = append(m.histograms, modelHistogram{h.Timestamp, 0, h.ToIntHistogram(), floatsOf(h.IsFloatHistogram(), h.ToFloatHistogram)})
		}
		for _, e := range ts.Exemplars {
			x := modelExemplar{time: e.Timestamp, value: e.Value}
			for _, l := range e.Labels {
				x.labels = append(x.labels, [2]string{l.Name, l.Value})
			}
			m.exemplars = append(m.exemplars, x)
		}
		list = append(list, m)
	}
	return list
}

func floatsOf(is bool, h func() *prometheus.FloatHistogram) *prometheus.FloatHistogram {
	if is {
		return h()
	}
	return nil
}

func model2(req *writev2.Request) (list []modelSeries) {
	for _, ts := range req.Timeseries {
		b := labels.NewScratchBuilder(0)
		ls, err := ts.ToLabels(&b, req.Symbols)
		meta, metaErr := ts.ToMetadata(req.Symbols)
		m := modelSeries{labels: ls, bad: err != nil || metaErr != nil, kind: string(meta.Type), help: usable(meta.Help), unit: usable(meta.Unit)}
		for _, p := range ts.Samples {
			m.samples = append(m.samples, modelSample{p.Timestamp, p.StartTimestamp, p.Value})
		}
		for _, h := range ts.Histograms {
			m.histograms = append(m.histograms, modelHistogram{h.Timestamp, h.StartTimestamp, h.ToIntHistogram(), floatsOf(h.IsFloatHistogram(), h.ToFloatHistogram)})
		}
		for _, e := range ts.Exemplars {
			x := modelExemplar{time: e.Timestamp, value: e.Value, bad: len(e.LabelsRefs)%2 != 0}
			for i := 0; i+1 < len(e.LabelsRefs) && !x.bad; i += 2 {
				name, val := int(e.LabelsRefs[i]), int(e.LabelsRefs[i+1])
				if x.bad = max(name, val) >= len(req.Symbols); !x.bad {
					x.labels = append(x.labels, [2]string{req.Symbols[name], req.Symbols[val]})
				}
			}
			m.exemplars = append(m.exemplars, x)
		}
		list = append(list, m)
	}
	return list
}

func usable(s string) string {
	if !utf8.ValidString(s) || len(s) > int(otlp.DefaultLimits().MaxValueBytes) {
		return ""
	}
	return s
}

func taken(ms int64) bool { return ms > 0 && ms <= maxMillis }

func nanos(ms int64) int64 {
	if !taken(ms) {
		return 0
	}
	return ms * 1e6
}

// expected renders what the contract says of the series, and counts what is kept.
func expected(list []modelSeries) (lines []string, samples, histograms, exemplars int) {
	cfg := DefaultConfig()
	for i := range list {
		m := &list[i]
		if m.bad || !validSeries(m.labels, cfg) {
			continue
		}
		prefix := func(scope, shape, kind string) string {
			b := labels.NewBuilder(m.labels)
			b.Del(nameLabel)
			return fmt.Sprintf("%q %q %s %q %s unit=%q help=%q type=%s %s", m.labels.Get("job"), m.labels.Get("instance"), scope,
				m.labels.Get(nameLabel), shape, m.unit, m.help, kind, b.Labels().WithoutEmpty())
		}
		kind := m.kind
		if kind == "unknown" || kind == "gauge" || kind == "counter" {
			kind = ""
		}
		shape := "gauge"
		if m.kind == "counter" {
			shape = "sum/cumulative/monotonic"
		}
		attached := ""
		n := 0
		for _, e := range m.exemplars {
			if text, ok := exemplarLine(e, cfg); ok {
				attached += text
				n++
			}
		}
		exemplarsLeft := n > 0
		lastSample := -1
		for i, p := range m.samples {
			if taken(p.time) {
				lastSample = i
			}
		}
		for i, p := range m.samples {
			if !taken(p.time) {
				continue
			}
			flags := 0
			if value.IsStaleNaN(p.value) {
				flags = 1
			}
			line := fmt.Sprintf("%s t=%d start=%d v=%016x flags=%d", prefix("", shape, kind), nanos(p.time), nanos(p.start), math.Float64bits(p.value), flags)
			if i == lastSample && exemplarsLeft {
				line += attached
				exemplars += n
				exemplarsLeft = false
			}
			lines = append(lines, line)
			samples++
		}
		lastHistogram := -1
		for i := range m.histograms {
			if taken(m.histograms[i].time) && m.histograms[i].line() != "" {
				lastHistogram = i
			}
		}
		for i := range m.histograms {
			h := &m.histograms[i]
			text := h.line()
			if !taken(h.time) || text == "" {
				continue
			}
			histogramKind := kind
			var hint prometheus.CounterResetHint
			if h.floats != nil {
				hint = h.floats.CounterResetHint
			} else {
				hint = h.ints.CounterResetHint
			}
			if hint == prometheus.GaugeType {
				histogramKind = "gaugehistogram"
			}
			line := fmt.Sprintf("%s t=%d start=%d %s", prefix("", h.shape(), histogramKind), nanos(h.time), nanos(h.start), text)
			if i == lastHistogram && exemplarsLeft {
				line += attached
				exemplars += n
				exemplarsLeft = false
			}
			lines = append(lines, line)
			histograms++
		}
		if exemplarsLeft {
			lines = append(lines, prefix("/exemplars", "gauge", kind)+" flags=1"+attached)
			exemplars += n
		}
	}
	slices.Sort(lines)
	return lines, samples, histograms, exemplars
}

func validSeries(ls labels.Labels, cfg Config) bool {
	good := ls.Get(nameLabel) != "" && ls.Len() <= otlp.DefaultLimits().MaxAttributes
	total := 0
	ls.Range(func(l labels.Label) {
		good = good && l.Name != "" && utf8.ValidString(l.Name) && utf8.ValidString(l.Value) &&
			len(l.Name) <= int(cfg.MaxLabelName) && len(l.Value) <= int(cfg.MaxLabelValue)
		total += len(l.Name) + len(l.Value)
	})
	_, twice := ls.HasDuplicateLabelNames()
	return good && !twice && total < 500<<10
}

func exemplarLine(e modelExemplar, cfg Config) (string, bool) {
	if e.bad || len(e.labels) > otlp.DefaultLimits().MaxAttributes {
		return "", false
	}
	trace, span, rest := "", "", ""
	for _, l := range e.labels {
		if l[0] == "" || len(l[0]) > int(cfg.MaxLabelName) || len(l[1]) > int(cfg.MaxLabelValue) ||
			!utf8.ValidString(l[0]) || !utf8.ValidString(l[1]) {
			return "", false
		}
		switch {
		case l[0] == "trace_id" && trace == "" && isID(l[1], 16):
			trace = l[1]
		case l[0] == "span_id" && span == "" && isID(l[1], 8):
			span = l[1]
		default:
			rest += fmt.Sprintf("%q=%q,", l[0], l[1])
		}
	}
	return fmt.Sprintf(" exemplar{t=%d v=%016x trace=%s span=%s %s}", nanos(e.time), math.Float64bits(e.value), trace, span, rest), true
}

func isID(s string, n int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == n && strings.ToLower(s) == s && strings.Trim(s, "0") != ""
}

func (h *modelHistogram) schema() int32 {
	if h.floats != nil {
		return h.floats.Schema
	}
	return h.ints.Schema
}

func (h *modelHistogram) shape() string {
	shape := "exponential"
	if prometheus.IsCustomBucketsSchema(h.schema()) {
		shape = "histogram"
	}
	if h.floats != nil {
		return shape + "/floats"
	}
	return shape + "/cumulative"
}

// line renders a histogram, "" where Prometheus refuses it.
func (h *modelHistogram) line() string {
	var b strings.Builder
	if h.floats != nil {
		f, ok := admitted(h.floats, h.floats.Schema)
		if !ok {
			return ""
		}
		if stale := writeHead(&b, f.Schema, f.Sum, true, f.CounterResetHint); !stale {
			fmt.Fprintf(&b, " count=%x zero=%x/%x bounds=%x", math.Float64bits(f.Count), math.Float64bits(f.ZeroCount), math.Float64bits(f.ZeroThreshold), f.CustomValues)
			writeBuckets(&b, '+', f.PositiveBucketIterator(), math.Float64bits)
			writeBuckets(&b, '-', f.NegativeBucketIterator(), math.Float64bits)
		}
		return b.String()
	}
	f, ok := admitted(h.ints, h.ints.Schema)
	if !ok {
		return ""
	}
	if stale := writeHead(&b, f.Schema, f.Sum, false, f.CounterResetHint); !stale {
		fmt.Fprintf(&b, " count=%x zero=%x/%x bounds=%x", f.Count, f.ZeroCount, math.Float64bits(f.ZeroThreshold), f.CustomValues)
		same := func(n uint64) uint64 { return n }
		writeBuckets(&b, '+', f.PositiveBucketIterator(), same)
		writeBuckets(&b, '-', f.NegativeBucketIterator(), same)
	}
	return b.String()
}

// admitted returns the histogram in a resolution that Prometheus keeps, and
// whether it takes it.
func admitted[H interface {
	Copy() H
	ReduceResolution(schema int32) error
	Validate() error
}](h H, schema int32) (H, bool) {
	if schema > prometheus.ExponentialSchemaMax && schema <= prometheus.ExponentialSchemaMaxReserved {
		h = h.Copy()
		if h.ReduceResolution(prometheus.ExponentialSchemaMax) != nil {
			return h, false
		}
	}
	return h, h.Validate() == nil
}

// writeHead writes what a histogram's point has even if it is stale, and reports
// whether it is.
func writeHead(b *strings.Builder, schema int32, sum float64, floats bool, hint prometheus.CounterResetHint) (stale bool) {
	stale = value.IsStaleNaN(sum)
	flags := int(hint) << telemetry.FlagResetHintShift
	switch {
	case stale:
		flags = telemetry.FlagNoRecordedValue
	case floats:
		flags |= telemetry.FlagFloatCounts
	}
	fmt.Fprintf(b, "schema=%d sum=%016x flags=%d", schema, math.Float64bits(sum), flags)
	return stale
}

// writeBuckets writes the buckets that are not empty, and their counts' bits.
func writeBuckets[C prometheus.BucketCount](b *strings.Builder, sign byte, it prometheus.BucketIterator[C], bits func(C) uint64) {
	for it.Next() {
		if c := it.At(); c.Count != 0 {
			fmt.Fprintf(b, " %c%d:%x", sign, c.Index, bits(c.Count))
		}
	}
}

// unlimited has no limit on memory.
func unlimited(int64) error { return nil }

func testSplitter(v version, claim func(int64) error) *splitter {
	lim := otlp.DefaultLimits()
	return newSplitter(v, DefaultConfig(), lim, claim)
}

// compare checks a request against the oracle, whose series are given.
func compare(t testing.TB, s *splitter, body []byte, list []modelSeries, metadata []prompb.MetricMetadata) {
	t.Helper()
	if len(body) > 1<<20 {
		return
	}
	const partitions = 4
	if err := s.Split(telemetry.Metrics, body, partitions, 0); err != nil {
		t.Fatalf("a request that prometheus takes is refused: %v", err)
	}
	if wide(list) || s.report.byReason[tooManyBuckets] > 0 {
		return // prometheus does not expand
	}
	want, samples, histograms, exemplars := expected(list)
	if s.written.samples != int64(samples) || s.written.histograms != int64(histograms) || s.written.exemplars != int64(exemplars) {
		t.Errorf("%+v were written; want %d %d %d", s.written, samples, histograms, exemplars)
	}
	newest := int64(7)
	for i := range list {
		if !list[i].bad && validSeries(list[i].labels, DefaultConfig()) {
			for _, p := range list[i].samples {
				if taken(p.time) {
					newest = max(newest, p.time*1e6)
				}
			}
			for _, h := range list[i].histograms {
				if taken(h.time) && h.line() != "" {
					newest = max(newest, h.time*1e6)
				}
			}
		}
	}
	for _, m := range metadata {
		if m.MetricFamilyName != "" && utf8.ValidString(m.MetricFamilyName) {
			kind := typeNames[typeOf(uint64(m.Type))]
			want = append(want, fmt.Sprintf("%q %q /metadata %q gauge unit=%q help=%q type=%s {} t=%d flags=1",
				"", "", m.MetricFamilyName, usable(m.Unit), usable(m.Help), kind, newest))
		}
	}
	slices.Sort(want)
	got := decoded(t, s.Parts(), partitions)
	if diff := difference(want, got); diff != "" {
		t.Fatal(diff)
	}
	refused := int64(0)
	for _, n := range s.RejectedBy() {
		refused += n
	}
	if refused != s.Rejected() || (s.Message() == "") != (refused == 0) {
		t.Errorf("%d are rejected, %d by reason: %q", s.Rejected(), refused, s.Message())
	}
}

// wide reports whether a histogram has so many buckets that its lines are no use.
func wide(list []modelSeries) bool {
	for i := range list {
		for _, h := range list[i].histograms {
			if h.ints != nil && len(h.ints.PositiveBuckets)+len(h.ints.NegativeBuckets) > 1000 ||
				h.floats != nil && len(h.floats.PositiveBuckets)+len(h.floats.NegativeBuckets) > 1000 {
				return true
			}
		}
	}
	return false
}

func difference(want, got []string) string {
	var b strings.Builder
	for _, line := range want {
		if !slices.Contains(got, line) {
			fmt.Fprintf(&b, "missing: %s\n", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			fmt.Fprintf(&b, "wrong:   %s\n", line)
		}
	}
	if b.Len() == 0 && len(want) != len(got) {
		return fmt.Sprintf("%d lines, want %d", len(got), len(want))
	}
	return b.String()
}

func isMalformed(err error) bool { return errors.Is(err, errMalformed) }
