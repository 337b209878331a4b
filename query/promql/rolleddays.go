package promql

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// This file knows which days of a tenant are rolled up: what sinks/rollup has
// published of them, and whether samples came later.

// rolledDay is a day whose rollups say what its samples say.
type rolledDay struct {
	version uint64
	samples uint64
	rows    map[string]uint64 // by resolution
}

// rolledDays are those of a tenant, by their number since 1970-01-01.
type rolledDays struct {
	read time.Time
	days map[int64]rolledDay
}

// rollupPatience is for how long after days were read their rows are there for
// certain: what is superseded is deleted after half an hour.
const rollupPatience = 10 * time.Minute

// maxRolledTenants bounds the tenants whose days are remembered.
const maxRolledTenants = 1000

// rollupBooks remembers days for a short time, as seriesCache does series: for
// as long, a sample of a day that is rolled up may stay unseen.
type rollupBooks struct {
	keep time.Duration

	mu      sync.Mutex
	tenants map[string]*rolledDays
}

func newRollupBooks(keep time.Duration) *rollupBooks {
	return &rollupBooks{keep: keep, tenants: map[string]*rolledDays{}}
}

// rolledDays returns the days of a tenant, from memory or from ClickHouse. They
// are shared and must not be changed.
func (s *Store) rolledDays(ctx context.Context, tenant string) (*rolledDays, error) {
	b := s.books
	b.mu.Lock()
	known := b.tenants[tenant]
	b.mu.Unlock()
	if known != nil && time.Since(known.read) <= min(b.keep, rollupPatience) {
		return known, nil
	}
	known, err := s.readRolledDays(ctx, tenant)
	if err != nil {
		return nil, fmt.Errorf("reading the books of rollups: %w", err)
	}
	if b.keep > 0 {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.tenants) >= maxRolledTenants {
			clear(b.tenants)
		}
		b.tenants[strings.Clone(tenant)] = known
	}
	return known, nil
}

func (s *Store) readRolledDays(ctx context.Context, tenant string) (*rolledDays, error) {
	var (
		out               clickhouse.Output
		days              proto.ColInt64
		versions, samples proto.ColUInt64
		topics            proto.ColStr
		partitions        = new(proto.ColUInt32).Array()
		offsets, rows     = new(proto.ColUInt64).Array(), new(proto.ColUInt64).Array()
		names             = new(proto.ColStr).Array()
	)
	out.Add("toInt64(toUInt16(day))", &days)
	out.Add("version", &versions)
	out.Add("samples", &samples)
	out.Add("CAST(topic, 'String')", &topics)
	out.Add("partitions", partitions)
	out.Add("offsets", offsets)
	out.Add("CAST(mapKeys(rows), 'Array(String)')", names)
	out.Add("mapValues(rows)", rows)
	var c condition
	c.Add("tenant = " + c.Text(tenant))
	c.Add("published > toDateTime64(0, 9)")
	known := &rolledDays{read: time.Now(), days: map[int64]rolledDay{}}
	upTo := map[int64]tables.Offsets{} // by day
	var least tables.Offsets
	text := "SELECT " + out.Columns() + " FROM " + s.table(tables.Rollups) + " WHERE " + c.Where() +
		" ORDER BY day, version DESC, checked DESC LIMIT 1 BY day"
	err := s.read(ctx, text, c.Parameters, out.Result, func() error {
		for i := range days {
			if topics.Row(i) != s.cfg.Topic {
				continue // of another topic it is not known whether anything came later
			}
			day := rolledDay{version: versions[i], samples: samples[i], rows: map[string]uint64{}}
			counts := rows.Row(i)
			for n, name := range names.Row(i) {
				day.rows[strings.Clone(name)] = counts[n]
			}
			ends, every := offsets.Row(i), tables.Offsets{}
			for n, p := range partitions.Row(i) {
				every[p] = ends[n]
			}
			upTo[days[i]], least = every, least.Least(every)
			known.days[days[i]] = day
		}
		return nil
	})
	if err != nil || least == nil {
		return known, err
	}
	return known, s.dropLate(ctx, tenant, known, upTo, least)
}

// dropLate drops the days that the ledger has blocks of beyond their offsets.
func (s *Store) dropLate(ctx context.Context, tenant string, known *rolledDays, upTo map[int64]tables.Offsets, least tables.Offsets) error {
	var (
		out         clickhouse.Output
		partitions  proto.ColUInt32
		first, last proto.ColInt64
		offsets     proto.ColUInt64
		c           condition
	)
	out.Add("kafka_partition", &partitions)
	out.Add(tables.RollupDay("min_time"), &first)
	out.Add(tables.RollupDay("max_time"), &last)
	out.Add("max(from_offset)", &offsets)
	c.Add("topic = " + c.Text(s.cfg.Topic))
	c.Add("tenant = " + c.Text(tenant))
	c.Add("stored > 0")
	c.Add(least.Beyond())
	text := "SELECT " + out.Columns() + " FROM " + s.table(tables.Ledger) + " WHERE " + c.Where() + " GROUP BY c0, c1, c2"
	return s.read(ctx, text, c.Parameters, out.Result, func() error {
		for i, p := range partitions {
			for day := range known.days {
				if first[i] <= day && day <= last[i] && offsets[i] >= upTo[day][p] {
					delete(known.days, day)
				}
			}
		}
		return nil
	})
}
