package otlpjson

import (
	"strconv"
	"strings"
)

// kind is how a field's value is written in JSON and in protobuf.
type kind uint8

const (
	text     kind = iota // string
	hexID                // bytes, in hexadecimal: OTLP's exception to the protobuf mapping
	base64ed             // bytes
	boolean              // bool
	unsigned             // uint32, uint64
	signed               // int32, int64
	zigzag               // sint32
	fixed32              // fixed32
	fixed64              // fixed64
	sfixed64             // sfixed64
	double               // double
	enum                 // by number or by name
	embedded             // a message
)

// field is one field of a message.
type field struct {
	name   string
	number int
	kind   kind
	// list is set for a repeated field. A list of numbers is written packed.
	list bool
	// of is the message of an embedded field, names those of an enum.
	of    *message
	names map[string]int64
}

// message is what the transcoder knows of a protobuf message: field names, in
// lower camel case and as the schema spells them.
type message struct{ fields map[string]*field }

// The requests, with the field numbers of opentelemetry-proto v1.11.0.
var (
	logsRequest    = new(message)
	tracesRequest  = new(message)
	metricsRequest = new(message)
)

// The messages are constants that Go has no literal for, because some contain
// themselves; they are put together when the package is loaded and never change.
var _ = describe()

func describe() bool {
	anyValue, keyValue, arrayValue, keyValueList := new(message), new(message), new(message), new(message)
	anyValue.define(
		field{name: "stringValue", number: 1}, field{name: "boolValue", number: 2, kind: boolean},
		field{name: "intValue", number: 3, kind: signed}, field{name: "doubleValue", number: 4, kind: double},
		field{name: "arrayValue", number: 5, kind: embedded, of: arrayValue},
		field{name: "kvlistValue", number: 6, kind: embedded, of: keyValueList},
		field{name: "bytesValue", number: 7, kind: base64ed},
	)
	arrayValue.define(many("values", 1, anyValue))
	keyValueList.define(many("values", 1, keyValue))
	keyValue.define(field{name: "key", number: 1}, one("value", 2, anyValue))

	scope := define(field{name: "name", number: 1}, field{name: "version", number: 2}, many("attributes", 3, keyValue),
		field{name: "droppedAttributesCount", number: 4, kind: unsigned})
	resource := define(many("attributes", 1, keyValue), field{name: "droppedAttributesCount", number: 2, kind: unsigned})

	// wrap makes the request, which holds resources, which hold scopes, which
	// hold items.
	wrap := func(request *message, resources, scopes, items string, item *message) {
		perScope := define(one("scope", 1, scope), many(items, 2, item), field{name: "schemaUrl", number: 3})
		perResource := define(one("resource", 1, resource), many(scopes, 2, perScope), field{name: "schemaUrl", number: 3})
		request.define(many(resources, 1, perResource))
	}
	wrap(logsRequest, "resourceLogs", "scopeLogs", "logRecords", logRecord(anyValue, keyValue))
	wrap(tracesRequest, "resourceSpans", "scopeSpans", "spans", span(keyValue))
	wrap(metricsRequest, "resourceMetrics", "scopeMetrics", "metrics", metric(keyValue))
	return true
}

func logRecord(anyValue, keyValue *message) *message {
	return define(
		field{name: "timeUnixNano", number: 1, kind: fixed64}, field{name: "observedTimeUnixNano", number: 11, kind: fixed64},
		field{name: "severityNumber", number: 2, kind: enum, names: severities()}, field{name: "severityText", number: 3},
		one("body", 5, anyValue), many("attributes", 6, keyValue),
		field{name: "droppedAttributesCount", number: 7, kind: unsigned}, field{name: "flags", number: 8, kind: fixed32},
		field{name: "traceId", number: 9, kind: hexID}, field{name: "spanId", number: 10, kind: hexID},
		field{name: "eventName", number: 12},
	)
}

func severities() map[string]int64 {
	names := map[string]int64{"SEVERITY_NUMBER_UNSPECIFIED": 0}
	for i, level := range []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"} {
		names["SEVERITY_NUMBER_"+level] = int64(4*i + 1)
		for step := 2; step <= 4; step++ {
			names["SEVERITY_NUMBER_"+level+strconv.Itoa(step)] = int64(4*i + step)
		}
	}
	return names
}

