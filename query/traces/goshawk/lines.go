package goshawk

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
)

type linesAnswer struct {
	Start time.Time      `json:"start"`
	End   time.Time      `json:"end"`
	Note  string         `json:"note,omitempty"`
	Lines []businessLine `json:"business_lines"`
}

// businessLine is a line and what it was asked: the requests that came to its
// services from elsewhere, and from outside.
type businessLine struct {
	Name     string   `json:"name"`
	Services []string `json:"services"`
	figures
	// Duration is how long its services took for them.
	Duration *latency `json:"duration"`
	examples
	// Dependencies are what its services call that is not in the line, Callers who
	// calls them that is not.
	Dependencies []*edge `json:"dependencies"`
	Callers      []*edge `json:"callers"`
}

// lines returns the services of each business line among those that are known:
// what the configuration says, and what resources say.
func (q *query) lines(ctx context.Context, known map[string]bool, in traces.Range) (map[string]map[string]bool, error) {
	all := map[string]map[string]bool{}
	add := func(line, service string) {
		if all[line] == nil {
			all[line] = map[string]bool{}
		}
		if service != "" {
			all[line][service] = true
		}
	}
	for _, l := range q.api.lines {
		add(l.name, "")
		for service := range known {
			if l.services.MatchString(service) {
				add(l.name, service)
			}
		}
	}
	if attribute := q.api.cfg.BusinessAttribute; attribute != "" {
		found, err := q.ServicesWith(ctx, attribute, in)
		if err != nil {
			return nil, err
		}
		for _, l := range found {
			add(l.Value, l.Service)
		}
	}
	return all, nil
}

// members returns the services of a line.
func (q *query) members(ctx context.Context, line string, known map[string]bool, in traces.Range) ([]string, error) {
	all, err := q.lines(ctx, known, in)
	if err != nil {
		return nil, err
	}
	services, ok := all[line]
	if !ok {
		return nil, store.Invalid("there is no business line of this name: query.business_lines lists some, and resources may name others")
	}
	return slices.Sorted(maps.Keys(services)), nil
}

// businessLines answers what works for which part of the business.
func (q *query) businessLines(ctx context.Context) (traces.Answer, error) {
	q.Known("start", "end")
	in := q.in()
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	now, err := q.seen(ctx, in.Minutes())
	if err != nil {
		return traces.Answer{}, err
	}
	known := services(now)
	all, err := q.lines(ctx, known, in)
	if err != nil {
		return traces.Answer{}, err
	}
	a := linesAnswer{Start: secondsOf(now.in.From), End: secondsOf(now.in.To), Lines: []businessLine{}}
	p := now.plane(known)
	_, edges := p.sorted()
	for name, services := range all {
		a.Lines = append(a.Lines, lineOf(name, services, &now, known, edges))
	}
	slices.SortFunc(a.Lines, func(x, y businessLine) int { return cmp.Compare(x.Name, y.Name) })
	a.Note = q.Note
	return answer(a)
}

func lineOf(name string, services map[string]bool, now *seen, known map[string]bool, edges []*edge) businessLine {
	l := businessLine{Name: name, Services: slices.Sorted(maps.Keys(services)), Dependencies: []*edge{}, Callers: []*edge{}}
	if l.Services == nil {
		l.Services = []string{}
	}
	within := map[string]bool{}
	for service := range services {
		within[idOf(nodeService, service)] = true
	}
	for _, e := range edges {
		switch from, to := within[e.From], within[e.To]; {
		case from && !to:
			l.Dependencies = append(l.Dependencies, e)
		case to && !from:
			l.Callers = append(l.Callers, e)
		}
	}
	var asked total
	for i := range now.edges {
		e := &now.edges[i]
		from, to := kindsOf(e, known)
		if within[idOf(to, e.Callee)] && !within[idOf(from, e.Caller)] {
			asked.edge(e, &e.Server)
		}
	}
	l.figures, l.Duration, l.examples = figuresOf(asked.calls, asked.errors, now.in.Seconds()), latencyOf(&asked.duration), examplesOf(&asked.examples)
	return l
}
