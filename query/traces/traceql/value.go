package traceql

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/query/traces"
)

// valueKind is the type of a value.
type valueKind uint8

const (
	nothing valueKind = iota
	texts
	numbers
	durations // nanoseconds
	truths
	statuses
	kinds
	anything // of expressions whose type only the spans tell
)

var kindNames = [...]string{"nil", "a text", "a number", "a duration", "true or false", "a status", "a kind", "an attribute"}

func (k valueKind) String() string { return kindNames[k] }

// value is what an expression is for a span or a set.
type value struct {
	kind valueKind
	text string
	n    float64
	// loose values may be of another type than the tables say: attributes of
	// events and links are all kept as texts.
	loose bool
}

func truth(b bool) value {
	if b {
		return value{kind: truths, n: 1}
	}
	return value{kind: truths}
}

func (v value) holds() bool {
	return v.kind == truths && v.n != 0 || v.kind == texts && v.text == "true"
}

// of converts a value of an attribute.
func of(v traces.Value) value {
	switch v.Type {
	case traces.NumberValue:
		return value{kind: numbers, n: v.Number}
	case traces.BoolValue:
		return value{kind: truths, n: v.Number}
	case traces.TextValue:
	}
	return value{kind: texts, text: v.Text}
}

// shown is the value as an answer has it.
func (v value) shown() traces.Value {
	switch v.kind {
	case numbers:
		return traces.Number(v.n)
	case durations:
		return traces.Text(time.Duration(v.n).String())
	case truths:
		return traces.Bool(v.n != 0)
	case statuses:
		return traces.Text(traces.Status(v.n).String())
	case kinds:
		return traces.Text(traces.Kind(v.n).String())
	case nothing:
		return traces.Text("nil")
	case texts, anything:
	}
	return traces.Text(v.text)
}

// numeric reports whether the value is a number of some kind.
func (v value) numeric() bool { return v.kind == numbers || v.kind == durations }

// alike gives two values the same kind where they can be compared.
func alike(a, b value) (value, value, bool) {
	if a.kind == b.kind || a.numeric() && b.numeric() {
		return a, b, true
	}
	if b.kind == texts {
		b, a, ok := alike(b, a)
		return a, b, ok
	}
	if a.kind != texts {
		return a, b, false
	}
	switch {
	case b.kind == truths && (a.text == "true" || a.text == "false"):
		// The tables keep a bool as that text.
		return truth(a.text == "true"), b, true
	case b.numeric() && a.loose:
		f, err := strconv.ParseFloat(a.text, 64)
		return value{kind: numbers, n: f}, b, err == nil
	}
	return a, b, false
}

// compare evaluates a comparison. What is missing compares with nothing.
func compare(op string, a, b value) bool {
	a, b, ok := alike(a, b)
	if !ok || a.kind == nothing {
		return false
	}
	order := 0
	if a.kind == texts {
		order = strings.Compare(a.text, b.text)
	} else {
		switch {
		case math.IsNaN(a.n) || math.IsNaN(b.n):
			return op == "!="
		case a.n < b.n:
			order = -1
		case a.n > b.n:
			order = 1
		}
	}
	switch op {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// calculate evaluates arithmetic; nothing where an operand is no number.
func calculate(op string, a, b value) value {
	if !a.numeric() || !b.numeric() {
		return value{}
	}
	out := value{kind: numbers}
	if a.kind == durations || b.kind == durations {
		out.kind = durations
	}
	switch op {
	case "+":
		out.n = a.n + b.n
	case "-":
		out.n = a.n - b.n
	case "*":
		out.n = a.n * b.n
	case "/":
		out.n = a.n / b.n
		if b.kind == durations {
			out.kind = numbers
		}
	case "%":
		out.n = math.Mod(a.n, b.n)
	case "^":
		out.n = math.Pow(a.n, b.n)
	}
	return out
}
