package session_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/session"
)

const minute = int64(time.Minute)

func newTracker(t testing.TB, cfg session.Config) *session.Tracker {
	t.Helper()
	tracker, err := session.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tracker
}

// gather returns a function that takes sessions, and where they go.
func gather() (*[]telemetry.WebSession, func(*telemetry.WebSession)) {
	var rows []telemetry.WebSession
	return &rows, func(s *telemetry.WebSession) { rows = append(rows, *s) }
}

func sorted(rows []telemetry.WebSession) []telemetry.WebSession {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b telemetry.WebSession) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Site, b.Site), cmp.Compare(a.Visitor, b.Visitor), cmp.Compare(a.Start, b.Start))
	})
	return rows
}

// expected makes sessions of hits as the documentation says: sorted by time, cut at
// pauses.
func expected(tenant string, hits []telemetry.WebHit, idle int64) []telemetry.WebSession {
	hits = slices.Clone(hits)
	slices.SortStableFunc(hits, func(a, b telemetry.WebHit) int {
		return cmp.Or(strings.Compare(a.Site, b.Site), cmp.Compare(a.Visitor, b.Visitor), cmp.Compare(a.Time, b.Time),
			cmp.Compare(len(a.Path), len(b.Path)), strings.Compare(a.Path, b.Path), strings.Compare(a.ReferrerHost, b.ReferrerHost))
	})
	var rows []telemetry.WebSession
	for i := range hits {
		h := &hits[i]
		if n := len(rows); n == 0 || rows[n-1].Site != h.Site || rows[n-1].Visitor != h.Visitor || h.Time-rows[n-1].End >= idle {
			rows = append(rows, telemetry.WebSession{
				Tenant: tenant, Site: h.Site, Visitor: h.Visitor, Start: h.Time,
				Client: h.Client, Country: h.Country, Browser: h.Browser, System: h.System, Bot: h.Bot,
			})
		}
		s := &rows[len(rows)-1]
		s.End = h.Time
		s.Hits++
		s.Sent += max(h.Sent, 0)
		if h.User != "" && (s.User == "" || h.User < s.User) {
			s.User = h.User
		}
		switch h.Status / 100 {
		case 4:
			s.Failures++
		case 5:
			s.Errors++
		}
		if session.IsPage(h) {
			if s.Pages == 0 {
				s.Entry, s.ReferrerHost = h.Path, h.ReferrerHost
			}
			s.Exit = h.Path
			s.Pages++
		}
	}
	return rows
}

func drawHit(t *rapid.T) telemetry.WebHit {
	visitor := rapid.Uint64Range(1, 3).Draw(t, "visitor")
	return telemetry.WebHit{
		Time: rapid.Int64Range(0, 300).Draw(t, "minute") * minute, Visitor: visitor, Site: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "site"),
		Client: fmt.Sprint("client ", visitor), Country: "DE", Browser: "Firefox", Method: rapid.SampledFrom([]string{"GET", "HEAD"}).Draw(t, "method"),
		Path: rapid.SampledFrom([]string{"/", "/a", "/b", "/long", strings.Repeat("/x", 20)}).Draw(t, "path"), Asset: rapid.Bool().Draw(t, "asset"),
		Status: rapid.SampledFrom([]uint16{200, 301, 304, 404, 500}).Draw(t, "status"), Sent: rapid.Int64Range(-1, 5).Draw(t, "sent"),
		User:         rapid.SampledFrom([]string{"", "", "bob", "alice"}).Draw(t, "user"),
		ReferrerHost: rapid.SampledFrom([]string{"", "google.com"}).Draw(t, "referrer"),
	}
}

// TestAnyOrder makes the sessions that the documentation says of hits that come in
// any order, with state that is restored now and then.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := session.DefaultConfig()
		hits := rapid.SliceOfN(rapid.Custom(drawHit), 0, 60).Draw(rt, "hits")
		tracker := newTracker(t, cfg)
		for i := range hits {
			tracker.Add("acme", &hits[i], 0)
			if rapid.IntRange(0, 4).Draw(rt, "restore") == 0 {
				state := tracker.Append(nil)
				again := newTracker(t, cfg)
				if err := again.Restore(state); err != nil {
					rt.Fatal(err)
				}
				if again.Len() != tracker.Len() || again.Bytes() != tracker.Bytes() {
					rt.Fatalf("%d sessions of %d bytes, want %d of %d", again.Len(), again.Bytes(), tracker.Len(), tracker.Bytes())
				}
				tracker = again
			}
		}
		rows, emit := gather()
		tracker.Close(int64(cfg.Idle+cfg.Delay)-1, emit)
		if len(*rows) > 0 {
			rt.Fatalf("%d sessions are closed early", len(*rows))
		}
		tracker.Close(int64(cfg.Idle+cfg.Delay), emit)
		if diff := gocmp.Diff(expected("acme", hits, int64(cfg.Idle)), sorted(*rows)); diff != "" {
			rt.Fatal(diff)
		}
		if tracker.Len() != 0 || tracker.Bytes() != 0 {
			rt.Fatalf("%d bytes of %d sessions are left", tracker.Bytes(), tracker.Len())
		}
	})
}

func page(visitor uint64, at int64, path string) *telemetry.WebHit {
	return &telemetry.WebHit{Visitor: visitor, Time: at, Site: "a", Method: "GET", Path: path, Status: 200}
}

