package tables

// The indexes of logs, which merges make and inserts do not.
const (
	BodyIndex  = "body"  // on the tokens of bodies
	TraceIndex = "trace" // on trace ids
)

func logs() Table {
	return Table{
		Name:    Logs,
		Comment: "log records, one row each",
		Columns: recompressed(columns(
			tenant, bucket, service,
			Column{Name: "time", Type: timestamp, Codec: deltaZSTD, Comment: "when the event happened; the time of observation where the sender did not say"},
			Column{Name: "observed_delay_ns", Type: "Int64", Codec: zstd, Comment: "nanoseconds from time to the observation, the least Int64 if the sender did not say"},
			Column{
				Name: "observed_time", Type: timestamp,
				Alias:   "if(observed_delay_ns = toInt64(-9223372036854775808), toDateTime64(0, 9), fromUnixTimestamp64Nano(toUnixTimestamp64Nano(time) + observed_delay_ns))",
				Comment: "when the event was observed, 1970-01-01 if the sender did not say",
			},
			Column{Name: "severity", Type: "UInt8", Codec: zstd, Comment: "OTLP severity number, 0 (unspecified) to 24; 9 = INFO, 13 = WARN, 17 = ERROR, 21 = FATAL"},
			severityClass,
			Column{Name: "severity_text", Type: lowCardinality, Codec: zstd, Comment: "severity as the source wrote it"},
			Column{Name: "event_name", Type: lowCardinality, Codec: zstd, Comment: "name of the event, empty for a plain log record"},
			Column{Name: "body", Type: "String", Codec: zstd, Comment: "body as text; an array or map as JSON"},
			Column{
				Name: "longest_word", Type: "UInt8", Codec: zstd, Default: "255",
				Comment: "bytes of the longest word of the body as tokens() splits it, 255 for longer ones; a word of a search that is as long can only be a whole word",
			},
			Column{
				Name: "body_kind", Type: "Enum8('empty' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)",
				Codec: zstd, Comment: "OTLP type of the body; bytes are in base64",
			},
			patternID,
			traceID, spanID,
			Column{Name: "flags", Type: "UInt32", Codec: zstd, Comment: "OTLP log record flags; the low byte is the W3C trace flags"},
			Column{Name: "attributes", Type: attributeMap, Codec: zstd, Comment: "attributes of the record as text"},
			Column{Name: "dropped_attributes", Type: "UInt32", Codec: zstd, Comment: "attributes that the sender dropped"},
			producer, retention, origin,
		)),
		Indexes: []Index{
			{TraceIndex, "trace_id", "bloom_filter(0.025)", 1},
			{BodyIndex, "body", "tokenbf_v1(16384, 2, 0)", 1},
			{"longest_word", "longest_word", "minmax", 1},
		},
		Projections: []Projection{
			{"streams", []string{"tenant", "bucket", "service", "resource", "severity_class"}, []string{"count()", "sum(length(body))"}},
		},
		Engine:      "MergeTree",
		PartitionBy: partitionByTime,
		OrderBy:     []string{"tenant", "bucket", "service", "severity_class", "kafka_partition", "time"},
		TTL:         ttlByTime,
		Recompress:  zstdMore,
		Settings:    eventSettings,
		ShardingKey: "kafka_partition",
	}
}

func spans() Table {
	return Table{
		Name:    Spans,
		Comment: "spans, one row each",
		Columns: recompressed(columns(
			tenant, bucket, service,
			Column{Name: "time", Type: timestamp, Codec: deltaZSTD, Comment: "start of the span"},
			Column{Name: "duration_ns", Type: "Int64", Codec: zstd, Comment: "end minus start in nanoseconds; negative where the sender's clock ran backwards"},
			Column{Name: "name", Type: lowCardinality, Codec: zstd, Comment: "name of the operation"},
			Column{
				Name: "kind", Type: "Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5)",
				Codec: zstd, Comment: "role of the span",
			},
			Column{Name: "status", Type: "Enum8('unset' = 0, 'ok' = 1, 'error' = 2)", Codec: zstd, Comment: "outcome"},
			Column{Name: "status_message", Type: lowCardinality, Codec: zstd, Comment: "what the sender says of the outcome"},
			traceID, spanID,
			Column{Name: "parent_span_id", Type: "FixedString(8)", Codec: zstd, Comment: "span id of the parent in binary, zeros for a root"},
			Column{Name: "trace_state", Type: lowCardinality, Codec: zstd, Comment: "W3C trace state"},
			Column{Name: "flags", Type: "UInt32", Codec: zstd, Comment: "OTLP span flags; the low byte is the W3C trace flags"},
			Column{Name: "attributes", Type: attributeMap, Codec: zstd, Comment: "attributes that are no numbers, as text"},
			Column{Name: "attribute_numbers", Type: numberMap, Codec: zstd, Comment: "attributes that are numbers; an integer beyond 2^53 is in attributes"},
			Column{Name: "events.time", Type: "Array(DateTime64(9))", Codec: zstd, Comment: "times of the span's events"},
			Column{Name: "events.name", Type: "Array(LowCardinality(String))", Codec: zstd, Comment: "names of the span's events"},
			Column{Name: "events.attributes", Type: "Array(Map(LowCardinality(String), String))", Codec: zstd, Comment: "attributes of the span's events"},
			Column{Name: "events.dropped_attributes", Type: "Array(UInt32)", Codec: zstd, Comment: "attributes of events that the sender dropped"},
			Column{Name: "links.trace_id", Type: "Array(FixedString(16))", Codec: zstd, Comment: "trace ids of linked spans"},
			Column{Name: "links.span_id", Type: "Array(FixedString(8))", Codec: zstd, Comment: "span ids of linked spans"},
			Column{Name: "links.trace_state", Type: "Array(LowCardinality(String))", Codec: zstd, Comment: "trace states of linked spans"},
			Column{Name: "links.flags", Type: "Array(UInt32)", Codec: zstd, Comment: "flags of links"},
			Column{Name: "links.attributes", Type: "Array(Map(LowCardinality(String), String))", Codec: zstd, Comment: "attributes of links"},
			Column{Name: "links.dropped_attributes", Type: "Array(UInt32)", Codec: zstd, Comment: "attributes of links that the sender dropped"},
			Column{Name: "dropped_attributes", Type: "UInt32", Codec: zstd, Comment: "attributes that the sender dropped"},
			Column{Name: "dropped_events", Type: "UInt32", Codec: zstd, Comment: "events that the sender dropped"},
			Column{Name: "dropped_links", Type: "UInt32", Codec: zstd, Comment: "links that the sender dropped"},
			producer, promoted, samplingProbability, retention, origin,
		)),
		Indexes: []Index{
			{"trace_id", "trace_id", "bloom_filter(0.001)", 1},
		},
		Engine:      "MergeTree",
		PartitionBy: partitionByTime,
		OrderBy:     []string{"tenant", "bucket", "service", "kafka_partition", "time"},
		TTL:         ttlByTime,
		Recompress:  zstdMore,
		Settings:    eventSettings,
		ShardingKey: "kafka_partition",
	}
}
