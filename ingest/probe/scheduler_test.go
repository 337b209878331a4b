package probe

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// recorder notes when which job ran, as time since the start.
type recorder struct {
	mu      sync.Mutex
	ran     map[string][]time.Duration
	skipped map[string]int
	running int
	most    int
	begin   time.Time
	takes   time.Duration
}

func newRecorder(takes time.Duration) *recorder {
	return &recorder{ran: map[string][]time.Duration{}, skipped: map[string]int{}, begin: time.Now(), takes: takes}
}

func (r *recorder) run(ctx context.Context, j *job) {
	r.mu.Lock()
	r.ran[j.Target.Target] = append(r.ran[j.Target.Target], time.Since(r.begin))
	r.running++
	r.most = max(r.most, r.running)
	r.mu.Unlock()
	select {
	case <-time.After(r.takes):
	case <-ctx.Done():
	}
	r.mu.Lock()
	r.running--
	r.mu.Unlock()
}

func (r *recorder) skip(j *job, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.skipped[j.Target.Target] += n
}

func (r *recorder) total() (ran, skipped int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, times := range r.ran {
		ran += len(times)
	}
	for _, n := range r.skipped {
		skipped += n
	}
	return ran, skipped
}

func jobs(n int, interval time.Duration) []*job {
	var out []*job
	for i := range n {
		out = append(out, &job{Target: Target{Target: fmt.Sprintf("host-%d:80", i), Module: "tcp", Name: "probe", Interval: interval}})
	}
	return out
}

// scheduled runs jobs for some (virtual) time.
func scheduled(t *testing.T, workers int, takes, lasts time.Duration, planned []*job, during func(*scheduler, context.Context)) *recorder {
	t.Helper()
	r := newRecorder(takes)
	s := newScheduler("site", workers, r.run, r.skip)
	ctx, cancel := context.WithCancel(t.Context())
	group := s.start(ctx)
	s.replace(ctx, planned)
	if during != nil {
		during(s, ctx)
	}
	time.Sleep(lasts)
	cancel()
	group.Wait()
	return r
}

func TestSchedulerSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		r := scheduled(t, 64, time.Millisecond, 100*time.Second+time.Millisecond, jobs(n, 10*time.Second), nil)
		if ran, skipped := r.total(); ran != 10*n || skipped != 0 {
			t.Errorf("%d probes and %d skipped, want %d and none", ran, skipped, 10*n)
		}
		var first [10]int
		for target, times := range r.ran {
			first[times[0]/time.Second%10]++
			for i := 1; i < len(times); i++ {
				if times[i]-times[i-1] != 10*time.Second {
					t.Fatalf("%s ran at %v, want every ten seconds", target, times)
				}
			}
		}
		for second, count := range first {
			if count < n/20 || count > n/5 {
				t.Errorf("%d of %d targets begin in second %d; they are not spread: %v", count, n, second, first)
			}
		}
	})
}

func TestSchedulerSkipsWhatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A probe of 2.5 intervals leaves out the two ticks that come meanwhile.
		r := scheduled(t, 4, 2500*time.Millisecond, 90*time.Second, jobs(1, time.Second), nil)
		ran, skipped := r.total()
		if ran != 30 || skipped != 60 {
			t.Errorf("%d probes and %d skipped, want 30 and 60", ran, skipped)
		}
	})
}

func TestSchedulerBoundsConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Three workers do 3 probes a second; 10 are due.
		r := scheduled(t, 3, time.Second, 100*time.Second, jobs(10, time.Second), nil)
		if r.most != 3 {
			t.Errorf("%d probes at the same time, want 3", r.most)
		}
		ran, skipped := r.total()
		if ran < 290 || ran > 300 || ran+skipped < 985 || ran+skipped > 1000 {
			t.Errorf("%d probes and %d skipped, want about 297 of 1000", ran, skipped)
		}
		// The queue is fair: no target starves.
		for target, times := range r.ran {
			if len(times) < 25 {
				t.Errorf("%s ran %d times of about 30", target, len(times))
			}
		}
	})
}

func TestSchedulerReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := scheduled(t, 4, 0, 100*time.Second, jobs(3, 10*time.Second), func(s *scheduler, ctx context.Context) {
			time.Sleep(50 * time.Second)
			// The first stays, the second changes its interval, the third goes, and a
			// fourth comes.
			next := jobs(4, 10*time.Second)
			next[1].Interval = 5 * time.Second
			s.replace(ctx, slices.Delete(next, 2, 3))
		})
		count := map[string]int{}
		for target, times := range r.ran {
			count[target] = len(times)
		}
		want := map[string]int{"host-0:80": 15, "host-1:80": 25, "host-2:80": 5, "host-3:80": 10}
		for target, n := range want {
			if count[target] != n {
				t.Errorf("%s ran %d times, want %d", target, count[target], n)
			}
		}
		for i, times := 1, r.ran["host-0:80"]; i < len(times); i++ {
			if times[i]-times[i-1] != 10*time.Second {
				t.Errorf("a target that stays changed its times: %v", times)
				break
			}
		}
	})
}

func TestSchedulerAfterASleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(0)
		s := newScheduler("site", 1, r.run, r.skip)
		planned := s.merge(nil, jobs(1, time.Second))
		planned[0].due = time.Now().Add(-10500 * time.Millisecond)
		var waiting queue
		s.tick(&planned, &waiting)
		if waiting.first() == nil || r.skipped["host-0:80"] != 10 {
			t.Errorf("%d ticks were skipped, want 10, and one probe", r.skipped["host-0:80"])
		}
		if next := time.Until(planned[0].due); next != 500*time.Millisecond {
			t.Errorf("the next tick is in %s, want the rhythm to be kept", next)
		}
	})
}

func TestFirstTick(t *testing.T) {
	now := time.Unix(1_790_000_000, 123)
	for _, interval := range []time.Duration{time.Millisecond, time.Second, time.Hour, 7 * 24 * time.Hour} {
		for s := range uint64(1000) {
			s *= 0x9E3779B97F4A7C15
			at := firstTick(now, interval, s)
			if !at.After(now) || at.Sub(now) > interval {
				t.Fatalf("seed %d: %s after now, want at most %s", s, at.Sub(now), interval)
			}
			if again := firstTick(at, interval, s); again.Sub(at) != interval {
				t.Fatalf("seed %d: from its own tick the next one is %s away, want %s", s, again.Sub(at), interval)
			}
		}
	}
	a, b := Target{Target: "a", Interval: time.Second}, Target{Target: "b"}
	same, reloaded := seed("x", &a), Target{Target: "a"}
	if same != seed("x", &reloaded) || same == seed("y", &a) || same == seed("x", &b) {
		t.Error("the seed must follow from site and target")
	}
}

func TestQueue(t *testing.T) {
	var q queue
	in := jobs(5000, time.Second)
	next := 0
	for i, j := range in {
		q.push(j)
		if i%3 != 0 {
			if q.first() != in[next] {
				t.Fatalf("step %d: the order is lost", i)
			}
			q.pop()
			next++
		}
	}
	q.keep(plan{in[4000], in[4999]})
	if q.first() != in[4000] || len(q.jobs) != 2 {
		t.Errorf("kept %d jobs, want the two that are still planned", len(q.jobs))
	}
	q.pop()
	q.pop()
	if q.first() != nil {
		t.Error("the queue is not empty")
	}
}
