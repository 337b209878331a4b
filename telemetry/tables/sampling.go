package tables

// samplingProbability is how likely it was that a row of a trace is kept.
var samplingProbability = Column{
	Name: "sampling_probability", Type: "Float64", Codec: zstd, Default: "1",
	Comment: "how likely it was that the row is kept, 1 where nothing was left to chance; sum(1 / sampling_probability) counts what there was",
}

var (
	sampledDay = Column{Name: "day", Type: "Date", Codec: zstd, Comment: "the day, UTC, in which the traces began"}
	sampledBy  = Column{Name: "plan", Type: "UInt64", Codec: zstd, Comment: "the plan that the row is part of; only those that are in the table sampling count"}
	// afterDay keeps books for as long as there are rows that they are about.
	afterDay = "toDateTime(day) + toIntervalDay(retention_days + 2)"
)

func sampling() Table {
	number := func(name, comment string) Column {
		return Column{Name: name, Type: "UInt64", Codec: zstd, Comment: comment}
	}
	return Table{
		Name: Sampling,
		Comment: "the books of sampling: one row for each tenant, day and run, written before anything is deleted; " +
			"rows that say the same of a later time replace earlier ones",
		Columns: columns(
			tenant, sampledDay,
			Column{Name: "run", Type: "UInt32", Codec: zstd, Comment: "the how manieth time the day is thinned, from 1"},
			sampledBy,
			Column{Name: "state", Type: "Enum8('begun' = 0, 'done' = 1)", Codec: zstd, Comment: "whether rows are being deleted, or have been"},
			Column{Name: "checked", Type: "DateTime64(9)", Codec: zstd, Comment: "when the row was written"},
			Column{Name: "probability", Type: "Float64", Codec: zstd, Comment: "how likely a trace is kept that did not fail and was not slow"},
			Column{Name: "slow_quantile", Type: "Float64", Codec: zstd, Comment: "the quantile of durations above which a trace is slow"},
			Column{Name: "slow.service", Type: "Array(LowCardinality(String))", Codec: zstd, Comment: "root services of operations that have slow traces"},
			Column{Name: "slow.name", Type: "Array(LowCardinality(String))", Codec: zstd, Comment: "names of their roots"},
			Column{Name: "slow.duration_ns", Type: "Array(Int64)", Codec: zstd, Comment: "duration in nanoseconds above which their traces are slow"},
			Column{Name: "topic", Type: lowCardinality, Codec: zstd, Comment: "topic that the offsets are of"},
			Column{Name: "partitions", Type: "Array(UInt32)", Codec: zstd, Comment: "partitions of the topic"},
			Column{Name: "offsets", Type: "Array(UInt64)", Codec: zstd, Comment: "offset of each partition; rows of later blocks are left alone"},
			number("kept", "rows of the plan in the table sampling_traces"),
			number("spans", "rows of the day in the table spans when the run was planned"),
			number("spans_removed", "rows of the table spans that the run deletes, also those of the day after"),
			number("traces", "rows of the day in the table traces when the run was planned"),
			number("traces_removed", "rows of the table traces that the run deletes, also those of the day after"),
			number("bytes_removed", "about how many bytes on disk these rows took"),
			retention,
		),
		Engine:          "ReplacingMergeTree",
		EngineArguments: "checked",
		PartitionBy:     "(retention_days, toYYYYMM(day))",
		OrderBy:         []string{"tenant", "day", "run"},
		TTL:             afterDay,
		ShardingKey:     "cityHash64(tenant)",
	}
}

func samplingBlocks() Table {
	return Table{
		Name:    SamplingBlocks,
		Comment: "how many spans of each block a run of sampling deletes, so that the ledger can be held against what is left",
		Columns: columns(
			tenant, sampledDay, sampledBy,
			Column{Name: "removed", Type: "UInt64", Codec: zstd, Comment: "rows of the block that the run deletes from the table spans"},
			retention, origin,
		),
		Engine:      "MergeTree",
		PartitionBy: "(retention_days, toYYYYMM(day))",
		OrderBy:     []string{"kafka_partition", "kafka_offset", "tenant", "day", "plan"},
		TTL:         afterDay,
		ShardingKey: "kafka_partition",
	}
}

func samplingTraces() Table {
	return Table{
		Name:    SamplingTraces,
		Comment: "traces that a run of sampling does not leave to chance, and those that go on after midnight",
		Columns: columns(
			tenant, sampledDay, sampledBy, traceID,
			Column{
				Name: "reason", Type: "Enum8('error' = 0, 'slow' = 1, 'unassembled' = 2, 'earlier' = 3, 'crossing' = 4)", Codec: zstd,
				Comment: "why it is kept: a span failed, it was slow, it was not assembled, it began on an earlier day; crossing is left to chance and goes on after midnight",
			},
			Column{Name: "probability", Type: "Float64", Codec: zstd, Comment: "of one that began earlier what its rows of that day have, otherwise 1"},
			Column{Name: "kafka_partition", Type: "UInt32", Codec: zstd, Comment: "partition of the topic that the trace came from"},
			retention,
		),
		Engine:      "MergeTree",
		PartitionBy: "(retention_days, day)",
		OrderBy:     []string{"tenant", "day", "plan", "trace_id"},
		TTL:         afterDay,
		ShardingKey: "kafka_partition",
	}
}
