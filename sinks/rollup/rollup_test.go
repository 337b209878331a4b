package rollup

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/telemetry/rollup"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// TestSums stores days in pieces that lie across each other and compares their
// rollups with what the samples add up to.
func TestSums(t *testing.T) {
	f := newFixture(t)
	r := rand.New(rand.NewPCG(1, 2))
	for _, tenant := range []string{"a", "it's"} {
		rows := generate(r, today, 20)
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		for part := range slices.Chunk(rows, len(rows)/3+1) {
			f.store(t, tenant, part)
		}
	}
	f.at(0.5)
	if got := f.state(t, "a", today); got != Waiting {
		t.Errorf("before the delay the day is %s", got)
	}
	if got := f.pass(t, Selection{Day: today}); len(got) != 0 {
		t.Errorf("computed before the delay: %v", got)
	}
	f.at(2)
	got := f.pass(t, Selection{Day: today})
	if len(got) != 2 || got[0].Samples == 0 || len(got[0].Rows) != 3 {
		t.Fatalf("computed %+v", got)
	}
	for _, tenant := range []string{"a", "it's"} {
		f.check(t, tenant, today)
		if got := f.state(t, tenant, today); got != Clean {
			t.Errorf("after it was computed the day is %s", got)
		}
	}
	if got := f.pass(t, Selection{Day: today}); len(got) != 0 {
		t.Errorf("computed again: %v", got)
	}
}

// TestPieces has so little memory that windows are summed up in pieces.
func TestPieces(t *testing.T) {
	f := newFixture(t)
	f.store(t, "a", generate(rand.New(rand.NewPCG(1, 2)), today, 40))
	f.at(2)
	f.job.cfg.MaxMemory = 1
	f.pass(t, Selection{Day: today})
	pieces := 0
	for _, r := range tables.Resolutions() {
		want := f.want("a", today, r)
		for metric, series := range f.published(t, "a", today, r) {
			for fingerprint, fragments := range series {
				for _, whole := range want[metric][fingerprint] {
					var w rollup.Window
					for _, piece := range fragments {
						if piece.End == whole.End {
							w = append(w, piece)
						}
					}
					pieces += len(w) - 1
					one := rollup.Window{whole}
					if w.Count() != one.Count() || w.Min() != one.Min() && !math.IsNaN(one.Min()) || w.Max() != one.Max() && !math.IsNaN(one.Max()) {
						t.Fatalf("%v, want %v", w, one)
					}
					if a, b := w.Increase(), one.Increase(); math.Abs(a-b) > 1e-12*math.Abs(one[0].Sum) {
						t.Fatalf("increase %v, want %v", a, b)
					}
				}
			}
		}
	}
	if pieces < 100 {
		t.Errorf("%d pieces more than windows", pieces)
	}
}

// TestLate has blocks come after a day was rolled up.
func TestLate(t *testing.T) {
	f := newFixture(t)
	r := rand.New(rand.NewPCG(3, 4))
	f.store(t, "a", generate(r, today, 5))
	f.at(2)
	f.pass(t, Selection{Day: today})

	// Of another tenant, of other days, and of nothing that is stored.
	next := (today + 1) * 86400e9
	f.enter(t, "b", next-1e9, next-1e9, 1)
	f.enter(t, "a", next+1e6, next+3600e9, 1)
	f.enter(t, "a", 0, 0, 0)
	if got := f.state(t, "a", today); got != Clean {
		t.Errorf("the day is %s", got)
	}
	// Its last millisecond is midnight.
	f.enter(t, "a", next+999_999, next+3600e9, 1)
	if got := f.state(t, "a", today); got != Late {
		t.Errorf("the day is %s after a block of it", got)
	}
	f.at(2.1)
	if got := f.pass(t, Selection{Day: today}); len(got) != 0 {
		t.Errorf("computed though it has no other samples: %v", got)
	}
	if got := f.state(t, "a", today); got != Clean {
		t.Errorf("the day is %s after it was counted", got)
	}

	f.store(t, "a", []row{{"metric_0", 0, next - 7e9, 1e6}})
	f.at(2.2)
	if got := f.pass(t, Selection{Day: today}); len(got) != 0 || f.state(t, "a", today) != Late {
		t.Errorf("computed too soon: %v", got)
	}
	f.at(3.5)
	if got := f.pass(t, Selection{Day: today}); len(got) != 1 || f.state(t, "a", today) != Clean {
		t.Errorf("computed %v", got)
	}
	f.check(t, "a", today)

	// What is superseded stays for a while, and goes.
	older := fmt.Sprintf("version < %d", time.Unix((today+1)*86400, 0).Add(3*time.Hour).UnixNano())
	if f.count(t, tables.Samples1m, older) == 0 {
		t.Error("rows went while queries may read them")
	}
	f.at(6)
	f.pass(t, Selection{Day: today})
	for _, table := range []string{tables.Samples1m, tables.Samples5m, tables.Samples1h, tables.Rollups} {
		if n := f.count(t, table, older); n != 0 {
			t.Errorf("%d rows of %s are left", n, table)
		}
	}
	f.check(t, "a", today)
}

