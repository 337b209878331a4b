package tables

// Resolution is a table of rollups: what samples add up to in windows of a width.
type Resolution struct {
	// Name is how settings and the table rollups call it.
	Name  string
	Table string
	// Milliseconds is the width of its windows. It divides a day.
	Milliseconds int64
}

// Resolutions returns those that there are tables of, the finest first.
func Resolutions() []Resolution {
	return []Resolution{
		{"1m", Samples1m, 60_000},
		{"5m", Samples5m, 300_000},
		{"1h", Samples1h, 3_600_000},
	}
}

var (
	rollupDay = Column{
		Name: "day", Type: "Date", Codec: zstd,
		Comment: "the day, UTC, of the windows: those that end after its first moment and up to its last",
	}
	rollupVersion = Column{
		Name: "version", Type: "UInt64", Codec: zstd,
		Comment: "which computing of the day the row is of: when it began, in nanoseconds; only that which rollups has published counts",
	}
)

// after is a column of a time within a window.
func after(name, comment string) Column {
	return Column{Name: name, Type: "UInt32", Codec: "T64, ZSTD(1)", Comment: comment}
}

// number is a column of a value that windows next to each other have alike.
func number(name, comment string) Column {
	return Column{Name: name, Type: "Float64", Codec: deltaZSTD, Comment: comment}
}

// samplesOf is a table of rollups of samples.
func samplesOf(r Resolution) Table {
	return Table{
		Name: r.Table,
		Comment: "what samples add up to in windows of " + r.Name + ", (time - " + r.Name + ", time]; one row for each series and window, " +
			"or several whose samples follow each other",
		Columns: columns(
			tenant, metric, rollupDay, fingerprint,
			Column{Name: "time", Type: "DateTime", Codec: "Delta(4), ZSTD(1)", Comment: "end of the window, which is part of it; its start is not"},
			rollupVersion,
			Column{Name: "count", Type: "UInt32", Codec: "T64, ZSTD(1)", Comment: "number of samples, without marks of a stale series; where it is 0 only stale_after says something"},
			after("first_after", "when the first sample is, in milliseconds after the window's start"),
			after("last_after", "when the last sample is, in milliseconds after the window's start"),
			after("stale_after", "when the series was marked as stale after its last sample, in milliseconds after the window's start; 0 if it was not"),
			number("first", "first sample"),
			number("last", "last sample"),
			number("sum", "sum of the samples; NaN where one is"),
			// The least sample of a counter is the first and the greatest the last,
			// so that nothing is left of these.
			Column{Name: "min_bits", Type: "UInt64", Codec: zstd, Comment: "bits of min, exclusive or those of first"},
			Column{Name: "max_bits", Type: "UInt64", Codec: zstd, Comment: "bits of max, exclusive or those of last"},
			Column{
				Name: "min", Type: "Float64", Alias: "reinterpretAsFloat64(bitXor(min_bits, reinterpretAsUInt64(first)))",
				Comment: "least sample; NaN where all are",
			},
			Column{
				Name: "max", Type: "Float64", Alias: "reinterpretAsFloat64(bitXor(max_bits, reinterpretAsUInt64(last)))",
				Comment: "greatest sample; NaN where all are",
			},
			Column{Name: "resets", Type: "Float64", Codec: zstd, Comment: "what a counter had each time before it began anew; last - first + resets is its increase"},
			Column{Name: "rounding", Type: "Float64", Codec: zstd, Comment: "what is to be added to that for the bits that adding sample by sample gives"},
			retention,
		),
		Engine:      "MergeTree",
		PartitionBy: "(retention_days, day)",
		// A day of each series lies together: that is the least which is asked
		// for, and series resemble themselves.
		OrderBy:     []string{"tenant", "metric", "day", "fingerprint", "time"},
		TTL:         "toDateTime(day) + toIntervalDay(retention_days + 1)",
		Settings:    eventSettings,
		ShardingKey: "fingerprint",
	}
}

func rollups() Table {
	return Table{
		Name: Rollups,
		Comment: "the books of the rollups: one row for each tenant, day and version, of which the greatest that is published counts; " +
			"rows that say the same of a later time replace earlier ones",
		Columns: columns(
			tenant, rollupDay, rollupVersion,
			Column{Name: "published", Type: "DateTime64(9)", Codec: zstd, Comment: "since when the version may be read, 1970-01-01 while it is computed"},
			Column{Name: "checked", Type: "DateTime64(9)", Codec: zstd, Comment: "when the row was written"},
			Column{Name: "topic", Type: lowCardinality, Codec: zstd, Comment: "topic that the offsets are of"},
			Column{Name: "partitions", Type: "Array(UInt32)", Codec: zstd, Comment: "partitions of the topic"},
			Column{
				Name: "offsets", Type: "Array(UInt64)", Codec: zstd,
				Comment: "offset of each partition up to which everything is part of the version; the ledger knows whether something came later",
			},
			Column{Name: "samples", Type: "UInt64", Codec: zstd, Comment: "rows of the table samples that the version was made of"},
			Column{Name: "rows", Type: "Map(LowCardinality(String), UInt64)", Codec: zstd, Comment: "rows in the table of each resolution that was computed"},
			retention,
		),
		Engine:          "ReplacingMergeTree",
		EngineArguments: "checked",
		PartitionBy:     "(retention_days, toYYYYMM(day))",
		OrderBy:         []string{"tenant", "day", "version"},
		TTL:             "toDateTime(day) + toIntervalDay(retention_days + 1)",
		ShardingKey:     "cityHash64(tenant)",
	}
}
