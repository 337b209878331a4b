package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// # How many series a tenant may have
//
// A series is counted on each day on which it has points, by the partition that
// it comes from: a tenant's limit is shared out evenly over the partitions of
// the topic, because a worker knows no other partition than its own.
//
// The table series is the memory: what is in it exists and goes on, whatever the
// limit. A worker reads how many series a tenant has when it first meets a new
// one, and counts on from there. Series that its cache does not know are counted
// as new although the table may have them, so the count errs upwards; only when
// that touches the limit is the table asked which of the block's series it has
// and how many there are. Below the limit nothing is asked.
//
// # The same decision again
//
// A block that is written again must refuse what it refused before: its inserts
// may be repeats that change nothing, and the ledger must say what they did. So
// series and dead letters are inserted before points. Of a block that may have
// been begun, then,
//
//   - either there are dead letters for this reason: the series that were
//     admitted are in the table, and all others were refused;
//   - or there are none: nothing was refused, and all series of the block are in
//     the table, or no points were inserted and any decision is as good.
//
// A cluster's table may be read from a replica that lags. Series can then be
// refused for as long as refusals are remembered, although they exist.

// ReasonSeriesLimit is the reason code of points whose series is one too many.
const ReasonSeriesLimit = "series_limit"

// refusedFor is how long a refused series is refused without another look at
// the table, which is also how soon the limit notices that series were deleted.
const refusedFor = time.Minute

// maxTenantDays bounds the counts that are kept; all are read again behind it.
const maxTenantDays = 10_000

// tenantDay is what a limit applies to. The day is counted from 1970-01-01.
type tenantDay struct {
	tenant string
	day    uint16
}

// dayCount is how many series a tenant has on a day.
type dayCount struct {
	tenantDay
	// series is the number of series in the table or, unless exact, more.
	series        int
	loaded, exact bool

	// What follows is of the block that is being written.

	limit, share int
	// fresh is the number of series that are not known, added that of those
	// that will be in the table when the block is, refused that of the others.
	fresh, added, refused int
	// row is the number of a row of series.found.
	row uint32
	// crowded is set where the table has to be asked, closed where the first
	// attempt at the block decided that nothing new is admitted.
	crowded, closed bool
}

// limits decides which new series are admitted.
type limits struct {
	cfg *SeriesLimit
	// partitions is among how many partitions limits are shared out.
	partitions int
	days       map[tenantDay]*dayCount
	// touched are the counts that the block has new series of.
	touched []*dayCount
	last    *dayCount
	fresh   map[uint64]bool // by series and day: whether it is admitted
	// refused remembers series and days that were refused, since emptied.
	refused seriesCache
	emptied time.Time
	// denied are the series and days of the block that are refused, with the
	// record, counted from 1, that was last seen to have it.
	denied map[uint64]uint32
	ask    *block
	warned time.Time
}

func newLimits(cfg *Config) *limits {
	return &limits{
		cfg: &cfg.SeriesLimit, days: make(map[tenantDay]*dayCount), fresh: make(map[uint64]bool),
		refused: seriesCache{limit: cfg.SeriesCache}, denied: make(map[uint64]uint32),
	}
}

// reset begins a block. What was counted for one that failed is read again.
func (l *limits) reset(now time.Time) {
	for _, d := range l.touched {
		d.loaded, d.exact = false, false
		d.end()
	}
	l.touched, l.last = l.touched[:0], nil
	clear(l.fresh)
	clear(l.denied)
	if now.Sub(l.emptied) >= refusedFor || now.Before(l.emptied) {
		l.emptied = now
		l.refused.forget()
		for _, d := range l.days {
			d.exact = false
		}
	}
	if len(l.days) > maxTenantDays {
		clear(l.days)
	}
}

// end forgets what is of one block.
func (d *dayCount) end() {
	*d = dayCount{tenantDay: d.tenantDay, series: d.series, loaded: d.loaded, exact: d.exact}
}

// learn counts what was written, once it is durable.
func (l *limits) learn() {
	for _, d := range l.touched {
		d.series += d.added
		d.exact = d.exact && d.crowded
		d.end()
	}
	l.touched, l.last = l.touched[:0], nil
}

