package goshawk

import (
	"math"
	"slices"
)

// change is how something differs from an earlier range; everything is empty
// without a comparison.
type change[F any] struct {
	// State is new, vanished, changed or same.
	State string `json:"state,omitempty"`
	// Before is what it was, nil of what is new.
	Before *F `json:"before,omitempty"`
	// Difference is now minus before, nil where it is not in both.
	Difference *difference `json:"difference,omitempty"`
}

// difference is now minus before. Of what took time it is nil where one of the two
// took none.
type difference struct {
	Rate       float64 `json:"calls_per_second"`
	ErrorRatio float64 `json:"error_ratio"`
	P50        *int64  `json:"p50_ns"`
	P95        *int64  `json:"p95_ns"`
	P99        *int64  `json:"p99_ns"`
}

// What counts as a change: less is what two hours of the same traffic differ by.
const (
	changedRate     = 1.5  // calls per second, as a factor
	changedErrors   = 0.01 // share of calls that failed, absolute
	changedDuration = 1.25 // 95th percentile, as a factor
	// fewCalls say nothing of errors and durations.
	fewCalls = 10
)

// compare says of everything in a map how it differs from before, and adds what
// vanished.
func compare(now, before *plane) {
	for id, n := range now.nodes {
		was := before.nodes[id]
		if was == nil {
			n.State = "new"
			continue
		}
		n.Before = &was.nodeFigures
		n.Difference = differenceOf(n.figures, was.figures, n.Duration, was.Duration)
		n.State = stateOf(n.figures, was.figures, n.Duration, was.Duration)
		if !slices.EqualFunc(n.Versions, was.Versions, func(a, b version) bool { return a.Version == b.Version }) {
			n.State = "changed"
		}
	}
	for ends, e := range now.edges {
		was := before.edges[ends]
		if was == nil {
			e.State = "new"
			continue
		}
		e.Before = &was.edgeFigures
		e.Difference = differenceOf(e.figures, was.figures, e.took(), was.took())
		e.State = stateOf(e.figures, was.figures, e.took(), was.took())
	}
	for id, was := range before.nodes {
		if now.nodes[id] == nil {
			figures := was.nodeFigures
			now.nodes[id] = &node{
				ID: id, Kind: was.Kind, Name: was.Name, nodeFigures: nodeFigures{Versions: []version{}}, change: change[nodeFigures]{State: "vanished", Before: &figures},
			}
		}
	}
	for ends, was := range before.edges {
		if now.edges[ends] == nil {
			figures := was.edgeFigures
			now.edges[ends] = &edge{From: was.From, To: was.To, Kind: was.Kind, change: change[edgeFigures]{State: "vanished", Before: &figures}}
		}
	}
}

// took is how long calls took: for the caller, or where it is not known the callee.
func (f *edgeFigures) took() *latency {
	if f.Client != nil {
		return f.Client
	}
	return f.Server
}

func stateOf(now, before figures, took, had *latency) string {
	if apart(now.Rate, before.Rate, changedRate) {
		return "changed"
	}
	if now.Calls >= fewCalls && before.Calls >= fewCalls {
		if math.Abs(now.ErrorRatio-before.ErrorRatio) > changedErrors {
			return "changed"
		}
		if took != nil && had != nil && apart(float64(took.P95), float64(had.P95), changedDuration) {
			return "changed"
		}
	}
	return "same"
}

// apart reports whether one number is more than a factor above the other.
func apart(a, b, factor float64) bool { return max(a, b) > factor*min(a, b) }

func differenceOf(now, before figures, took, had *latency) *difference {
	d := &difference{Rate: now.Rate - before.Rate, ErrorRatio: now.ErrorRatio - before.ErrorRatio}
	if took != nil && had != nil {
		p50, p95, p99 := took.P50-had.P50, took.P95-had.P95, took.P99-had.P99
		d.P50, d.P95, d.P99 = &p50, &p95, &p99
	}
	return d
}
