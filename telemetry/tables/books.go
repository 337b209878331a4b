package tables

func ledger() Table {
	counts := func(name, comment string) Column {
		return Column{Name: name, Type: "UInt64", Codec: zstd, Comment: comment}
	}
	return Table{
		Name: Ledger,
		Comment: "the books: one row per block and tenant, accepted = stored + rejected + dropped; " +
			"the blocks of a partition follow each other without a gap",
		Columns: columns(
			Column{Name: "time", Type: timestamp, Codec: deltaZSTD, Comment: "latest receive time of the block's records"},
			tenant,
			Column{Name: "topic", Type: lowCardinality, Codec: zstd, Comment: "topic of the block"},
			Column{Name: "kafka_partition", Type: "UInt32", Codec: zstd, Comment: "partition of the block"},
			counts("from_offset", "first offset of the block"),
			counts("to_offset", "offset after the last of the block"),
			counts("records", "Kafka records of the tenant in the block, repeated ones included"),
			counts("accepted", "events of the records that are no repeats: as the gateway declared, or as decoded"),
			counts("stored", "rows in the event tables"),
			counts("rejected", "events that could not become rows; they are in dead_letters"),
			counts("dropped", "events that processors dropped by rule"),
			counts("repeated", "events of records that repeat earlier ones; they are not in the tables again"),
			Column{Name: "min_time", Type: timestamp, Codec: deltaZSTD, Comment: "earliest time of the stored events, 1970-01-01 if there are none"},
			Column{Name: "max_time", Type: timestamp, Codec: deltaZSTD, Comment: "latest time of the stored events, 1970-01-01 if there are none"},
			retention,
		),
		Engine:      "MergeTree",
		PartitionBy: "(retention_days, toYYYYMM(time, 'UTC'))",
		OrderBy:     []string{"topic", "kafka_partition", "from_offset", "tenant"},
		TTL:         ttlByTime,
		ShardingKey: "kafka_partition",
	}
}

func deadLetters() Table {
	return Table{
		Name:    DeadLetters,
		Comment: "parts of records that could not become rows, with the reason",
		Columns: columns(
			Column{Name: "time", Type: timestamp, Codec: deltaZSTD, Comment: "receive time of the record"},
			tenant,
			Column{Name: "topic", Type: lowCardinality, Codec: zstd, Comment: "topic of the record"},
			Column{Name: "kafka_partition", Type: "UInt32", Codec: zstd, Comment: "partition of the record"},
			Column{Name: "kafka_offset", Type: "UInt64", Codec: zstd, Comment: "first offset of the block; ledger.from_offset"},
			Column{Name: "record_offset", Type: "UInt64", Codec: zstd, Comment: "offset of the record"},
			Column{Name: "position", Type: "UInt32", Codec: zstd, Comment: "number of the reject within the block, from 0"},
			Column{Name: "signal", Type: "Enum8('logs' = 0, 'spans' = 1, 'metrics' = 2)", Codec: zstd, Comment: "what the record carries"},
			Column{Name: "reason_code", Type: lowCardinality, Codec: zstd, Comment: "what is wrong, as a short label"},
			Column{Name: "reason", Type: "String", Codec: zstd, Comment: "what is wrong, in words"},
			Column{Name: "events", Type: "UInt64", Codec: zstd, Comment: "events in the part"},
			Column{Name: "value", Type: "String", Codec: "ZSTD(3)", Comment: "an OTLP export request with just this part, or the record's value"},
			retention,
		),
		Engine:      "MergeTree",
		PartitionBy: "(retention_days, toYYYYMM(time, 'UTC'))",
		OrderBy:     []string{"tenant", "topic", "time", "kafka_partition", "record_offset", "position"},
		TTL:         ttlByTime,
		ShardingKey: "kafka_partition",
	}
}

func deadLetterReplays() Table {
	return Table{
		Name:    DeadLetterReplays,
		Comment: "which dead letters were produced again, and when",
		Columns: columns(
			Column{Name: "time", Type: timestamp, Codec: deltaZSTD, Comment: "when the dead letter was produced again"},
			tenant,
			Column{Name: "topic", Type: lowCardinality, Codec: zstd, Comment: "topic of the dead letter"},
			Column{Name: "kafka_partition", Type: "UInt32", Codec: zstd, Comment: "partition of the dead letter"},
			Column{Name: "record_offset", Type: "UInt64", Codec: zstd, Comment: "offset of the dead letter's record"},
			Column{Name: "position", Type: "UInt32", Codec: zstd, Comment: "number of the dead letter within its block"},
			Column{Name: "received", Type: timestamp, Codec: deltaZSTD, Comment: "receive time of the record, dead_letters.time"},
			retention,
		),
		Engine:      "ReplacingMergeTree",
		PartitionBy: "(retention_days, toYYYYMM(time, 'UTC'))",
		OrderBy:     []string{"tenant", "topic", "kafka_partition", "record_offset", "position", "received"},
		TTL:         ttlByTime,
		ShardingKey: "kafka_partition",
	}
}
