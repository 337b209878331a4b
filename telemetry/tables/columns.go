package tables

import (
	"slices"
	"strings"
)

// Types and codecs that several tables share.
const (
	lowCardinality = "LowCardinality(String)"
	timestamp      = "DateTime64(9)"
	attributeMap   = "Map(LowCardinality(String), String)"
	numberMap      = "Map(LowCardinality(String), Float64)"

	zstd      = "ZSTD(1)"
	zstdMore  = "ZSTD(3)" // some percent less than ZSTD(1), at nearly the same cost where merges write
	deltaZSTD = "Delta(8), ZSTD(1)"
)

// The order and partitioning of events, which bounded scans rely on.
const (
	partitionByTime = "(retention_days, toDate(time, 'UTC'))"
	ttlByTime       = "toDateTime(time) + toIntervalDay(retention_days)"
	// recompressFrom is when merges may recompress a part: at once, even where the
	// sender's clock is ahead.
	recompressFrom = "bucket - toIntervalDay(1)"
)

// deduplicationWindow is how many of its last inserts a table recognises when
// they are repeated. It covers hours of inserts of every worker together.
const deduplicationWindow = 10000

// eventSettings are the settings of tables of events.
var eventSettings = []Setting{
	{"ttl_only_drop_parts", "1"},
	// ClickHouse lowers this base as parts become more, so that merges are of some
	// seventeen. With the default, 5, rows are merged twice as often; queries see more
	// parts.
	{"merge_selector_base", "20"},
	// Up to this size a part is one file and not one for each column, which
	// costs an insert a fifth less.
	{"min_bytes_for_wide_part", "134217728"},
}

// pointSettings are the settings of tables of metric points, whose rows are
// narrow: two parts that are merged alternate every few rows, and going column
// by column then costs a merge a third less. It needs parts with a file for each
// column, so only what an insert makes is one file.
var pointSettings = with(eventSettings,
	Setting{"min_bytes_for_wide_part", "10485760"}, Setting{"vertical_merge_algorithm_min_columns_to_activate", "1"})

// with returns settings with others among them, which replace those of their names.
func with(settings []Setting, others ...Setting) []Setting {
	all := slices.Clone(settings)
	for _, o := range others {
		if i := slices.IndexFunc(all, func(s Setting) bool { return s.Name == o.Name }); i >= 0 {
			all[i] = o
		} else {
			all = append(all, o)
		}
	}
	return all
}

var (
	tenant = Column{Name: "tenant", Type: lowCardinality, Codec: zstd, Comment: "owner of the row; leads every key"}
	bucket = Column{
		Name: "bucket", Type: "DateTime", Codec: "Delta(4), ZSTD(1)",
		Comment: "time rounded down to 30 minutes, UTC; bound it in every query that bounds time",
	}
	service   = Column{Name: "service", Type: lowCardinality, Codec: zstd, Comment: "resource attribute service.name"}
	retention = Column{
		Name: "retention_days", Type: "UInt16", Codec: zstd,
		Comment: "days after which the row expires, counted from its time",
	}
	severityClass = Column{
		Name: "severity_class", Type: "Enum8('unspecified' = 0, 'trace' = 1, 'debug' = 2, 'info' = 3, 'warn' = 4, 'error' = 5, 'fatal' = 6)",
		Codec: zstd, Comment: "severity in words",
	}
	traceID = Column{Name: "trace_id", Type: "FixedString(16)", Codec: zstd, Comment: "trace id in binary, zeros if there is none; hex(trace_id) prints it"}
	spanID  = Column{Name: "span_id", Type: "FixedString(8)", Codec: zstd, Comment: "span id in binary, zeros if there is none; hex(span_id) prints it"}
	metric  = Column{Name: "metric", Type: lowCardinality, Codec: zstd, Comment: "metric name as the sender gave it"}

	fingerprint = Column{
		Name: "fingerprint", Type: "UInt64", Codec: zstd,
		Comment: "identity of the series: hash of tenant, metric, resource, scope and attributes; see table series",
	}
	pointTime  = Column{Name: "time", Type: timestamp, Codec: deltaZSTD, Comment: "time of the point"}
	pointStart = Column{Name: "start_time", Type: timestamp, Codec: deltaZSTD, Comment: "since when a sum or histogram counts, 1970-01-01 if the sender did not say"}
	pointFlags = Column{Name: "flags", Type: "UInt32", Codec: zstd, Comment: "OTLP data point flags; 1 = no recorded value (the series went stale)"}
)

