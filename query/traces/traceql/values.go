package traceql

import (
	"github.com/goshawk-observability/goshawk/query/traces"
)

// List is where values of an attribute come from.
type List struct {
	// Type is string, keyword, number or duration.
	Type string
	// Expression is what the values are of spans; empty where they are Fixed.
	Expression string
	Fixed      []string
}

// Values says where the values come from of an attribute or an intrinsic, which is
// written as in a query. The condition is for what the expressions bind.
func Values(name string, c *traces.Condition) ([]List, error) {
	tokens, err := lex(name)
	if err != nil {
		return nil, err
	}
	p := &parser{in: name, tokens: tokens}
	at := p.peek()
	f, err := p.operand()
	if err != nil {
		return nil, err
	}
	r, ok := f.(*reference)
	if t := p.peek(); !ok || t.kind != end {
		return nil, p.fail(at, "want an attribute or an intrinsic")
	}
	if r.intrinsic != noIntrinsic {
		return r.intrinsicValues(), nil
	}
	k := c.Text(r.key)
	span := []List{
		{Type: "string", Expression: "attributes[" + k + "]"},
		{Type: "number", Expression: "if(mapContains(attribute_numbers, " + k + "), toString(attribute_numbers[" + k + "]), '')"},
	}
	var resource []List
	if expression, ok := c.ResourceAttribute(r.key); r.key == serviceName {
		resource = []List{{Type: "string", Expression: "service"}}
	} else if ok {
		is := "JSONType(resource, 'attributes', " + k + ")"
		resource = []List{
			{Type: "number", Expression: "if(" + is + " IN ('Int64', 'UInt64', 'Double'), " + expression + ", '')"},
			{Type: "string", Expression: "if(" + is + " IN ('Int64', 'UInt64', 'Double'), '', " + expression + ")"},
		}
	}
	switch r.scope {
	case "span":
		return span, nil
	case "resource":
		return resource, nil
	case "":
		if r.key == serviceName {
			return resource, nil
		}
		return append(span, resource...), nil
	case "event":
		return []List{{Type: "string", Expression: "arrayJoin(arrayMap(m -> m[" + k + "], `events.attributes`))"}}, nil
	case "link":
		return []List{{Type: "string", Expression: "arrayJoin(arrayMap(m -> m[" + k + "], `links.attributes`))"}}, nil
	case "instrumentation":
		if expression, ok := c.ScopeAttribute(r.key); ok {
			return []List{{Type: "string", Expression: expression}}, nil
		}
		return nil, nil
	}
	return nil, p.fail(at, "the values of %s cannot be listed", at.shown())
}

func (r *reference) intrinsicValues() []List {
	list := func(expression string) []List { return []List{{Type: "string", Expression: expression}} }
	switch r.intrinsic {
	case byName:
		return list("name")
	case byStatusMessage:
		return list("status_message")
	case byStatus:
		return []List{{Type: "keyword", Fixed: []string{"error", "ok", "unset"}}}
	case byKind:
		return []List{{Type: "keyword", Fixed: []string{"client", "consumer", "internal", "producer", "server", "unspecified"}}}
	case byRootName:
		return list("if(" + traces.IsRoot + ", name, '')")
	case byRootService:
		return list("if(" + traces.IsRoot + ", service, '')")
	case byScopeName:
		return list("JSON_VALUE(scope, '$.name')")
	case byScopeVersion:
		return list("JSON_VALUE(scope, '$.version')")
	case byEventName:
		return list("arrayJoin(`events.name`)")
	default:
		return nil // of numbers and ids there are too many to be a list
	}
}

// Narrow adds to a condition what a query says of single spans, where it is a
// filter and nothing more.
func (q *Query) Narrow(c *traces.Condition) {
	if len(q.pipeline.stages) != 1 {
		return
	}
	f, ok := q.pipeline.stages[0].(*filter)
	if !ok || f.expression == nil {
		return
	}
	p := planner{c: *c}
	if leaf := p.leaf(f.expression); leaf != "" {
		p.c.Add("(" + leaf + ")")
	}
	*c = p.c
}
