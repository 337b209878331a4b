package traces

import (
	"math"
	"strconv"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// Trace is the spans of one trace that were read, by start.
type Trace struct {
	ID    telemetry.TraceID
	Spans []Span
	// Cut is set where the trace has spans that were not read because a limit was
	// reached.
	Cut bool
}

// Span is a row of the table spans. The columns that were not asked for are zero.
type Span struct {
	ID, Parent telemetry.SpanID
	// Start is in Unix nanoseconds, Duration in nanoseconds, negative where the
	// sender's clock ran backwards.
	Start, Duration int64
	Service, Name   string
	Kind            Kind
	Status          Status
	StatusMessage   string
	// Attrs are those that are texts, then those that are numbers.
	Attrs    []Attr
	Resource *Resource
	Scope    *Scope
	Events   []Event
	Links    []Link

	TraceState                                string
	Flags                                     uint32
	DroppedAttrs, DroppedEvents, DroppedLinks uint32
}

// End is when the span ended, in Unix nanoseconds; never before its start.
func (s *Span) End() int64 { return s.Start + max(s.Duration, 0) }

// Root reports whether the span has no parent.
func (s *Span) Root() bool { return s.Parent.IsZero() }

// Attr is one attribute.
type Attr struct {
	Key   string
	Value Value
}

// Value is the value of an attribute as far as the tables keep its type: of a
// span they know numbers from texts, of a resource and a scope bools as well.
// Text is what a text holds; of lists and maps it is their JSON, of bytes base64.
type Value struct {
	Type   ValueType
	Text   string
	Number float64
}

// ValueType says which of the fields of a [Value] counts.
type ValueType uint8

// The types of values. A bool is a number that is 0 or 1.
const (
	TextValue ValueType = iota
	NumberValue
	BoolValue
)

// Text returns a value that is a text.
func Text(text string) Value { return Value{Text: text} }

// Number returns a value that is a number.
func Number(f float64) Value { return Value{Type: NumberValue, Number: f} }

// Bool returns a value that is a bool.
func Bool(b bool) Value {
	if b {
		return Value{Type: BoolValue, Number: 1}
	}
	return Value{Type: BoolValue}
}

// Int returns the value as an integer, and whether it is one.
func (v *Value) Int() (int64, bool) {
	const limit = 1 << 53
	if v.Type != NumberValue || math.Abs(v.Number) > limit || v.Number != math.Trunc(v.Number) {
		return 0, false
	}
	return int64(v.Number), true
}

// String returns the value as text.
func (v *Value) String() string {
	switch v.Type {
	case NumberValue:
		if i, ok := v.Int(); ok {
			return strconv.FormatInt(i, 10)
		}
		return strconv.FormatFloat(v.Number, 'g', -1, 64)
	case BoolValue:
		return strconv.FormatBool(v.Number != 0)
	case TextValue:
	}
	return v.Text
}

// Resource is what a span says of its process. Resources that were read
// together and are the same are one.
type Resource struct {
	Attrs        []Attr
	SchemaURL    string
	DroppedAttrs uint32
}

// Scope is the instrumentation scope of a span.
type Scope struct {
	Name, Version, SchemaURL string
	Attrs                    []Attr
	DroppedAttrs             uint32
}

// Event is an event of a span. The tables keep its attributes as texts.
type Event struct {
	Time         int64 // Unix nanoseconds
	Name         string
	Attrs        []Attr
	DroppedAttrs uint32
}

// Link is a link of a span to another. The tables keep its attributes as texts.
type Link struct {
	Trace        telemetry.TraceID
	Span         telemetry.SpanID
	TraceState   string
	Attrs        []Attr
	Flags        uint32
	DroppedAttrs uint32
}

// Kind is the role of a span, with the numbers of OTLP.
type Kind uint8

// The kinds.
const (
	KindUnspecified Kind = iota
	KindInternal
	KindServer
	KindClient
	KindProducer
	KindConsumer
)

var kinds = [...]string{"unspecified", "internal", "server", "client", "producer", "consumer"}

// String returns the word for the kind, as in the table.
func (k Kind) String() string { return kinds[min(int(k), len(kinds)-1)] }

// KindOf returns the kind that a word stands for.
func KindOf(word string) (Kind, bool) {
	for i, known := range kinds {
		if word == known {
			return Kind(i), true
		}
	}
	return 0, false
}

// Status is the outcome of a span, with the numbers of OTLP.
type Status uint8

// The statuses.
const (
	StatusUnset Status = iota
	StatusOK
	StatusError
)

var statuses = [...]string{"unset", "ok", "error"}

// String returns the word for the status, as in the table.
func (s Status) String() string { return statuses[min(int(s), len(statuses)-1)] }

// StatusOf returns the status that a word stands for.
func StatusOf(word string) (Status, bool) {
	for i, known := range statuses {
		if word == known {
			return Status(i), true
		}
	}
	return 0, false
}

// Find returns the value of an attribute.
func Find(attrs []Attr, key string) (Value, bool) {
	for i := range attrs {
		if attrs[i].Key == key {
			return attrs[i].Value, true
		}
	}
	return Value{}, false
}

// FindText returns the text of an attribute, empty where it is not there.
func FindText(attrs []Attr, key string) string {
	v, ok := Find(attrs, key)
	if !ok {
		return ""
	}
	return v.String()
}
