package telemetry

// The scopes of what came by Prometheus remote-write. Their points carry the
// series' labels as attributes and its name as the metric's, with nothing to
// translate; docs/formats/otlp-records.md has the rest.
const (
	ScopeRemoteWrite = "github.com/goshawk-observability/goshawk/ingest/remotewrite"
	// ScopeRemoteWriteExemplars is the scope of points that only carry exemplars.
	ScopeRemoteWriteExemplars = ScopeRemoteWrite + "/exemplars"
	// ScopeRemoteWriteMetadata is the scope of points that only say what a
	// metric is.
	ScopeRemoteWriteMetadata = ScopeRemoteWrite + "/metadata"
)

// The attributes of a Metric's metadata that go with them.
const (
	// MetadataType is the type of a metric in Prometheus.
	MetadataType = "prometheus.type"
	// MetadataCounts says how the counts of a histogram are kept, where they are
	// not integers: MetadataCountsFloat.
	MetadataCounts = "prometheus.counts"
	// MetadataCountsFloat says that every count is the bits of a double.
	MetadataCountsFloat = "float64bits"
)

// Bits of the flags of a histogram's point that came by remote-write, beside
// [FlagNoRecordedValue]; OTLP leaves them to the future. They are of the point,
// because a series may change from one to the next.
const (
	// FlagFloatCounts says that the point's counts are the bits of doubles.
	FlagFloatCounts = 1 << 8
	// FlagResetHintShift is where the counter reset hint begins, of two bits: 0
	// is unknown, 1 a reset, 2 no reset, 3 a histogram that goes up and down.
	FlagResetHintShift = 9
)
