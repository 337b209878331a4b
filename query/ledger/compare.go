package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// entry is one row of the ledger.
type entry struct {
	key
	to, records                                   uint64
	accepted, stored, rejected, dropped, repeated uint64
	received, minTime                             time.Time
	retentionDays                                 uint16
}

// key names a tenant's part of a block.
type key struct {
	partition uint32
	from      uint64
	tenant    string
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.from, b.from), cmp.Compare(a.tenant, b.tenant))
}

// found is what a table has of one key: rows, or events of dead letters.
type found struct {
	key
	n uint64
}

// stream yields elements in the order of their keys; ok is false at the end.
type stream[T any] interface {
	next() (element T, ok bool, err error)
}

// comparison merges the ledger's entries of one topic with what its tables
// have. It holds one block at a time.
type comparison struct {
	report      *Report
	cfg         *Config
	options     Options
	topic       string
	tables      []string
	ends        map[uint32]uint64 // where the ledger ended when the audit began
	committed   map[uint32]int64
	partitions  map[key]*Partition // by partition and tenant, from is 0
	last        map[uint32]block
	wholeBlocks bool
}

// block is a range of offsets.
type block struct{ from, to uint64 }

// head is a stream with its next element.
type head[T any] struct {
	stream  stream[T]
	element T
	ok      bool
}

func (h *head[T]) advance() (err error) {
	h.element, h.ok, err = h.stream.next()
	return err
}

// run reads all streams to their ends: the ledger, one per table, the dead
// letters, and what sampling has deleted and what it may have deleted.
func (c *comparison) run(entries stream[entry], rows []stream[found], letters, gone, going stream[found]) error {
	ledger := head[entry]{stream: entries}
	if err := ledger.advance(); err != nil {
		return err
	}
	finds := make([]head[found], 0, len(rows)+3)
	for _, s := range append(slices.Clone(rows), letters, gone, going) {
		finds = append(finds, head[found]{stream: s})
		if err := finds[len(finds)-1].advance(); err != nil {
			return err
		}
	}
	var same []entry
	got := make([]uint64, len(finds))
	for {
		least, some := ledger.element.key, ledger.ok
		for _, f := range finds {
			if f.ok && (!some || compareKeys(f.element.key, least) < 0) {
				least, some = f.element.key, true
			}
		}
		if !some {
			return nil
		}
		same = same[:0]
		for ledger.ok && ledger.element.key == least {
			same = append(same, ledger.element)
			if err := ledger.advance(); err != nil {
				return err
			}
		}
		for i := range finds {
			got[i] = 0
			for finds[i].ok && finds[i].element.key == least {
				got[i] += finds[i].element.n
				if err := finds[i].advance(); err != nil {
					return err
				}
			}
		}
		if others := got[len(rows):]; len(same) > 0 || slices.Max(got[:len(rows)+1]) > 0 {
			c.block(least, same, got[:len(rows)], others[0], sampled{others[1], max(others[1], others[2])})
		}
	}
}

// sampled is how many rows of a block sampling has deleted at least, and at most
// while it is deleting.
type sampled struct{ least, most uint64 }

// block compares one tenant's part of one block.
func (c *comparison) block(k key, entries []entry, rows []uint64, letters uint64, removed sampled) {
	// What is beyond the end that the ledger had at first came while the audit
	// was reading; the next one will see it.
	if k.from >= c.ends[k.partition] {
		if int64(k.from) < c.committed[k.partition] {
			c.orphan(k, rows, letters)
			return
		}
		c.partition(k).Pending++
		return
	}
	if len(entries) == 0 {
		c.orphan(k, rows, letters)
		return
	}
	e := entries[0]
	for _, other := range entries {
		c.chain(other)
	}
	if len(entries) > 1 {
		c.problem(Problem{
			Kind: LedgerDoubled, From: int64(k.from), To: int64(e.to), Want: 1, Got: uint64(len(entries)),
			Detail: fmt.Sprintf("the block is %d times in the ledger", len(entries)),
		}, k)
	}
	p := c.partition(k)
	p.count(e)
	if sum := e.stored + e.rejected + e.dropped; sum != e.accepted {
		c.problem(Problem{
			Kind: Unbalanced, From: int64(k.from), To: int64(e.to), Want: e.accepted, Got: sum,
			Detail: fmt.Sprintf("accepted %d is not stored %d + rejected %d + dropped %d", e.accepted, e.stored, e.rejected, e.dropped),
		}, k)
	}
	c.rows(e, rows, removed, p)
	c.letters(e, letters, p)
}

