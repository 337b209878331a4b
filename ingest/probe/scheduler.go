package probe

import (
	"container/heap"
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
)

// job is a target with its place in time.
type job struct {
	Target
	module *prober.Module
	due    time.Time
	// busy is set from the tick that makes the job wait until its probe has
	// ended. Ticks in between are skipped.
	busy atomic.Bool
}

// scheduler runs jobs at their times: one goroutine with a heap, and a fixed
// number of workers, however many jobs there are.
type scheduler struct {
	site    string
	workers int
	// run probes a job. It is called from the workers.
	run func(context.Context, *job)
	// skipped is told how many ticks of a job came while it still waited or ran,
	// or passed while the process slept.
	skipped func(*job, int)
	jobs    chan []*job
}

func newScheduler(site string, workers int, run func(context.Context, *job), skipped func(*job, int)) *scheduler {
	return &scheduler{site: site, workers: workers, run: run, skipped: skipped, jobs: make(chan []*job)}
}

// replace makes the scheduler run these jobs. Those that it has already keep
// their times.
func (s *scheduler) replace(ctx context.Context, jobs []*job) {
	select {
	case s.jobs <- jobs:
	case <-ctx.Done():
	}
}

// start runs the scheduler until the context ends. The returned group is done
// when the last probe has ended.
func (s *scheduler) start(ctx context.Context) *sync.WaitGroup {
	ready := make(chan *job)
	var group sync.WaitGroup
	for range s.workers {
		group.Go(func() {
			for j := range ready {
				s.run(ctx, j)
				j.busy.Store(false)
			}
		})
	}
	group.Go(func() {
		defer close(ready)
		s.loop(ctx, ready)
	})
	return &group
}

func (s *scheduler) loop(ctx context.Context, ready chan<- *job) {
	var planned plan
	var waiting queue
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		// A send on a nil channel never happens.
		var out chan<- *job
		next := waiting.first()
		if next != nil {
			out = ready
		}
		select {
		case out <- next:
			waiting.pop()
		case <-timer.C:
		case jobs := <-s.jobs:
			planned = s.merge(planned, jobs)
			waiting.keep(planned)
		case <-ctx.Done():
			return
		}
		s.tick(&planned, &waiting)
		if len(planned) > 0 {
			timer.Reset(time.Until(planned[0].due))
		}
	}
}

// tick moves the jobs that are due to the queue.
func (s *scheduler) tick(planned *plan, waiting *queue) {
	now := time.Now()
	for len(*planned) > 0 && !(*planned)[0].due.After(now) {
		j := (*planned)[0]
		if j.busy.CompareAndSwap(false, true) {
			waiting.push(j)
		} else {
			s.skipped(j, 1)
		}
		j.due = j.due.Add(j.Interval)
		if late := now.Sub(j.due); late >= 0 {
			s.skipped(j, int(late/j.Interval)+1)
			j.due = now.Add(j.Interval - late%j.Interval)
		}
		heap.Fix(planned, 0)
	}
}

// merge returns a plan of the given jobs, in which those that stay the same are
// the old ones.
func (s *scheduler) merge(old plan, jobs []*job) plan {
	known := make(map[[3]string]*job, len(old))
	for _, j := range old {
		known[j.key()] = j
	}
	now := time.Now()
	merged := make(plan, 0, len(jobs))
	for _, j := range jobs {
		if was := known[j.key()]; was != nil && was.module == j.module && reflect.DeepEqual(was.Target, j.Target) {
			merged = append(merged, was)
			continue
		}
		j.due = firstTick(now, j.Interval, seed(s.site, &j.Target))
		merged = append(merged, j)
	}
	heap.Init(&merged)
	return merged
}

// seed is the same for a target and a site after every restart, and another one
// at every other site.
func seed(site string, t *Target) uint64 {
	return xxh3.HashString(site + "\x00" + t.Module + "\x00" + t.Target + "\x00" + t.Name)
}

// firstTick returns the first tick after now of a clock that ticks every
// interval, shifted by the seed. It is not more than one interval away.
func firstTick(now time.Time, interval time.Duration, seed uint64) time.Time {
	shift := int64(seed % uint64(interval))
	since := (now.UnixNano() - shift) % int64(interval)
	if since < 0 {
		since += int64(interval)
	}
	return now.Add(interval - time.Duration(since))
}

// plan is a heap of jobs, the next one first.
type plan []*job

func (p plan) Len() int           { return len(p) }
func (p plan) Less(i, j int) bool { return p[i].due.Before(p[j].due) }
func (p plan) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }

// Push is for [heap].
func (p *plan) Push(x any) { *p = append(*p, x.(*job)) }

// Pop is for [heap].
func (p *plan) Pop() any {
	last := len(*p) - 1
	j := (*p)[last]
	*p = (*p)[:last]
	return j
}

// queue holds the jobs that wait for a worker, each at most once.
type queue struct {
	jobs []*job
	head int
}

func (q *queue) push(j *job) {
	if q.head > 0 && q.head == len(q.jobs) {
		q.jobs, q.head = q.jobs[:0], 0
	}
	if q.head > 1024 && q.head > len(q.jobs)/2 {
		q.jobs = append(q.jobs[:0], q.jobs[q.head:]...)
		q.head = 0
	}
	q.jobs = append(q.jobs, j)
}

func (q *queue) first() *job {
	if q.head == len(q.jobs) {
		return nil
	}
	return q.jobs[q.head]
}

func (q *queue) pop() { q.jobs[q.head] = nil; q.head++ }

// keep drops jobs that are no longer planned.
func (q *queue) keep(planned plan) {
	still := make(map[*job]bool, len(planned))
	for _, j := range planned {
		still[j] = true
	}
	var kept []*job
	for _, j := range q.jobs[q.head:] {
		if still[j] {
			kept = append(kept, j)
		}
	}
	q.jobs, q.head = kept, 0
}
