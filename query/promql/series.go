package promql

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/prometheus"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// stored is a row of the table series: what a fingerprint stands for.
type stored struct {
	fingerprint uint64
	metric      string
	name        string // in PromQL
	labels      []prometheus.Label
	original    []string // keys of the points' attributes, where they are needed
	kind        telemetry.MetricKind
	protocol    prometheus.Protocol
	delta       bool
}

// native reports whether PromQL sees the histogram as a native one.
func (s *stored) native() bool { return s.protocol == prometheus.RemoteWrite }

// part is what of a stored series a series of PromQL shows.
type part uint8

const (
	partValue     part = iota // samples of a gauge or sum
	partHistogram             // native histograms
	partBucket                // buckets of a histogram, one series for every le
	partQuantile              // quantiles of a summary, one series for every quantile
	partSum
	partCount
)

// spread reports whether the part is several series, which only the points tell.
func (p part) spread() bool { return p == partBucket || p == partQuantile }

// view is a series of PromQL, or several that differ in one label.
type view struct {
	*stored
	part   part
	labels labels.Labels // without le or quantile
}

// rest returns the label that a view is spread over.
func (v *view) rest() string {
	if v.part == partQuantile {
		return model.QuantileLabel
	}
	return labels.BucketLabel
}

// find returns the stored series that have a view which may match, and those
// views. The series are of the days of the time.
func (s *Store) find(ctx context.Context, in span, matchers []*labels.Matcher, protocols string) ([]view, error) {
	c := seriesCondition(tenantOf(ctx), in, matchers, protocols)
	utf8 := slices.ContainsFunc(matchers, func(m *labels.Matcher) bool {
		return m.Name == model.MetricNameLabel && slices.ContainsFunc(literals(m), func(v string) bool {
			return !model.LegacyValidation.IsValidMetricName(v)
		})
	})
	var views []view
	var builder labels.ScratchBuilder
	rows, err := s.rows(ctx, c, utf8)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		views = appendViews(views, row, matchers, &builder)
	}
	if limit := s.cfg.MaxSeries; len(views) > limit {
		return nil, tooMany{fmt.Errorf("the query selects %d series and histograms, more than query.promql.max_series allows (%d): add matchers", len(views), limit)}
	}
	return views, nil
}

// readSeries calls add for each series of the condition, once for each shape of
// its points.
func (s *Store) readSeries(ctx context.Context, c condition, original bool, add func(*stored)) error {
	var (
		out                      clickhouse.Output
		fingerprints             proto.ColUInt64
		metrics, names           = new(proto.ColStr).LowCardinality(), new(proto.ColStr).LowCardinality()
		kinds, protocols, deltas proto.ColUInt8
		labelNames, labelValues  = new(proto.ColStr).LowCardinality(), new(proto.ColStr)
		pairs                    = proto.NewMap[string, string](labelNames, labelValues)
		keys                     = new(proto.ColStr).Array()
	)
	out.Add("fingerprint", &fingerprints)
	out.Add("metric", metrics)
	out.Add("prometheus_name", names)
	out.Add("toUInt8(kind)", &kinds)
	out.Add("toUInt8(protocol)", &protocols)
	out.Add("toUInt8(temporality = 'delta')", &deltas)
	out.Add("labels", pairs)
	if original {
		out.Add("CAST(mapKeys(attributes), 'Array(String)')", keys)
	}
	text := "SELECT " + out.Columns() + "\nFROM " + s.table(tables.Series) +
		"\nWHERE " + c.Where() + "\nORDER BY metric, fingerprint, kind, day DESC\nLIMIT 1 BY metric, fingerprint, kind"
	interned := map[string]string{}
	intern := func(text string) string {
		if known, ok := interned[text]; ok {
			return known
		}
		text = strings.Clone(text)
		interned[text] = text
		return text
	}
	return s.read(ctx, text, c.Parameters, out.Result, func() error {
		at := 0
		for i := range fingerprints {
			row := &stored{
				fingerprint: fingerprints[i], metric: intern(metrics.Row(i)), name: intern(names.Row(i)),
				kind: telemetry.MetricKind(kinds[i]), protocol: prometheus.Protocol(protocols[i]),
				delta: deltas[i] != 0,
			}
			for end := int(pairs.Offsets[i]); at < end; at++ {
				row.labels = append(row.labels, prometheus.Label{Name: intern(labelNames.Row(at)), Value: intern(labelValues.Row(at))})
			}
			if original {
				row.original = append([]string{}, keys.Row(i)...) // not nil where there are none
			}
			add(row)
		}
		return nil
	})
}

