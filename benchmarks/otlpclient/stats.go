package otlpclient

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// Totals counts what became of the events of one signal. Once nothing is in
// flight, Events = Acknowledged + Rejected + Refused + Unanswered.
type Totals struct {
	Requests int64 `json:"requests"`
	Events   int64 `json:"events"`
	// Bytes are the plain bodies, each counted once.
	Bytes        int64 `json:"bytes"`
	Acknowledged int64 `json:"acknowledged"`
	// Rejected events were named in a partial success, Refused ones belong to
	// requests that the gateway refused as a whole.
	Rejected int64 `json:"rejected"`
	Refused  int64 `json:"refused"`
	// Unanswered events belong to requests that were given up: nobody knows
	// whether they arrived.
	Unanswered int64 `json:"unanswered"`
	// Retried counts repeats of requests.
	Retried int64 `json:"retried"`
}

func (t *Totals) add(u Totals) {
	t.Requests += u.Requests
	t.Events += u.Events
	t.Bytes += u.Bytes
	t.Acknowledged += u.Acknowledged
	t.Rejected += u.Rejected
	t.Refused += u.Refused
	t.Unanswered += u.Unanswered
	t.Retried += u.Retried
}

// Latency describes the time from the first try of a request to its acknowledgement.
type Latency struct {
	P50 time.Duration `json:"p50"`
	P90 time.Duration `json:"p90"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`
}

// Report is what a client has done so far.
type Report struct {
	Logs    Totals        `json:"logs"`
	Spans   Totals        `json:"spans"`
	Metrics Totals        `json:"metrics"`
	Latency Latency       `json:"latency"`
	Elapsed time.Duration `json:"elapsed"`
	// LastError is the latest failure of a try, "" if none failed.
	LastError string `json:"last_error,omitempty"`
	// LastPartial is the gateway's latest message about rejected events.
	LastPartial string `json:"last_partial,omitempty"`
}

// Of returns the totals of one signal.
func (r *Report) Of(signal telemetry.Signal) *Totals {
	return [...]*Totals{telemetry.Logs: &r.Logs, telemetry.Spans: &r.Spans, telemetry.Metrics: &r.Metrics}[signal]
}

// Total returns the sum over the signals.
func (r *Report) Total() Totals {
	var t Totals
	for _, signal := range telemetry.Signals {
		t.add(*r.Of(signal))
	}
	return t
}

// stats is the running form of a Report.
type stats struct {
	begun   time.Time
	signals [len(telemetry.Signals)]struct {
		requests, events, bytes, acknowledged, rejected, refused, unanswered, retried atomic.Int64
	}
	latency     histogram
	mu          sync.Mutex
	lastError   string // guarded by mu
	lastPartial string // guarded by mu
}

func (s *stats) sending(r Request) {
	c := &s.signals[r.Signal]
	c.requests.Add(1)
	c.events.Add(int64(r.Events))
	c.bytes.Add(int64(len(r.Body)))
}

func (s *stats) acknowledged(r Request, o Outcome) {
	c := &s.signals[r.Signal]
	c.acknowledged.Add(o.Acknowledged)
	c.rejected.Add(o.Rejected)
	s.latency.observe(o.Duration)
	if o.Rejected > 0 {
		s.mu.Lock()
		s.lastPartial = o.Message
		s.mu.Unlock()
	}
}

func (s *stats) refused(r Request, err error) {
	s.signals[r.Signal].refused.Add(int64(r.Events))
	s.tryFailed(r, err)
}

func (s *stats) unanswered(r Request) { s.signals[r.Signal].unanswered.Add(int64(r.Events)) }
func (s *stats) retrying(r Request)   { s.signals[r.Signal].retried.Add(1) }

func (s *stats) tryFailed(_ Request, err error) {
	s.mu.Lock()
	s.lastError = err.Error()
	s.mu.Unlock()
}

// Report returns what was done until now.
func (c *Client) Report() Report {
	s := &c.stats
	r := Report{Elapsed: time.Since(s.begun), Latency: s.latency.summary()}
	for _, signal := range telemetry.Signals {
		n := &s.signals[signal]
		*r.Of(signal) = Totals{
			// What became of events is read before their sum, so that a report
			// in the middle never accounts for more than was sent.
			Acknowledged: n.acknowledged.Load(),
			Rejected:     n.rejected.Load(),
			Refused:      n.refused.Load(),
			Unanswered:   n.unanswered.Load(),
			Retried:      n.retried.Load(),
			Bytes:        n.bytes.Load(),
			Events:       n.events.Load(),
			Requests:     n.requests.Load(),
		}
	}
	s.mu.Lock()
	r.LastError, r.LastPartial = s.lastError, s.lastPartial
	s.mu.Unlock()
	return r
}

// subBuckets is the number of buckets per power of two: errors stay under 4 %.
const subBuckets = 16

// histogram counts durations in buckets that grow with them.
type histogram struct {
	counts [64 * subBuckets]atomic.Int64
	max    atomic.Int64
}

func (h *histogram) observe(d time.Duration) {
	v := max(int64(d), 1)
	h.counts[bucketOf(v)].Add(1)
	for {
		old := h.max.Load()
		if v <= old || h.max.CompareAndSwap(old, v) {
			return
		}
	}
}

// bucketOf returns the bucket of a positive value: values under subBuckets have
// their own, above that the top bits count.
func bucketOf(v int64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(uint64(v)) - 5 // the leading one and four more bits stay
	return (shift+1)*subBuckets + int(v>>shift) - subBuckets
}

// valueOf returns the middle of a bucket.
func valueOf(bucket int) int64 {
	if bucket < subBuckets {
		return int64(bucket)
	}
	shift := bucket/subBuckets - 1
	low := int64(bucket%subBuckets+subBuckets) << shift
	return low + int64(1)<<shift/2
}

func (h *histogram) summary() Latency {
	var counts [len(h.counts)]int64
	var total int64
	for i := range h.counts {
		counts[i] = h.counts[i].Load()
		total += counts[i]
	}
	quantile := func(q float64) time.Duration {
		rank := int64(math.Ceil(q * float64(total)))
		for i, n := range counts {
			if rank -= n; rank <= 0 && n > 0 {
				return time.Duration(min(valueOf(i), h.max.Load()))
			}
		}
		return 0
	}
	if total == 0 {
		return Latency{}
	}
	return Latency{P50: quantile(.5), P90: quantile(.9), P99: quantile(.99), Max: time.Duration(h.max.Load())}
}
