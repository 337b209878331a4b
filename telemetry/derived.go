package telemetry

// Derived is telemetry that a processor made of what passed through it, and that
// goes through Kafka like everything else: a record for the topic of its signal.
//
// A block that is processed again makes the same records in the same order, so
// that whoever reads the topic recognises the repeat.
type Derived struct {
	Signal Signal
	// Feed is where it goes.
	Feed   Feed
	Tenant string
	// Key decides the partition: records of the same key meet in one.
	Key string
	// Value is an Export*ServiceRequest. It belongs to the batch.
	Value []byte
	// Events is the number of log records, spans or points in it.
	Events int64
	// Time is what the record's receive time is, Unix nanoseconds.
	Time int64
}

// Feed is a topic that derived records go to.
type Feed uint8

const (
	// FeedSignal is the topic of the signal.
	FeedSignal Feed = iota
	// FeedWebHits is the topic on which requests to web servers meet by client.
	FeedWebHits
)
