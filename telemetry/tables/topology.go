package tables

func topology() Table {
	sight := func(name, comment string) Column {
		return Column{Name: name, Type: "DateTime", Codec: zstd, Comment: comment}
	}
	return Table{
		Name: Topology,
		Comment: "the books of the topology: services, their versions and the edges between them that are known, " +
			"one row each; rows of a greater revision replace earlier ones",
		Columns: columns(
			tenant,
			Column{Name: "thing", Type: "Enum8('service' = 0, 'version' = 1, 'edge' = 2)", Codec: zstd, Comment: "what the row is about"},
			Column{Name: "service", Type: lowCardinality, Codec: zstd, Comment: "the service; the caller of an edge, empty for a request from outside"},
			Column{Name: "version", Type: lowCardinality, Codec: zstd, Comment: "resource attribute service.version, of a version"},
			Column{Name: "callee", Type: lowCardinality, Codec: zstd, Comment: "service, database, queue or host that is called, of an edge"},
			Column{Name: "kind", Type: edgeKind.Type, Codec: zstd, Comment: "what is called, of an edge, as in edges_1m"},
			Column{Name: "state", Type: "Enum8('present' = 0, 'vanished' = 1)", Codec: zstd, Comment: "whether it was seen of late"},
			sight("first_seen", "first minute in which it was seen"),
			sight("last_seen", "last minute in which it was seen, up to ten minutes behind for what is present"),
			sight("changed", "minute since which it is in that state"),
			Column{Name: "announced", Type: "Bool", Codec: zstd, Comment: "whether the event of the last change is in Kafka"},
			Column{Name: "trace_id", Type: "FixedString(16)", Codec: zstd, Comment: "a trace in which it was seen, in binary; zeros if none is known"},
			Column{
				Name: "revision", Type: "UInt64", Codec: zstd,
				Comment: "grows with every change: minutes of changed, then whether it is announced, then minutes of last_seen",
			},
			Column{Name: "retention_days", Type: "UInt16", Codec: zstd, Comment: "days after which the row expires, counted from last_seen"},
		),
		Engine:          "ReplacingMergeTree",
		EngineArguments: "revision",
		// The things of a tenant are one partition, so that an insert of them is
		// there as a whole or not at all.
		PartitionBy: "retention_days",
		OrderBy:     []string{"tenant", "thing", "service", "version", "callee", "kind"},
		TTL:         "last_seen + toIntervalDay(retention_days)",
		ShardingKey: "cityHash64(tenant)",
	}
}
