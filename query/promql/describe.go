package promql

import (
	"context"
	"fmt"
	"math"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/prometheus"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// This file says which names and values there are among all series of a time,
// which are too many to look at each: that is what whoever types a query is
// offered first.

// allNames returns the names of the labels of all series.
func (s *Store) allNames(ctx context.Context, in span) (map[string]struct{}, error) {
	found, err := s.distinct(ctx, in, "arrayJoin(mapKeys(labels))", "")
	if err != nil {
		return nil, err
	}
	err = s.metricShapes(ctx, in, func(_ string, one shape) {
		found[model.MetricNameLabel] = struct{}{}
		if one.part.spread() {
			v := view{part: one.part}
			found[v.rest()] = struct{}{}
		}
	})
	return found, err
}

// allValues returns the values that a label has among all series, and whether
// it is one that can be answered so.
func (s *Store) allValues(ctx context.Context, in span, label string) (map[string]struct{}, bool, error) {
	switch label {
	case labels.BucketLabel, model.QuantileLabel:
		return nil, false, nil // only the points have them
	case model.MetricNameLabel:
		found := map[string]struct{}{}
		err := s.metricShapes(ctx, in, func(name string, one shape) { found[name+one.suffix] = struct{}{} })
		return found, true, err
	}
	found, err := s.distinct(ctx, in, "labels[%s]", label)
	delete(found, "")
	return found, true, err
}

// distinct returns the values of an expression on the table series. Where it has
// a %s, that is the text.
func (s *Store) distinct(ctx context.Context, in span, expression, text string) (map[string]struct{}, error) {
	var out clickhouse.Output
	var values proto.ColStr
	c := seriesCondition(tenantOf(ctx), in, nil, withSamples)
	if text != "" {
		expression = fmt.Sprintf(expression, c.Text(text))
	}
	out.Add("CAST("+expression+", 'String')", &values)
	found := map[string]struct{}{}
	err := s.read(ctx, "SELECT DISTINCT "+out.Columns()+" FROM "+s.table(tables.Series)+" WHERE "+c.Where(), c.Parameters, out.Result, func() error {
		for i := range values.Rows() {
			found[values.Row(i)] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading series: %w", err)
	}
	return found, nil
}

// metricShapes calls add for every name that metrics have, with each suffix.
func (s *Store) metricShapes(ctx context.Context, in span, add func(name string, one shape)) error {
	var out clickhouse.Output
	var names proto.ColStr
	var kinds, protocols proto.ColUInt8
	out.Add("CAST(prometheus_name, 'String')", &names)
	out.Add("toUInt8(kind)", &kinds)
	out.Add("toUInt8(protocol)", &protocols)
	c := seriesCondition(tenantOf(ctx), in, nil, withSamples)
	text := "SELECT DISTINCT " + out.Columns() + " FROM " + s.table(tables.Series) + " WHERE " + c.Where()
	err := s.read(ctx, text, c.Parameters, out.Result, func() error {
		for i := range names.Rows() {
			row := stored{kind: telemetry.MetricKind(kinds[i]), protocol: prometheus.Protocol(protocols[i])}
			for _, one := range shapes(&row) {
				add(names.Row(i), one)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading metrics: %w", err)
	}
	return nil
}

// spreadLabels adds the series of histograms and summaries without their
// samples: of each stored one it reads which buckets or quantiles it has.
func (s *Store) spreadLabels(ctx context.Context, e *eagerViews, in span, found *merger) error {
	for _, of := range []struct {
		views             *kindViews
		table, expression string
		more              []float64 // what every point has beside those
	}{
		{&e.classic, tables.Histograms, "groupUniqArrayArray(bounds)", []float64{math.Inf(1)}},
		{&e.summaries, tables.Summaries, "groupUniqArrayArray(quantiles)", nil},
	} {
		if len(of.views.rows) == 0 {
			continue
		}
		var out clickhouse.Output
		var fingerprints proto.ColUInt64
		numbers := new(proto.ColFloat64).Array()
		out.Add("fingerprint", &fingerprints)
		out.Add(of.expression, numbers)
		c := of.views.wanted.condition(tenantOf(ctx), in, false)
		c.Add(hasValue)
		text := "SELECT " + out.Columns() + " FROM " + s.table(of.table) + " WHERE " + c.Where() + " GROUP BY fingerprint"
		err := s.read(ctx, text, c.Parameters, out.Result, func() error {
			for i, f := range fingerprints {
				for _, v := range of.views.views[f] {
					for _, n := range append(numbers.Row(i), of.more...) {
						found.spread(v, labelOf(n), &points{})
					}
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading buckets: %w", err)
		}
	}
	return nil
}