// TestExpired does not compute a day whose samples are partly gone.
func TestExpired(t *testing.T) {
	f := newFixture(t)
	f.store(t, "a", generate(rand.New(rand.NewPCG(3, 4)), today, 2))
	f.at(2)
	f.pass(t, Selection{Day: today})
	want := f.want("a", today, tables.Resolutions()[2])
	if err := f.conn.Exec(context.Background(), "ALTER TABLE "+f.table(tables.Samples)+" DELETE WHERE fingerprint = 0 SETTINGS mutations_sync = 1"); err != nil {
		t.Fatal(err)
	}
	f.enter(t, "a", today*86400e9, (today+1)*86400e9, 1)
	f.at(4)
	if got := f.pass(t, Selection{Day: today}); len(got) != 0 {
		t.Errorf("computed: %v", got)
	}
	if diff := cmp.Diff(want, f.published(t, "a", today, tables.Resolutions()[2]), bits); diff != "" {
		t.Error(diff)
	}
	f.at(3001 * 24)
	f.store(t, "a", []row{{"metric_0", 9, (today - 1) * 86400e9, 1}})
	if got := f.state(t, "a", today-1); got != Expired {
		t.Errorf("a day beyond its retention is %s", got)
	}
}

var errKilled = errors.New("killed")

// TestKilled ends the job before each step in turn. What is published stays
// right, and the next job makes up for it.
func TestKilled(t *testing.T) {
	f := newFixture(t)
	r := rand.New(rand.NewPCG(5, 6))
	f.store(t, "a", generate(r, today, 8))
	before := f.want("a", today, tables.Resolutions()[0])
	reached := map[string]int{}
	hours := 2.0
	for kill := 1; ; kill++ {
		if kill%3 == 0 { // something comes late, too
			f.store(t, "a", []row{{"metric_0", uint64(kill), today*86400e9 + int64(r.IntN(86400e9)), r.Float64()}})
		}
		hours += 2
		f.at(hours)
		f.job.grace = 0
		steps := 0
		f.job.step = func(name string) error {
			reached[name]++
			if steps++; steps >= kill {
				return errKilled
			}
			return nil
		}
		err := f.job.Pass(context.Background(), Selection{Day: today, Again: true}, nil)
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		got := f.published(t, "a", today, tables.Resolutions()[0])
		now := f.want("a", today, tables.Resolutions()[0])
		if len(got) > 0 && !cmp.Equal(before, got, bits) && !cmp.Equal(now, got, bits) {
			t.Fatalf("killed before step %d, %v: what is published is neither as before nor as now", kill, reached)
		}
		if f.state(t, "a", today) == Clean && !cmp.Equal(now, got, bits) {
			t.Fatalf("killed before step %d: the day is clean and not right", kill)
		}
		if cmp.Equal(now, got, bits) {
			before = now
		}
		if err == nil {
			break
		}
	}
	for _, name := range []string{"read", "insert", "publish", "published", "sweep", "swept", "settle"} {
		if reached[name] == 0 {
			t.Errorf("no job came to %s", name)
		}
	}
	f.job.step = func(string) error { return nil }
	f.at(hours + 2)
	f.pass(t, Selection{Day: today, Again: true})
	f.at(hours + 4)
	f.pass(t, Selection{Day: today})
	f.check(t, "a", today)
	if n := f.count(t, tables.Rollups, "version < (SELECT max(version) FROM "+f.table(tables.Rollups)+")"); n != 0 {
		t.Errorf("%d rows of older versions are left", n)
	}
}

