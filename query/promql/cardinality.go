package promql

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	v1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Cardinality says what the series of a tenant's day are made of.
type Cardinality struct {
	Day    string `json:"day"`
	Series uint64 `json:"series"`
	// Metrics are the metrics with the most series, Labels the labels with the
	// most values, Pairs the labels and values that most series have.
	Metrics []Count `json:"metrics"`
	Labels  []Count `json:"labels"`
	Pairs   []Count `json:"pairs"`
	pairs   uint64
}

// Count is a number of series or values.
type Count struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// defaultCounts is how many of each are listed where the request does not say.
const defaultCounts = 10

// maxCounts is the most that are listed.
const maxCounts = 10_000

// cardinality counts the series of today.
func (s *Store) cardinality(ctx context.Context, limit int) (*Cardinality, error) {
	var c condition
	c.Add("tenant = " + c.Text(tenantOf(ctx)))
	c.Add("day = toDate(now('UTC'))")
	c.Add("protocol IN (" + withSamples + ") AND prometheus_name != ''")
	from := "(SELECT DISTINCT fingerprint, prometheus_name, labels FROM " + s.table(tables.Series) + " WHERE " + c.Where() + ")"
	out := &Cardinality{Day: time.Now().UTC().Format(time.DateOnly)}
	for _, q := range []struct {
		into *[]Count
		text string
	}{
		{&out.Metrics, "SELECT CAST(prometheus_name, 'String') AS c0, count() AS c1 FROM " + from + " GROUP BY c0"},
		{&out.Labels, "SELECT CAST(pair.1, 'String') AS c0, uniqExact(pair.2) AS c1 FROM " + from + " ARRAY JOIN CAST(labels, 'Array(Tuple(String, String))') AS pair GROUP BY c0"},
		{&out.Pairs, "SELECT concat(pair.1, '=', pair.2) AS c0, count() AS c1 FROM " + from + " ARRAY JOIN CAST(labels, 'Array(Tuple(String, String))') AS pair GROUP BY c0"},
	} {
		*q.into = []Count{}
		text := q.text + fmt.Sprintf(" ORDER BY c1 DESC, c0 LIMIT %d", limit)
		if err := s.counts(ctx, text, c, func(name string, n uint64) { *q.into = append(*q.into, Count{name, n}) }); err != nil {
			return nil, err
		}
	}
	for _, total := range []struct {
		into *uint64
		text string
	}{
		{&out.Series, "SELECT '' AS c0, count() AS c1 FROM " + from},
		{&out.pairs, "SELECT '' AS c0, uniqExact(pair) AS c1 FROM " + from + " ARRAY JOIN CAST(labels, 'Array(Tuple(String, String))') AS pair"},
	} {
		if err := s.counts(ctx, total.text, c, func(_ string, n uint64) { *total.into = n }); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Store) counts(ctx context.Context, text string, c condition, add func(string, uint64)) error {
	var names proto.ColStr
	var counts proto.ColUInt64
	result := proto.Results{{Name: "c0", Data: &names}, {Name: "c1", Data: &counts}}
	err := s.read(ctx, text, c.Parameters, result, func() error {
		for i := range counts {
			add(names.Row(i), counts[i])
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("counting series: %w", err)
	}
	return nil
}

func countsLimit(r *http.Request) (int, error) {
	limit, err := numberOf(r, "limit")
	switch {
	case err != nil:
		return 0, err
	case limit < 0:
		return defaultCounts, nil
	case limit == 0 || limit > maxCounts:
		return 0, badRequest{fmt.Errorf("limit must be between 1 and %d", maxCounts)}
	}
	return limit, nil
}

// ServeCardinality answers /api/v1/cardinality.
func (a *API) ServeCardinality(w http.ResponseWriter, r *http.Request, tenant string) {
	a.serve(w, r.WithContext(WithTenant(r.Context(), tenant)), func(r *http.Request) (any, error) {
		limit, err := countsLimit(r)
		if err != nil {
			return nil, err
		}
		return a.store.cardinality(r.Context(), limit)
	})
}

// tsdb answers status/tsdb with the series of today.
func (a *API) tsdb(r *http.Request) (any, error) {
	limit, err := countsLimit(r)
	if err != nil {
		return nil, err
	}
	c, err := a.store.cardinality(r.Context(), limit)
	if err != nil {
		return nil, err
	}
	list := func(counts []Count) []v1.TSDBStat {
		out := make([]v1.TSDBStat, len(counts))
		for i, one := range counts {
			out[i] = v1.TSDBStat{Name: one.Name, Value: one.Count}
		}
		return out
	}
	midnight := time.Now().UTC().Truncate(24 * time.Hour)
	return v1.TSDBStatus{
		HeadStats: v1.HeadStats{
			NumSeries: c.Series, NumLabelPairs: int(c.pairs), MinTime: midnight.UnixMilli(), MaxTime: time.Now().UnixMilli(),
		},
		SeriesCountByMetricName:     list(c.Metrics),
		LabelValueCountByLabelName:  list(c.Labels),
		MemoryInBytesByLabelName:    []v1.TSDBStat{},
		SeriesCountByLabelValuePair: list(c.Pairs),
	}, nil
}
