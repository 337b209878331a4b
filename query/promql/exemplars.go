package promql

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// maxExemplars bounds the answer to one selector: a chart shows no more.
const maxExemplars = 10_000

// exemplarReach is by how much, in milliseconds, the point that has an exemplar
// may be later than the exemplar.
const exemplarReach = 3600 * 1000

// ExemplarQuerier implements storage.ExemplarQueryable.
func (s *Store) ExemplarQuerier(ctx context.Context) (storage.ExemplarQuerier, error) {
	return &exemplarQuerier{ctx, s}, nil
}

type exemplarQuerier struct {
	ctx   context.Context
	store *Store
}

// Select returns the exemplars of the series that match one of the lists of
// matchers, in the order of labels and times. Those of a histogram with explicit
// bounds come once, without le: a point does not say to which bucket they belong.
func (q *exemplarQuerier) Select(start, end int64, lists ...[]*labels.Matcher) ([]exemplar.QueryResult, error) {
	in := span{start, end}
	found := map[uint64]labels.Labels{}
	var w wanted
	for _, matchers := range lists {
		views, err := q.store.find(q.ctx, in, matchers, withExemplars)
		if err != nil {
			return nil, err
		}
		for i := range views {
			v := &views[i]
			if _, ok := found[v.fingerprint]; !ok {
				found[v.fingerprint] = v.labels
				w.add(v.stored)
			}
		}
	}
	if len(found) == 0 {
		return []exemplar.QueryResult{}, nil
	}
	byLabels := map[uint64]*exemplar.QueryResult{}
	err := q.store.exemplars(q.ctx, &w, in, func(fingerprint uint64, e exemplar.Exemplar) {
		l, ok := found[fingerprint]
		if !ok {
			return
		}
		r := byLabels[l.Hash()]
		if r == nil {
			r = &exemplar.QueryResult{SeriesLabels: l}
			byLabels[l.Hash()] = r
		}
		r.Exemplars = append(r.Exemplars, e)
	})
	if err != nil {
		return nil, err
	}
	results := make([]exemplar.QueryResult, 0, len(byLabels))
	for _, r := range byLabels {
		slices.SortFunc(r.Exemplars, exemplar.Compare)
		r.Exemplars = slices.CompactFunc(r.Exemplars, func(a, b exemplar.Exemplar) bool { return a.Equals(b) })
		results = append(results, *r)
	}
	slices.SortFunc(results, func(a, b exemplar.QueryResult) int { return labels.Compare(a.SeriesLabels, b.SeriesLabels) })
	return results, nil
}

// exemplars reads the newest exemplars of series.
func (s *Store) exemplars(ctx context.Context, w *wanted, in span, add func(uint64, exemplar.Exemplar)) error {
	var (
		out           clickhouse.Output
		fingerprints  proto.ColUInt64
		times         proto.ColInt64
		values        proto.ColFloat64
		traces, spans = &proto.ColFixedStr{Size: 16}, &proto.ColFixedStr{Size: 8}
		names, texts  = new(proto.ColStr).LowCardinality(), new(proto.ColStr)
		pairs         = proto.NewMap[string, string](names, texts)
		builder       labels.ScratchBuilder
	)
	out.Add("fingerprint", &fingerprints)
	out.Add("toUnixTimestamp64Nano(exemplar_time)", &times)
	out.Add("value", &values)
	out.Add("trace_id", traces)
	out.Add("span_id", spans)
	out.Add("attributes", pairs)
	in = span{within(in.from), within(in.to)}
	c := w.condition(tenantOf(ctx), span{in.from, in.to + exemplarReach}, false)
	c.Add(fmt.Sprintf("exemplar_time >= fromUnixTimestamp64Nano(toInt64(%d)) AND exemplar_time <= fromUnixTimestamp64Nano(toInt64(%d))",
		in.from*1e6, in.to*1e6+999_999))
	text := "SELECT " + out.Columns() + " FROM " + s.table(tables.Exemplars) + " WHERE " + c.Where() +
		" ORDER BY exemplar_time DESC LIMIT " + strconv.Itoa(maxExemplars)
	err := s.read(ctx, text, c.Parameters, out.Result, func() error {
		at := 0
		for i, f := range fingerprints {
			builder.Reset()
			for end := int(pairs.Offsets[i]); at < end; at++ {
				builder.Add(names.Row(at), texts.Row(at))
			}
			addID(&builder, "trace_id", traces.Row(i))
			addID(&builder, "span_id", spans.Row(i))
			builder.Sort()
			add(f, exemplar.Exemplar{Labels: builder.Labels(), Value: values[i], Ts: times[i] / 1e6, HasTs: true})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading exemplars: %w", err)
	}
	return nil
}

// addID adds an id as a label, unless it is absent.
func addID(b *labels.ScratchBuilder, name string, id []byte) {
	for _, c := range id {
		if c != 0 {
			b.Add(name, hex.EncodeToString(id))
			return
		}
	}
}
