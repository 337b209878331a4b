package promql

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"github.com/goshawk-observability/goshawk/sinks/rollup"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// rolledFixture asks the same of samples and of rollups.
type rolledFixture struct {
	*fixture
	*remote
	// off and on are a storage without rollups and one with them.
	off, on *Store
	rng     *rand.Rand
	// fromSamples are the answers of off since samples were added.
	fromSamples map[rolledQuery]*promql.Result
}

const hour = int64(3_600_000)

func newRolledFixture(t *testing.T, seed uint64) *rolledFixture {
	f := newFixture(t, func(c *Config) { c.SeriesCache = 0 })
	f.store.perRow = 1
	r := &rolledFixture{fixture: f, remote: f.remote(), on: f.store, rng: rand.New(rand.NewPCG(seed, 1)), fromSamples: map[rolledQuery]*promql.Result{}}
	without := f.store.cfg
	without.Rollups = false
	r.off = NewStore(without, f.columns, f.engine.Database)
	return r
}

// newJob makes a job that works over a connection.
func (f *rolledFixture) newJob(conn driver.Conn) *rollup.Job {
	cfg := rollup.DefaultConfig()
	cfg.MinSamples = 0
	return rollup.New(cfg, conn, f.columns, tables.Dialect{Database: f.engine.Database}, f.on.cfg.Topic,
		func(string) int { return 20_000 }, slog.New(slog.DiscardHandler), rollup.NewMetrics(prom.NewRegistry()))
}

