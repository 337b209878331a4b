package loki

import (
	"context"
	"slices"

	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
)

// named are the labels of the streams that a request for names is about.
func (q *query) named(ctx context.Context, selectors [][]*logql.Matcher) ([]pipeline.Labels, error) {
	lines, err := q.lines()
	if err != nil {
		return nil, err
	}
	if lines != nil {
		selectors = append(selectors, lines.Matchers)
	}
	in := q.in(q.Config().Lookback)
	if q.err != nil {
		return nil, q.err
	}
	return q.Streams(ctx, selectors, in)
}

// labelNames answers /labels.
func (q *query) labelNames(ctx context.Context) (logs.Answer, error) {
	found, err := q.named(ctx, nil)
	if err != nil {
		return logs.Answer{}, err
	}
	seen := map[string]bool{}
	for _, labels := range found {
		for _, l := range labels {
			seen[l.Name] = true
		}
	}
	return success(q.list(seen))
}

// list are the keys of a set, sorted, at most as many as a list may have.
func (q *query) list(set map[string]bool) []string {
	all := make([]string, 0, len(set))
	for one := range set {
		all = append(all, one)
	}
	slices.Sort(all)
	return all[:min(len(all), q.Config().MaxNames)]
}

// labelValues answers /label/NAME/values.
func (q *query) labelValues(ctx context.Context, name string) (logs.Answer, error) {
	found, err := q.named(ctx, nil)
	if err != nil {
		return logs.Answer{}, err
	}
	seen := map[string]bool{}
	for _, labels := range found {
		if v := labels.Get(name); v != "" {
			seen[v] = true
		}
	}
	return success(q.list(seen))
}

// series answers /series.
func (q *query) series(ctx context.Context) (logs.Answer, error) {
	var selectors [][]*logql.Matcher
	for _, text := range append(slices.Clone(q.values["match[]"]), q.values["match"]...) {
		if text == "{}" {
			continue
		}
		matchers, err := logql.ParseSelector(text)
		if err != nil {
			return logs.Answer{}, err
		}
		selectors = append(selectors, matchers)
	}
	found, err := q.named(ctx, selectors)
	if err != nil {
		return logs.Answer{}, err
	}
	if most := q.Config().MaxNames; len(found) > most {
		return logs.Answer{}, logs.Invalid("there are %d series, more than query.logs.max_names allows (%d): use a selector", len(found), most)
	}
	w := &writer{b: []byte(`{"status":"success","data":[`)}
	for i, labels := range found {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.labels(labels)
	}
	w.b = append(w.b, "]}\n"...)
	return logs.Answer{ContentType: jsonType, Body: w.b}, nil
}
