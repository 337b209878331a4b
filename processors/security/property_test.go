package security_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/security"
	"github.com/goshawk-observability/goshawk/telemetry"
)

const (
	second = int64(time.Second)
	minute = int64(time.Minute)
	base   = 1_700_000_040 * second
)

// record is one record of visits.
type record struct {
	received int64
	idle     bool
	visits   []telemetry.WebHit
}

// batch makes a batch of records.
func batch(records []record) *telemetry.Batch {
	b := &telemetry.Batch{}
	for i, r := range records {
		b.Records = append(b.Records, telemetry.Record{Tenant: "default", ReceiveTime: r.received, Idle: r.idle})
		b.Resources = append(b.Resources, telemetry.Resource{Record: uint32(i)})
		for _, v := range r.visits {
			v.Resource = uint32(i)
			b.Visits = append(b.Visits, v)
		}
	}
	return b
}

func newProcessor(t testing.TB, cfg security.Config) *security.Processor {
	t.Helper()
	p, err := security.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// process runs records through a processor and returns the findings, and their rows
// as text.
func process(t testing.TB, p *security.Processor, records ...record) ([]telemetry.Finding, []string) {
	t.Helper()
	b := batch(records)
	if err := p.Process(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(pipelinetest.Format(b)) {
		if strings.HasPrefix(line, "finding") {
			lines = append(lines, line)
		}
	}
	return b.Findings, lines
}

// small are settings with which little is enough.
func small() security.Config {
	cfg := security.DefaultConfig()
	cfg.Flood = security.FloodConfig{Client: 10, Network: 30, Path: 20, Ratio: 2, Clients: 5}
	cfg.Logins = security.LoginsConfig{Failures: 3, Accounts: 3}
	cfg.Scan = security.ScanConfig{Probes: 2, Missing: 4}
	cfg.Scraping.Paths = 12
	cfg.MaxClients, cfg.MaxPaths, cfg.MaxFindings = 120, 10, 60
	return cfg
}

// anything draws records of requests of all sorts, at times that jump.
func anything(r *rand.Rand, records int) []record {
	var all []record
	now := base
	for range records {
		now += []int64{0, second / 10, second, 5 * second, 2 * minute, 20 * minute}[r.IntN(6)]
		one := record{received: now, idle: r.IntN(20) == 0}
		for range r.IntN(40) {
			h := telemetry.WebHit{
				Time: now - int64(r.IntN(8))*second, Site: []string{"a", "b"}[r.IntN(2)], Client: fmt.Sprintf("10.0.%d.%d", r.IntN(3), r.IntN(16)), Method: []string{"GET", "GET", "POST"}[r.IntN(3)],
				Path: []string{"/", "/login", "/.env", "/wp-login.php", "/a", "/b/c", fmt.Sprint("/p/", r.IntN(500))}[r.IntN(7)], Status: []uint16{200, 302, 401, 403, 404, 500}[r.IntN(6)],
				Query:     []string{"", "", "", "user=u" + fmt.Sprint(r.IntN(50)), "id=1' or 1=1--", "q=<script>", "f=../../etc/passwd", "id=1--"}[r.IntN(8)],
				UserAgent: []string{"Firefox", "Firefox", "sqlmap"}[r.IntN(3)], Asset: r.IntN(5) == 0, User: []string{"", "u" + fmt.Sprint(r.IntN(9))}[r.IntN(2)],
			}
			if r.IntN(50) == 0 {
				h.Time = []int64{-1, 0, now + 3600*second, now - 3600*second}[r.IntN(4)]
			}
			one.visits = append(one.visits, h)
		}
		all = append(all, one)
	}
	return all
}

// TestAnyBatching cuts the same records into blocks in any way and restores the
// state at any of them: the rows are the same, and what is kept is bounded.
func TestAnyBatching(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		records := anything(r, 30)
		p := newProcessor(t, small())
		_, want := process(t, p, records...)
		if len(want) == 0 {
			t.Fatalf("seed %d: nothing was found", seed)
		}
		q := newProcessor(t, small())
		var got []string
		for from := 0; from < len(records); {
			to := min(from+1+r.IntN(6), len(records))
			_, lines := process(t, q, records[from:to]...)
			got = append(got, lines...)
			from = to
			if r.IntN(2) == 0 {
				fresh := newProcessor(t, small())
				if err := fresh.Restore(q.Snapshot(nil)); err != nil {
					t.Fatal(err)
				}
				q = fresh
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d in other blocks:\n%s", seed, diff)
		}
		if !bytes.Equal(p.Snapshot(nil), q.Snapshot(nil)) {
			t.Errorf("seed %d: the state differs", seed)
		}
		if items, _ := q.Held(); items > 60 {
			t.Errorf("%d findings are open", items)
		}
		// All are over once nothing comes.
		process(t, q, record{received: base + 1000*minute, idle: true})
		if items, _ := q.Held(); items != 0 {
			t.Errorf("%d findings are open after the end", items)
		}
	}
}

// TestRows checks what rows of one finding say one after the other.
func TestRows(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	records := append(anything(r, 150), record{received: base + 100_000*minute, idle: true})
	rows, _ := process(t, newProcessor(t, small()), records...)
	last := map[uint64]telemetry.Finding{}
	kinds := map[string]int{}
	for _, f := range rows {
		kinds[f.Kind]++
		if f.Confidence <= 0 || f.Confidence >= 1 || f.Last < f.First || f.Hits == 0 || f.Clients == 0 || f.Reason == "" || f.Target == "" || f.Actor == "" || f.Evidence.End == f.Evidence.Start {
			t.Errorf("row %+v", f)
		}
		if before, ok := last[f.ID]; ok && (before.Over || f.Hits < before.Hits || f.Last < before.Last || f.First > before.First || f.Confidence < before.Confidence) {
			t.Errorf("row %+v after %+v", f, before)
		}
		last[f.ID] = f
	}
	for _, f := range last {
		if !f.Over {
			t.Errorf("never over: %+v", f)
		}
	}
	if len(kinds) < 8 {
		t.Errorf("only kinds %v", kinds)
	}
}

// TestSetBack sends records with a time of tomorrow, then right ones.
func TestSetBack(t *testing.T) {
	p := newProcessor(t, small())
	attack := telemetry.WebHit{Site: "a", Client: "192.0.2.1", Path: "/", Query: "id=1' or 1=1--"}
	attack.Time = base + 24*60*minute
	process(t, p, record{received: attack.Time, visits: []telemetry.WebHit{attack}})
	found := 0
	for i := range int64(1100) {
		attack.Time = base + i
		rows, _ := process(t, p, record{received: base + i, visits: []telemetry.WebHit{attack}})
		for _, f := range rows {
			if f.Over && f.Kind == "sql_injection" {
				found++
			}
		}
	}
	if items, _ := p.Held(); found != 1 || items != 2 { // and a flood
		t.Errorf("%d findings are over, %d open", found, items)
	}
}

func TestRestore(t *testing.T) {
	p := newProcessor(t, small())
	process(t, p, anything(rand.New(rand.NewPCG(1, 1)), 50)...)
	state := p.Snapshot(nil)
	for name, damaged := range map[string][]byte{
		"another version": append([]byte{99}, state[1:]...), "something more": append(bytes.Clone(state), 0), "cut": state[:len(state)-1], "only a version": state[:1],
	} {
		if err := p.Restore(damaged); err == nil {
			t.Errorf("%s: restored", name)
		}
		if items, _ := p.Held(); items != 0 {
			t.Errorf("%s: %d items are held after an error", name, items)
		}
	}
	if err := p.Restore(state); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.Snapshot(nil), state) {
		t.Error("the state differs when it was restored")
	}
	if err := p.Restore(nil); err != nil {
		t.Error(err)
	}
}

// FuzzRestore restores anything: it is refused, or it is a state like any other.
func FuzzRestore(f *testing.F) {
	p := newProcessor(f, small())
	f.Add(p.Snapshot(nil))
	for i := range 3 {
		process(f, p, anything(rand.New(rand.NewPCG(uint64(i), 1)), 10)...)
		f.Add(p.Snapshot(nil))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		p := newProcessor(t, small())
		if err := p.Restore(src); err != nil {
			return
		}
		state := p.Snapshot(nil)
		again := newProcessor(t, small())
		if err := again.Restore(state); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Snapshot(nil), state) {
			t.Fatal("the state differs when it is restored again")
		}
		process(t, p, anything(rand.New(rand.NewPCG(9, 9)), 10)...)
	})
}
