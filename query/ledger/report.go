package ledger

import (
	"cmp"
	"slices"
	"time"
)

// Report is the outcome of an audit.
type Report struct {
	Time  time.Time `json:"time"`
	Since time.Time `json:"since,omitzero"`
	// Verified says that the tables were read and compared block by block. It
	// is false for a summary, which reads the ledger alone.
	Verified bool `json:"verified"`
	// Balanced says that there is no problem.
	Balanced   bool        `json:"balanced"`
	Totals     Counts      `json:"totals"`
	Partitions []Partition `json:"partitions"`
	// ProblemCount counts all problems; Problems lists the first of them.
	ProblemCount int       `json:"problem_count"`
	Problems     []Problem `json:"problems"`
	// Lag is the number of records that Kafka has and the ledger does not, -1
	// where Kafka was not asked.
	Lag int64 `json:"lag"`
}

// Counts are sums over blocks. Accepted = Stored + Rejected + Dropped.
type Counts struct {
	Blocks   uint64 `json:"blocks"`
	Records  uint64 `json:"records"`
	Accepted uint64 `json:"accepted"`
	Stored   uint64 `json:"stored"`
	Rejected uint64 `json:"rejected"`
	Dropped  uint64 `json:"dropped"`
	Repeated uint64 `json:"repeated"`
	// Found is the number of rows in the tables and DeadLettered the number of
	// events in dead_letters, both 0 in a summary.
	Found        uint64 `json:"found"`
	DeadLettered uint64 `json:"dead_lettered"`
	// Sampled is the number of spans that are not in the tables any more because
	// sampling deleted them, 0 in a summary.
	Sampled uint64 `json:"sampled"`
	// Expired is the number of blocks whose rows may have reached the end of
	// their retention; fewer rows than stored are no problem there.
	Expired uint64 `json:"expired"`
	// Pending is the number of blocks that have rows but are not in the ledger
	// yet: they are being written, or will be written again after a crash.
	Pending uint64 `json:"pending"`
}

func (c *Counts) add(o Counts) {
	c.Blocks += o.Blocks
	c.Records += o.Records
	c.Accepted += o.Accepted
	c.Stored += o.Stored
	c.Rejected += o.Rejected
	c.Dropped += o.Dropped
	c.Repeated += o.Repeated
	c.Found += o.Found
	c.DeadLettered += o.DeadLettered
	c.Sampled += o.Sampled
	c.Expired += o.Expired
	c.Pending += o.Pending
}

// Partition is what the books say of one tenant in one partition.
type Partition struct {
	Topic     string `json:"topic"`
	Signal    string `json:"signal"`
	Partition int32  `json:"partition"`
	Tenant    string `json:"tenant"`
	// From and To bound the offsets of the tenant's blocks.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	Counts
	// Committed and End are Kafka's, -1 where unknown; Lag is End minus To of
	// the whole partition, whatever the tenant.
	Committed int64 `json:"committed"`
	End       int64 `json:"end"`
	Lag       int64 `json:"lag"`
}

// Kind is what kind of discrepancy a problem is.
type Kind string

// The kinds of problems.
const (
	// Gap: offsets that belong to no block.
	Gap Kind = "gap"
	// Overlap: offsets that belong to two blocks.
	Overlap Kind = "overlap"
	// Unbalanced: accepted is not stored + rejected + dropped.
	Unbalanced Kind = "unbalanced"
	// LedgerDoubled: a block is in the ledger more than once.
	LedgerDoubled Kind = "ledger_doubled"
	// Unrecorded: offsets were committed that the ledger does not have.
	Unrecorded Kind = "unrecorded"
	// Missing: none of a block's rows are there.
	Missing Kind = "missing"
	// Short: some of a block's rows are not there.
	Short Kind = "short"
	// Doubled: all of a block's rows are there more than once.
	Doubled Kind = "doubled"
	// Surplus: a block has more rows than were stored.
	Surplus Kind = "surplus"
	// Orphan: rows of a block that is not in the ledger.
	Orphan Kind = "orphan"
	// DeadLetters: the events in dead_letters are not those that were rejected.
	DeadLetters Kind = "dead_letters"
	// UnknownTopic: the ledger has a topic that is not configured.
	UnknownTopic Kind = "unknown_topic"
)

// Problem is one discrepancy.
type Problem struct {
	Kind      Kind   `json:"kind"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Tenant is empty where the problem is of the whole partition.
	Tenant string `json:"tenant,omitempty"`
	// From and To are the offsets that are concerned: [From, To). To is -1
	// where only the first is known.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// Tables are where the rows are or should be.
	Tables []string `json:"tables,omitempty"`
	// Want and Got are numbers of rows or events.
	Want uint64 `json:"want"`
	Got  uint64 `json:"got"`
	// Detail says it in words.
	Detail string `json:"detail"`
}

// problem adds one discrepancy.
func (r *Report) problem(limit int, p Problem) {
	r.ProblemCount++
	if len(r.Problems) < limit {
		r.Problems = append(r.Problems, p)
	}
}

// finish sorts the report, adds what Kafka says and sums up.
func (r *Report) finish(topics map[string]string, kafka []KafkaPartition, limit int, wholeBlocks bool) {
	ends := map[place]int64{}
	for _, p := range r.Partitions {
		at := place{p.Topic, p.Partition}
		ends[at] = max(ends[at], p.To)
	}
	known := map[place]KafkaPartition{}
	r.Lag = -1
	for _, k := range kafka {
		at := place{k.Topic, k.Partition}
		known[at] = k
		end, recorded := ends[at]
		stored := max(end, k.Committed)
		if wholeBlocks && k.Committed > end && (recorded || k.Committed > 0) && topics[k.Topic] != "" {
			r.unrecorded(limit, k, end, recorded)
		}
		r.Lag = max(r.Lag, 0) + max(0, k.End-max(stored, 0))
	}
	for i := range r.Partitions {
		p := &r.Partitions[i]
		p.Signal = topics[p.Topic]
		p.Committed, p.End, p.Lag = -1, -1, -1
		if k, ok := known[place{p.Topic, p.Partition}]; ok {
			p.Committed, p.End = k.Committed, k.End
			p.Lag = max(0, k.End-max(ends[place{p.Topic, p.Partition}], k.Committed))
		}
		r.Totals.add(p.Counts)
	}
	slices.SortFunc(r.Partitions, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Tenant, b.Tenant))
	})
	slices.SortStableFunc(r.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.From, b.From), cmp.Compare(a.Tenant, b.Tenant))
	})
	if r.Problems == nil {
		r.Problems = []Problem{}
	}
	if r.Partitions == nil {
		r.Partitions = []Partition{}
	}
	r.Balanced = r.ProblemCount == 0
}

// unrecorded reports offsets that were committed although the ledger does not
// have them. Where the ledger has nothing of the partition, all that is known
// is where it should end.
func (r *Report) unrecorded(limit int, k KafkaPartition, end int64, recorded bool) {
	if !recorded {
		if r.Since.IsZero() {
			r.problem(limit, Problem{
				Kind: Unrecorded, Topic: k.Topic, Partition: k.Partition, From: 0, To: k.Committed,
				Detail: "offsets were committed, but the ledger has no block of the partition",
			})
		}
		return
	}
	r.problem(limit, Problem{
		Kind: Unrecorded, Topic: k.Topic, Partition: k.Partition, From: end, To: k.Committed,
		Detail: "offsets were committed, but the ledger ends before them",
	})
}

// place is one partition of one topic.
type place struct {
	topic     string
	partition int32
}
