package rollup

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// State says how the rollups of a day are.
type State int

const (
	// Waiting is for a day that is not over, or not for long enough.
	Waiting State = iota
	// Missing is for a day that has samples and no rollups.
	Missing
	// Clean is for a day whose rollups say what its samples say.
	Clean
	// Late is for a day that samples came for after it was rolled up.
	Late
	// Expired is for a day that cannot be rolled up any more, because samples
	// of it may be gone.
	Expired
)

func (s State) String() string {
	return [...]string{Waiting: "waiting", Missing: "missing", Clean: "clean", Late: "late", Expired: "expired"}[s]
}

// Day is a day of a tenant.
type Day struct {
	Tenant string
	Day    int64 // counted from 1970-01-01
	State  State
	// Published is when its rollups were published, zero where there are none;
	// Samples and Rows are what they are made of and what they have.
	Published time.Time
	Samples   uint64
	Rows

	entry entry
	// late is set where blocks came after what the entry knows.
	late bool
	// newest is the greatest version that was begun.
	newest uint64
	// older are the versions before that which is published.
	older []uint64
}

// entry is a row of the table rollups.
type entry struct {
	tenant             string
	day                int64
	version            uint64
	published, checked time.Time
	topic              string
	offsets            tables.Offsets
	samples            uint64
	rows               Rows
}

func (e *entry) has(all []tables.Resolution) bool {
	return !slices.ContainsFunc(all, func(r tables.Resolution) bool { _, ok := e.rows[r.Name]; return !ok })
}

// survey is what the tables say of all days.
type survey struct {
	// offsets are from before anything else was looked at.
	offsets tables.Offsets
	days    []Day // the newest first
}

// Days returns the days of the selection, the newest first.
func (j *Job) Days(ctx context.Context, only Selection) ([]Day, error) {
	s, err := j.survey(ctx, only)
	if err != nil {
		return nil, err
	}
	return s.days, nil
}

func (j *Job) survey(ctx context.Context, only Selection) (*survey, error) {
	s := &survey{}
	var err error
	if s.offsets, err = j.offsets(ctx); err != nil {
		return nil, err
	}
	type key struct {
		tenant string
		day    int64
	}
	days := map[key]*Day{}
	of := func(tenant string, day int64) *Day {
		k := key{tenant, day}
		if days[k] == nil {
			days[k] = &Day{Tenant: tenant, Day: day}
		}
		return days[k]
	}
	err = j.sampled(ctx, only, func(tenant string, day int64) { of(tenant, day) })
	if err != nil {
		return nil, err
	}
	all, err := j.entries(ctx, only)
	if err != nil {
		return nil, err
	}
	// The last of a day that is published counts.
	for _, e := range all {
		d := of(e.tenant, e.day)
		d.newest = max(d.newest, e.version)
		if !e.published.IsZero() && e.version > d.entry.version {
			d.entry = e
			d.Published, d.Samples, d.Rows = e.published, e.samples, e.rows
		}
	}
	for _, e := range all {
		if d := of(e.tenant, e.day); e.version < d.entry.version {
			d.older = append(d.older, e.version)
		}
	}
	for d := range maps.Values(days) {
		switch {
		case d.entry.version != 0:
			d.State = Clean
			if d.entry.topic != j.topic {
				d.State, d.late = Late, true // of another topic nothing is known
			}
		case !j.over(d.Day):
			d.State = Waiting
		case j.expiring(d.Tenant, d.Day):
			d.State = Expired
		default:
			d.State = Missing
		}
		s.days = append(s.days, *d)
	}
	slices.SortFunc(s.days, func(a, b Day) int { return cmp.Or(cmp.Compare(b.Day, a.Day), cmp.Compare(a.Tenant, b.Tenant)) })
	return s, j.touched(ctx, s.days)
}

