package tempo

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/query/traces/traceql"
)

// intrinsics are what a span has beside attributes, as Tempo lists it.
var intrinsics = []string{
	"duration", "event:name", "instrumentation:name", "instrumentation:version", "kind", "name", "rootName", "rootServiceName",
	"span:duration", "span:kind", "span:name", "span:status", "span:statusMessage", "status", "statusMessage",
	"trace:duration", "trace:rootName", "trace:rootService", "traceDuration",
}

// scoped are the parts of a span with attributes, as Tempo calls them.
var scoped = []struct {
	name string
	part traces.Part
}{
	{"resource", traces.OfResource},
	{"span", traces.OfSpan},
	{"event", traces.OfEvent},
	{"link", traces.OfLink},
	{"instrumentation", traces.OfScope},
}

type scope struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

// tags lists the keys of attributes.
func (q *query) tags(ctx context.Context, second bool) (traces.Answer, error) {
	in := q.in()
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	wanted := q.Get("scope")
	var all []scope
	for _, s := range scoped {
		if wanted != "" && wanted != s.name || !second && s.part != traces.OfResource && s.part != traces.OfSpan {
			continue
		}
		keys, err := q.Keys(ctx, s.part, in)
		if err != nil {
			return traces.Answer{}, err
		}
		if s.part == traces.OfResource && len(keys) > 0 || len(keys) > 0 || wanted == s.name {
			all = append(all, scope{s.name, keys})
		}
	}
	if wanted == "" && second || wanted == "intrinsic" {
		all = append(all, scope{"intrinsic", intrinsics})
	}
	if wanted != "" && len(all) == 0 {
		return traces.Answer{}, store.Invalid("scope: %q is none of resource, span, event, link, instrumentation, intrinsic", wanted)
	}
	if second {
		if all == nil {
			all = []scope{}
		}
		return answer(map[string]any{"scopes": all})
	}
	names := []string{}
	for _, s := range all {
		names = append(names, s.Tags...)
	}
	names = append(names, "name", "status", "kind")
	slices.Sort(names)
	return answer(map[string]any{"tagNames": slices.Compact(names)})
}

// tagValue is a value of an attribute with its type.
type tagValue struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// values lists the values of an attribute or intrinsic: by TraceQL's names in the
// second version, by keys in the first.
func (q *query) values(ctx context.Context, tag string, second bool) (traces.Answer, error) {
	in := q.in()
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	if !second && tag != "name" && tag != "status" && tag != "kind" && !strings.HasPrefix(tag, ".") {
		tag = "." + quotedKey(tag)
	}
	var c traces.Condition
	list, err := traceql.Values(tag, &c)
	if err != nil {
		return traces.Answer{}, store.Invalid("the tag cannot be read: %v", err)
	}
	// What is typed so far need not be a query yet.
	if filter := q.Get("q"); filter != "" {
		if parsed, err := traceql.Parse(filter); err == nil {
			parsed.Narrow(&c)
		} else if !faulty(err) {
			return traces.Answer{}, err
		}
	}
	all := []tagValue{}
	for _, l := range list {
		found := l.Fixed
		if l.Expression != "" {
			if found, err = q.Values(ctx, l.Expression, c, in); err != nil {
				return traces.Answer{}, err
			}
		}
		for _, value := range found {
			all = append(all, tagValue{typeOf(l.Type, value), value})
		}
	}
	if second {
		return answer(map[string]any{"tagValues": distinct(all)})
	}
	names := []string{}
	for _, v := range all {
		names = append(names, v.Value)
	}
	slices.Sort(names)
	return answer(map[string]any{"tagValues": slices.Compact(names)})
}

func distinct(all []tagValue) []tagValue {
	seen := map[tagValue]bool{}
	return slices.DeleteFunc(all, func(v tagValue) bool {
		known := seen[v]
		seen[v] = true
		return known
	})
}

// typeOf tells integers from other numbers.
func typeOf(kind, value string) string {
	if kind != "number" {
		return kind
	}
	if _, err := strconv.ParseInt(value, 10, 64); err == nil {
		return "int"
	}
	return "float"
}

// quotedKey puts a key in quotes where TraceQL needs it.
func quotedKey(key string) string {
	if strings.ContainsAny(key, " \t\n{}()=~!<>&|^,`\"") {
		return strconv.Quote(key)
	}
	return key
}
