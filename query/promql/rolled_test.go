package promql

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/goshawk-observability/goshawk/sinks/rollup"
)

var rolledQueries = []rolledQuery{
	{"rate(x_total[1h])", 1, 72, hour, "1h", true},
	{"sum by (job) (increase(x_total[1h]))", 1, 72, hour, "1h", true},
	{"rate(x_total[5m])", 1, 72, 300_000, "5m", true},
	{"increase(x_total[1m])", 1, 30, 60_000, "1m", true},
	{"rate(x_total[6h])", 6, 72, hour, "1h", false},
	{"increase(x_total[1d])", 24, 96, 24 * hour, "1h", false},
	{"max_over_time(x_total[1d])", 24, 96, 24 * hour, "1h", true},
	{"min_over_time(x_total[15m])", 1, 72, 900_000, "5m", true},
	{"sum_over_time(x_total[1h])", 1, 72, hour, "1h", true},
	{"sum(sum_over_time(x_total{instance!=\"13\"}[2h]))", 2, 72, hour, "1h", false},
	{"avg_over_time(x_total{instance!=\"13\"}[2h])", 2, 72, hour, "1h", false},
	{"count_over_time(x_total[2h]) > 3", 2, 72, hour, "1h", true},
	{"last_over_time(x_total[1h])", 1, 72, hour, "1h", true},
	{"present_over_time(x_total[10m])", 1, 72, 600_000, "5m", true},
	{"x_total", 1, 72, hour, "5m", true},
	{"avg by (job) (x_total{job=~\"1|2\"})", 1, 96, 900_000, "5m", true},
	{"x_total > 100", 1, 72, 60_000, "1m", true},
	{"rate(x_total[1h] offset 1h)", 2, 72, hour, "1h", true},
	{"x_total offset 30m", 2, 72, hour, "5m", true},
	{"rate(x_total[1h] offset -1h)", 2, 72, hour, "1h", true},
	{"increase(x_total[2d] @ 259200)", 60, 72, 420_000, "1h", false},
	{"rate(x_total[1h]) / on (instance) max_over_time(x_total[1h] @ end())", 1, 72, hour, "1h", true},
	{"increase(x_total[3d])", 73, 73, 0, "1h", false},
	{"topk(3, max_over_time(x_total[2d]))", 73, 73, 0, "1h", true},
	{"rate({__name__=\"x_total\", instance=~\"1.\"}[1h])", 1, 96, hour, "1h", true},
	// Not of whole windows, or too short, or nothing that rollups know.
	{"rate(x_total[61s])", 1, 72, hour, "", true},
	{"rate(x_total[1h])", 1, 72, 420_001, "", true},
	{"rate(x_total[1h] offset 1s)", 1, 72, hour, "", true},
	{"rate(x_total[1m])", 1, 12, 60_000, "", true},
	{"stddev_over_time(x_total[1h])", 1, 72, hour, "", true},
	{"rate(nothing_total[1h])", 1, 72, hour, "1h", true},
	{"max_over_time(rate(x_total[5m])[1h:5m])", 1, 30, hour, "", true},
}

// TestRolled asks the same of samples and of rollups: before days are rolled up,
// after some are, after all are, and after samples came late.
func TestRolled(t *testing.T) {
	f := newRolledFixture(t, 1)
	f.generate(t, 4)
	f.compare(t, none)
	if n := f.rollUp(t, rollup.Selection{Day: firstDay + 1}); n != 1 {
		t.Fatalf("%d days were rolled up", n)
	}
	f.compare(t, some)
	if n := f.rollUp(t, rollup.Selection{}); n != 4 {
		t.Fatalf("%d days were rolled up", n)
	}
	f.compare(t, some)

	// Late: within windows, on their edges, and on that of the day.
	f.add(t, "x_total", 2, []int64{30*hour + 1, 31 * hour, 31*hour + 60_000, 48 * hour}, []float64{5, 1e6, 2e6, 3})
	f.add(t, "x_total", 50, []int64{40 * hour}, []float64{7})
	if n := f.clean(t); n != 4 {
		t.Errorf("%d days are clean after samples of one came late", n)
	}
	f.compare(t, some)
	f.add(t, "x_total", 2, []int64{0, 24 * hour, 48*hour + 1, 72 * hour, 72*hour + 1}, []float64{5, 1e6, 2e6, 3, 4})
	if n := f.clean(t); n != 1 {
		t.Errorf("%d days are clean after samples came late", n)
	}
	f.compare(t, either)
	if n := f.rollUp(t, rollup.Selection{}); n != 4 {
		t.Fatalf("%d days were rolled up", n)
	}
	f.compare(t, some)
}

const firstDay = int64(shift) / (24 * hour)

