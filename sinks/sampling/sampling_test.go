package sampling

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// TestThin thins a day of two tenants with rules of their own and compares what
// is left, trace by trace, with what the rules say.
func TestThin(t *testing.T) {
	f := newFixture(t)
	r := rand.New(rand.NewPCG(1, 2))
	f.job.cfg.Tenants = map[string]Rule{"b's": {Probability: 0.5, SlowQuantile: 0.9}, "whole": {Probability: 1}}
	rules := map[string]Rule{"a": f.job.cfg.Rule, "b's": {Probability: 0.5, SlowQuantile: 0.9}}
	all := f.generate(r, today, 6000)
	for tenant := range rules {
		f.store(t, tenant, all)
	}
	f.store(t, "whole", all[:100])
	f.follow(t)
	f.audit(t)

	f.hours = 5.9
	if got := f.pass(t, Selection{}); len(got) != 0 {
		t.Errorf("thinned before it was due: %v", got)
	}
	f.hours = 6.1
	got := f.pass(t, Selection{})
	if len(got) != 2 {
		t.Fatalf("thinned %+v", got)
	}
	removed := uint64(0)
	for i, tenant := range []string{"a", "b's"} {
		if diff := cmp.Diff(want(all, rules[tenant]), f.found(t, tenant)); diff != "" {
			t.Errorf("spans of %s (-want +found):\n%.2000s", tenant, diff)
		}
		if diff := cmp.Diff(wantTraces(all, rules[tenant]), f.traces(t, tenant)); diff != "" {
			t.Errorf("traces of %s (-want +found):\n%.2000s", tenant, diff)
		}
		gone := 0
		for _, tr := range all {
			gone += len(tr.spans)
		}
		gone -= len(f.found(t, tenant))
		if got[i].Tenant != tenant || got[i].SpansRemoved != uint64(gone) || got[i].BytesRemoved == 0 {
			t.Errorf("%d spans of %s are gone, the result is %+v", gone, tenant, got[i])
		}
		removed += uint64(gone)
	}
	if n := len(f.found(t, "whole")); n != len(want(all[:100], Rule{Probability: 1, SlowQuantile: 1})) {
		t.Errorf("%d spans are left of the tenant of whom all are kept", n)
	}
	if got := f.audit(t).Totals.Sampled; got != removed {
		t.Errorf("the audit knows of %d spans that sampling deleted, want %d", got, removed)
	}
	// What is kept at a probability is kept at a greater one.
	b := f.traces(t, "b's")
	slow := thresholds(all, today, 0.9)
	for id := range f.traces(t, "a") {
		if _, ok := b[id]; !ok {
			t.Errorf("%x is kept at 0.1 and not at 0.5", id)
		}
	}
	if len(slow) != 16 {
		t.Errorf("%d operations", len(slow))
	}
	if got := f.pass(t, Selection{}); len(got) != 0 {
		t.Errorf("thinned a second time: %v", got)
	}
}

// TestEstimates adds up what is left and compares it with what there was.
func TestEstimates(t *testing.T) {
	f := newFixture(t)
	all := f.generate(rand.New(rand.NewPCG(3, 4)), today, 20_000)
	f.store(t, "a", all)
	f.follow(t)
	f.pass(t, Selection{})
	f.audit(t)

	type sum struct{ traces, failed, luck float64 }
	there, left := map[string]*sum{}, map[string]*sum{}
	add := func(to map[string]*sum, tr *trace, p float64) {
		key := tr.service + tr.name
		if to[key] == nil {
			to[key] = &sum{}
		}
		to[key].traces += 1 / p
		if tr.failed {
			to[key].failed += 1 / p
		}
		if p < 1 {
			to[key].luck++
		}
	}
	found := f.traces(t, "a")
	kept, chances := 0., 0.
	slow := thresholds(all, today, 0.99)
	for _, tr := range all {
		if tr.unassembled {
			continue
		}
		add(there, tr, 1)
		p, ok := found[tr.id]
		if ok {
			add(left, tr, p)
		}
		if !tr.failed && tr.duration() <= slow[[2]string{tr.service, tr.name}] {
			chances++
			if ok {
				kept++
			}
		} else if p != 1 {
			t.Errorf("%x failed or was slow, and has the probability %v", tr.id, p)
		}
	}
	// Five standard deviations of what chance may do.
	const p = 0.1
	if off := math.Abs(kept - p*chances); off > 5*math.Sqrt(chances*p*(1-p)) {
		t.Errorf("%v of %v traces were kept by chance", kept, chances)
	}
	for key, w := range there {
		l := left[key]
		if l.failed != w.failed {
			t.Errorf("%s: %v traces that failed, want %v", key, l.failed, w.failed)
		}
		if off := math.Abs(l.traces - w.traces); off > 5*math.Sqrt(w.traces*(1-p)/p) {
			t.Errorf("%s: about %.0f traces, there were %.0f", key, l.traces, w.traces)
		}
		if l.luck == 0 || l.luck == l.traces {
			t.Errorf("%s: %v of %v are there by chance", key, l.luck, l.traces)
		}
	}
	var estimate float64
	if err := f.conn.QueryRow(context.Background(), "SELECT sum(1 / sampling_probability) FROM "+f.dialect.Table(tables.Traces)).Scan(&estimate); err != nil {
		t.Fatal(err)
	}
	total := 0.
	for _, s := range left {
		total += s.traces
	}
	if math.Abs(estimate-total) > 1e-6*total {
		t.Errorf("ClickHouse counts %v traces, want %v", estimate, total)
	}
}