// condition is that of a selection.
func (s *Selection) condition(day string) (string, []any) {
	where, args := "1", []any(nil)
	if s.Tenant != "" {
		where, args = "tenant = ?", append(args, s.Tenant)
	}
	if s.Day != 0 {
		where, args = where+" AND "+day+" = ?", append(args, s.Day)
	}
	return where, args
}

// offsets returns up to where the ledger is written. Partitions are written in
// order, so everything before is there.
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
	}, "SELECT kafka_partition, max(to_offset) FROM "+j.dialect.Table(tables.Ledger)+
		" WHERE topic = ? GROUP BY kafka_partition", j.topic)
	return found, err
}

// sampled calls add for every day of a tenant that has samples.
func (j *Job) sampled(ctx context.Context, only Selection, add func(tenant string, day int64)) error {
	where, args := only.condition("toUInt16(day)")
	return clickhouse.Each(ctx, j.conn, "reading which days have samples", func(row clickhouse.Row) error {
		var tenant string
		var day uint16
		if err := row.Scan(&tenant, &day); err != nil {
			return err
		}
		add(tenant, int64(day))
		return nil
	}, "SELECT toString(tenant) AS owner, toUInt16(day) AS number FROM "+j.dialect.Table(tables.Series)+
		" WHERE kind IN ('gauge', 'sum') AND protocol IN ('otlp', 'remote_write') AND "+where+" GROUP BY owner, number", args...)
}

// entries returns what the table rollups says, of each version the last.
func (j *Job) entries(ctx context.Context, only Selection) ([]entry, error) {
	where, args := only.condition("toUInt16(day)")
	var all []entry
	err := clickhouse.Each(ctx, j.conn, "reading the books of rollups", func(row clickhouse.Row) error {
		var e entry
		var day uint16
		var partitions []uint32
		var ends []uint64
		if err := row.Scan(&e.tenant, &day, &e.version, &e.published, &e.topic, &partitions, &ends, &e.samples, (*map[string]uint64)(&e.rows), &e.checked); err != nil {
			return err
		}
		e.day, e.offsets = int64(day), tables.Offsets{}
		if e.published.UnixNano() == 0 {
			e.published = time.Time{}
		}
		for i := range min(len(partitions), len(ends)) {
			e.offsets[partitions[i]] = ends[i]
		}
		all = append(all, e)
		return nil
	}, `SELECT toString(tenant) AS owner, toUInt16(day) AS number, version,
	(argMax((published, topic, partitions, offsets, samples, rows), checked) AS last).1, toString(last.2), last.3, last.4, last.5, last.6, max(checked)
FROM `+j.dialect.Table(tables.Rollups)+` WHERE `+where+` GROUP BY owner, number, version`, args...)
	return all, err
}

// touched finds the clean days that the ledger has later blocks of.
func (j *Job) touched(ctx context.Context, days []Day) error {
	var from tables.Offsets // the least of every partition that all know
	byTenant := map[string][]int{}
	for i := range days {
		if days[i].State == Clean {
			from = from.Least(days[i].entry.offsets)
			byTenant[days[i].Tenant] = append(byTenant[days[i].Tenant], i)
		}
	}
	if from == nil {
		return nil
	}
	return clickhouse.Each(ctx, j.conn, "reading what came late", func(row clickhouse.Row) error {
		var tenant string
		var partition uint32
		var first, last int64
		var offset uint64
		if err := row.Scan(&tenant, &partition, &first, &last, &offset); err != nil {
			return err
		}
		for _, i := range byTenant[tenant] {
			d := &days[i]
			if d.State == Clean && first <= d.Day && d.Day <= last && offset >= d.entry.offsets[partition] {
				d.State, d.late = Late, true
			}
		}
		return nil
	}, `SELECT toString(tenant) AS owner, kafka_partition, `+tables.RollupDay("min_time")+` AS first, `+tables.RollupDay("max_time")+` AS last, max(from_offset)
FROM `+j.dialect.Table(tables.Ledger)+` WHERE topic = ? AND stored > 0 AND `+from.Beyond()+` GROUP BY owner, kafka_partition, first, last`, j.topic)
}