// TestRolledShapes asks for series that rollups know nothing of, or not enough:
// two stored series that are one to PromQL, delta temporality, and histograms.
func TestRolledShapes(t *testing.T) {
	f := newRolledFixture(t, 2)
	md := pmetric.NewMetrics()
	at := func(to pmetric.NumberDataPointSlice, n int, v float64) {
		addNumber(to, 0, v).SetTimestamp(pcommon.Timestamp((int64(shift) + int64(n)*30_000) * 1e6))
	}
	for _, process := range []string{"1", "2"} {
		sm := addScope(md, "", "process.pid", process)
		apart := addSum(sm, "apart", pmetric.AggregationTemporalityCumulative)
		woven := addSum(sm, "woven", pmetric.AggregationTemporalityCumulative)
		delta := addSum(sm, "added", pmetric.AggregationTemporalityDelta)
		changed := addSum(sm, "changed", pmetric.AggregationTemporalityCumulative)
		h := addMetric(sm, "h", "").SetEmptyHistogram()
		h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for n := range 2 * 2880 {
			if (n < 2000) == (process == "1") {
				at(apart, n, float64(n))
			}
			at(woven, n, float64(n))
			if process == "1" {
				at(delta, n, float64(n%7))
				if n < 2880 {
					at(changed, n, float64(n))
				}
				addBuckets(h.DataPoints(), 0, float64(n), []float64{1}, uint64(n), 1).SetTimestamp(pcommon.Timestamp((int64(shift) + int64(n)*30_000) * 1e6))
			}
		}
	}
	f.sendAll(t, f.tenant, md)
	// From its second day on the series has another temporality.
	md = pmetric.NewMetrics()
	changed := addSum(addScope(md, "", "process.pid", "1"), "changed", pmetric.AggregationTemporalityDelta)
	for n := 2881; n < 2*2880; n++ {
		at(changed, n, 1)
	}
	f.sendAll(t, f.tenant, md)
	f.rollUp(t, rollup.Selection{})
	if n := f.clean(t); n < 2 {
		t.Fatalf("%d days are clean", n)
	}
	for _, c := range []struct {
		metric string
		end    int64
		used   bool
	}{{"apart_total", 48, true}, {"woven_total", 48, false}, {"added_total", 48, false}, {"changed_total", 48, false}, {"changed_total", 23, true}, {"h_count", 48, false}} {
		for _, text := range []string{"rate(X[1h])", "max_over_time(X[2h])", "sum(increase(X[6h]))", "X"} {
			q := rolledQuery{text: strings.ReplaceAll(text, "X", c.metric), start: 6, end: c.end, step: hour, same: !strings.Contains(text, "6h")}
			before := f.used("1h") + f.used("5m")
			near(t, q, f.answer(t, f.off, q), f.answer(t, f.on, q))
			if used := f.used("1h")+f.used("5m") > before; used != c.used {
				t.Errorf("%s until %d h: rollups are used: %v", q.text, c.end, used)
			}
		}
	}
}

// TestRolledMany asks for more rows of rollups than may be held.
func TestRolledMany(t *testing.T) {
	f := newRolledFixture(t, 3)
	f.generate(t, 2)
	f.rollUp(t, rollup.Selection{})
	q := rolledQuery{"increase(x_total[1m])", 1, 30, 60_000, "", true}
	f.on.cfg.MaxSamples = 16 * 29 * 60 * fragmentSamples / 2
	near(t, q, f.answer(t, f.off, q), f.answer(t, f.on, q))
	if f.used("1m") != 0 {
		t.Error("more was held than may be")
	}
}

// errKilled is what a job meets that is killed.
var errKilled = errors.New("killed")

// killed is a connection over which a number of statements can be sent.
type killed struct {
	driver.Conn
	left int
}

func (k *killed) more() bool {
	k.left--
	return k.left >= 0
}

func (k *killed) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	if !k.more() {
		return nil, errKilled
	}
	return k.Conn.Query(ctx, query, args...)
}

func (k *killed) Exec(ctx context.Context, query string, args ...any) error {
	if !k.more() {
		return errKilled
	}
	return k.Conn.Exec(ctx, query, args...)
}

func (k *killed) PrepareBatch(ctx context.Context, query string, options ...driver.PrepareBatchOption) (driver.Batch, error) {
	if !k.more() {
		return nil, errKilled
	}
	return k.Conn.PrepareBatch(ctx, query, options...)
}

// TestRolledKilled ends the job before each of its statements in turn, while
// samples come late, and asks after each.
func TestRolledKilled(t *testing.T) {
	f := newRolledFixture(t, 4)
	f.generate(t, 2)
	queries := []rolledQuery{{"increase(x_total[1h])", 1, 47, hour, "1h", true}, {"avg by (job) (x_total)", 1, 47, hour, "5m", true}}
	for kill := 0; ; kill++ {
		conn := &killed{f.conn, kill}
		err := f.newJob(conn).Pass(context.Background(), rollup.Selection{Tenant: f.tenant, Now: true, Again: true}, nil)
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		for _, q := range queries {
			f.near(t, q)
		}
		if err == nil && conn.left >= 0 {
			break
		}
		if kill%4 == 1 {
			f.add(t, "x_total", kill, []int64{int64(f.rng.IntN(48 * int(hour)))}, []float64{1e6})
		}
		for _, q := range queries {
			f.near(t, q)
		}
	}
	if f.used("1h") == 0 || f.used("5m") == 0 {
		t.Error("no rollups were used")
	}
}
