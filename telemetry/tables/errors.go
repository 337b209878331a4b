package tables

func errors() Table {
	return Table{
		Name:    Errors,
		Comment: "errors that applications reported with an exception or a stack, one row each; group by error_group",
		Columns: columns(
			tenant, bucket, service,
			nanosecond("time", "when it happened"),
			Column{Name: "error_group", Type: "UInt64", Codec: zstd, Comment: "hash of service, type and stack: the same for the same error"},
			word("fingerprint", "what the client groups by instead, empty if it leaves that to the server"),
			word("type", "type of the exception"),
			freeText("message", "message of the exception"),
			word("culprit", "function that it comes from"),
			freeText("stack", "the stack as text"),
			severityClass,
			Column{Name: "handled", Type: "Bool", Codec: zstd, Comment: "whether the application caught it"},
			word("release", "version of the application"),
			word("environment", "deployment environment of the application"),
			freeText("user", "who was affected, empty if it is not known"),
			word("transaction", "request or job in which it happened"),
			freeText("event_id", "id that the client gave it"),
			traceID, spanID, retention, origin,
		),
		Engine:      "MergeTree",
		PartitionBy: partitionByTime,
		OrderBy:     []string{"tenant", "bucket", "service", "error_group", "time"},
		TTL:         ttlByTime,
		Settings:    eventSettings,
		ShardingKey: "kafka_partition",
	}
}

func changes() Table {
	return Table{
		Name:    Changes,
		Comment: "what was changed: deployments, configurations, restarts; a row for each report, of which the last of an id counts",
		Columns: columns(
			tenant,
			nanosecond("time", "when it happened"),
			freeText("id", "the same for reports of the same change"),
			word("kind", "deployment, configuration, scaling, restart, rollback, feature_flag or another word"),
			word("status", "started, succeeded or failed"),
			word("service", "what was changed"), word("version", "what it is now"),
			word("host_name", "host that was changed"), word("environment", "deployment environment"),
			word("author", "who did it"), word("source", "what reported it, such as github"),
			freeText("link", "where more is to be read"), freeText("title", "what was done"),
			retention, origin,
		),
		Engine:      "MergeTree",
		PartitionBy: partitionByTime,
		OrderBy:     []string{"tenant", "time", "service"},
		TTL:         ttlByTime,
		Settings:    eventSettings,
		ShardingKey: "kafka_partition",
	}
}
