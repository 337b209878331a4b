package tables

import "strings"

// Views returns the views in the layout of the ClickHouse exporter of
// OpenTelemetry Collector Contrib, for tools that know that layout. They show
// every tenant, as tools that know no tenants expect.
func Views() []View {
	return []View{
		otelLogs(), otelTraces(), otelTraceTimes(),
		otelMetrics("otel_metrics_gauge", "gauge points", Samples, "s.kind = 'gauge'", otelValue, nil),
		otelMetrics("otel_metrics_sum", "sum points", Samples, "s.kind = 'sum'", otelValue, otelSum),
		otelMetrics("otel_metrics_histogram", "histogram points", Histograms, "", otelHistogram, otelTemporality),
		otelMetrics("otel_metrics_exponential_histogram", "exponential histogram points", ExponentialHistograms, "", otelExponential, otelTemporality),
		otelMetrics("otel_metrics_summary", "summary points", Summaries, "", otelSummary, nil),
	}
}

// field is a column of a view and the expression that yields it.
type field struct{ name, kind, expression string }

const text = "String"

// view makes a view of fields.
func view(name, comment, from string, fields []field) View {
	v := View{Name: name, Comment: comment}
	var lines []string
	for _, f := range fields {
		v.Columns = append(v.Columns, Column{Name: f.name, Type: f.kind})
		lines = append(lines, "    "+f.expression+" AS "+Quote(f.name))
	}
	v.Select = "SELECT\n" + strings.Join(lines, ",\n") + "\n" + from
	return v
}

// hexOrEmpty prints an id as contrib does: nothing for an absent one.
func hexOrEmpty(column string) string {
	return "if(reinterpretAsUInt64(" + column + ") = 0, '', lower(hex(" + column + ")))"
}

// traceHexOrEmpty is hexOrEmpty for trace ids.
func traceHexOrEmpty(column string) string {
	return "if(" + column + " = toFixedString('', 16), '', lower(hex(" + column + ")))"
}

func otelLogs() View {
	return view("otel_logs", "log records", "FROM {{.Table \"logs\"}}", []field{
		{"Timestamp", timestamp, "time"},
		{"TimestampTime", "DateTime", "toDateTime(time)"},
		{"TraceId", text, traceHexOrEmpty("trace_id")},
		{"SpanId", text, hexOrEmpty("span_id")},
		{"TraceFlags", "UInt8", "toUInt8(bitAnd(flags, 255))"},
		{"SeverityText", lowCardinality, "severity_text"},
		{"SeverityNumber", "UInt8", "severity"},
		{"ServiceName", lowCardinality, "service"},
		{"Body", text, "body"},
		{"ResourceSchemaUrl", lowCardinality, "resource_schema_url"},
		{"ResourceAttributes", attributeMap, "resource_attributes"},
		{"ScopeSchemaUrl", lowCardinality, "scope_schema_url"},
		{"ScopeName", text, "CAST(scope_name, 'String')"},
		{"ScopeVersion", lowCardinality, "scope_version"},
		{"ScopeAttributes", attributeMap, "scope_attributes"},
		{"LogAttributes", attributeMap, "attributes"},
		{"EventName", text, "CAST(event_name, 'String')"},
	})
}

// spanAttributes joins the two maps of a span's attributes.
const spanAttributes = "mapConcat(attributes, mapApply((k, v) -> (k, toString(v)), attribute_numbers))"

func otelTraces() View {
	return view("otel_traces", "spans", "FROM {{.Table \"spans\"}}", []field{
		{"Timestamp", timestamp, "time"},
		{"TraceId", text, "lower(hex(trace_id))"},
		{"SpanId", text, "lower(hex(span_id))"},
		{"ParentSpanId", text, hexOrEmpty("parent_span_id")},
		{"TraceState", text, "CAST(trace_state, 'String')"},
		{"SpanName", lowCardinality, "name"},
		{"SpanKind", lowCardinality, "CAST(initcap(CAST(kind, 'String')), 'LowCardinality(String)')"},
		{"ServiceName", lowCardinality, "service"},
		{"ResourceAttributes", attributeMap, "resource_attributes"},
		{"ScopeName", text, "CAST(scope_name, 'String')"},
		{"ScopeVersion", text, "CAST(scope_version, 'String')"},
		{"SpanAttributes", attributeMap, "CAST(" + spanAttributes + ", '" + attributeMap + "')"},
		{"Duration", "UInt64", "toUInt64(greatest(duration_ns, 0))"},
		{"StatusCode", lowCardinality, "CAST(initcap(CAST(status, 'String')), 'LowCardinality(String)')"},
		{"StatusMessage", text, "CAST(status_message, 'String')"},
		{"Events.Timestamp", "Array(DateTime64(9))", "`events.time`"},
		{"Events.Name", "Array(LowCardinality(String))", "`events.name`"},
		{"Events.Attributes", "Array(Map(LowCardinality(String), String))", "`events.attributes`"},
		{"Links.TraceId", "Array(String)", "arrayMap(id -> lower(hex(id)), `links.trace_id`)"},
		{"Links.SpanId", "Array(String)", "arrayMap(id -> lower(hex(id)), `links.span_id`)"},
		{"Links.TraceState", "Array(String)", "CAST(`links.trace_state`, 'Array(String)')"},
		{"Links.Attributes", "Array(Map(LowCardinality(String), String))", "`links.attributes`"},
	})
}

