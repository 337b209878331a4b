package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// TestSeriesLimitWhenAttemptsDiffer writes a block that failed at every insert
// again, by a worker that has another limit. Whatever it is, the books balance.
func TestSeriesLimitWhenAttemptsDiffer(t *testing.T) {
	s := newStore(t)
	old, points := pointsOf("acme", "m", 0, 8), append(pointsOf("acme", "m", 4, 14), pointsOf("zoo", "m", 0, 3)...)
	var seen []int
	for _, limit := range []int{10, 0, 100, 1} {
		for step := 1; ; step++ {
			s.truncate(t)
			first := blockOf(0, old...)
			first.Epoch = uint32(1000*limit + step)
			mustWrite(t, s.limitedSink(limited(10, nil)), first)
			again := func() *telemetry.Batch {
				b := blockOf(100, points...)
				b.Epoch = first.Epoch
				return b
			}
			faulty := &failing{Conn: s.conn, after: step%2 == 0, left: (step + 1) / 2}
			err := New(faulty, s.dialect, limited(10, nil), s.log, s.metrics).Write(context.Background(), again())
			if err != nil && !errors.Is(err, errFault) {
				t.Fatal(err)
			}
			second := again()
			second.Begun = true
			mustWrite(t, s.limitedSink(limited(limit, nil)), second)
			s.balance(t, t)
			if limit == 10 && len(second.Numbers) != 9 {
				t.Errorf("step %d: %d points are stored, want 9", step, len(second.Numbers))
			}
			seen = append(seen, len(second.Numbers))
			if err == nil {
				if step < 8 {
					t.Fatalf("only %d steps", step)
				}
				if len(second.Numbers) != 9 {
					t.Errorf("limit %d: after a write that succeeded %d points are stored, want 9", limit, len(second.Numbers))
				}
				break
			}
		}
	}
	if !slices.Contains(seen, 13) {
		t.Errorf("no attempt decided anew: %v", seen)
	}
}

// TestSeriesLimitProperty cuts any stream of points into any blocks, lets any
// insert fail and any worker take over, with caches of any size: the first series
// of a day are the ones that are admitted.
func TestSeriesLimitProperty(t *testing.T) {
	s := newStore(t)
	epoch := uint32(0)
	rapid.Check(t, func(r *rapid.T) {
		epoch++
		one, two := fmt.Sprint("a", epoch), fmt.Sprint("b", epoch)
		limit := rapid.IntRange(1, 12).Draw(r, "limit")
		cfg := limited(limit, map[string]int{two: rapid.IntRange(0, 3).Draw(r, "limit of b")})
		cfg.SeriesCache = rapid.IntRange(2, 40).Draw(r, "cache")
		admitted := map[pointOf]bool{}
		counts := map[tenantDay]int{}
		stored := map[string]int{}
		sink, offset, begun := s.limitedSink(cfg), int64(epoch)*1000, false
		for range rapid.IntRange(1, 8).Draw(r, "blocks") {
			var points []pointOf
			for range rapid.IntRange(1, 20).Draw(r, "points") {
				points = append(points, pointOf{
					tenant: rapid.SampledFrom([]string{one, two}).Draw(r, "tenant"), metric: rapid.SampledFrom([]string{"m", "n"}).Draw(r, "metric"),
					series: rapid.IntRange(0, 9).Draw(r, "series"), day: rapid.IntRange(0, 1).Draw(r, "day"),
				})
			}
			for _, p := range points {
				key := tenantDay{p.tenant, uint16(p.day)}
				if most := cfg.SeriesLimit.of(p.tenant); !admitted[p] && (most == 0 || counts[key] < most) {
					admitted[p] = true
					counts[key]++
				}
				if admitted[p] {
					stored[p.tenant]++
				}
			}
			b := blockOf(offset, points...)
			for rapid.IntRange(0, 2).Draw(r, "fails") == 0 {
				sink.conn = &failing{Conn: s.conn, after: rapid.Bool().Draw(r, "after"), left: rapid.IntRange(1, 4).Draw(r, "at")}
				err := sink.Write(context.Background(), b)
				sink.conn = s.conn
				begun = true
				if err == nil || rapid.Bool().Draw(r, "restart") { // it was not committed
					sink = s.limitedSink(cfg)
					b = blockOf(offset, points...)
					b.Begun = true
				}
			}
			b.Begun = b.Begun || begun
			if err := sink.Write(context.Background(), b); err != nil {
				r.Fatal(err)
			}
			want := 0
			for _, p := range points {
				if admitted[p] {
					want++
				}
			}
			if len(b.Numbers) != want {
				r.Fatalf("%d points of the block are stored, want %d", len(b.Numbers), want)
			}
			offset, begun = b.To, false
			if rapid.IntRange(0, 3).Draw(r, "take over") == 0 {
				sink = s.limitedSink(cfg)
			}
		}
		s.balance(r, t)
		for _, tenant := range []string{one, two} {
			if n := s.number(t, "SELECT count() FROM goshawk.samples WHERE tenant = '"+tenant+"'"); n != uint64(stored[tenant]) {
				r.Fatalf("%d points of %s are stored, want %d", n, tenant, stored[tenant])
			}
		}
		if n := s.number(t, "SELECT uniqExact(fingerprint, day) FROM goshawk.series WHERE tenant IN ('"+one+"', '"+two+"')"); n != uint64(len(admitted)) {
			r.Fatalf("%d series, want %d", n, len(admitted))
		}
	})
}

// TestSeriesLimitWhileEngineIsKilled kills the engine while a worker writes for a
// tenant at its limit; another worker goes on.
func TestSeriesLimitWhileEngineIsKilled(t *testing.T) {
	s := newStore(t)
	cfg, stored := limited(150, nil), 0
	sink := s.limitedSink(cfg)
	for n := range 10 {
		points := append(pointsOf("acme", "m", 30*n, 30*n+100), pointsOf("zoo", "m", 0, 10)...)
		b := blockOf(int64(10*n), points...)
		if n%2 == 1 {
			killed := make(chan struct{})
			go func() {
				time.Sleep(time.Duration(3*n) * time.Millisecond)
				s.Kill9()
				close(killed)
			}()
			err := sink.Write(context.Background(), b)
			<-killed
			t.Log("while killed:", err)
			s.Restart(t)
			sink = s.limitedSink(cfg)
			b = blockOf(int64(10*n), points...)
			b.Begun = true
		}
		var err error
		for range 20 {
			if err = sink.Write(context.Background(), b); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		// Series 0 to 149 came first; zoo is not affected.
		want := 10 + max(0, min(30*n+100, 150)-30*n)
		if len(b.Numbers) != want {
			t.Errorf("block %d: %d points are stored, want %d", n, len(b.Numbers), want)
		}
		stored += want
	}
	s.balance(t, t)
	if n := s.number(t, "SELECT count() FROM goshawk.samples"); n != uint64(stored) {
		t.Errorf("%d points, want %d", n, stored)
	}
}
