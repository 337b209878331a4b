package goshawk

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
)

type offsetsAnswer struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// StepSeconds is how long a step of the series is.
	StepSeconds int64     `json:"step_seconds"`
	Pairs       []offsets `json:"pairs"`
}

// offsets are by how much the clock of a callee's host was ahead of the caller's.
type offsets struct {
	Caller string `json:"caller_host"`
	Callee string `json:"callee_host"`
	// Calls are those both ways, ReverseCalls those of the callee's host to the
	// caller's.
	Calls        uint64 `json:"calls"`
	ReverseCalls uint64 `json:"reverse_calls"`
	Known        bool   `json:"known"`
	// Latest is of the end of the range, or of the time that was asked for.
	Latest offset `json:"latest"`
	// Drift is nil where nothing bounds it, or it was not constant.
	Drift *drift `json:"drift"`
	// Series has the slot of each step that says most.
	Series []offset `json:"series"`
}

const (
	// offsetPoints is about how many points a series has.
	offsetPoints = 200
	// maxOffsetPoints bounds the points of all series.
	maxOffsetPoints = 100_000
)

// clockOffsets answers how the clocks of hosts differ.
func (q *query) clockOffsets(ctx context.Context) (traces.Answer, error) {
	q.Known("start", "end", "at", "host", "step")
	in := q.in()
	at, asked := q.Moment("at", q.now)
	step, stepped := q.Duration("step", time.Second)
	slot := int64(traces.OffsetSlot)
	switch {
	case q.Err != nil:
		return traces.Answer{}, q.Err
	case stepped && (step < slot || step%slot != 0):
		return traces.Answer{}, store.Invalid("step: must be ten seconds or several times that")
	case !stepped:
		step = max(1, (in.To-in.From)/slot/offsetPoints) * slot
	}
	if !asked {
		at = in.To
	}
	rows, err := q.Offsets(ctx, in, q.Get("host"), nil)
	if err != nil {
		return traces.Answer{}, err
	}
	a := offsetsAnswer{Start: timeOf(in.From), End: timeOf(in.To), StepSeconds: step / int64(time.Second), Pairs: []offsets{}}
	known := newClocks(rows)
	points := 0
	for _, pair := range known.pairs() {
		series := known.series(pair[0], pair[1])
		o := offsets{Caller: pair[0], Callee: pair[1], Latest: offsetOf(nearest(series, at, at)), Series: []offset{}}
		for i := range series {
			o.Calls += series[i].calls
			o.ReverseCalls += series[i].reverse
		}
		o.Known = o.Latest.Known
		shown := tightest(series, a.StepSeconds)
		if points += len(shown); points > maxOffsetPoints {
			return traces.Answer{}, store.Exceeded("the series have more than %d points: ask for a host, less time or a longer step", maxOffsetPoints)
		}
		o.Drift = driftOf(tightest(series, max(a.StepSeconds, (in.To-in.From)/int64(time.Second)/offsetPoints)))
		for i := range shown {
			o.Series = append(o.Series, offsetOf(&shown[i]))
		}
		a.Pairs = append(a.Pairs, o)
	}
	return answer(a)
}

// pairs returns every two hosts once, in the direction of most calls, sorted.
func (c clocks) pairs() [][2]string {
	calls := func(pair [2]string) (n uint64) {
		for _, s := range c[pair] {
			n += s.calls
		}
		return n
	}
	var all [][2]string
	for pair := range c {
		other := [2]string{pair[1], pair[0]}
		if mine, others := calls(pair), calls(other); mine > others || mine == others && pair[0] < pair[1] {
			all = append(all, pair)
		}
	}
	slices.SortFunc(all, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return all
}