// rows compares the rows of a block with what was stored and not deleted by
// sampling.
func (c *comparison) rows(e entry, rows []uint64, removed sampled, p *Partition) {
	got := uint64(0)
	for _, n := range rows {
		got += n
	}
	p.Found += got
	expired := e.stored > 0 && c.expired(c.tables[0], e.minTime, e)
	if expired {
		p.Expired++
	}
	left := e.stored - min(removed.least, e.stored)
	fewest := e.stored - min(removed.most, e.stored)
	p.Sampled += min(removed.most, e.stored-min(got, e.stored))
	if got >= fewest && got <= left || got < left && expired {
		return
	}
	problem := Problem{From: int64(e.from), To: int64(e.to), Tables: c.tables, Want: left, Got: got}
	if got < fewest {
		problem.Want = fewest
	}
	besides := ""
	if removed.most > 0 {
		besides = fmt.Sprintf(" besides the %d that sampling deleted", removed.most)
	}
	switch {
	case got < fewest && got == 0:
		problem.Kind, problem.Detail = Missing, fmt.Sprintf("all %d rows of the block are gone%s", fewest, besides)
	case got < fewest:
		problem.Kind, problem.Detail = Short, fmt.Sprintf("%d of the block's %d rows are gone%s", fewest-got, e.stored, besides)
	case removed.least > 0:
		problem.Kind, problem.Detail = Surplus, fmt.Sprintf("%d rows are there, of %d that were stored sampling deleted %d", got, e.stored, removed.least)
	case e.stored > 0 && got%e.stored == 0:
		problem.Kind, problem.Detail = Doubled, fmt.Sprintf("the block's %d rows are there %d times", e.stored, got/e.stored)
	default:
		problem.Kind, problem.Detail = Surplus, fmt.Sprintf("%d rows more than the %d that were stored", got-e.stored, e.stored)
	}
	c.problem(problem, e.key)
}

// letters compares the dead letters of a block with what was rejected.
func (c *comparison) letters(e entry, got uint64, p *Partition) {
	p.DeadLettered += got
	if got == e.rejected || got < e.rejected && c.expired(deadLetters, e.received, e) {
		return
	}
	c.problem(Problem{
		Kind: DeadLetters, From: int64(e.from), To: int64(e.to), Tables: []string{deadLetters}, Want: e.rejected, Got: got,
		Detail: fmt.Sprintf("%d events were rejected, dead_letters has %d", e.rejected, got),
	}, e.key)
}

// orphan reports rows and dead letters of a block that is not in the ledger.
func (c *comparison) orphan(k key, rows []uint64, letters uint64) {
	var where []string
	total := letters
	for i, n := range rows {
		if n > 0 {
			where = append(where, c.tables[i])
			total += n
		}
	}
	if letters > 0 {
		where = append(where, deadLetters)
	}
	c.problem(Problem{
		Kind: Orphan, From: int64(k.from), To: -1, Tables: where, Got: total,
		Detail: fmt.Sprintf("%d rows or dead letters of a block that is not in the ledger", total),
	}, k)
}

// chain checks that the entry's block is the same as the one before it in the
// partition, or follows it.
func (c *comparison) chain(e entry) {
	if e.to <= e.from {
		c.problem(Problem{Kind: Overlap, From: int64(e.from), To: int64(e.to), Detail: "the block ends before it starts"}, e.key)
		return
	}
	if !c.wholeBlocks {
		return
	}
	last, seen := c.last[e.partition]
	here := block{e.from, e.to}
	if seen && here != last {
		switch {
		case e.from > last.to:
			c.problem(Problem{
				Kind: Gap, From: int64(last.to), To: int64(e.from),
				Detail: fmt.Sprintf("%d offsets belong to no block", e.from-last.to),
			}, key{partition: e.partition})
		case e.from < last.to:
			c.problem(Problem{
				Kind: Overlap, From: int64(e.from), To: int64(min(e.to, last.to)),
				Detail: fmt.Sprintf("the block [%d,%d) overlaps the block [%d,%d)", e.from, e.to, last.from, last.to),
			}, key{partition: e.partition})
			here.to = max(e.to, last.to)
		}
	}
	c.last[e.partition] = here
}

// expired reports whether rows as old as oldest may have reached the end of
// their retention.
func (c *comparison) expired(table string, oldest time.Time, e entry) bool {
	days := int(e.retentionDays)
	if c.cfg.RetentionDays != nil {
		days = c.cfg.RetentionDays(table, e.tenant)
	}
	return days > 0 && oldest.AddDate(0, 0, days).Before(c.options.Now)
}

func (c *comparison) problem(p Problem, k key) {
	p.Topic, p.Partition, p.Tenant = c.topic, int32(k.partition), k.tenant
	c.report.problem(c.cfg.MaxProblems, p)
}

// partition returns the sums of the key's tenant and partition.
func (c *comparison) partition(k key) *Partition {
	k.from = 0
	p := c.partitions[k]
	if p == nil {
		p = &Partition{Topic: c.topic, Partition: int32(k.partition), Tenant: k.tenant, From: -1}
		c.partitions[k] = p
	}
	return p
}

// count adds one entry of the ledger.
func (p *Partition) count(e entry) {
	if p.From < 0 {
		p.From = int64(e.from)
	}
	p.To = max(p.To, int64(e.to))
	p.add(Counts{
		Blocks: 1, Records: e.records, Accepted: e.accepted, Stored: e.stored,
		Rejected: e.rejected, Dropped: e.dropped, Repeated: e.repeated,
	})
}
