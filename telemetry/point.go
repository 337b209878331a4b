package telemetry

// MetricKind is the shape of a metric's points.
type MetricKind uint8

// The shapes, in the order of the fields of an OTLP Metric.
const (
	MetricEmpty MetricKind = iota
	Gauge
	Sum
	Histogram
	ExponentialHistogram
	Summary
)

// Temporality says what a sum or histogram point counts from.
type Temporality uint8

// The temporalities, with the numbers of OTLP's AggregationTemporality.
const (
	TemporalityUnspecified Temporality = iota
	Delta
	Cumulative
)

// Metric is what the points of one OTLP Metric share.
type Metric struct {
	Name, Description, Unit string
	Metadata                Range  // of Batch.Attrs
	Resource                uint32 // index into Batch.Resources
	Scope                   uint32 // index into Batch.Scopes
	Kind                    MetricKind
	Temporality             Temporality
	Monotonic               bool
}

// FlagNoRecordedValue in a point's Flags marks a series that has gone stale.
const FlagNoRecordedValue = 1

// Point is what every data point has in common, whatever its shape.
type Point struct {
	Time      int64  // Unix nanoseconds, never zero after decoding
	Start     int64  // Unix nanoseconds, 0 if the sender did not say
	Attrs     Range  // of Batch.Attrs
	Exemplars Range  // of Batch.Exemplars
	Metric    uint32 // index into Batch.Metrics
	Flags     uint32
}

// NumberPoint is a point of a gauge or a sum.
type NumberPoint struct {
	Point
	// Value is the point's value. Of an integer point it is the nearest double,
	// and Int keeps the exact value.
	Value float64
	Int   int64
	IsInt bool
}

// HistogramPoint is a point of a histogram with explicit bounds.
type HistogramPoint struct {
	Point
	Count                  uint64
	Sum, Min, Max          float64
	Bounds                 Range // of Batch.Floats, the explicit bounds, ascending
	Counts                 Range // of Batch.Uints, one more than Bounds or none
	HasSum, HasMin, HasMax bool
}

// Buckets is one side of an exponential histogram.
type Buckets struct {
	Counts Range // of Batch.Uints
	Offset int32
}

// ExponentialPoint is a point of an exponential histogram.
type ExponentialPoint struct {
	Point
	Count, ZeroCount       uint64
	Sum, Min, Max          float64
	ZeroThreshold          float64
	Positive, Negative     Buckets
	Scale                  int32
	HasSum, HasMin, HasMax bool
}

// SummaryPoint is a point of a summary.
type SummaryPoint struct {
	Point
	Count     uint64
	Sum       float64
	Quantiles Range // of Batch.Floats, alternating quantile and value
}

// Exemplar is a sample measurement that a point remembers.
type Exemplar struct {
	Time    int64 // Unix nanoseconds
	Value   float64
	Int     int64 // exact value where IsInt
	Attrs   Range // of Batch.Attrs, the filtered attributes
	TraceID TraceID
	SpanID  SpanID
	IsInt   bool
}
