package traces

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Operation is a name that spans of a service have.
type Operation struct {
	Name string
	Kind Kind
}

// Services returns the services that have spans in the range, sorted.
func (r *Reader) Services(ctx context.Context, in Range) ([]string, error) {
	return r.list(ctx, "service", Condition{}, in)
}

// list returns the different values of a text, sorted, at most as many as a list
// may have.
func (r *Reader) list(ctx context.Context, expression string, c Condition, in Range) ([]string, error) {
	var out clickhouse.Output
	texts := new(proto.ColStr)
	out.Add("CAST("+expression+", 'String')", texts)
	c = c.of(r.tenant, in)
	text := "SELECT " + out.Columns() + "\nFROM " + r.store.dialect.Table(tables.Spans) + "\nWHERE " + c.Where() +
		"\nGROUP BY " + expression + "\nORDER BY c0\nLIMIT " + strconv.Itoa(r.store.cfg.MaxNames)
	all := []string{}
	err := r.read(ctx, text, c.Parameters, &out, func() error {
		return texts.ForEach(func(_ int, value string) error {
			all = append(all, strings.Clone(value))
			return nil
		})
	})
	return all, err
}

// Operations returns what spans of a service are called, sorted by name and
// kind; an empty service is all of them.
func (r *Reader) Operations(ctx context.Context, service string, in Range) ([]Operation, error) {
	var out clickhouse.Output
	texts := new(proto.ColStr)
	var kinds proto.ColUInt8
	out.Add("CAST(name, 'String')", texts)
	out.Add("toUInt8(kind)", &kinds)
	var c Condition
	if service != "" {
		c.Add("service = " + c.Text(service))
	}
	c = c.of(r.tenant, in)
	text := "SELECT " + out.Columns() + "\nFROM " + r.store.dialect.Table(tables.Spans) + "\nWHERE " + c.Where() +
		"\nGROUP BY name, kind\nORDER BY c0, c1\nLIMIT " + strconv.Itoa(r.store.cfg.MaxNames)
	all := []Operation{}
	err := r.read(ctx, text, c.Parameters, &out, func() error {
		for i := range kinds {
			all = append(all, Operation{strings.Clone(texts.Row(i)), Kind(kinds[i])})
		}
		return nil
	})
	return all, err
}

// recent reads lists of the newest spans: it goes back in windows until enough
// spans were looked at. The statement has the columns c0, a text, and counts
// of spans, c1; the values come sorted.
func (r *Reader) recent(ctx context.Context, in Range, statement func(Range) (text string, c Condition)) ([]string, error) {
	seen := map[string]bool{}
	rows := r.Rows
	for w := firstWindow(in.Within()); w.open() && r.Rows-rows < uint64(r.store.cfg.NameSpans) && len(seen) < r.store.cfg.MaxNames; w = w.before() {
		texts := new(proto.ColStr)
		out := clickhouse.Output{Result: proto.Results{{Name: "c0", Data: texts}}}
		text, c := statement(w.Range)
		err := r.read(ctx, text, c.Parameters, &out, func() error {
			return texts.ForEach(func(_ int, value string) error {
				if !seen[value] && len(seen) < r.store.cfg.MaxNames {
					seen[strings.Clone(value)] = true
				}
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
	}
	all := make([]string, 0, len(seen))
	for value := range seen {
		all = append(all, value)
	}
	slices.Sort(all)
	return all, nil
}

// Values returns the different values that an expression has for the newest
// spans of a range which meet a condition, sorted, without the empty one.
func (r *Reader) Values(ctx context.Context, expression string, c Condition, in Range) ([]string, error) {
	return r.recent(ctx, in, func(w Range) (string, Condition) {
		bounded := c.of(r.tenant, w)
		return "SELECT CAST(" + expression + ", 'String') AS c0\nFROM " + r.store.dialect.Table(tables.Spans) + "\nWHERE " + bounded.Where() +
			"\nGROUP BY " + expression + "\nHAVING c0 != ''\nORDER BY c0\nLIMIT " + strconv.Itoa(r.store.cfg.MaxNames), bounded
	})
}

// Part is where an attribute is.
type Part uint8

// The parts of a span that have attributes.
const (
	OfSpan Part = iota
	OfResource
	OfScope
	OfEvent
	OfLink
)

// keys are the expressions for the keys of a span's attributes.
var keys = map[Part]string{
	OfSpan:     "arrayConcat(mapKeys(attributes), mapKeys(attribute_numbers))",
	OfResource: "JSONExtractKeys(resource, 'attributes')",
	OfScope:    "JSONExtractKeys(scope, 'attributes')",
	OfEvent:    "arrayFlatten(arrayMap(m -> mapKeys(m), `events.attributes`))",
	OfLink:     "arrayFlatten(arrayMap(m -> mapKeys(m), `links.attributes`))",
}

// Keys returns the keys of the attributes of the newest spans of a range, sorted.
func (r *Reader) Keys(ctx context.Context, part Part, in Range) ([]string, error) {
	return r.recent(ctx, in, func(w Range) (string, Condition) {
		bounded := (&Condition{}).of(r.tenant, w)
		from := "SELECT " + keys[part] + " AS k FROM " + r.store.dialect.Table(tables.Spans) + " WHERE " + bounded.Where()
		switch part {
		case OfResource:
			from = "SELECT " + keys[part] + " AS k FROM (SELECT resource FROM " + r.store.dialect.Table(tables.Spans) + " WHERE " + bounded.Where() + " GROUP BY resource)"
		case OfScope:
			from = "SELECT " + keys[part] + " AS k FROM (SELECT scope FROM " + r.store.dialect.Table(tables.Spans) + " WHERE " + bounded.Where() + " GROUP BY scope)"
		case OfSpan, OfEvent, OfLink:
		}
		return "SELECT CAST(arrayJoin(k), 'String') AS c0\nFROM (" + from + ")\nGROUP BY c0\nORDER BY c0\nLIMIT " + strconv.Itoa(r.store.cfg.MaxNames), bounded
	})
}
