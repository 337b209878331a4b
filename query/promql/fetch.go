package promql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// span is a range of time in Unix milliseconds, both ends included.
type span struct{ from, to int64 }

// wanted are stored series whose points are asked for.
type wanted struct {
	metrics      []string
	fingerprints []uint64
}

func (w *wanted) add(row *stored) {
	if n := len(w.metrics); n == 0 || w.metrics[n-1] != row.metric {
		known := false
		for _, m := range w.metrics {
			known = known || m == row.metric
		}
		if !known {
			w.metrics = append(w.metrics, row.metric)
		}
	}
	w.fingerprints = append(w.fingerprints, row.fingerprint)
}

// condition bounds a table of points to the series and the time. With all,
// every series of the metrics is read, and those that nobody wants are left out
// here: that is less work than to look each row up, where few are unwanted.
func (w *wanted) condition(tenant string, s span, all bool) condition {
	c := pointCondition(tenant, w.metrics, s)
	if !all {
		c.Add(w.only())
	}
	return c
}

// only is the condition that rows are of the series.
func (w *wanted) only() string {
	var list strings.Builder
	for i, f := range w.fingerprints {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(strconv.FormatUint(f, 10))
	}
	return "fingerprint IN (" + list.String() + ")"
}

// errMany is what samples returns where there are more than it may return.
var errMany = errors.New("too many samples")

// samples reads the samples that meet a condition on the table samples, of the
// series of the fingerprints. It returns errMany where there are more than limit.
func (s *Store) samples(ctx context.Context, c condition, fingerprintsOf []uint64, limit int) (map[uint64]*points, error) {
	var (
		out          clickhouse.Output
		fingerprints proto.ColUInt64
		times        proto.ColInt64
		starts       proto.ColInt64
		values       proto.ColFloat64
	)
	out.Add("fingerprint", &fingerprints)
	out.Add("toUnixTimestamp64Nano(time)", &times)
	out.Add("value", &values)
	if s.cfg.UseStartTimestamps {
		out.Add("toUnixTimestamp64Nano(start_time)", &starts)
	}
	text := "SELECT " + out.Columns() + " FROM " + s.table(tables.Samples) + " WHERE " + c.Where()
	found := make(map[uint64]*points, len(fingerprintsOf))
	for _, f := range fingerprintsOf {
		found[f] = &points{}
	}
	total := 0
	err := s.read(ctx, text, c.Parameters, out.Result, func() error {
		for from := 0; from < len(fingerprints); {
			f := fingerprints[from]
			to := from + 1
			for to < len(fingerprints) && fingerprints[to] == f {
				to++
			}
			if p := found[f]; p != nil {
				p.append(times[from:to], values[from:to])
				for _, t := range starts[min(from, len(starts)):min(to, len(starts))] {
					p.starts = append(p.starts, t/1e6)
				}
				total += to - from
			}
			from = to
		}
		if total > limit {
			return errMany
		}
		return nil
	})
	if err != nil {
		if total > limit {
			return nil, errMany
		}
		return nil, fmt.Errorf("reading samples: %w", err)
	}
	return found, nil
}

// count returns how many rows of the table samples meet a condition.
func (s *Store) count(ctx context.Context, c condition) (int, error) {
	var out clickhouse.Output
	var rows proto.ColUInt64
	total := 0
	out.Add("count()", &rows)
	text := "SELECT " + out.Columns() + " FROM " + s.table(tables.Samples) + " WHERE " + c.Where()
	err := s.read(ctx, text, c.Parameters, out.Result, func() error {
		for _, n := range rows {
			total += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("counting samples: %w", err)
	}
	return total, nil
}

// append adds samples whose times are Unix nanoseconds.
func (p *points) append(times []int64, values []float64) {
	n := len(p.times)
	if need := n + len(times); cap(p.times) < need {
		room := max(need, 2*n)
		p.times = append(make([]int64, 0, room), p.times...)
		p.values = append(make([]float64, 0, room), p.values...)
	}
	last := int64(-1 << 62)
	if n > 0 {
		last = p.times[n-1]
	}
	for _, t := range times {
		t /= 1e6
		if t <= last {
			p.runs = append(p.runs, int32(len(p.times)))
		}
		last = t
		p.times = append(p.times, t)
	}
	p.values = append(p.values, values...)
}

// bound refuses to hold more samples at a time than a query may.
func (s *Store) bound(samples int) error {
	if samples > s.cfg.MaxSamples {
		return tooMany{fmt.Errorf("the query would hold more samples at a time than query.promql.max_samples allows (%d): "+
			"add matchers, or ask for less time", s.cfg.MaxSamples)}
	}
	return nil
}

// before returns, for series of delta temporality, what they had added before a
// time, Unix milliseconds: the total that their first sample builds upon. Points
// that were sent twice count once.
func (s *Store) before(ctx context.Context, w *wanted, t int64) (map[uint64]float64, error) {
	var (
		out          clickhouse.Output
		fingerprints proto.ColUInt64
		totals       proto.ColFloat64
	)
	c := w.condition(tenantOf(ctx), span{0, t - 1}, false)
	c.Add("NOT isNaN(value)")
	out.Add("fingerprint", &fingerprints)
	out.Add("sum(v)", &totals)
	text := "SELECT " + out.Columns() + " FROM (SELECT fingerprint, max(value) AS v FROM " + s.table(tables.Samples) +
		" WHERE " + c.Where() + " GROUP BY fingerprint, " + pointMillisecond + ") GROUP BY fingerprint"
	found := make(map[uint64]float64, len(w.fingerprints))
	err := s.read(ctx, text, c.Parameters, out.Result, func() error {
		for i, f := range fingerprints {
			found[f] = totals[i]
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading what was counted before: %w", err)
	}
	return found, nil
}
