package tables

// The columns of tables of what is counted in a minute.
var (
	minute   = Column{Name: "time", Type: "DateTime", Codec: "Delta(4), ZSTD(1)", Comment: "start of the minute, UTC, in which the calls ended"}
	spanKind = Column{
		Name: "kind", Type: "Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5)",
		Codec: zstd, Comment: "kind of the spans",
	}
	edgeKind = Column{
		Name: "kind", Type: "Enum8('service' = 0, 'messaging' = 1, 'database' = 2, 'external' = 3, 'entry' = 4)", Codec: zstd,
		Comment: "what is called: a service that sent spans, a queue or a service through one, a database, a host that sent none; entry is a request from outside",
	}
	slowTrace  = Column{Name: "slow_trace_id", Type: "FixedString(16)", Codec: zstd, Comment: "trace of the slowest call, in binary"}
	slowNanos  = Column{Name: "slow_ns", Type: "Int64", Codec: zstd, Comment: "how long the slowest call took, in nanoseconds"}
	errorTrace = Column{Name: "error_trace_id", Type: "FixedString(16)", Codec: zstd, Comment: "trace of a call that failed, in binary; zeros if none did"}
)

// counter is a column of a number that adds up.
func counter(name, comment string) Column {
	return Column{Name: name, Type: "UInt64", Codec: "T64, ZSTD(1)", Comment: comment}
}

// latency is the columns of durations: what they add up to and their sketch.
func latency(name, comment string) []Column {
	return []Column{
		{Name: name + "_sum_ns", Type: "Int64", Codec: zstd, Comment: "sum of " + comment + " in nanoseconds"},
		{
			Name: name + ".bucket", Type: "Array(Int16)", Codec: zstd,
			Comment: "buckets of " + comment + ": i has what is over 2^(i/32) and up to 2^((i+1)/32) nanoseconds, -32768 what is 0 or less",
		},
		{Name: name + ".count", Type: "Array(UInt64)", Codec: zstd, Comment: "number of calls in each bucket; sumMap merges buckets and counts exactly"},
	}
}

func edges() Table {
	return Table{
		Name: Edges,
		Comment: "who calls whom: one row for each minute, caller, callee, operation and partition, or several that add up; " +
			"group by what is wanted and sum",
		Columns: columns(
			tenant, minute,
			Column{Name: "caller", Type: lowCardinality, Codec: zstd, Comment: "service that calls, empty for a request from outside"},
			Column{Name: "callee", Type: lowCardinality, Codec: zstd, Comment: "service, database, queue or host that is called"},
			Column{Name: "operation", Type: lowCardinality, Codec: zstd, Comment: "name of the callee's span, or of the caller's where the callee sent none"},
			edgeKind, counter("calls", "calls"), counter("errors", "calls of which the span of either side failed"),
			latency("client", "the time that the caller waited"),
			latency("server", "the time that the callee worked"),
			latency("network", "the caller's time minus the callee's, of calls that both sent a span of"),
			slowTrace, slowNanos, errorTrace, retention, origin,
		),
		Engine:      "MergeTree",
		PartitionBy: partitionByTime,
		// As those of traces, rows are not merged at rest.
		OrderBy:     []string{"tenant", "time", "caller", "callee", "operation", "kind"},
		TTL:         ttlByTime,
		Settings:    eventSettings,
		ShardingKey: "kafka_partition",
	}
}

func operations() Table {
	return Table{
		Name: Operations,
		Comment: "rate, errors and durations of spans: one row for each minute, service, version, operation and partition, or several that add up; " +
			"group by what is wanted and sum",
		Columns: columns(
			tenant, minute, service,
			Column{Name: "version", Type: lowCardinality, Codec: zstd, Comment: "resource attribute service.version"},
			Column{Name: "operation", Type: lowCardinality, Codec: zstd, Comment: "name of the spans"},
			spanKind,
			counter("calls", "spans"), counter("errors", "spans with status error"),
			counter("satisfied", "spans without an error that took no longer than the threshold of Apdex"),
			counter("tolerating", "spans without an error that took longer than that, and no longer than four times as long"),
			latency("duration", "the durations of the spans"),
			slowTrace, slowNanos, errorTrace, retention, origin,
		),
		Engine:      "MergeTree",
		PartitionBy: partitionByTime,
		OrderBy:     []string{"tenant", "time", "service", "version", "operation", "kind"},
		TTL:         ttlByTime,
		Settings:    eventSettings,
		ShardingKey: "kafka_partition",
	}
}

func clockOffsets() Table {
	bound := func(name, comment string) Column {
		return Column{Name: name, Type: "Int64", Codec: zstd, Comment: comment}
	}
	return Table{
		Name: ClockOffsets,
		Comment: "by how much clocks of hosts differ: bounds from calls, for each ten seconds and two hosts; " +
			"of several rows the greatest lower and the least upper bound hold",
		Columns: columns(
			tenant,
			Column{Name: "time", Type: "DateTime", Codec: "Delta(4), ZSTD(1)", Comment: "start of the ten seconds, by the caller's clock"},
			Column{Name: "caller_host", Type: lowCardinality, Codec: zstd, Comment: "host that calls"},
			Column{Name: "callee_host", Type: lowCardinality, Codec: zstd, Comment: "host that is called"},
			counter("calls", "calls that the bounds are from"),
			bound("lower_ns", "least that the callee's clock is ahead of the caller's in nanoseconds, -9223372036854775808 if nothing is known"),
			bound("upper_ns", "most that it is ahead, 9223372036854775807 if nothing is known"),
			retention, origin,
		),
		Engine:      "MergeTree",
		PartitionBy: partitionByTime,
		OrderBy:     []string{"tenant", "time", "caller_host", "callee_host"},
		TTL:         ttlByTime,
		Settings:    eventSettings,
		ShardingKey: "kafka_partition",
	}
}
