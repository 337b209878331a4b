package zipkin

import (
	"context"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
)

// defaultLimit is how many traces a search answers that says nothing.
const defaultLimit = 10

// maxTags bounds the conditions of an annotation query.
const maxTags = 64

// The attributes that name who is at the other end, best first.
const (
	remoteName = "multiIf(attributes['peer.service'] != '', attributes['peer.service'], " +
		"attributes['service.peer.name'] != '', attributes['service.peer.name'], " +
		"attributes['server.address'] != '', attributes['server.address'], " +
		"attributes['net.peer.name'] != '', attributes['net.peer.name'], " +
		"attributes['db.system.name'] != '', attributes['db.system.name'], " +
		"attributes['db.system'] != '', attributes['db.system'], attributes['messaging.system'])"
	remoteSpan = "kind IN ('client', 'producer')"
)

// remoteKeys are the attributes of remoteName.
var remoteKeys = []string{"peer.service", "service.peer.name", "server.address", "net.peer.name", "db.system.name", "db.system", "messaging.system"}

func (q *query) search(ctx context.Context) (traces.Answer, error) {
	in := q.in()
	limit := q.Limit("limit", defaultLimit, q.Config().MaxTraces)
	var c traces.Condition
	if service := q.Get("serviceName"); service != "" {
		c.Add("service = " + c.Text(service))
	}
	if span := q.Get("spanName"); span != "" && span != "all" {
		c.Add("name = " + c.Text(span))
	}
	if remote := q.Get("remoteServiceName"); remote != "" {
		c.Add(remoteSpan)
		c.Add(remoteName + " = " + c.Text(remote))
	}
	if d, ok := q.Duration("minDuration", time.Microsecond); ok {
		c.Add("duration_ns >= " + c.Int(d))
	}
	if d, ok := q.Duration("maxDuration", time.Microsecond); ok {
		c.Add("duration_ns <= " + c.Int(d))
	}
	if err := annotations(&c, q.Get("annotationQuery")); err != nil {
		return traces.Answer{}, err
	}
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	found, err := q.Search(ctx, c, in, limit, traces.All)
	if err != nil {
		return traces.Answer{}, err
	}
	return list(found, true), nil
}

// annotations adds the conditions of an annotation query: words that are keys of
// tags or values of annotations, and key=value, joined by "and".
func annotations(c *traces.Condition, text string) error {
	if text == "" {
		return nil
	}
	parts := strings.Split(text, " and ")
	if len(parts) > maxTags {
		return store.Invalid("annotationQuery: %d conditions are more than %d", len(parts), maxTags)
	}
	for _, part := range parts {
		key, value, valued := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case key == "":
			return store.Invalid("annotationQuery: want words and key=value, joined by and")
		case valued:
			c.Add(tagTerm(c, key, value))
		case key == "error":
			c.Add("(status = 'error' OR has(mapKeys(attributes), 'error'))")
		default:
			k := c.Text(key)
			c.Add("(has(mapKeys(attributes), " + k + ") OR has(mapKeys(attribute_numbers), " + k + ") OR has(`events.name`, " + k + "))")
		}
	}
	return nil
}

// tagTerm is the condition that a span has a tag, as it would be shown.
func tagTerm(c *traces.Condition, key, value string) string {
	switch key {
	case "otel.status_code":
		if status, ok := traces.StatusOf(strings.ToLower(value)); ok {
			return "status = '" + status.String() + "'"
		}
	case "otel.scope.name", "otel.library.name":
		return "JSON_VALUE(scope, '$.name') = " + c.Text(value)
	case "otel.scope.version", "otel.library.version":
		return "JSON_VALUE(scope, '$.version') = " + c.Text(value)
	case "error":
		return "(status = 'error' AND status_message = " + c.Text(value) + " OR " + traces.Tagged(c, key, value) + ")"
	}
	return traces.Tagged(c, key, value)
}