func TestLongestSession(t *testing.T) {
	cfg := session.DefaultConfig()
	tracker := newTracker(t, cfg)
	rows, emit := gather()
	const step = 20 * minute
	const n = 24*3 + 5
	for i := range int64(n) {
		tracker.Add("acme", page(1, i*step, "/"), i*step)
		tracker.Close(i*step, emit)
	}
	tracker.CloseAll(emit)
	if len(*rows) != 2 || (*rows)[0].Hits != 72 || (*rows)[1].Hits != 5 || (*rows)[1].Start != 24*60*minute {
		t.Errorf("%+v", *rows)
	}
}

// TestLimits closes what waits longest.
func TestLimits(t *testing.T) {
	cfg := session.DefaultConfig()
	cfg.MaxOpen = 3
	tracker := newTracker(t, cfg)
	rows, emit := gather()
	for visitor := range uint64(5) {
		tracker.Add("acme", page(visitor, 0, "/"), 0)
	}
	tracker.Add("acme", page(0, minute, "/"), 0)
	tracker.Close(0, emit)
	if tracker.Len() != 3 || len(*rows) != 2 || (*rows)[0].Visitor != 1 || (*rows)[1].Visitor != 2 {
		t.Errorf("%d are open; closed %+v", tracker.Len(), *rows)
	}

	cfg = session.DefaultConfig()
	cfg.MaxBytes = 1 << 20
	tracker = newTracker(t, cfg)
	for visitor := range uint64(10_000) {
		tracker.Add("acme", page(visitor, 0, strings.Repeat("/long", 1000)), 0)
	}
	*rows = nil
	tracker.Close(0, emit)
	if tracker.Bytes() > cfg.MaxBytes || tracker.Len() < 1000 || len((*rows)[0].Entry) != 512 {
		t.Errorf("%d bytes in %d sessions, an entry of %d bytes", tracker.Bytes(), tracker.Len(), len((*rows)[0].Entry))
	}
}

// TestOldLogs reads a log of a year in which a visitor comes every hour, while the
// clock stands.
func TestOldLogs(t *testing.T) {
	tracker := newTracker(t, session.DefaultConfig())
	rows, emit := gather()
	const n = 365 * 24
	for i := range int64(n) {
		tracker.Add("acme", page(1, i*60*minute, "/"), 0)
		if i%100 == 0 {
			tracker.Close(0, emit)
		}
		if tracker.Len() > 64+100 {
			t.Fatalf("%d sessions of one visitor are open", tracker.Len())
		}
	}
	tracker.CloseAll(emit)
	if len(*rows) != n {
		t.Errorf("%d sessions, want %d", len(*rows), n)
	}
}

// TestExtremes takes times that no clock shows.
func TestExtremes(t *testing.T) {
	tracker := newTracker(t, session.DefaultConfig())
	rows, emit := gather()
	for _, at := range []int64{-1 << 63, -1, 0, 1<<63 - 1, 1 << 62} {
		tracker.Add("", page(1, at, ""), 1<<63-1)
	}
	tracker.CloseAll(emit)
	if len(*rows) != 2 || (*rows)[0].Hits != 3 || (*rows)[1].Hits != 2 || (*rows)[0].Entry != "/" {
		t.Errorf("%+v", *rows)
	}
}

// TestMemory compares what is said of memory with what it is.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred thousand sessions take a second")
	}
	measure := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	tracker := newTracker(t, session.DefaultConfig())
	before := measure()
	const n = 100_000
	text := int64(0)
	for i := range uint64(n) {
		h := page(i*0x9E3779B97F4A7C15, 0, "/catalogue/telescopes")
		h.Client = fmt.Sprint("2001:db8::", i)
		h.ReferrerHost = "google.com"
		tracker.Add("acme", h, 0)
		text += int64(len(h.Client) + len(h.Path) + len(h.ReferrerHost))
	}
	used := int64(measure() - before)
	t.Logf("%d bytes a session and %d of texts; %d in all, counted %d", (used-text)/n, text/n, used/n, tracker.Bytes()/n)
	if counted := tracker.Bytes(); counted < used/2 || counted > used*2 {
		t.Errorf("%d bytes are counted where %d are used", counted, used)
	}
	runtime.KeepAlive(tracker)
}

func FuzzRestore(f *testing.F) {
	tracker := newTracker(f, session.DefaultConfig())
	for visitor := range uint64(3) {
		tracker.Add("acme", page(visitor%2, int64(visitor)*60*minute, "/"), 5)
	}
	f.Add(tracker.Append(nil))
	f.Fuzz(func(t *testing.T, state []byte) {
		tracker := newTracker(t, session.DefaultConfig())
		if tracker.Restore(state) != nil {
			if tracker.Len() != 0 {
				t.Fatal("something is left of a damaged state")
			}
			return
		}
		rows, emit := gather()
		n := tracker.Len()
		tracker.Add("acme", page(1, 0, "/"), 1)
		tracker.CloseAll(emit)
		if len(*rows) > n+1 || tracker.Len() != 0 {
			t.Fatalf("%d sessions of %d", len(*rows), n)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	for _, visitors := range []uint64{1000, 1_000_000} {
		b.Run(fmt.Sprint(visitors), func(b *testing.B) {
			tracker := newTracker(b, session.DefaultConfig())
			h := page(0, 0, "/catalogue/telescopes")
			h.Client = "192.0.2.1"
			random := rand.New(rand.NewPCG(1, 2))
			now := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				now += int64(time.Millisecond)
				h.Time, h.Visitor = now, random.Uint64N(visitors)
				tracker.Add("acme", h, now)
				tracker.Close(now, func(*telemetry.WebSession) {})
			}
		})
	}
}
