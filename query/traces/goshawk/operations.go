package goshawk

import (
	"context"
	"math"
	"time"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
)

// operationsAnswer is rate, errors and durations of operations.
type operationsAnswer struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// StepSeconds is 0 without a series.
	StepSeconds int64       `json:"step_seconds,omitempty"`
	Note        string      `json:"note,omitempty"`
	Operations  []operation `json:"operations"`
}

type operation struct {
	Service   string `json:"service"`
	Version   string `json:"version"`
	Operation string `json:"operation"`
	Kind      string `json:"kind"`
	figures
	Duration *latency `json:"duration"`
	Apdex    *float64 `json:"apdex"`
	examples
	Series []point `json:"series,omitempty"`
}

// point is what an operation did in a step; a step without calls has none.
type point struct {
	Time time.Time `json:"time"`
	figures
	Duration *latency `json:"duration"`
	Apdex    *float64 `json:"apdex"`
}

// maxPoints bounds the points of all series of an answer.
const maxPoints = 20_000

// operations answers what the operations of services do.
func (q *query) operations(ctx context.Context) (traces.Answer, error) {
	q.Known("start", "end", "service", "step", "apdex_threshold")
	in := q.in().Minutes()
	threshold, byThreshold := q.Duration("apdex_threshold", 0)
	step, stepped := q.Duration("step", time.Second)
	switch {
	case q.Err != nil:
		return traces.Answer{}, q.Err
	case byThreshold && (threshold <= 0 || threshold > math.MaxInt64/4):
		return traces.Answer{}, store.Invalid("apdex_threshold: must be above 0")
	case stepped && (step < int64(time.Minute) || step%int64(time.Minute) != 0):
		return traces.Answer{}, store.Invalid("step: must be one minute or several")
	}
	most := q.Config().MaxNames
	request := traces.RateQuery{In: in, Service: q.Get("service"), Limit: most}
	rates, more, err := q.Rates(ctx, request)
	if err != nil {
		return traces.Answer{}, err
	}
	if more {
		q.Remark("only the %d operations with the most calls are shown (query.traces.max_names)", most)
	}
	a := operationsAnswer{Start: secondsOf(in.From), End: secondsOf(in.To), StepSeconds: step / int64(time.Second), Operations: []operation{}}
	apdex := func(r *traces.Rate) *float64 {
		t := total{calls: r.Calls, errors: r.Errors, satisfied: r.Satisfied, tolerating: r.Tolerating, duration: r.Duration}
		if byThreshold {
			return t.apdexBy(threshold)
		}
		return t.apdex()
	}
	places := map[[4]string]int{}
	for i := range rates {
		r := &rates[i]
		places[identity(r)] = len(a.Operations)
		a.Operations = append(a.Operations, operation{
			Service: r.Service, Version: r.Version, Operation: r.Operation, Kind: r.Kind.String(), figures: figuresOf(r.Calls, r.Errors, in.Seconds()),
			Duration: latencyOf(&r.Duration), Apdex: apdex(r), examples: examplesOf(&r.Examples),
		})
	}
	if stepped {
		request.Step, request.Limit = a.StepSeconds, maxPoints
		points, more, err := q.Rates(ctx, request)
		if err != nil {
			return traces.Answer{}, err
		}
		if more {
			return traces.Answer{}, store.Exceeded("the series have more than %d points: ask for a service, less time or a longer step", maxPoints)
		}
		for i := range points {
			r := &points[i]
			at, ok := places[identity(r)]
			if !ok {
				continue // beyond the most that are shown
			}
			// The last step may be shorter.
			length := traces.Minutes{From: r.Time, To: min(r.Time+a.StepSeconds, in.To)}
			o := &a.Operations[at]
			o.Series = append(o.Series, point{secondsOf(r.Time), figuresOf(r.Calls, r.Errors, length.Seconds()), latencyOf(&r.Duration), apdex(r)})
		}
	}
	a.Note = q.Note
	return answer(a)
}

func identity(r *traces.Rate) [4]string {
	return [4]string{r.Service, r.Version, r.Operation, r.Kind.String()}
}