// TestTwoJobs lets two compute the same day at the same time, while one deletes
// what it takes for superseded.
func TestTwoJobs(t *testing.T) {
	f := newFixture(t)
	f.store(t, "a", generate(rand.New(rand.NewPCG(7, 8)), today, 8))
	f.at(2)
	slow := f.job
	f.job = f.newJob()
	f.job.grace = 0
	slow.step = func(name string) error {
		if name == "publish" {
			f.at(3)
			f.pass(t, Selection{Day: today, Again: true})
			f.at(4)
			f.pass(t, Selection{Day: today})
			f.check(t, "a", today)
		}
		return nil
	}
	if err := slow.Pass(context.Background(), Selection{Day: today}, nil); err != nil {
		t.Fatal(err)
	}
	f.check(t, "a", today)

	// Rows that are gone before they are published are noticed.
	f.at(5)
	f.job.step = func(name string) error {
		if name != "read" {
			return nil
		}
		f.job.step = func(string) error { return nil }
		return nil
	}
	lossy := f.newJob()
	lossy.now = f.job.now
	inserts := 0
	lossy.step = func(name string) error {
		if name == "insert" {
			if inserts++; inserts == 2 {
				return f.conn.Exec(context.Background(), "ALTER TABLE "+f.table(tables.Samples1m)+" DELETE WHERE fingerprint = 1 SETTINGS mutations_sync = 1")
			}
		}
		return nil
	}
	if err := lossy.Pass(context.Background(), Selection{Day: today, Again: true}, nil); !errors.Is(err, errLost) {
		t.Errorf("published though rows are gone: %v", err)
	}
}

// TestLongerRetention keeps rollups, and the names of their series, for longer
// than samples.
func TestLongerRetention(t *testing.T) {
	f := newFixture(t)
	f.store(t, "a", generate(rand.New(rand.NewPCG(7, 8)), today, 3))
	f.at(2)
	f.job.cfg.RetentionDays.Hour = 3400
	f.pass(t, Selection{Day: today})
	for table, days := range map[string]int{tables.Samples1h: 3400, tables.Samples1m: 3000, tables.Rollups: 3400} {
		if n := f.count(t, table, fmt.Sprintf("retention_days != %d", days)); n != 0 || f.count(t, table, "1") == 0 {
			t.Errorf("%d rows of %s are not kept for %d days", n, table, days)
		}
	}
	if got := f.count(t, tables.Series, fmt.Sprintf("retention_days = 3400 AND day = toDate(%d)", today)); got != 4 {
		t.Errorf("%d series are kept as long", got)
	}
}

// TestLeftOut computes no windows of a minute that have four samples.
func TestLeftOut(t *testing.T) {
	f := newFixture(t)
	f.store(t, "a", generate(rand.New(rand.NewPCG(7, 8)), today, 3))
	f.at(2)
	f.job.cfg.MinSamples = 8
	got := f.pass(t, Selection{Day: today})
	if len(got) != 1 || got[0].Rows["5m"] == 0 || got[0].Rows["1h"] == 0 || got[0].Rows["1m"] != 0 || f.count(t, tables.Samples1m, "1") != 0 {
		t.Errorf("%+v", got)
	}
	if got := f.pass(t, Selection{Day: today}); len(got) != 0 || f.state(t, "a", today) != Clean {
		t.Errorf("computed again: %v", got)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"delay: -1s is below 0": func(c *Config) { c.Delay = -time.Second }, "interval: 1ms is below": func(c *Config) { c.Interval = time.Millisecond },
		`"2h" is none of`: func(c *Config) { c.Resolutions = []string{"1h", "2h"} }, "1h is there twice": func(c *Config) { c.Resolutions = []string{"1h", "1h"} },
		"want at least one": func(c *Config) { c.Resolutions = nil }, "retention_days.5m: 4000": func(c *Config) { c.RetentionDays.FiveMinutes = 4000 },
		"min_samples: -1": func(c *Config) { c.MinSamples = -1 }, "max_memory: 1KiB": func(c *Config) { c.MaxMemory = 1024 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "sinks.rollup.") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
