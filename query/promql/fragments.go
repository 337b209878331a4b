package promql

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/rollup"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// need are the columns of rollups that a function reads beside those that every
// one does.
type need uint8

const (
	needFirst need = 1 << iota
	needLast
	needMin // with needFirst
	needMax // with needLast
	needSum
	needResets
	needStale
)

// fragmentSamples is how many samples take as much memory as a fragment.
const fragmentSamples = 6

// rolledRead is what is read of the rollups.
type rolledRead struct {
	resolution tables.Resolution
	days       map[int64]rolledDay
	grid
	window int64
	needs  need
	limit  int // errMany is returned where there are more fragments
}

// condition bounds the rows of the table to the published ones of the series that
// the windows need.
func (r *rolledRead) condition(tenant string, w *wanted, all bool) condition {
	var c condition
	c.Add("tenant = " + c.Text(tenant))
	c.Add("metric IN (" + c.list(w.metrics) + ")")
	var days, versions []string
	for day, d := range r.days {
		days = append(days, fmt.Sprintf("toDate(%d)", day))
		versions = append(versions, fmt.Sprintf("(toDate(%d), %d)", day, d.version))
	}
	c.Add("day IN (" + strings.Join(days, ", ") + ")")
	c.Add("(day, version) IN (" + strings.Join(versions, ", ") + ")")
	c.Add(fmt.Sprintf("time > toDateTime(%d) AND time <= toDateTime(%d)", max(0, r.start-r.window)/1000, r.end/1000))
	if r.window < r.step {
		// Between the windows of two steps there is what nobody asks for.
		c.Add(fmt.Sprintf("positiveModulo(%d - toInt64(toUnixTimestamp(time)), %d) < %d", r.start/1000, r.step/1000, r.window/1000))
	}
	if !all {
		c.Add(w.only())
	}
	return c
}

// fragmentColumns are the columns of rows that are read.
type fragmentColumns struct {
	needs                        need
	width                        int64 // of the windows, milliseconds
	fingerprints                 proto.ColUInt64
	ends                         proto.ColInt64 // Unix seconds
	counts                       proto.ColUInt32
	firstAfter, lastAfter, stale proto.ColUInt32
	first, last, sums            proto.ColFloat64
	resets, rounding             proto.ColFloat64
	minBits, maxBits             proto.ColUInt64
}

// output says where the columns go.
func (c *fragmentColumns) output() *clickhouse.Output {
	out := &clickhouse.Output{}
	out.Add("fingerprint", &c.fingerprints)
	out.Add("toInt64(toUnixTimestamp(time))", &c.ends)
	out.Add("count", &c.counts)
	out.Add("first_after", &c.firstAfter)
	out.Add("last_after", &c.lastAfter)
	add := func(needs need, name string, data proto.ColResult) {
		if c.needs&needs != 0 {
			out.Add(name, data)
		}
	}
	add(needStale, "stale_after", &c.stale)
	add(needFirst, "first", &c.first)
	add(needLast, "last", &c.last)
	add(needMin, "min_bits", &c.minBits)
	add(needMax, "max_bits", &c.maxBits)
	add(needSum, "sum", &c.sums)
	add(needResets, "resets", &c.resets)
	add(needResets, "rounding", &c.rounding)
	return out
}

// appendTo appends rows [from, to). What the function does not need is left at 0.
func (c *fragmentColumns) appendTo(all []rollup.Fragment, from, to int) []rollup.Fragment {
	for i := from; i < to; i++ {
		if c.counts[i] == 0 && c.needs&needStale == 0 {
			continue
		}
		end := c.ends[i] * 1000
		start := end - c.width
		f := rollup.Fragment{End: end, Count: c.counts[i], FirstTime: start + int64(c.firstAfter[i]), LastTime: start + int64(c.lastAfter[i])}
		if c.needs&needFirst != 0 {
			f.First = c.first[i]
		}
		if c.needs&needLast != 0 {
			f.Last = c.last[i]
		}
		if c.needs&needStale != 0 && c.stale[i] != 0 {
			f.Stale = start + int64(c.stale[i])
		}
		if c.needs&needMin != 0 {
			f.Min = math.Float64frombits(c.minBits[i] ^ math.Float64bits(f.First))
		}
		if c.needs&needMax != 0 {
			f.Max = math.Float64frombits(c.maxBits[i] ^ math.Float64bits(f.Last))
		}
		if c.needs&needSum != 0 {
			f.Sum = c.sums[i]
		}
		if c.needs&needResets != 0 {
			f.Resets, f.Rounding = c.resets[i], c.rounding[i]
		}
		all = append(all, f)
	}
	return all
}

// fragments reads rollups of series, by fingerprint.
func (s *Store) fragments(ctx context.Context, r *rolledRead, w *wanted, all bool) (map[uint64][]rollup.Fragment, error) {
	columns := &fragmentColumns{needs: r.needs, width: r.resolution.Milliseconds}
	out := columns.output()
	c := r.condition(tenantOf(ctx), w, all)
	found := make(map[uint64][]rollup.Fragment, len(w.fingerprints))
	for _, f := range w.fingerprints {
		found[f] = nil
	}
	total := 0
	// The rows of a day are all of one version but for a while; to read that
	// column first, to find out which others are needed, is more work.
	text := "SELECT " + out.Columns() + " FROM " + s.table(r.resolution.Table) + " WHERE " + c.Where() +
		" SETTINGS optimize_move_to_prewhere = 0"
	err := s.read(ctx, text, c.Parameters, out.Result, func() error {
		fingerprints := columns.fingerprints
		for from := 0; from < len(fingerprints); {
			f, to := fingerprints[from], from+1
			for to < len(fingerprints) && fingerprints[to] == f {
				to++
			}
			if have, ok := found[f]; ok {
				found[f] = columns.appendTo(have, from, to)
				total += to - from
			}
			from = to
		}
		if total > r.limit {
			return errMany
		}
		return nil
	})
	if total > r.limit {
		return nil, errMany
	}
	if err != nil {
		return nil, fmt.Errorf("reading rollups: %w", err)
	}
	return found, nil
}

// appendFragments sums samples up as sinks/rollup does and appends what they add
// up to.
func appendFragments(all []rollup.Fragment, p *points, width int64) []rollup.Fragment {
	var b rollup.Builder
	for i, t := range p.times {
		if closed, ok := b.Add(t, p.values[i], width); ok {
			all = append(all, closed)
		}
	}
	if closed, ok := b.Close(); ok {
		all = append(all, closed)
	}
	return all
}
