package jaeger

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
)

// defaultLimit is how many traces a search answers that says nothing.
const defaultLimit = 20

// maxTags bounds the tags of a search.
const maxTags = 64

// search is what a span of the traces must be.
type search struct {
	service, operation   string
	tags                 map[string]string
	shortest, longest    int64 // nanoseconds
	hasShortest, hasLong bool
}

func (q *query) search(ctx context.Context) (traces.Answer, error) {
	if ids := q.Raw["traceID"]; len(ids) > 0 {
		return q.several(ctx, ids)
	}
	s := search{service: q.Get("service"), operation: q.Get("operation")}
	var err error
	if s.tags, err = tagsOf(q.Raw["tags"], q.Raw["tag"]); err != nil {
		return traces.Answer{}, err
	}
	s.shortest, s.hasShortest = q.Duration("minDuration", time.Microsecond)
	s.longest, s.hasLong = q.Duration("maxDuration", time.Microsecond)
	start, hasStart := q.Time("start", time.Microsecond)
	end, hasEnd := q.Time("end", time.Microsecond)
	lookback := q.Config().Lookback
	if text := q.Get("lookback"); text != "" && text != "custom" && !hasStart {
		if lookback, err = parseLookback(text); err != nil {
			return traces.Answer{}, err
		}
	}
	limit := q.Limit("limit", defaultLimit, q.Config().MaxTraces)
	in := q.Bounded(start, hasStart, end, hasEnd, lookback)
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	c, err := s.condition()
	if err != nil {
		return traces.Answer{}, err
	}
	found, err := q.Search(ctx, c, in, limit, traces.All)
	if err != nil {
		return traces.Answer{}, err
	}
	return render(found, q.Note, nil), nil
}

// several answers traces by their ids.
func (q *query) several(ctx context.Context, texts []string) (traces.Answer, error) {
	ids, found, err := q.ByTexts(ctx, texts)
	if err != nil {
		return traces.Answer{}, err
	}
	var errs []fault
	for i, id := range ids {
		if !slices.ContainsFunc(found, func(t *traces.Trace) bool { return t.ID == id }) {
			errs = append(errs, fault{http.StatusNotFound, traces.NotFound, texts[i]})
		}
	}
	return render(found, q.Note, errs), nil
}

// parseLookback reads the lookback of Jaeger's pages: 1h, 2d.
func parseLookback(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 100_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, store.Invalid("lookback: want a duration such as 1h or 2d")
	}
	return d, nil
}

// tagsOf reads the parameters tags, objects of JSON, and tag, each key:value.
func tagsOf(objects, pairs []string) (map[string]string, error) {
	all := map[string]string{}
	for _, text := range objects {
		if text == "" {
			continue
		}
		var tags map[string]any
		if err := json.Unmarshal([]byte(text), &tags); err != nil {
			return nil, store.Invalid("tags: want a JSON object of texts: %v", err)
		}
		for key, value := range tags {
			switch v := value.(type) {
			case string:
				all[key] = v
			case bool, float64:
				all[key] = fmt.Sprint(v)
			default:
				return nil, store.Invalid("tags: the value of %q is no text", key)
			}
		}
	}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, ":")
		if !ok {
			return nil, store.Invalid("tag: want key:value")
		}
		all[key] = value
	}
	if len(all) > maxTags {
		return nil, store.Invalid("%d tags are more than %d", len(all), maxTags)
	}
	return all, nil
}

// condition makes the condition on one span.
func (s *search) condition() (traces.Condition, error) {
	var c traces.Condition
	if s.service != "" {
		c.Add("service = " + c.Text(s.service))
	}
	if s.operation != "" && s.operation != "all" {
		c.Add("name = " + c.Text(s.operation))
	}
	if s.hasShortest {
		c.Add("duration_ns >= " + c.Int(s.shortest))
	}
	if s.hasLong {
		c.Add("duration_ns <= " + c.Int(s.longest))
	}
	for _, key := range slices.Sorted(maps.Keys(s.tags)) {
		term, err := tagTerm(&c, key, s.tags[key])
		if err != nil {
			return c, err
		}
		c.Add(term)
	}
	return c, nil
}

// tagTerm is the condition that a span has a tag, as it would be shown: with
// what Jaeger keeps in tags that has columns here.
func tagTerm(c *traces.Condition, key, value string) (string, error) {
	switch key {
	case "error":
		switch value {
		case "true":
			return "(status = 'error' OR " + traces.Tagged(c, key, value) + ")", nil
		case "false":
			return "status != 'error'", nil
		}
	case "span.kind":
		if kind, ok := traces.KindOf(value); ok && kind != traces.KindUnspecified {
			return "kind = '" + kind.String() + "'", nil
		}
		return "", store.Invalid("span.kind: %q is none of internal, server, client, producer, consumer", value)
	case "otel.status_code":
		if status, ok := traces.StatusOf(strings.ToLower(value)); ok {
			return "status = '" + status.String() + "'", nil
		}
		return "", store.Invalid("otel.status_code: %q is none of OK, ERROR, UNSET", value)
	case "otel.status_description":
		return "status_message = " + c.Text(value), nil
	case "otel.scope.name", "otel.library.name":
		return "JSON_VALUE(scope, '$.name') = " + c.Text(value), nil
	case "otel.scope.version", "otel.library.version":
		return "JSON_VALUE(scope, '$.version') = " + c.Text(value), nil
	case "w3c.tracestate":
		return "trace_state = " + c.Text(value), nil
	}
	return traces.Tagged(c, key, value), nil
}