func otelTraceTimes() View {
	return view("otel_traces_trace_id_ts", "when each trace began and ended",
		"FROM {{.Table \"spans\"}}\nGROUP BY trace_id", []field{
			{"TraceId", text, "lower(hex(trace_id))"},
			{"Start", "DateTime", "toDateTime(min(time))"},
			{"End", "DateTime", "toDateTime(max(time))"},
		})
}

var (
	otelValue = []field{
		{"Value", "Float64", "p.value"},
		{"Flags", "UInt32", "p.flags"},
	}
	otelTemporality = []field{
		{"AggregationTemporality", "Int32", "toInt32(s.temporality)"},
	}
	otelSum = []field{
		{"AggregationTemporality", "Int32", "toInt32(s.temporality)"},
		{"IsMonotonic", "Bool", "s.monotonic"},
	}
	otelHistogram = []field{
		{"Count", "UInt64", "p.count"},
		{"Sum", "Float64", "p.sum"},
		{"BucketCounts", "Array(UInt64)", "p.counts"},
		{"ExplicitBounds", "Array(Float64)", "p.bounds"},
		{"Flags", "UInt32", "p.flags"},
		{"Min", "Float64", "p.min"},
		{"Max", "Float64", "p.max"},
	}
	otelExponential = []field{
		{"Count", "UInt64", "p.count"},
		{"Sum", "Float64", "p.sum"},
		{"Scale", "Int32", "p.scale"},
		{"ZeroCount", "UInt64", "p.zero_count"},
		{"PositiveOffset", "Int32", "p.positive_offset"},
		{"PositiveBucketCounts", "Array(UInt64)", "p.positive_counts"},
		{"NegativeOffset", "Int32", "p.negative_offset"},
		{"NegativeBucketCounts", "Array(UInt64)", "p.negative_counts"},
		{"Flags", "UInt32", "p.flags"},
		{"Min", "Float64", "p.min"},
		{"Max", "Float64", "p.max"},
	}
	otelSummary = []field{
		{"Count", "UInt64", "p.count"},
		{"Sum", "Float64", "p.sum"},
		{"ValueAtQuantiles.Quantile", "Array(Float64)", "p.quantiles"},
		{"ValueAtQuantiles.Value", "Array(Float64)", "p.`values`"},
		{"Flags", "UInt32", "p.flags"},
	}
	// otelExemplars are empty: exemplars have their own table, and a join with
	// it would be paid for by every query.
	otelExemplars = []field{
		{"Exemplars.FilteredAttributes", "Array(Map(LowCardinality(String), String))", "CAST([], 'Array(Map(LowCardinality(String), String))')"},
		{"Exemplars.TimeUnix", "Array(DateTime64(9))", "CAST([], 'Array(DateTime64(9))')"},
		{"Exemplars.Value", "Array(Float64)", "CAST([], 'Array(Float64)')"},
		{"Exemplars.SpanId", "Array(String)", "CAST([], 'Array(String)')"},
		{"Exemplars.TraceId", "Array(String)", "CAST([], 'Array(String)')"},
	}
)

// otelMetrics joins points of one shape with their series.
func otelMetrics(name, comment, table, where string, shape, end []field) View {
	fields := []field{
		{"ResourceAttributes", attributeMap, "s.resource_attributes"},
		{"ResourceSchemaUrl", text, "CAST(s.resource_schema_url, 'String')"},
		{"ScopeName", text, "CAST(s.scope_name, 'String')"},
		{"ScopeVersion", text, "CAST(s.scope_version, 'String')"},
		{"ScopeAttributes", attributeMap, "s.scope_attributes"},
		{"ScopeDroppedAttrCount", "UInt32", "s.scope_dropped_attributes"},
		{"ScopeSchemaUrl", text, "CAST(s.scope_schema_url, 'String')"},
		{"ServiceName", lowCardinality, "s.service"},
		{"MetricName", lowCardinality, "p.metric"},
		{"MetricDescription", text, "CAST(s.description, 'String')"},
		{"MetricUnit", text, "CAST(s.unit, 'String')"},
		{"Attributes", attributeMap, "s.attributes"},
		{"StartTimeUnix", timestamp, "p.start_time"},
		{"TimeUnix", timestamp, "p.time"},
	}
	fields = append(fields, shape...)
	if table != Summaries {
		fields = append(fields, otelExemplars...)
	}
	fields = append(fields, end...)
	from := "FROM {{.Table \"" + table + "\"}} AS p\nANY LEFT JOIN\n(\n" +
		"    SELECT tenant, metric, fingerprint, toDate(day) AS day, service, kind, temporality, monotonic, unit, description, attributes,\n" +
		"        resource_attributes, resource_schema_url, scope_name, scope_version, scope_attributes, scope_dropped_attributes, scope_schema_url\n" +
		"    FROM {{.Table \"series\"}}\n) AS s\n" +
		"ON p.tenant = s.tenant AND p.metric = s.metric AND p.fingerprint = s.fingerprint AND toDate(p.time, 'UTC') = s.day"
	if where != "" {
		from += "\nWHERE " + where
	}
	return view(name, comment, from, fields)
}
