package report

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/session"
)

// TestSessionsEqualTracker makes the sessions of random requests in order with the
// tracker of the pipeline as well.
func TestSessionsEqualTracker(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
		o := options()
		have := newSessions(&o)
		tracker, err := session.New(session.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		want := newSessions(&o)
		entries, exits := make(map[string]uint64), make(map[string]uint64)
		closed := func(w *telemetry.WebSession) {
			want.count++
			want.pages += uint64(w.Pages)
			want.length += w.End - w.Start
			if w.Pages <= 1 {
				want.bounced++
			}
			if w.Pages > 0 {
				entries[w.Entry]++
				exits[w.Exit]++
			}
		}
		pages := []*node[page]{{name: "/"}, {name: "/a"}, {name: "/b"}, {name: "/long/path"}}
		now := int64(1_700_000_000) * 1e9
		for range 5000 {
			// Whole seconds, so that several requests have the same time.
			now += int64(random.IntN(40)) * int64(10*time.Second)
			p := pages[random.IntN(len(pages))]
			h := telemetry.WebHit{
				Time: now, Site: "s", Client: "c", Visitor: mix(uint64(random.IntN(30)), seed+1), Method: "GET", Path: p.name, Status: 200,
				Asset: random.IntN(3) == 0,
			}
			have.add(&visit{visitor: h.Visitor + 1, time: now, page: p, isPage: session.IsPage(&h)})
			tracker.Add("", &h, now)
			tracker.Close(now, closed)
		}
		have.finish()
		tracker.CloseAll(closed)
		if have.count != want.count || have.pages != want.pages || have.length != want.length || have.bounced != want.bounced {
			t.Fatalf("seed %d: %d sessions, %d pages, %d ns, %d bounced; the tracker makes %d, %d, %d, %d", seed,
				have.count, have.pages, have.length, have.bounced, want.count, want.pages, want.length, want.bounced)
		}
		for _, p := range pages {
			if h, w := p.value.entries, entries[p.name]; h != w {
				t.Errorf("seed %d: %d sessions begin with %s; the tracker makes %d", seed, h, p.name, w)
			}
			if h, w := p.value.exits, exits[p.name]; h != w {
				t.Errorf("seed %d: %d sessions end with %s; the tracker makes %d", seed, h, p.name, w)
			}
		}
	}
}

// TestSessionsAreBounded has more visitors at a time than may have open sessions.
func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	o := options()
	s := newSessions(&o)
	s.limit = 100
	const n = 10_000
	p := &node[page]{name: "/"}
	for i := range uint64(n) {
		s.add(&visit{visitor: mix(i, 7), time: 1e9, page: p, isPage: true})
		if s.n > 200 || len(s.slots) > 512 {
			t.Fatalf("%d sessions are open, in %d places", s.n, len(s.slots))
		}
	}
	s.finish()
	if s.count != n {
		t.Errorf("%d sessions of %d visitors", s.count, n)
	}
}