func span(keyValue *message) *message {
	event := define(field{name: "timeUnixNano", number: 1, kind: fixed64}, field{name: "name", number: 2},
		many("attributes", 3, keyValue), field{name: "droppedAttributesCount", number: 4, kind: unsigned})
	link := define(field{name: "traceId", number: 1, kind: hexID}, field{name: "spanId", number: 2, kind: hexID},
		field{name: "traceState", number: 3}, many("attributes", 4, keyValue),
		field{name: "droppedAttributesCount", number: 5, kind: unsigned}, field{name: "flags", number: 6, kind: fixed32})
	status := define(field{name: "message", number: 2}, field{
		name: "code", number: 3, kind: enum,
		names: numbered("STATUS_CODE_", "UNSET", "OK", "ERROR"),
	})
	return define(
		field{name: "traceId", number: 1, kind: hexID}, field{name: "spanId", number: 2, kind: hexID},
		field{name: "traceState", number: 3}, field{name: "parentSpanId", number: 4, kind: hexID},
		field{name: "flags", number: 16, kind: fixed32}, field{name: "name", number: 5},
		field{
			name: "kind", number: 6, kind: enum,
			names: numbered("SPAN_KIND_", "UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"),
		},
		field{name: "startTimeUnixNano", number: 7, kind: fixed64}, field{name: "endTimeUnixNano", number: 8, kind: fixed64},
		many("attributes", 9, keyValue), field{name: "droppedAttributesCount", number: 10, kind: unsigned},
		many("events", 11, event), field{name: "droppedEventsCount", number: 12, kind: unsigned},
		many("links", 13, link), field{name: "droppedLinksCount", number: 14, kind: unsigned},
		one("status", 15, status),
	)
}

func metric(keyValue *message) *message {
	exemplar := define(many("filteredAttributes", 7, keyValue), field{name: "timeUnixNano", number: 2, kind: fixed64},
		field{name: "asDouble", number: 3, kind: double}, field{name: "asInt", number: 6, kind: sfixed64},
		field{name: "spanId", number: 4, kind: hexID}, field{name: "traceId", number: 5, kind: hexID})
	// Every point has a start and a time; the other fields differ in number.
	point := func(attributes, exemplars, flags int, rest ...field) *message {
		rest = append(rest, field{name: "startTimeUnixNano", number: 2, kind: fixed64},
			field{name: "timeUnixNano", number: 3, kind: fixed64},
			many("attributes", attributes, keyValue), field{name: "flags", number: flags, kind: unsigned})
		if exemplars != 0 {
			rest = append(rest, many("exemplars", exemplars, exemplar))
		}
		return define(rest...)
	}
	number := point(7, 5, 8, field{name: "asDouble", number: 4, kind: double}, field{name: "asInt", number: 6, kind: sfixed64})
	histogram := point(9, 8, 10, field{name: "count", number: 4, kind: fixed64}, field{name: "sum", number: 5, kind: double},
		field{name: "bucketCounts", number: 6, kind: fixed64, list: true},
		field{name: "explicitBounds", number: 7, kind: double, list: true},
		field{name: "min", number: 11, kind: double}, field{name: "max", number: 12, kind: double})
	buckets := define(field{name: "offset", number: 1, kind: zigzag},
		field{name: "bucketCounts", number: 2, kind: unsigned, list: true})
	exponential := point(1, 11, 10, field{name: "count", number: 4, kind: fixed64}, field{name: "sum", number: 5, kind: double},
		field{name: "scale", number: 6, kind: zigzag}, field{name: "zeroCount", number: 7, kind: fixed64},
		one("positive", 8, buckets), one("negative", 9, buckets),
		field{name: "min", number: 12, kind: double}, field{name: "max", number: 13, kind: double},
		field{name: "zeroThreshold", number: 14, kind: double})
	quantile := define(field{name: "quantile", number: 1, kind: double}, field{name: "value", number: 2, kind: double})
	summary := point(7, 0, 8, field{name: "count", number: 4, kind: fixed64}, field{name: "sum", number: 5, kind: double},
		many("quantileValues", 6, quantile))

	temporality := field{
		name: "aggregationTemporality", number: 2, kind: enum,
		names: numbered("AGGREGATION_TEMPORALITY_", "UNSPECIFIED", "DELTA", "CUMULATIVE"),
	}
	points := func(of *message, rest ...field) *message { return define(append(rest, many("dataPoints", 1, of))...) }
	return define(
		field{name: "name", number: 1}, field{name: "description", number: 2}, field{name: "unit", number: 3},
		many("metadata", 12, keyValue),
		one("gauge", 5, points(number)),
		one("sum", 7, points(number, temporality, field{name: "isMonotonic", number: 3, kind: boolean})),
		one("histogram", 9, points(histogram, temporality)),
		one("exponentialHistogram", 10, points(exponential, temporality)),
		one("summary", 11, points(summary)),
	)
}

func one(name string, number int, of *message) field {
	return field{name: name, number: number, kind: embedded, of: of}
}

func many(name string, number int, of *message) field {
	return field{name: name, number: number, kind: embedded, of: of, list: true}
}

func define(fields ...field) *message {
	m := new(message)
	m.define(fields...)
	return m
}

func (m *message) define(fields ...field) {
	m.fields = make(map[string]*field, 2*len(fields))
	for _, f := range fields {
		m.fields[f.name] = &f
		m.fields[snakeCase(f.name)] = &f
	}
}

func snakeCase(camel string) string {
	var b strings.Builder
	for _, r := range camel {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func numbered(prefix string, names ...string) map[string]int64 {
	m := make(map[string]int64, len(names))
	for i, name := range names {
		m[prefix+name] = int64(i)
	}
	return m
}