// of returns the count of a tenant and day and notes that the block has a new
// series of it.
func (l *limits) of(tenant string, day uint16) *dayCount {
	if d := l.last; d != nil && d.day == day && d.tenant == tenant {
		return d
	}
	d := l.days[tenantDay{tenant, day}]
	if d == nil {
		d = &dayCount{tenantDay: tenantDay{strings.Clone(tenant), day}}
		l.days[d.tenantDay] = d
	}
	l.last = d
	return d
}

// admit decides about the series that were found and takes the points of those
// that are refused out of the batch. It is harmless to do so again.
func (s *Sink) admit(ctx context.Context, b *telemetry.Batch) error {
	l := s.series.limits
	if len(s.series.found) > 0 && (b.Begun || l.cfg.any()) {
		if err := s.decide(ctx, b); err != nil {
			return fmt.Errorf("holding series against their limit: %w", err)
		}
	}
	if len(l.denied) > 0 {
		s.refuse(b)
	}
	return nil
}

func (s *Sink) decide(ctx context.Context, b *telemetry.Batch) error {
	l := s.series.limits
	var closed []string
	if b.Begun {
		var err error
		if closed, err = s.refusedBefore(ctx, b); err != nil {
			return err
		}
	}
	if l.partitions == 0 {
		n, err := s.partitions(ctx, b.Topic)
		if err != nil {
			return err
		}
		l.partitions = max(n, 1)
	}
	s.series.group(&s.shared, closed)
	var unread []*dayCount
	for _, d := range l.touched {
		if d.limit > 0 && !d.loaded {
			unread = append(unread, d)
		}
	}
	if err := s.count(ctx, b, unread); err != nil {
		return err
	}
	unread = unread[:0]
	for _, d := range l.touched {
		if d.limit > 0 && !d.exact && d.full() {
			unread = append(unread, d)
		}
	}
	if err := s.count(ctx, b, unread); err != nil {
		return err
	}
	crowded := false
	for _, d := range l.touched {
		if d.crowded = d.closed || d.limit > 0 && d.full(); d.crowded {
			crowded = true
		} else {
			d.added = d.fresh
		}
	}
	if !crowded {
		return nil
	}
	if err := s.exist(ctx, b); err != nil {
		return err
	}
	s.series.settle()
	s.report()
	return nil
}

// full reports whether the block's series may be too many.
func (d *dayCount) full() bool { return d.series+d.fresh > d.share }

// group counts the block's new series by tenant and day.
func (t *series) group(sh *shared, closed []string) {
	l := t.limits
	for i := range t.found {
		row := &t.found[i]
		d := l.of(sh.resources[sh.batch.Metrics[row.metric].Resource].tenant, row.day)
		row.count = d
		if d.fresh == 0 {
			l.touched = append(l.touched, d)
			d.limit = l.cfg.of(d.tenant)
			d.share = (d.limit + l.partitions - 1) / l.partitions
			d.row = uint32(i)
			for _, tenant := range closed {
				d.closed = d.closed || tenant == d.tenant
			}
		}
		if _, seen := l.fresh[row.onDay]; !seen {
			l.fresh[row.onDay] = false
			d.fresh++
		}
	}
}

// settle decides about the crowded, in the order in which series were found.
// Those that exist are marked in fresh.
func (t *series) settle() {
	l := t.limits
	kept := t.found[:0]
	for _, row := range t.found {
		d := row.count
		_, denied := l.denied[row.onDay]
		switch {
		case !d.crowded, l.fresh[row.onDay]:
		case !denied && !d.closed && d.series+d.added < d.share:
			d.added++
			l.fresh[row.onDay] = true
		default:
			if !denied {
				d.refused++
				l.denied[row.onDay] = 0
				l.refused.add(row.onDay)
			}
			delete(t.written, row.key)
			continue
		}
		kept = append(kept, row)
	}
	t.found = kept
}

// report counts and logs what was refused.
func (s *Sink) report() {
	l := s.series.limits
	var most *dayCount
	for _, d := range l.touched {
		if d.refused > 0 {
			s.metrics.refuse(d.tenant, d.refused)
			if most == nil || d.refused > most.refused {
				most = d
			}
		}
	}
	if now := s.now(); most != nil && now.Sub(l.warned) >= refusedFor {
		l.warned = now
		s.log.Warn("new series are refused: a tenant has as many as it may have on a day",
			"tenant", most.tenant, "day", time.Unix(int64(most.day)*86400, 0).UTC().Format(time.DateOnly),
			"limit", most.limit, "of_this_partition", most.share, "refused_in_block", most.refused)
	}
}
