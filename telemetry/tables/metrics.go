package tables

// point is a table of metric points of one shape.
func point(name, comment string, shape ...Column) Table {
	return Table{
		Name:    name,
		Comment: comment,
		Columns: columns(tenant, metric, bucket, fingerprint, pointTime, pointStart, shape, pointFlags, retention, origin),
		Engine:  "MergeTree",
		// The bucket comes before the series: what is asked for most often is
		// the last minutes of all series of a metric, which would otherwise read
		// the whole day of each.
		PartitionBy: partitionByTime,
		OrderBy:     []string{"tenant", "metric", "bucket", "fingerprint", "time"},
		TTL:         ttlByTime,
		Settings:    pointSettings,
		ShardingKey: "kafka_partition",
	}
}

func samples() Table {
	return point(Samples, "points of gauges and sums, one row each",
		Column{Name: "value", Type: "Float64", Codec: deltaZSTD, Comment: "value; of an integer the nearest double"},
		Column{Name: "is_int", Type: "Bool", Codec: zstd, Comment: "whether the sender's value is an integer"},
		Column{Name: "exact_int", Type: "Int64", Codec: zstd, Comment: "the integer where a double cannot hold it, else 0"},
	)
}

var (
	pointCount = Column{Name: "count", Type: "UInt64", Codec: deltaZSTD, Comment: "number of measurements"}
	pointSum   = Column{Name: "sum", Type: "Float64", Codec: deltaZSTD, Comment: "sum of the measurements"}
	pointMin   = Column{Name: "min", Type: "Float64", Codec: zstd, Comment: "least measurement"}
	pointMax   = Column{Name: "max", Type: "Float64", Codec: zstd, Comment: "greatest measurement"}
	pointHas   = Column{Name: "has", Type: "UInt8", Codec: zstd, Comment: "which of sum (1), min (2), max (4) the sender gave"}
)

func histograms() Table {
	return point(Histograms, "points of histograms with explicit bounds, one row each",
		pointCount, pointSum, pointMin, pointMax, pointHas,
		Column{Name: "bounds", Type: "Array(Float64)", Codec: zstd, Comment: "upper bounds of the buckets but the last, ascending"},
		Column{Name: "counts", Type: "Array(UInt64)", Codec: zstd, Comment: "measurements per bucket, one more than bounds, or none"},
	)
}

func exponentialHistograms() Table {
	return point(ExponentialHistograms, "points of exponential histograms, one row each",
		pointCount, pointSum, pointMin, pointMax, pointHas,
		Column{Name: "scale", Type: "Int32", Codec: zstd, Comment: "resolution: bounds are powers of 2^(2^-scale)"},
		Column{Name: "zero_count", Type: "UInt64", Codec: zstd, Comment: "measurements within the zero threshold"},
		Column{Name: "zero_threshold", Type: "Float64", Codec: zstd, Comment: "width of the zero bucket"},
		Column{Name: "positive_offset", Type: "Int32", Codec: zstd, Comment: "index of the first positive bucket"},
		Column{Name: "positive_counts", Type: "Array(UInt64)", Codec: zstd, Comment: "measurements per positive bucket"},
		Column{Name: "negative_offset", Type: "Int32", Codec: zstd, Comment: "index of the first negative bucket"},
		Column{Name: "negative_counts", Type: "Array(UInt64)", Codec: zstd, Comment: "measurements per negative bucket"},
	)
}

func summaries() Table {
	return point(Summaries, "points of summaries, one row each",
		pointCount, pointSum,
		Column{Name: "quantiles", Type: "Array(Float64)", Codec: zstd, Comment: "quantiles, 0 to 1"},
		Column{Name: "values", Type: "Array(Float64)", Codec: zstd, Comment: "values at the quantiles"},
	)
}

