package sampling

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// State says how far the sampling of a day is.
type State int

const (
	// Waiting is for a day that is not over, or not for long enough.
	Waiting State = iota
	// Whole is for a day of a tenant of whom everything is kept.
	Whole
	// Due is for a day that is to be thinned.
	Due
	// Begun is for a day whose rows are being deleted.
	Begun
	// Done is for a day that is thinned.
	Done
	// Expired is for a day that expires before long, or has.
	Expired
)

var states = [...]string{Waiting: "waiting", Whole: "whole", Due: "due", Begun: "begun", Done: "done", Expired: "expired"}

func (s State) String() string { return states[s] }

// Day is a day of a tenant.
type Day struct {
	Tenant string
	Day    int64 // counted from 1970-01-01
	State  State
	// last is the last run, of the number 0 where there was none; sums are the
	// counts of all.
	last entry
	sums Counts
}

// Runs returns how often the day was thinned.
func (d *Day) Runs() uint32 { return d.last.run }

// Probability returns that of the last run.
func (d *Day) Probability() float64 { return d.last.rule.Probability }

// Removed returns what all runs have deleted, or are deleting. Of days that are
// there, it is those of the first run.
func (d *Day) Removed() Counts { return d.sums }

// survey is what the ledger and the books say of all days.
type survey struct {
	// offsets are from before anything else was looked at: rows of blocks that
	// begin there or later are left alone.
	offsets tables.Offsets
	days    []Day // by day and tenant
	byKey   map[dayKey]int
}

type dayKey struct {
	tenant string
	day    int64
}

// Days returns the days of the selection, the newest first.
func (j *Job) Days(ctx context.Context, only Selection) ([]Day, error) {
	s, err := j.survey(ctx)
	if err != nil {
		return nil, err
	}
	days := slices.DeleteFunc(s.days, func(d Day) bool { return !only.has(d.Tenant, d.Day) })
	slices.Reverse(days)
	return days, nil
}

func (j *Job) survey(ctx context.Context) (*survey, error) {
	s := &survey{byKey: map[dayKey]int{}}
	var err error
	if s.offsets, err = j.offsets(ctx); err != nil {
		return nil, err
	}
	all, err := j.entries(ctx)
	if err != nil {
		return nil, err
	}
	days := map[dayKey]*Day{}
	of := func(tenant string, day int64) *Day {
		k := dayKey{tenant, day}
		if days[k] == nil {
			days[k] = &Day{Tenant: tenant, Day: day}
		}
		return days[k]
	}
	if err := j.stored(ctx, func(tenant string, day int64) { of(tenant, day) }); err != nil {
		return nil, err
	}
	for _, e := range all { // by run
		d := of(e.tenant, e.day)
		if d.last.run == 0 {
			d.sums.Spans, d.sums.Traces = e.Spans, e.Traces
		}
		d.last = e
		d.sums.SpansRemoved += e.SpansRemoved
		d.sums.TracesRemoved += e.TracesRemoved
		d.sums.BytesRemoved += e.BytesRemoved
	}
	for _, d := range days {
		d.State = j.state(d)
		s.days = append(s.days, *d)
	}
	slices.SortFunc(s.days, func(a, b Day) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Tenant, b.Tenant)) })
	for i := range s.days {
		s.byKey[dayKey{s.days[i].Tenant, s.days[i].Day}] = i
	}
	return s, nil
}

// state says how far a day is. What was begun is brought to its end, whatever
// the settings have become.
func (j *Job) state(d *Day) State {
	rule := j.cfg.of(d.Tenant)
	end := time.Unix((d.Day+1)*86400, 0)
	switch now := j.now(); {
	case d.last.run != 0 && !d.last.done:
		return Begun
	case d.last.run != 0:
		return Done
	case now.Before(end.Add(rule.After)):
		return Waiting
	case !now.Before(end.AddDate(0, 0, j.kept(d.Tenant)-2)):
		return Expired
	case rule.Probability >= 1:
		return Whole
	}
	return Due
}

// numbers returns the days, the oldest first.
func (s *survey) numbers() []int64 {
	var all []int64
	for i := range s.days {
		all = append(all, s.days[i].Day)
	}
	return slices.Compact(all)
}

// of returns the tenants of a day.
func (s *survey) of(day int64) []*Day {
	var all []*Day
	for i := range s.days {
		if s.days[i].Day == day {
			all = append(all, &s.days[i])
		}
	}
	return all
}

// get returns a day of a tenant, nil where nothing is known of it.
func (s *survey) get(tenant string, day int64) *Day {
	if i, ok := s.byKey[dayKey{tenant, day}]; ok {
		return &s.days[i]
	}
	return nil
}

// offsets returns where the last block of each partition begins. What is before
// is there and is never written again: a block is committed before the next one
// is written.
func (j *Job) offsets(ctx context.Context) (tables.Offsets, error) {
	found := tables.Offsets{}
	err := clickhouse.Each(ctx, j.conn, "reading the ledger's offsets", func(row clickhouse.Row) error {
		var partition uint32
		var offset uint64
		if err := row.Scan(&partition, &offset); err != nil {
			return err
		}
		found[partition] = offset
		return nil
	}, "SELECT kafka_partition, max(from_offset) FROM "+j.dialect.Table(tables.Ledger)+
		" WHERE topic = "+tables.QuoteText(j.topic)+" GROUP BY kafka_partition")
	return found, err
}

// stored calls add for every day of a tenant that the ledger has blocks of, and
// for those in between: a block says when its first and its last span began.
func (j *Job) stored(ctx context.Context, add func(tenant string, day int64)) error {
	today := j.now().Unix() / 86400
	return clickhouse.Each(ctx, j.conn, "reading which days have spans", func(row clickhouse.Row) error {
		var tenant string
		var first, last uint16
		if err := row.Scan(&tenant, &first, &last); err != nil {
			return err
		}
		oldest := today - int64(j.kept(tenant))
		for day := max(int64(first), oldest); day <= min(int64(last), today); day++ {
			add(tenant, day)
		}
		return nil
	}, "SELECT toString(tenant) AS owner, toUInt16(toDate(min_time, 'UTC')) AS first, toUInt16(toDate(max_time, 'UTC')) AS last FROM "+
		j.dialect.Table(tables.Ledger)+" WHERE topic = "+tables.QuoteText(j.topic)+" AND stored > 0 GROUP BY owner, first, last")
}