// resource and scope are documents of low cardinality: a part has few different
// ones, so each costs a row next to nothing. Functions of one text, as JSON_VALUE
// is, run once per different document; those that make a map run once per row.
var (
	resource = Column{
		Name: "resource", Type: lowCardinality, Codec: zstd,
		Comment: "the resource as JSON: attributes, schema_url, dropped_attributes_count",
	}
	resourceAttributes = Column{
		Name: "resource_attributes", Type: attributeMap,
		Alias:   "JSONExtract(resource, 'attributes', 'Map(LowCardinality(String), String)')",
		Comment: "attributes of the resource",
	}
	resourceSchemaURL = Column{
		Name: "resource_schema_url", Type: lowCardinality,
		Alias: "JSON_VALUE(resource, '$.schema_url')", Comment: "schema of the resource's attributes",
	}
	resourceDropped = Column{
		Name: "resource_dropped_attributes", Type: "UInt32",
		Alias: "toUInt32OrZero(JSON_VALUE(resource, '$.dropped_attributes_count'))", Comment: "attributes of the resource that the sender dropped",
	}
	scope = Column{
		Name: "scope", Type: lowCardinality, Codec: zstd,
		Comment: "the instrumentation scope as JSON: name, version, attributes, schema_url, dropped_attributes_count",
	}
	scopeName = Column{
		Name: "scope_name", Type: lowCardinality,
		Alias: "JSON_VALUE(scope, '$.name')", Comment: "name of the instrumentation scope",
	}
	scopeVersion = Column{
		Name: "scope_version", Type: lowCardinality,
		Alias: "JSON_VALUE(scope, '$.version')", Comment: "version of the instrumentation scope",
	}
	scopeAttributes = Column{
		Name: "scope_attributes", Type: attributeMap,
		Alias:   "JSONExtract(scope, 'attributes', 'Map(LowCardinality(String), String)')",
		Comment: "attributes of the instrumentation scope",
	}
	scopeSchemaURL = Column{
		Name: "scope_schema_url", Type: lowCardinality,
		Alias: "JSON_VALUE(scope, '$.schema_url')", Comment: "schema of the scope's attributes",
	}
	scopeDropped = Column{
		Name: "scope_dropped_attributes", Type: "UInt32",
		Alias: "toUInt32OrZero(JSON_VALUE(scope, '$.dropped_attributes_count'))", Comment: "attributes of the scope that the sender dropped",
	}
)

// producer is the resource and the scope, and what is read out of them.
var producer = []Column{
	resource, scope,
	fromResource("service_version", "service.version"), fromResource("service_namespace", "service.namespace"),
	fromResource("service_instance", "service.instance.id"), fromResource("environment", "deployment.environment.name"),
	fromResource("host_name", "host.name"), fromResource("k8s_namespace", "k8s.namespace.name"),
	fromResource("k8s_deployment", "k8s.deployment.name"), fromResource("k8s_pod", "k8s.pod.name"),
	resourceAttributes, resourceSchemaURL, resourceDropped,
	scopeName, scopeVersion, scopeAttributes, scopeSchemaURL, scopeDropped,
}

// origin says which block of which partition a row came from. Both are the same
// for all rows of an insert.
var origin = []Column{
	{
		Name: "kafka_partition", Type: "UInt32", Codec: zstd,
		Comment: "partition of the topic that the row came from",
	},
	{
		Name: "kafka_offset", Type: "UInt64", Codec: deltaZSTD,
		Comment: "first offset of the block that the row came with; ledger.from_offset",
	},
}

// recompressed gives columns the codec of their part in place of ZSTD.
func recompressed(all []Column) []Column {
	for i := range all {
		all[i].Codec = strings.ReplaceAll(all[i].Codec, zstd, "Default")
	}
	return all
}

// columns joins columns and lists of columns.
func columns(parts ...any) []Column {
	var all []Column
	for _, part := range parts {
		switch p := part.(type) {
		case Column:
			all = append(all, p)
		case []Column:
			all = append(all, p...)
		}
	}
	return all
}
