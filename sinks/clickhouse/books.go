package clickhouse

import (
	"cmp"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// ledgerRow is what the books say of one tenant in a block.
type ledgerRow struct {
	tenant                                         string
	records, accepted, rejected, dropped, repeated int64
	stored                                         int64
	minTime, maxTime                               int64
}

// ledger writes the table ledger.
type ledger struct {
	rows  rows[ledgerRow]
	found []ledgerRow
	block *block
	time  int64
}

func newLedger(s *Sink) *ledger {
	t := &ledger{}
	r, sh := &t.rows, &s.shared
	t.block = s.newBlock(tables.Ledger, t.rows.use, encoders{
		"time":           int64s(r, func(*ledgerRow) int64 { return t.time }),
		"tenant":         lowTexts(r, &sh.words, func(row *ledgerRow) string { return row.tenant }),
		"topic":          lowTexts(r, &sh.words, func(*ledgerRow) string { return sh.batch.Topic }),
		"from_offset":    int64s(r, func(*ledgerRow) int64 { return sh.batch.From }),
		"to_offset":      int64s(r, func(*ledgerRow) int64 { return sh.batch.To }),
		"records":        int64s(r, func(row *ledgerRow) int64 { return row.records }),
		"accepted":       int64s(r, func(row *ledgerRow) int64 { return row.accepted }),
		"stored":         int64s(r, func(row *ledgerRow) int64 { return row.stored }),
		"rejected":       int64s(r, func(row *ledgerRow) int64 { return row.rejected }),
		"dropped":        int64s(r, func(row *ledgerRow) int64 { return row.dropped }),
		"repeated":       int64s(r, func(row *ledgerRow) int64 { return row.repeated }),
		"min_time":       times(r, func(row *ledgerRow) int64 { return row.minTime }),
		"max_time":       times(r, func(row *ledgerRow) int64 { return row.maxTime }),
		"retention_days": uint16s(r, func(*ledgerRow) uint16 { return s.cfg.Retention.Ledger }),
	})
	return t
}

// tenant returns the row of a tenant.
func (t *ledger) tenant(name string) *ledgerRow {
	for i := range t.found {
		if t.found[i].tenant == name {
			return &t.found[i]
		}
	}
	t.found = append(t.found, ledgerRow{tenant: name})
	return &t.found[len(t.found)-1]
}

// prepare closes the books of a block. A block without records of tenants has one
// row, of no tenant, so that the blocks of a partition follow each other without a
// gap.
func (t *ledger) prepare(s *Sink, b *telemetry.Batch) *block {
	t.found = t.found[:0]
	t.time = blockTime(b, s.now)
	for i := range b.Records {
		r := &b.Records[i]
		if r.Idle {
			continue // goshawk's own
		}
		row := t.tenant(r.Tenant)
		row.records++
		events := r.Declared
		if events < 0 {
			events = r.Decoded
		}
		if r.Repeated {
			row.repeated += events
		} else {
			row.accepted += events
			row.dropped += r.Dropped
		}
	}
	for i := range b.Rejects {
		t.tenant(b.Records[b.Rejects[i].Record].Tenant).rejected += b.Rejects[i].Events
	}
	t.count(b)
	if len(t.found) == 0 {
		t.found = append(t.found, ledgerRow{})
	}
	slices.SortFunc(t.found, func(a, b ledgerRow) int { return cmp.Compare(a.tenant, b.tenant) })
	t.rows.all, t.rows.order = t.found, t.rows.order[:0]
	for i := range t.found {
		t.rows.order = append(t.rows.order, uint32(i))
	}
	t.block.rows = len(t.found)
	return t.block
}

// count counts the rows that are stored.
func (t *ledger) count(b *telemetry.Batch) {
	var row *ledgerRow
	stored := func(resource uint32, time int64) {
		if tenant := b.TenantOf(resource); row == nil || row.tenant != tenant {
			row = t.tenant(tenant)
		}
		time = eventTime(time)
		if row.stored == 0 {
			row.minTime, row.maxTime = time, time
		}
		row.stored++
		row.minTime, row.maxTime = min(row.minTime, time), max(row.maxTime, time)
	}
	point := func(p *telemetry.Point) { stored(b.Metrics[p.Metric].Resource, p.Time) }
	for i := range b.Logs {
		stored(b.Logs[i].Resource, b.Logs[i].Time)
	}
	for i := range b.Spans {
		stored(b.Spans[i].Resource, b.Spans[i].Start)
	}
	for i := range b.Numbers {
		point(&b.Numbers[i].Point)
	}
	for i := range b.Histograms {
		point(&b.Histograms[i].Point)
	}
	for i := range b.Exponentials {
		point(&b.Exponentials[i].Point)
	}
	for i := range b.Summaries {
		point(&b.Summaries[i].Point)
	}
}

// deadLetters writes the table dead_letters.
type deadLetters struct {
	rows  rows[telemetry.Reject]
	block *block
	// positions are the numbers of the rejects, which are their own.
	positions []uint32
}

func newDeadLetters(s *Sink) *deadLetters {
	t := &deadLetters{}
	r, sh := &t.rows, &s.shared
	record := func(row *telemetry.Reject) *telemetry.Record { return &sh.batch.Records[row.Record] }
	t.block = s.newBlock(tables.DeadLetters, t.rows.use, encoders{
		"time":          int64s(r, func(row *telemetry.Reject) int64 { return receiveTime(record(row), s.now) }),
		"tenant":        lowTexts(r, &sh.words, func(row *telemetry.Reject) string { return record(row).Tenant }),
		"topic":         lowTexts(r, &sh.words, func(*telemetry.Reject) string { return sh.batch.Topic }),
		"record_offset": int64s(r, func(row *telemetry.Reject) int64 { return record(row).Offset }),
		"position": func(dst []byte) []byte {
			for _, i := range r.part {
				dst = appendUint32(dst, i)
			}
			return dst
		},
		"signal":      uint8s(r, func(*telemetry.Reject) uint8 { return uint8(sh.batch.Signal) }),
		"reason_code": lowTexts(r, &sh.words, func(row *telemetry.Reject) string { return row.ReasonCode }),
		"reason":      texts(r, func(row *telemetry.Reject) string { return row.Reason }),
		"events":      int64s(r, func(row *telemetry.Reject) int64 { return row.Events }),
		"value":       texts(r, func(row *telemetry.Reject) string { return view(row.Value) }),
		"retention_days": uint16s(r, func(*telemetry.Reject) uint16 {
			return s.cfg.Retention.DeadLetters
		}),
	})
	return t
}

func (t *deadLetters) prepare(b *telemetry.Batch) *block {
	for len(t.positions) < len(b.Rejects) {
		t.positions = append(t.positions, uint32(len(t.positions)))
	}
	t.rows.all, t.rows.order = b.Rejects, t.positions[:len(b.Rejects)]
	t.block.rows = len(b.Rejects)
	return t.block
}

// Receive times outside of these years are the nonsense of a foreign clock. In
// the books, where they only say how long a row is kept, the present serves.
var (
	firstYear = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	lastYear  = lastEventTime
)

// receiveTime returns when a record was received.
func receiveTime(r *telemetry.Record, now func() time.Time) int64 {
	if r.ReceiveTime < firstYear || r.ReceiveTime >= lastYear {
		return now().UnixNano()
	}
	return r.ReceiveTime
}

// blockTime returns when the last of the block's records was received.
func blockTime(b *telemetry.Batch, now func() time.Time) int64 {
	var last int64
	for i := range b.Records {
		if t := b.Records[i].ReceiveTime; t >= firstYear && t < lastYear {
			last = max(last, t)
		}
	}
	if last == 0 {
		return now().UnixNano()
	}
	return last
}