// add stores samples of a series.
func (f *rolledFixture) add(t *testing.T, name string, n int, times []int64, values []float64) {
	t.Helper()
	clear(f.fromSamples)
	a := f.AppenderV2(context.Background())
	l := labels.FromStrings("__name__", name, "instance", fmt.Sprint(n), "job", fmt.Sprint(n%3))
	for i, at := range times {
		if _, err := a.Append(0, l, 0, at, values[i], nil, nil, storage.AppendV2Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
}

// generate stores days of samples: counters and gauges, with gaps, resets, marks
// of staleness, values of every kind, repeats, and samples on edges of windows.
func (f *rolledFixture) generate(t *testing.T, days int64) {
	t.Helper()
	rng := f.rng
	for n := range 16 {
		var times []int64
		var values []float64
		value := float64(rng.IntN(1000))
		for at := int64(rng.IntN(15_000)); at < days*24*hour; at += 15_000 + int64(rng.IntN(30)) {
			switch {
			case n%4 == 1 && rng.IntN(500) == 0:
				at += int64(rng.IntN(10 * int(hour)))
			case rng.IntN(800) == 0:
				value = 0
			case rng.IntN(50) == 0:
				at = at / 60_000 * 60_000
			case n%5 == 2 && rng.IntN(300) == 0:
				times, values = append(times, at), append(values, staleValue)
				at += int64(rng.IntN(600_000))
			}
			if n%2 == 0 {
				value += float64(rng.IntN(50))
			} else {
				value += rng.Float64() * 50
			}
			v := value
			switch {
			case n%8 == 3:
				v = rng.NormFloat64() * 100
			case n%8 == 5 && rng.IntN(100) == 0:
				v = math.NaN()
			case n == 13 && rng.IntN(3000) == 0:
				v = math.Inf(1)
			}
			times, values = append(times, at), append(values, v)
			if rng.IntN(200) == 0 {
				times, values = append(times, at), append(values, v+1)
			}
		}
		f.add(t, "x_total", n, times, values)
	}
}

func (f *rolledFixture) rollUp(t *testing.T, only rollup.Selection) int {
	t.Helper()
	days := 0
	only.Tenant, only.Now = f.tenant, true
	if err := f.newJob(f.conn).Pass(context.Background(), only, func(rollup.Result) { days++ }); err != nil {
		t.Fatal(err)
	}
	return days
}

type rolledQuery struct {
	text             string
	start, end, step int64 // milliseconds; a step of 0 is an instant query
	// resolution is that of the rollups which answer, "" for none.
	resolution string
	// same is set where the answer has the same bits.
	same bool
}

// answer evaluates a query over a storage.
func (f *rolledFixture) answer(t *testing.T, s *Store, q rolledQuery) *promql.Result {
	t.Helper()
	at := func(hours int64) time.Time { return time.UnixMilli(hours*hour + int64(shift)) }
	ctx := WithTenant(context.Background(), f.tenant)
	e := newEngine(s.cfg, nil, nil)
	text := q.text
	if q.text == "increase(x_total[2d] @ 259200)" {
		text = fmt.Sprintf("increase(x_total[2d] @ %d)", 259200+int64(shift)/1000)
	}
	var query promql.Query
	var err error
	if q.step == 0 {
		query, err = e.NewInstantQuery(ctx, s, nil, text, at(q.start))
	} else {
		query, err = e.NewRangeQuery(ctx, s, nil, text, at(q.start), at(q.end), time.Duration(q.step)*time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(query.Close)
	result := query.Exec(ctx)
	if result.Err != nil {
		t.Fatalf("%s: %v", q.text, result.Err)
	}
	return result
}

// near compares two answers, whose numbers may differ by the rounding of what is
// as great as samples are.
func near(t *testing.T, q rolledQuery, want, got *promql.Result) {
	t.Helper()
	if q.same {
		if want.String() != got.String() {
			t.Errorf("%s step %d: other bits from rollups\n%.1500s\n\n%.1500s", q.text, q.step, want, got)
		}
		return
	}
	matrix := func(r *promql.Result) promql.Matrix {
		if v, ok := r.Value.(promql.Vector); ok {
			var m promql.Matrix
			for _, s := range v {
				m = append(m, promql.Series{Metric: s.Metric, Floats: []promql.FPoint{{T: s.T, F: s.F}}})
			}
			return m
		}
		m, err := r.Matrix()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	a, b := matrix(want), matrix(got)
	if len(a) != len(b) || len(a) == 0 {
		t.Fatalf("%s: %d series from samples, %d from rollups", q.text, len(a), len(b))
	}
	byLabels := map[string][]promql.FPoint{}
	for _, s := range b {
		byLabels[s.Metric.String()] = s.Floats
	}
	for _, s := range a {
		other := byLabels[s.Metric.String()]
		if len(other) != len(s.Floats) {
			t.Fatalf("%s: %s has %d results from samples, %d from rollups", q.text, s.Metric, len(s.Floats), len(other))
		}
		for i, p := range s.Floats {
			o := other[i]
			if p.T != o.T || p.F != o.F && !(math.IsNaN(p.F) && math.IsNaN(o.F)) && !(math.Abs(p.F-o.F) <= 1e-12*max(math.Abs(p.F), 1e4)) {
				t.Fatalf("%s: %s at %d is %v from samples, %v from rollups at %d", q.text, s.Metric, p.T, p.F, o.F, o.T)
			}
		}
	}
}

// near asks a query of both.
func (f *rolledFixture) near(t *testing.T, q rolledQuery) {
	t.Helper()
	want := f.fromSamples[q]
	if want == nil {
		want = f.answer(t, f.off, q)
		f.fromSamples[q] = want
	}
	near(t, q, want, f.answer(t, f.on, q))
}

func (f *rolledFixture) used(resolution string) float64 {
	return testutil.ToFloat64(f.on.rolled.WithLabelValues(resolution))
}

// expected says whether rollups are to be used.
type expected int

const (
	none expected = iota
	some
	either
)

// compare asks every query of both.
func (f *rolledFixture) compare(t *testing.T, want expected) {
	t.Helper()
	for _, q := range rolledQueries {
		before := map[string]float64{}
		for _, r := range tables.Resolutions() {
			before[r.Name] = f.used(r.Name)
		}
		f.near(t, q)
		for _, r := range tables.Resolutions() {
			if used := f.used(r.Name) > before[r.Name]; want != either && used != (want == some && r.Name == q.resolution) {
				t.Errorf("%s step %d: rollups of %s used: %v", q.text, q.step, r.Name, used)
			}
		}
	}
}

func (f *rolledFixture) clean(t *testing.T) int {
	t.Helper()
	known, err := f.on.rolledDays(context.Background(), f.tenant)
	if err != nil {
		t.Fatal(err)
	}
	return len(known.days)
}