// TestMidnight thins two days one after the other. Traces that go on after
// midnight are as their first day has it.
func TestMidnight(t *testing.T) {
	f := newFixture(t)
	r := rand.New(rand.NewPCG(5, 6))
	first, second := f.generate(r, today-1, 3000), f.generate(r, today, 3000)
	rule := f.job.cfg.Rule
	f.store(t, "a", append(slices.Clone(first), second...))
	// A trace that was slow on the first day and goes on for two.
	long := f.generate(r, today-1, 1)[0]
	long.failed, long.unassembled, long.spans[1].start = false, false, (today+1)*dayNanos-1
	long.spans = long.spans[:2]
	f.store(t, "a", []*trace{long})
	f.follow(t)
	all := append(append(slices.Clone(first), second...), long)
	crossing := 0
	for _, tr := range first {
		if !tr.unassembled && (tr.began()+tr.duration())/dayNanos > tr.day() {
			crossing++
		}
	}
	if crossing < 30 {
		t.Fatalf("%d traces go on after midnight", crossing)
	}
	f.hours = 3
	if got := f.pass(t, Selection{}); len(got) != 1 || got[0].Day != today-1 {
		t.Fatalf("thinned %+v", got)
	}
	f.audit(t)
	// By now only what began on the first day is thinned.
	expected := want(append(slices.Clone(first), long), rule)
	maps.Copy(expected, want(second, Rule{Probability: 1, SlowQuantile: 1}))
	if diff := cmp.Diff(expected, f.found(t, "a")); diff != "" {
		t.Fatalf("after the first day (-want +found):\n%.2000s", diff)
	}
	f.hours = 7
	if got := f.pass(t, Selection{}); len(got) != 1 || got[0].Day != today {
		t.Fatalf("thinned %+v", got)
	}
	if diff := cmp.Diff(want(all, rule), f.found(t, "a")); diff != "" {
		t.Errorf("after the second day (-want +found):\n%.2000s", diff)
	}
	if diff := cmp.Diff(wantTraces(all, rule), f.traces(t, "a")); diff != "" {
		t.Errorf("traces after the second day (-want +found):\n%.2000s", diff)
	}
	f.audit(t)
}

// TestLate has spans come after their day was thinned. They stay, as themselves
// only, until somebody has the day thinned again.
func TestLate(t *testing.T) {
	f := newFixture(t)
	r := rand.New(rand.NewPCG(7, 8))
	all := f.generate(r, today, 2000)
	f.store(t, "a", all)
	f.follow(t)
	f.pass(t, Selection{})
	before := f.found(t, "a")

	// A late span of every trace, and traces that are late as a whole.
	var late []*trace
	for _, tr := range all {
		f.ids++
		late = append(late, &trace{id: tr.id, unassembled: tr.unassembled, spans: []span{{f.ids, tr.began() + 1, 1}}})
	}
	late = append(late, f.generate(r, today, 500)...)
	f.store(t, "a", late)
	f.follow(t)
	if got := f.pass(t, Selection{}); len(got) != 0 {
		t.Errorf("thinned again: %v", got)
	}
	f.audit(t)
	found := f.found(t, "a")
	for _, tr := range late {
		for _, s := range tr.spans {
			if found[s.id] != 1 {
				t.Fatalf("a late span has the probability %v", found[s.id])
			}
		}
	}

	slow := thresholds(all, today, 0.99)
	f.job.cfg.SlowQuantile, f.job.cfg.Probability = 0.5, 0.9
	if got := f.pass(t, Selection{Day: today, Again: true}); len(got) != 1 {
		t.Fatalf("thinned %v", got)
	}
	f.audit(t)
	found = f.found(t, "a")
	for id, p := range before {
		if found[id] != p {
			t.Fatalf("span %d of before is there with %v, was with %v", id, found[id], p)
		}
	}
	lucky := func(tr *trace) bool { return tr.random() >= threshold(0.1) }
	for i, tr := range late {
		expected := 0.
		switch {
		case i < len(all) && before[all[i].spans[0].id] == 1:
			expected = 1
		case tr.failed, tr.unassembled, i >= len(all) && tr.duration() > slow[[2]string{tr.service, tr.name}]:
			expected = 1
		case lucky(tr):
			expected = 0.1
		}
		if got := found[tr.spans[0].id]; got != expected {
			t.Errorf("late span of %x has %v, want %v", tr.id, got, expected)
		}
	}
	days, err := f.job.Days(context.Background(), Selection{Day: today})
	if err != nil || len(days) != 1 || days[0].State != Done || days[0].Runs() != 2 || days[0].Probability() != 0.1 {
		t.Errorf("%+v %v", days, err)
	}
}