// appendViews appends the views of a row that may match; a spread one is
// appended when all matchers but that of the missing label match.
func appendViews(views []view, row *stored, matchers []*labels.Matcher, b *labels.ScratchBuilder) []view {
	for _, shape := range shapes(row) {
		for _, v := range presentations(row, shape.suffix, matchers) {
			b.Reset()
			b.Add(model.MetricNameLabel, v.name)
			for _, l := range v.labels {
				b.Add(l.Name, l.Value)
			}
			b.Sort()
			candidate := view{stored: row, part: shape.part, labels: b.Labels()}
			if candidate.matches(matchers) {
				views = append(views, candidate)
			}
		}
	}
	return views
}

// shape is a series that a stored one appears as.
type shape struct {
	part   part
	suffix string
}

var (
	valueShapes     = []shape{{partValue, ""}}
	nativeShapes    = []shape{{partHistogram, ""}}
	histogramShapes = []shape{{partBucket, bucketSuffix}, {partCount, countSuffix}, {partSum, sumSuffix}}
	summaryShapes   = []shape{{partQuantile, ""}, {partCount, countSuffix}, {partSum, sumSuffix}}
)

func shapes(row *stored) []shape {
	switch row.kind {
	case telemetry.Gauge, telemetry.Sum:
		return valueShapes
	case telemetry.ExponentialHistogram:
		return nativeShapes
	case telemetry.Histogram:
		if row.native() {
			return nativeShapes // with custom buckets
		}
		return histogramShapes
	case telemetry.Summary:
		return summaryShapes
	case telemetry.MetricEmpty:
	}
	return nil
}

// named is a name and labels for a stored series.
type named struct {
	name   string
	labels []prometheus.Label
}

// presentations returns how a series appears under the given suffix: by the name
// that was made for PromQL, or by the one that its sender gave it where a
// matcher asks for just that.
func presentations(row *stored, suffix string, matchers []*labels.Matcher) []named {
	plain := named{row.name + suffix, row.labels}
	if row.original == nil || row.metric == row.name {
		return []named{plain}
	}
	own := row.metric + suffix
	for _, m := range matchers {
		if m.Name == model.MetricNameLabel && slices.Contains(literals(m), own) {
			return []named{{own, originalLabels(row)}}
		}
	}
	return []named{plain}
}

// originalLabels are the labels of a series by the keys of its attributes.
func originalLabels(row *stored) []prometheus.Label {
	namer := prometheus.NewNamer(nil)
	keys := make(map[string]string, len(row.original))
	for _, key := range slices.Concat(prometheus.DefaultPromoted(), row.original) {
		keys[namer.LabelName(key)] = key
	}
	out := slices.Clone(row.labels)
	for i := range out {
		if key, ok := keys[out[i].Name]; ok {
			out[i].Name = key
		}
	}
	slices.SortFunc(out, func(a, b prometheus.Label) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// matches reports whether the view's labels match, leaving out the label that it
// is spread over.
func (v *view) matches(matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if v.part.spread() && m.Name == v.rest() {
			continue
		}
		if !m.Matches(v.labels.Get(m.Name)) {
			return false
		}
	}
	return true
}
