package telemetry

import (
	"fmt"

	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

// Batch is the unit of work: the rows of one block of consecutive Kafka offsets
// of one partition, and everything that sinks need to write them exactly once.
//
// Its strings are views of the records' values and its ranges point into its
// arenas. Both are valid until Reset. A batch belongs to one worker and is used
// by one goroutine at a time.
type Batch struct {
	Block
	// Begun is set where the source found the block planned already: somebody
	// may have written some of it.
	Begun bool
	// Replayed is set where the block was committed long ago and is read again to
	// bring the state of processors up to date: it must not be written.
	Replayed bool

	// Records describes the Kafka records the rows came from.
	Records []Record

	Resources []Resource
	Scopes    []Scope

	Logs []Log

	Spans  []Span
	Events []Event
	Links  []Link

	Metrics      []Metric
	Numbers      []NumberPoint
	Histograms   []HistogramPoint
	Exponentials []ExponentialPoint
	Summaries    []SummaryPoint
	Exemplars    []Exemplar

	// Traces are those that processors took to be over in this block, whose spans
	// may be of earlier ones. The rest are the arenas of their ranges.
	Traces        []Trace
	TraceServices []string
	TracePath     []PathSpan
	TraceSpans    []TraceSpan
	Words         []string

	// Edges, Operations and ClockOffsets are what processors counted up to this
	// block, and Buckets the arena of their latencies.
	Edges        []Edge
	Operations   []Operation
	ClockOffsets []ClockOffset
	Buckets      []sketch.Bucket

	// WebHits are requests that processors read out of the block's logs. Visits are
	// requests too, as they come again on the topic where those of a client meet:
	// whoever wrote that topic stored them.
	WebHits, Visits []WebHit
	// WebSessions and Findings are what processors made of visits up to this block,
	// Patterns, Failures and Changes what they made of its logs.
	WebSessions []WebSession
	Findings    []Finding
	Patterns    []PatternCount
	Failures    []Failure
	Changes     []Change

	// Derived is what processors have to say to other topics.
	Derived []Derived

	// Rejects are the parts of the block that could not become rows.
	Rejects []Reject

	// Attrs, Floats and Uints are the arenas that ranges refer to.
	Attrs  []Attr
	Floats []float64
	Uints  []uint64

	// pages is memory for what processors encode, of which the first used ones are
	// handed out.
	pages [][]byte
	used  int
}

// PageBytes is the capacity of a page.
const PageBytes = 64 << 10

// Page returns an empty slice with a capacity of PageBytes. Its memory is the
// batch's: it is valid until Reset.
func (b *Batch) Page() []byte {
	if b.used == len(b.pages) {
		b.pages = append(b.pages, make([]byte, 0, PageBytes))
	}
	b.used++
	return b.pages[b.used-1]
}

// Block names a range of offsets of one partition. Together with a table name
// it makes the insert's deduplication token, so a block that is taken again
// after a crash is exactly the same block.
type Block struct {
	Topic     string
	Partition int32
	// From is the first offset and To the offset after the last: [From, To).
	From, To int64
	// Signal is what the topic carries.
	Signal Signal
	// Epoch is a random number that is chosen when a consumer group first reads
	// the partition, and anew whenever what it had committed does not fit the
	// partition any more: offsets repeat when a topic is made anew, when a
	// broker loses data or when somebody sets offsets back, tokens must not.
	Epoch uint32
}

// Token names the block's insert into a table: an insert that is repeated has
// the same token, and no other insert has it.
func (b Block) Token(table string) string {
	return fmt.Sprintf("%s/%d/%d-%d/%08x/%s", b.Topic, b.Partition, b.From, b.To, b.Epoch, table)
}

// Record is what a batch knows of one Kafka record.
type Record struct {
	Offset int64
	// ReceiveTime is when the gateway received the request, or where no gateway
	// said so when the record was written to Kafka; Unix nanoseconds.
	ReceiveTime int64
	Tenant      string
	// Declared is the number of events that the gateway counted in the record,
	// -1 for a record of a foreign collector.
	Declared int64
	// Decoded is the number of events that were decoded, rejected ones included.
	Decoded int64
	// Dropped is the number of decoded events that processors removed because
	// they were told to. What was accepted is stored, rejected or dropped.
	Dropped int64
	// Repeated is set where the record repeats an earlier one and its events
	// were left out; Value is empty then.
	Repeated bool
	// Idle is set where the record says, instead of bringing events, that nothing
	// came for the partition up to ReceiveTime.
	Idle bool
	// Value is the record's value, the memory that rows are views of.
	Value []byte
}

// Reject is one part of a record that could not become rows.
type Reject struct {
	// Record is an index into Batch.Records.
	Record uint32
	// Events is the number of events that the part holds; 1 where it could not
	// be counted and no gateway declared it.
	Events int64
	// Reason says what is wrong, for a person; ReasonCode is the same as a
	// short, bounded label for metrics and filters.
	Reason     string
	ReasonCode string
	// Value is an Export*ServiceRequest that holds just this part, or the whole
	// value of a record that cannot be decoded. A copy, or a view of the record.
	Value []byte
}

// Resource is the entity that produced rows.
type Resource struct {
	Attrs        Range // of Batch.Attrs
	Service      string
	SchemaURL    string
	Record       uint32 // index into Batch.Records
	DroppedAttrs uint32
}

// Scope is the instrumentation scope that produced rows.
type Scope struct {
	Name, Version, SchemaURL string
	Attrs                    Range // of Batch.Attrs
	DroppedAttrs             uint32
}

// AttrsOf returns the attributes in the range, a view that is valid until Reset.
func (b *Batch) AttrsOf(r Range) []Attr { return b.Attrs[r.Start:r.End] }

// TenantOf returns the tenant that owns the resource with the given index.
func (b *Batch) TenantOf(resource uint32) string {
	return b.Records[b.Resources[resource].Record].Tenant
}

// EventCount counts the rows of every signal: log records, spans and metric points.
func (b *Batch) EventCount() int {
	return len(b.Logs) + len(b.Spans) + len(b.Numbers) + len(b.Histograms) + len(b.Exponentials) + len(b.Summaries)
}

// Adopt moves the block and the records of another batch into this one, which is
// empty. The other has none afterwards.
func (b *Batch) Adopt(o *Batch) {
	b.Block, b.Begun, b.Replayed = o.Block, o.Begun, o.Replayed
	b.Records, o.Records = o.Records, b.Records
	o.Block, o.Begun, o.Replayed = Block{}, false, false
}

// Reset empties the batch and keeps its memory for the next block.
func (b *Batch) Reset() {
	b.Block, b.Begun, b.Replayed = Block{}, false, false
	clear(b.Records) // let go of the values
	b.Records = b.Records[:0]
	b.Resources = b.Resources[:0]
	b.Scopes = b.Scopes[:0]
	b.Logs = b.Logs[:0]
	b.Spans = b.Spans[:0]
	b.Events = b.Events[:0]
	b.Links = b.Links[:0]
	b.Metrics = b.Metrics[:0]
	b.Numbers = b.Numbers[:0]
	b.Histograms = b.Histograms[:0]
	b.Exponentials = b.Exponentials[:0]
	b.Summaries = b.Summaries[:0]
	b.Exemplars = b.Exemplars[:0]
	b.resetTraces()
	b.resetEdges()
	b.resetEvents()
	clear(b.Rejects)
	b.Rejects = b.Rejects[:0]
	b.Attrs = b.Attrs[:0]
	b.Floats = b.Floats[:0]
	b.Uints = b.Uints[:0]
	b.used = 0
}