var errKilled = errors.New("killed")

// TestKilled ends the job before each step in turn. The books balance all the
// time, and the next job makes up for it.
func TestKilled(t *testing.T) {
	reached := map[string]int{}
	f := newFixture(t)
	f.blocks = 2
	for kill := 1; ; kill++ {
		f.empty(t)
		all := f.generate(rand.New(rand.NewPCG(9, uint64(kill))), today, 150)
		f.store(t, "a", all)
		f.store(t, "b", all)
		f.follow(t)
		steps := 0
		f.job.step = func(name string) error {
			reached[name]++
			if steps++; steps == kill {
				f.audit(t)
				return errKilled
			}
			return nil
		}
		err := f.job.Pass(context.Background(), Selection{}, nil)
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		f.audit(t)
		f.job.step = func(string) error { return nil }
		if err != nil {
			f.job = f.newJob(f.job.cfg)
			if f.begun(t, "a") { // what is begun goes on as it began
				f.job.cfg.Probability = 0.7
				f.pass(t, Selection{Tenant: "a"})
				f.job.cfg.Probability = 0.1
			}
			f.pass(t, Selection{})
		}
		for _, tenant := range []string{"a", "b"} {
			if diff := cmp.Diff(want(all, f.job.cfg.Rule), f.found(t, tenant)); diff != "" {
				t.Fatalf("killed before step %d, spans of %s (-want +found):\n%.2000s", kill, tenant, diff)
			}
			if diff := cmp.Diff(wantTraces(all, f.job.cfg.Rule), f.traces(t, tenant)); diff != "" {
				t.Fatalf("killed before step %d, traces of %s (-want +found):\n%.2000s", kill, tenant, diff)
			}
		}
		f.audit(t)
		if err == nil {
			break
		}
	}
	for _, name := range []string{"decide", "account", "begin", "begun", "delete", "deleting", "finish", "finished"} {
		if reached[name] == 0 {
			t.Errorf("no job came to %s", name)
		}
	}
}

// begun reports whether the first run of the day was.
func (f *fixture) begun(t *testing.T, tenant string) bool {
	t.Helper()
	days, err := f.job.Days(context.Background(), Selection{Tenant: tenant})
	if err != nil {
		t.Fatal(err)
	}
	return len(days) == 1 && (days[0].State == Begun || days[0].State == Done)
}

// TestTwoJobs has another job thin the same day while one is about to begin, or
// deletes. Both delete by the same plan.
func TestTwoJobs(t *testing.T) {
	f := newFixture(t)
	for _, at := range []string{"decide", "account", "begin", "delete", "deleting", "finish"} {
		t.Run(at, func(t *testing.T) {
			f.empty(t)
			f.job = f.newJob(f.job.cfg)
			all := f.generate(rand.New(rand.NewPCG(11, 12)), today, 1000)
			f.store(t, "a", all)
			f.follow(t)
			other := f.newJob(f.job.cfg)
			other.cfg.Probability = 0.5
			met := false
			f.job.step = func(name string) error {
				if name == at && !met {
					met = true
					if err := other.Pass(context.Background(), Selection{}, nil); err != nil {
						t.Error(err)
					}
					f.audit(t)
				}
				return nil
			}
			if err := f.job.Pass(context.Background(), Selection{}, nil); err != nil && !errors.Is(err, errOvertaken) && !errors.Is(err, errLost) {
				t.Fatal(err)
			}
			f.job.step = func(string) error { return nil }
			f.pass(t, Selection{})
			rule := f.job.cfg.Rule
			if slices.Contains([]string{"decide", "account", "begin"}, at) {
				rule.Probability = 0.5 // the other was first
			}
			if diff := cmp.Diff(want(all, rule), f.found(t, "a")); diff != "" {
				t.Errorf("(-want +found):\n%.2000s", diff)
			}
			f.audit(t)
		})
	}
}

