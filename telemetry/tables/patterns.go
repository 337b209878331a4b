package tables

func logPatterns1m() Table {
	return Table{
		Name:    LogPatterns1m,
		Comment: "how often log lines of a pattern came: one row for each minute, service, severity, pattern and block; group by what is wanted and sum",
		Columns: columns(
			tenant, minuteOfLines, service,
			severityClass,
			patternID,
			Column{Name: "pattern", Type: "String", Codec: zstd, Comment: "the body with <*> for what differs"},
			counter("lines", "log records"), retention, origin,
		),
		Engine:      "MergeTree",
		PartitionBy: partitionByTime,
		OrderBy:     []string{"tenant", "time", "service", "pattern_id"},
		TTL:         ttlByTime,
		Settings:    eventSettings,
		ShardingKey: "kafka_partition",
	}
}

func logPatterns() Table {
	sight := func(name, comment string) Column {
		return Column{Name: name, Type: "DateTime", Codec: zstd, Comment: comment}
	}
	return Table{
		Name: LogPatterns,
		Comment: "the books of log patterns: the pattern that each of log_patterns_1m is part of once those that differ in words that vary " +
			"are merged, one row each; rows of a greater revision replace earlier ones",
		Columns: columns(
			tenant, service, patternID,
			Column{Name: "merged_id", Type: "UInt64", Codec: zstd, Comment: "the pattern_id of the merged pattern's first member, which is its id"},
			Column{Name: "merged", Type: "String", Codec: zstd, Comment: "the merged pattern"},
			Column{Name: "pattern", Type: "String", Codec: zstd, Comment: "the pattern, as in log_patterns_1m"},
			Column{Name: "severity_class", Type: severityClass.Type, Codec: zstd, Comment: "the most severe class of its lines"},
			Column{Name: "state", Type: "Enum8('present' = 0, 'vanished' = 1)", Codec: zstd, Comment: "whether the merged pattern was seen of late, in the row whose pattern_id is merged_id"},
			sight("first_seen", "first minute in which it was seen"),
			sight("last_seen", "last minute in which it was seen, up to half an hour behind for what is present"),
			sight("changed", "minute since which it is in that state"),
			Column{Name: "looks", Type: "UInt32", Codec: zstd, Comment: "how often it was looked for and had come since, which tells its usual gap"},
			Column{Name: "announced", Type: "Bool", Codec: zstd, Comment: "whether the event of the last change is in Kafka, or there is none to make"},
			Column{Name: "revision", Type: "UInt64", Codec: zstd, Comment: "grows with every change"},
			Column{Name: "retention_days", Type: "UInt16", Codec: zstd, Comment: "days after which the row expires, counted from last_seen"},
		),
		Engine:          "ReplacingMergeTree",
		EngineArguments: "revision",
		PartitionBy:     "retention_days",
		OrderBy:         []string{"tenant", "service", "pattern_id"},
		TTL:             "last_seen + toIntervalDay(retention_days)",
		ShardingKey:     "cityHash64(tenant)",
	}
}

var (
	minuteOfLines = Column{Name: "time", Type: "DateTime", Codec: "Delta(4), ZSTD(1)", Comment: "start of the minute, UTC"}
	patternID     = Column{Name: "pattern_id", Type: "UInt64", Codec: zstd, Comment: "id of the body's pattern, see log_patterns_1m; 0 if there is none"}
)
