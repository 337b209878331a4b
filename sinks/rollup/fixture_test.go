package rollup

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/sinks/clickhouse/migrations"
	"github.com/goshawk-observability/goshawk/telemetry/rollup"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

const topic = "otlp_metrics"

// fixture is an engine with goshawk's tables and a job.
type fixture struct {
	conn    clickhouse.Conn
	columns *clickhouse.Columns
	dialect tables.Dialect
	job     *Job
	offset  uint64
	// samples are those that were stored, without repeats, by tenant, metric and
	// series.
	samples map[string]map[string]map[uint64]map[int64]float64
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	e := enginetest.Start(t)
	f := &fixture{
		conn: clickhousetest.Open(t, e), columns: clickhousetest.OpenColumns(t, e), dialect: tables.Dialect{Database: e.Database},
		samples: map[string]map[string]map[uint64]map[int64]float64{},
	}
	m, err := migrations.New(f.conn, f.dialect)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.job = f.newJob()
	return f
}

func (f *fixture) newJob() *Job {
	cfg := DefaultConfig()
	cfg.MinSamples = 0
	return New(cfg, f.conn, f.columns, f.dialect, topic, func(string) int { return 3000 }, slog.New(slog.DiscardHandler), NewMetrics(prometheus.NewRegistry()))
}

func (f *fixture) table(name string) string { return f.dialect.Table(name) }