// TestDryRun counts what a pass then deletes, and leaves everything as it is.
func TestDryRun(t *testing.T) {
	f := newFixture(t)
	all := f.generate(rand.New(rand.NewPCG(13, 14)), today, 500)
	f.store(t, "a", all)
	f.follow(t)
	dry := f.pass(t, Selection{DryRun: true})
	if n := len(f.found(t, "a")); len(dry) != 1 || dry[0].SpansRemoved == 0 || n != len(want(all, Rule{Probability: 1, SlowQuantile: 1})) {
		t.Fatalf("%d spans are left after %+v", n, dry)
	}
	f.audit(t)
	if diff := cmp.Diff(dry, f.pass(t, Selection{}), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".BytesRemoved" }, cmp.Ignore())); diff != "" {
		t.Errorf("(-dry +wet):\n%s", diff)
	}
}

// TestOff does nothing unless it is turned on.
func TestOff(t *testing.T) {
	f := newFixture(t)
	if DefaultConfig().Enabled {
		t.Error("sampling is on by default")
	}
	all := f.generate(rand.New(rand.NewPCG(15, 16)), today, 100)
	f.store(t, "a", all)
	f.follow(t)
	cfg := DefaultConfig()
	cfg.Warmup = 0
	f.newJob(cfg).Run(context.Background()) // returns at once
	if diff := cmp.Diff(want(all, Rule{Probability: 1, SlowQuantile: 1}), f.found(t, "a")); diff != "" {
		t.Errorf("(-want +found):\n%.2000s", diff)
	}
}

// TestUntraced leaves spans without a trace id alone, and blocks that may be
// written again.
func TestUntraced(t *testing.T) {
	f := newFixture(t)
	all := f.generate(rand.New(rand.NewPCG(17, 18)), today, 200)
	for _, tr := range all[:20] {
		tr.id, tr.unassembled, tr.failed = [16]byte{}, true, false
	}
	f.store(t, "a", all)
	f.follow(t)
	last := f.generate(rand.New(rand.NewPCG(19, 20)), today, 50)
	f.store(t, "a", last[:1])
	f.pass(t, Selection{})
	found := f.found(t, "a")
	for _, tr := range append(all[:20:20], last[0]) {
		if found[tr.spans[0].id] != 1 {
			t.Errorf("a span of trace %x has %v", tr.id, found[tr.spans[0].id])
		}
	}
	if len(found) > 400 {
		t.Errorf("%d spans are left", len(found))
	}
	f.audit(t)
}

func TestThreshold(t *testing.T) {
	t.Parallel()
	for p, expected := range map[float64]uint64{1: 0, 0.5: 1 << 55, 0.25: 3 << 54, 0.1: 0xe6666666666666} {
		if got := threshold(p); got != expected {
			t.Errorf("threshold of %v is %#x, want %#x", p, got, expected)
		}
	}
	// The random bits are the last seven bytes.
	tr := trace{id: [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 0xe6, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66}}
	if tr.random() != threshold(0.1) || binary.BigEndian.Uint64(tr.id[8:]) == tr.random() {
		t.Errorf("the random bits are %#x", tr.random())
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for expected, change := range map[string]func(*Config){
		"probability: 0 is not between": func(c *Config) { c.Probability = 0 }, "probability: 1.5 is": func(c *Config) { c.Probability = 1.5 },
		"probability: NaN": func(c *Config) { c.Probability = math.NaN() }, "slow_quantile: 0 is": func(c *Config) { c.SlowQuantile = 0 },
		"after: -1s is below 0": func(c *Config) { c.After = -time.Second }, "interval: 1ms is below": func(c *Config) { c.Interval = time.Millisecond },
		"tenants.acme.probability: 2 is": func(c *Config) { c.Tenants = map[string]Rule{"acme": {Probability: 2}} },
		"tenants.acme.slow_quantile: -1": func(c *Config) { c.Tenants = map[string]Rule{"acme": {SlowQuantile: -1}} },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "sinks.sampling."+expected) {
			t.Errorf("%s: %v", expected, err)
		}
	}
	c := DefaultConfig()
	c.Tenants = map[string]Rule{"acme": {Probability: 0.5}}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if got, expected := c.of("acme"), (Rule{0.5, 6 * time.Hour, 0.99}); got != expected {
		t.Errorf("the rule is %+v, want %+v", got, expected)
	}
	if got := fmt.Sprint(c.of("other")); got != fmt.Sprint(c.Rule) {
		t.Errorf("the rule is %s", got)
	}
}