func exemplars() Table {
	t := point(Exemplars, "measurements that points remember with their trace, one row each",
		Column{Name: "value", Type: "Float64", Codec: zstd, Comment: "measurement; of an integer the nearest double"},
		Column{Name: "is_int", Type: "Bool", Codec: zstd, Comment: "whether the measurement is an integer"},
		Column{Name: "exact_int", Type: "Int64", Codec: zstd, Comment: "the integer where a double cannot hold it, else 0"},
		traceID, spanID,
		Column{Name: "attributes", Type: attributeMap, Codec: zstd, Comment: "attributes of the measurement that the point does not have"},
		Column{Name: "exemplar_time", Type: timestamp, Codec: deltaZSTD, Comment: "time of the measurement, as the sender gave it"},
	)
	// An exemplar has no start and no flags of its own.
	kept := t.Columns[:0]
	for _, c := range t.Columns {
		if c.Name != pointStart.Name && c.Name != pointFlags.Name {
			kept = append(kept, c)
		}
	}
	t.Columns = kept
	return t
}

// LabelPairs is what the index label_pairs of the table series is on: for each
// label of a series its name, = and its value. A condition uses the index where
// it has this very expression. The series of a tenant are limited, and so is
// with them what the index holds.
const LabelPairs = "arrayMap((k, v) -> concat(k, '=', v), mapKeys(labels), mapValues(labels))"

// seriesSettings make granules small: the few series that a label selects are
// spread over all metrics.
var seriesSettings = with(eventSettings, Setting{"index_granularity", "1024"})

func series() Table {
	return Table{
		Name:    Series,
		Comment: "what a fingerprint stands for, one row per series, shape of its points and day",
		Columns: columns(
			tenant, metric, fingerprint,
			Column{
				Name: "prometheus_name", Type: lowCardinality, Codec: zstd,
				Comment: "name in PromQL: metric with unit and type as suffixes; of a histogram or summary without _bucket, _sum, _count; empty where PromQL does not see the series",
			},
			Column{Name: "labels", Type: attributeMap, Codec: zstd, Comment: "labels in PromQL, but __name__, le and quantile"},
			Column{
				Name: "protocol", Type: "Enum8('otlp' = 0, 'remote_write' = 1, 'exemplars' = 2, 'metadata' = 3)", Codec: zstd,
				Comment: "where the series came from: otlp, or a part of Prometheus remote-write: its samples, exemplars without a sample, or metadata of a metric",
			},
			Column{Name: "day", Type: "Date", Codec: zstd, Comment: "a day, UTC, on which the series has points"},
			service,
			Column{
				Name: "kind", Type: "Enum8('empty' = 0, 'gauge' = 1, 'sum' = 2, 'histogram' = 3, 'exponential_histogram' = 4, 'summary' = 5)",
				Codec: zstd, Comment: "shape of the points, which says in which table they are",
			},
			Column{Name: "temporality", Type: "Enum8('unspecified' = 0, 'delta' = 1, 'cumulative' = 2)", Codec: zstd, Comment: "what a sum or histogram counts from"},
			Column{Name: "monotonic", Type: "Bool", Codec: zstd, Comment: "whether a sum only grows"},
			Column{Name: "unit", Type: lowCardinality, Codec: zstd, Comment: "unit of the values"},
			Column{Name: "description", Type: lowCardinality, Codec: zstd, Comment: "what the metric measures"},
			Column{Name: "metadata", Type: attributeMap, Codec: zstd, Comment: "attributes of the metric itself"},
			Column{Name: "attributes", Type: attributeMap, Codec: zstd, Comment: "attributes of the series' points, as the sender named them"},
			producer, retention,
			Column{Name: "kafka_partition", Type: "UInt32", Codec: zstd, Comment: "partition of the topic that the series came from"},
		),
		Indexes: []Index{
			{"prometheus_name", "prometheus_name", "set(1000)", 1},
			{"label_pairs", LabelPairs, "text(tokenizer = 'array')", 1},
		},
		Engine:      "ReplacingMergeTree",
		PartitionBy: "(retention_days, day)",
		// A series whose sender changes the shape of its points is in two tables.
		OrderBy:     []string{"tenant", "metric", "fingerprint", "kind", "day"},
		TTL:         "toDateTime(day) + toIntervalDay(retention_days + 1)",
		Settings:    seriesSettings,
		ShardingKey: "kafka_partition",
	}
}