func (f *fixture) count(t testing.TB, table, where string) (n uint64) {
	t.Helper()
	if err := f.conn.QueryRow(context.Background(), "SELECT count() FROM "+f.table(table)+" WHERE "+where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// row is a sample; its time is in nanoseconds.
type row struct {
	metric      string
	fingerprint uint64
	time        int64
	value       float64
}

// store writes samples as a block does: series, samples, and then the ledger.
func (f *fixture) store(t testing.TB, tenant string, rows []row) {
	t.Helper()
	insert := func(statement string, add func(func(...any))) {
		batch, err := f.conn.PrepareBatch(context.Background(), statement)
		if err != nil {
			t.Fatal(err)
		}
		add(func(values ...any) {
			if err := batch.Append(values...); err != nil {
				t.Fatal(err)
			}
		})
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
	}
	first, last := int64(math.MaxInt64), int64(0)
	insert("INSERT INTO "+f.table(tables.Series)+" (tenant, metric, fingerprint, prometheus_name, protocol, day, kind, retention_days)", func(add func(...any)) {
		seen := map[[2]uint64]bool{}
		for _, r := range rows {
			day := uint64(r.time / 86400e9)
			if key := [2]uint64{r.fingerprint, day}; !seen[key] {
				seen[key] = true
				add(tenant, r.metric, r.fingerprint, r.metric, "remote_write", time.Unix(int64(day)*86400, 0).UTC(), "sum", 3000)
			}
		}
	})
	insert("INSERT INTO "+f.table(tables.Samples)+" (tenant, metric, bucket, fingerprint, time, value, retention_days, kafka_offset)", func(add func(...any)) {
		for _, r := range rows {
			at := time.Unix(0, r.time).UTC()
			add(tenant, r.metric, at.Truncate(30*time.Minute), r.fingerprint, at, r.value, 3000, f.offset)
			first, last = min(first, r.time), max(last, r.time)
			f.remember(tenant, r)
		}
	})
	f.enter(t, tenant, first, last, uint64(len(rows)))
}

// enter writes the row of a block into the ledger.
func (f *fixture) enter(t testing.TB, tenant string, first, last int64, stored uint64) {
	t.Helper()
	err := f.conn.Exec(context.Background(), "INSERT INTO "+f.table(tables.Ledger)+` (time, tenant, topic, kafka_partition, from_offset, to_offset, records, accepted, stored, min_time, max_time, retention_days)
SELECT now64(9), ?, ?, 0, ?, ?, 1, ?, ?, fromUnixTimestamp64Nano(?), fromUnixTimestamp64Nano(?), 3000`, tenant, topic, f.offset, f.offset+1, stored, stored, first, last)
	if err != nil {
		t.Fatal(err)
	}
	f.offset++
}

func (f *fixture) remember(tenant string, r row) {
	if f.samples[tenant] == nil {
		f.samples[tenant] = map[string]map[uint64]map[int64]float64{}
	}
	if f.samples[tenant][r.metric] == nil {
		f.samples[tenant][r.metric] = map[uint64]map[int64]float64{}
	}
	all := f.samples[tenant][r.metric]
	if all[r.fingerprint] == nil {
		all[r.fingerprint] = map[int64]float64{}
	}
	at := r.time / 1e6
	if old, ok := all[r.fingerprint][at]; !ok || rollup.Wins(r.value, old) {
		all[r.fingerprint][at] = r.value
	}
}

// published returns the fragments that readers of a day take, by metric, series
// and window.
func (f *fixture) published(t testing.TB, tenant string, day int64, r tables.Resolution) map[string]map[uint64][]rollup.Fragment {
	t.Helper()
	rows, err := f.conn.Query(context.Background(), `SELECT toString(metric), fingerprint, toInt64(toUnixTimestamp(time)), count, first_after, last_after, stale_after,
	first, last, min, max, sum, resets, rounding FROM `+f.table(r.Table)+` WHERE tenant = ? AND day = toDate(?) AND version = (
	SELECT max(version) FROM `+f.table(tables.Rollups)+` WHERE tenant = ? AND day = toDate(?) AND published > toDateTime64(0, 9)) ORDER BY rand()`, tenant, day, tenant, day)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]map[uint64][]rollup.Fragment{}
	for rows.Next() {
		var metric string
		var fingerprint uint64
		var fragment rollup.Fragment
		var first, last, stale uint32
		if err := rows.Scan(&metric, &fingerprint, &fragment.End, &fragment.Count, &first, &last, &stale, &fragment.First, &fragment.Last,
			&fragment.Min, &fragment.Max, &fragment.Sum, &fragment.Resets, &fragment.Rounding); err != nil {
			t.Fatal(err)
		}
		fragment.End *= 1000
		at := func(after uint32) int64 {
			if after == 0 {
				return 0
			}
			return fragment.End - r.Milliseconds + int64(after)
		}
		fragment.FirstTime, fragment.LastTime, fragment.Stale = at(first), at(last), at(stale)
		if found[metric] == nil {
			found[metric] = map[uint64][]rollup.Fragment{}
		}
		found[metric][fingerprint] = append(found[metric][fingerprint], fragment)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, series := range found {
		for _, fragments := range series {
			if err := rollup.Sort(fragments); err != nil {
				t.Fatal(err)
			}
		}
	}
	return found
}

// want are the fragments of a day as they are without pieces.
func (f *fixture) want(tenant string, day int64, r tables.Resolution) map[string]map[uint64][]rollup.Fragment {
	all := map[string]map[uint64][]rollup.Fragment{}
	for metric, series := range f.samples[tenant] {
		for fingerprint, samples := range series {
			var times []int64
			for at := range samples {
				if rollup.DayOf(at) == day {
					times = append(times, at)
				}
			}
			slices.Sort(times)
			var b rollup.Builder
			var fragments []rollup.Fragment
			for _, at := range times {
				if closed, ok := b.Add(at, samples[at], r.Milliseconds); ok {
					fragments = append(fragments, closed)
				}
			}
			if closed, ok := b.Close(); ok {
				fragments = append(fragments, closed)
			}
			if len(fragments) == 0 {
				continue
			}
			if all[metric] == nil {
				all[metric] = map[uint64][]rollup.Fragment{}
			}
			all[metric][fingerprint] = fragments
		}
	}
	return all
}

var bits = cmp.Comparer(func(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b)
})

// check compares what is published of a day with the samples.
func (f *fixture) check(t testing.TB, tenant string, day int64) {
	t.Helper()
	for _, r := range tables.Resolutions() {
		got := f.published(t, tenant, day, r)
		if diff := cmp.Diff(f.want(tenant, day, r), got, bits); diff != "" {
			t.Fatalf("%s of %s (-samples +published):\n%.3000s", r.Name, tenant, diff)
		}
	}
}

// today is a day that is over for long enough, at the time of the job.
const today = int64(20_000)

// at makes the job believe it is some hours after the end of today.
func (f *fixture) at(hours float64) {
	f.job.now = func() time.Time { return time.Unix((today+1)*86400, 0).Add(time.Duration(hours * float64(time.Hour))) }
}

// generate makes samples of a day and the moments around it: counters that begin
// anew, gaps, marks of staleness, repeats, and samples on edges of windows.
func generate(r *rand.Rand, day int64, series int) []row {
	stale := math.Float64frombits(0x7ff0000000000002)
	var rows []row
	for n := range series {
		metric, v := fmt.Sprintf("metric_%d", n%3), 0.0
		for at := day*86400e9 - 60e9 + int64(r.IntN(15e9)); at < (day+1)*86400e9+60e9; at += 15e9 + int64(r.IntN(20))*1e6 {
			switch r.IntN(200) {
			case 0:
				v = 0
			case 1:
				at += int64(r.IntN(7200)) * 1e9
			case 2:
				at = at / 60e9 * 60e9
			case 3:
				rows = append(rows, row{metric, uint64(n), at, stale})
			case 4:
				rows = append(rows, row{metric, uint64(n), at + int64(r.IntN(1e6)), v - 1}, row{metric, uint64(n), at, v})
			case 5:
				rows = append(rows, row{metric, uint64(n), at + 1e6, math.NaN()})
			}
			v += r.Float64() * 100
			rows = append(rows, row{metric, uint64(n), at, v})
		}
	}
	for _, edge := range []int64{day, day + 1} {
		rows = append(rows, row{"metric_0", 1 << 63, edge * 86400e9, 1}, row{"metric_0", 1 << 63, edge*86400e9 + 1e6, 2}, row{"metric_0", 1 << 63, edge*86400e9 + 999_999, 7})
	}
	return rows
}

func (f *fixture) pass(t testing.TB, only Selection) []Result {
	t.Helper()
	var all []Result
	if err := f.job.Pass(context.Background(), only, func(r Result) { all = append(all, r) }); err != nil {
		t.Fatal(err)
	}
	return all
}

func (f *fixture) state(t testing.TB, tenant string, day int64) State {
	t.Helper()
	days, err := f.job.Days(context.Background(), Selection{Tenant: tenant, Day: day})
	if err != nil {
		t.Fatal(err)
	}
	if len(days) != 1 {
		t.Fatalf("%d days", len(days))
	}
	return days[0].State
}
