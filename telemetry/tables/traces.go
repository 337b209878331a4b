package tables

import "strings"

func traces() Table {
	count := func(name, comment string) Column {
		return Column{Name: name, Type: "UInt32", Codec: "T64, ZSTD(1)", Comment: comment}
	}
	return Table{
		Name: Traces,
		Comment: "assembled traces: one row for each trace, and another each time spans came after it was taken to be over; " +
			"group by tenant and trace_id to have one of each",
		Columns: columns(
			tenant, traceID,
			Column{Name: "time", Type: timestamp, Codec: deltaZSTD, Comment: "earliest start of the row's spans"},
			Column{Name: "end_time", Type: timestamp, Codec: deltaZSTD, Comment: "latest end of the row's spans"},
			Column{
				Name: "duration_ns", Type: "Int64", Alias: "toUnixTimestamp64Nano(end_time) - toUnixTimestamp64Nano(time)",
				Comment: "from the earliest start to the latest end in nanoseconds",
			},
			Column{Name: "root_span_id", Type: "FixedString(8)", Codec: zstd, Comment: "earliest span without a parent, zeros if none was seen"},
			Column{Name: "root_service", Type: lowCardinality, Codec: zstd, Comment: "service of that span"},
			Column{Name: "root_name", Type: lowCardinality, Codec: zstd, Comment: "name of that span"},
			Column{
				Name: "root_kind", Type: "Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5)",
				Codec: zstd, Comment: "kind of that span",
			},
			count("spans", "spans, each span id once; a client and a server that share one are two"),
			count("errors", "spans with status error"),
			count("operations", "different pairs of service and span name"),
			count("orphans", "spans whose parent is not among the row's spans"),
			count("depth", "spans on the longest way down from the top, 0 of an oversized trace"),
			Column{Name: "services", Type: "Array(LowCardinality(String))", Codec: zstd, Comment: "names of the services, sorted; 256 at most"},
			Column{Name: "error_service", Type: lowCardinality, Codec: zstd, Comment: "service of the deepest span that failed, the earliest of those; empty if none did"},
			Column{Name: "error_name", Type: lowCardinality, Codec: zstd, Comment: "name of that span"},
			Column{Name: "critical_path.span_id", Type: "Array(FixedString(8))", Codec: zstd, Comment: "spans on the critical path, in the order in which they began"},
			Column{Name: "critical_path.service", Type: "Array(LowCardinality(String))", Codec: zstd, Comment: "their services"},
			Column{Name: "critical_path.name", Type: "Array(LowCardinality(String))", Codec: zstd, Comment: "their names"},
			Column{
				Name: "critical_path.share_ns", Type: "Array(Int64)", Codec: zstd,
				Comment: "the part of the path's time that is each span's own, in nanoseconds; they add up to the duration of the root, or of what is at the top",
			},
			Column{
				Name: "closed", Type: "Enum8('idle' = 0, 'long' = 1, 'spilled' = 2)", Codec: zstd,
				Comment: "why the trace was taken to be over: nothing came for a while, it was open for as long as it may be, or there was no room",
			},
			Column{Name: "oversized", Type: "Bool", Codec: zstd, Comment: "whether there were too many spans for more than counts, in which repeated span ids may count again"},
			Column{Name: "cyclic", Type: "Bool", Codec: zstd, Comment: "whether parents went round in a circle, which was cut"},
			samplingProbability, retention, origin,
		),
		Engine:      "MergeTree",
		PartitionBy: partitionByTime,
		// The rows of a trace are not merged at rest: a row that is made of several
		// blocks would hide from the sink which of them are stored.
		OrderBy:     []string{"tenant", "trace_id", "time"},
		TTL:         ttlByTime,
		Settings:    eventSettings,
		ShardingKey: "kafka_partition",
	}
}

// TraceColumns returns the columns of the table traces as they are of a whole
// trace, for a query that groups the rows of the table, called t, by tenant and
// trace_id. What is about the tree of spans is that of the row with the most spans.
func TraceColumns() []Column {
	const (
		rooted = "(t.root_span_id = toFixedString('', 8), t.time)"
		most   = "(t.spans, t.time)"
		failed = "(t.errors > 0, t.depth, t.spans, t.time)"
	)
	var all []Column
	table := traces()
	for _, c := range table.Columns {
		column := "t." + Quote(c.Name)
		var expression string
		switch c.Name {
		case "tenant", "trace_id", "retention_days", "kafka_partition", "kafka_offset":
			continue
		case "time", "sampling_probability":
			expression = "min(" + column + ")"
		case "end_time", "oversized", "cyclic":
			expression = "max(" + column + ")"
		case "duration_ns":
			expression = "toUnixTimestamp64Nano(max(t.end_time)) - toUnixTimestamp64Nano(min(t.time))"
		case "root_span_id", "root_service", "root_name", "root_kind":
			expression = "argMin(" + column + ", " + rooted + ")"
		case "spans", "errors":
			expression = "sum(" + column + ")"
		case "services":
			expression = "arraySort(groupUniqArrayArray(" + column + "))"
		case "error_service", "error_name":
			expression = "argMax(" + column + ", " + failed + ")"
		default:
			expression = "argMax(" + column + ", " + most + ")"
		}
		all = append(all, Column{Name: c.Name, Alias: expression, Comment: c.Comment})
	}
	return all
}

// TraceSelect returns the list of a SELECT that makes one row of all rows of a
// trace: SELECT ... FROM traces AS t GROUP BY t.tenant, t.trace_id.
func TraceSelect() string {
	list := []string{"t.tenant AS tenant", "t.trace_id AS trace_id"}
	for _, c := range TraceColumns() {
		list = append(list, c.Alias+" AS "+Quote(c.Name))
	}
	return strings.Join(list, ", ")
}
