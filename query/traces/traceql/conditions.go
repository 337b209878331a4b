package traceql

import (
	"strings"

	"github.com/goshawk-observability/goshawk/query/traces"
)

// compare is the condition for a comparison of an attribute or intrinsic with a
// constant; empty where none is known. O is the comparison, for its pattern.
func (p *planner) compare(r *reference, op string, l *literal, o *operation) string {
	if r.intrinsic != noIntrinsic {
		return p.intrinsic(r, op, l, o)
	}
	switch r.scope {
	case "span":
		return p.ofSpan(r.key, op, l, o)
	case "resource":
		return p.ofResource(r.key, op, l, o)
	case "instrumentation":
		return p.ofDocument("scope", r.key, op, l, o)
	case "event":
		return p.ofList("events.attributes", r.key, op, l, o)
	case "link":
		return p.ofList("links.attributes", r.key, op, l, o)
	case "":
		span, resource := p.ofSpan(r.key, op, l, o), p.ofResource(r.key, op, l, o)
		if span == "" || resource == "" || absent(op, l) {
			return ""
		}
		return "(" + span + " OR " + resource + ")"
	}
	return "" // of a parent
}

// absent reports whether the comparison holds where there is no value.
func absent(op string, l *literal) bool { return l.value.kind == nothing && op == "=" }

// text is the condition for a comparison of an expression that is a text. Where
// the text is there is said by present: empty where it always is.
func (p *planner) text(op, expression, present string, o *operation, l *literal) string {
	switch l.value.kind {
	case texts:
	case nothing:
		return "" // what is always there is not nil
	default:
		return "0"
	}
	var term string
	var empty bool // whether it holds of what is not there, which reads as empty
	switch op {
	case "=~", "!~":
		term = "match(" + expression + ", " + p.c.Text(o.source) + ")"
		empty = o.pattern.MatchString("")
		if op == "!~" {
			term, empty = "NOT "+term, !empty
		}
	default:
		term = expression + " " + op + " " + p.c.Text(l.value.text)
		empty = compare(op, value{kind: texts}, l.value)
	}
	if empty && present != "" {
		return "(" + present + " AND " + term + ")"
	}
	return term
}

// number is the condition for a comparison of an expression that is a number.
func (p *planner) number(op, expression, present string, l *literal) string {
	term := expression + " " + op + " " + p.c.Number(l.value.n)
	if present != "" && compare(op, value{kind: numbers}, l.value) {
		return "(" + present + " AND " + term + ")"
	}
	return term
}

// bool is the condition for a comparison of an expression that is the text of a bool.
func (p *planner) bool(op, expression string, l *literal) string {
	word, other := "true", "false"
	if l.value.n == 0 {
		word, other = other, word
	}
	if op == "!=" {
		word = other
	}
	return expression + " = '" + word + "'"
}

func (p *planner) ofSpan(key, op string, l *literal, o *operation) string {
	k := p.c.Text(key)
	hasText, hasNumber := "mapContains(attributes, "+k+")", "mapContains(attribute_numbers, "+k+")"
	switch l.value.kind {
	case nothing:
		if op == "=" {
			return "NOT " + hasText + " AND NOT " + hasNumber
		}
		return "(" + hasText + " OR " + hasNumber + ")"
	case texts:
		return p.text(op, "attributes["+k+"]", hasText, o, l)
	case numbers, durations:
		return p.number(op, "attribute_numbers["+k+"]", hasNumber, l)
	case truths:
		return p.bool(op, "attributes["+k+"]", l)
	case statuses, kinds, anything:
	}
	return "0"
}

func (p *planner) ofResource(key, op string, l *literal, o *operation) string {
	if key != serviceName {
		return p.ofDocument("resource", key, op, l, o)
	}
	switch l.value.kind {
	case nothing:
		if op == "=" {
			return "service = ''"
		}
		return "service != ''"
	case texts:
		return p.text(op, "service", "service != ''", o, l)
	case numbers, durations, truths, statuses, kinds, anything:
	}
	return "" // a name that is no text is possible, and rare
}

