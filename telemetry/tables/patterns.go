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

var (
	minuteOfLines = Column{Name: "time", Type: "DateTime", Codec: "Delta(4), ZSTD(1)", Comment: "start of the minute, UTC"}
	patternID     = Column{Name: "pattern_id", Type: "UInt64", Codec: zstd, Comment: "id of the body's pattern, see log_patterns_1m; 0 if there is none"}
)