// ofDocument is the condition on an attribute in the JSON of a column.
func (p *planner) ofDocument(column, key, op string, l *literal, o *operation) string {
	expression, ok := p.c.ResourceAttribute(key)
	if column == "scope" {
		expression, ok = p.c.ScopeAttribute(key)
	}
	if !ok {
		return ""
	}
	k := p.c.Text(key)
	has := "JSONHas(" + column + ", 'attributes', " + k + ")"
	switch l.value.kind {
	case nothing:
		if op == "=" {
			return "NOT " + has
		}
		return has
	case texts:
		// A list or a map is a text here, and nothing to the expression.
		return "(" + p.text(op, expression, has, o, l) + " OR JSONType(" + column + ", 'attributes', " + k + ") IN ('Array', 'Object'))"
	case numbers, durations:
		return p.number(op, "ifNull(toFloat64OrNull("+expression+"), nan)", "", l)
	case truths:
		return p.bool(op, expression, l)
	case statuses, kinds, anything:
	}
	return "0"
}

// ofList is the condition that one of the maps of a column has an attribute.
func (p *planner) ofList(column, key, op string, l *literal, o *operation) string {
	k := p.c.Text(key)
	term := ""
	switch l.value.kind {
	case nothing:
		if op == "=" {
			return ""
		}
		term = "mapContains(m, " + k + ")"
	case texts:
		term = p.text(op, "m["+k+"]", "mapContains(m, "+k+")", o, l)
	case numbers, durations:
		term = p.number(op, "ifNull(toFloat64OrNull(m["+k+"]), nan)", "", l)
	case truths:
		term = p.bool(op, "m["+k+"]", l)
	case statuses, kinds, anything:
		return "0"
	}
	return "arrayExists(m -> " + term + ", `" + column + "`)"
}

func (p *planner) intrinsic(r *reference, op string, l *literal, o *operation) string {
	switch r.intrinsic {
	case byDuration:
		if l.value.kind == numbers || l.value.kind == durations {
			return p.number(op, "duration_ns", "", l)
		}
	case byName:
		return p.text(op, "name", "", o, l)
	case byStatusMessage:
		return p.text(op, "status_message", "", o, l)
	case byStatus:
		if l.value.kind == statuses {
			return "status " + op + " '" + traces.Status(l.value.n).String() + "'"
		}
	case byKind:
		if l.value.kind == kinds {
			return "kind " + op + " '" + traces.Kind(l.value.n).String() + "'"
		}
	case byParent, byParentID:
		if l.value.kind == nothing {
			return map[string]string{"=": traces.IsRoot, "!=": "NOT (" + traces.IsRoot + ")"}[op]
		}
		return p.id(op, "parent_span_id", 16, l)
	case bySpanID:
		return p.id(op, "span_id", 16, l)
	case byTraceID:
		return p.id(op, "trace_id", 32, l)
	case byNestedParent:
		if l.value.n == 0 && op == "<" || l.value.n == -1 && (op == "=" || op == "<=") {
			return traces.IsRoot
		}
	case byEventName:
		if l.value.kind == texts {
			return "arrayExists(n -> " + p.text(op, "n", "", o, l) + ", `events.name`)"
		}
	case byScopeName:
		return p.text(op, "JSON_VALUE(scope, '$.name')", "", o, l)
	case byScopeVersion:
		return p.text(op, "JSON_VALUE(scope, '$.version')", "", o, l)
	case noIntrinsic, byChildCount, byRootName, byRootService, byTraceDuration, byNestedLeft, byNestedRight, byEventTime, byLinkTrace, byLinkSpan:
	}
	return ""
}

// id is the condition that a column is an id.
func (p *planner) id(op, column string, digits int, l *literal) string {
	if op != "=" || l.value.kind != texts {
		return ""
	}
	// As the id is written in answers; nothing else is equal to it.
	if len(l.value.text) != digits || strings.Trim(l.value.text, "0123456789abcdef") != "" {
		return "0"
	}
	return column + " = unhex(" + p.c.Text(l.value.text) + ")"
}
