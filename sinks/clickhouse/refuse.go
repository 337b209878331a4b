package clickhouse

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// refusal is what is refused of a metric of a record.
type refusal struct {
	record, metric uint32
	series, points int
}

// refusals collects what is refused of a block.
type refusals struct {
	all []refusal
	// at are the numbers of all, by record and rank of the metric.
	at map[uint64]int
}

// add counts a point, which is the first of its series in the record or not.
func (r *refusals) add(record, metric, rank uint32, first bool) {
	key := uint64(record)<<32 | uint64(rank)
	n, ok := r.at[key]
	if !ok {
		n = len(r.all)
		r.at[key] = n
		r.all = append(r.all, refusal{record: record, metric: metric})
	}
	r.all[n].points++
	if first {
		r.all[n].series++
	}
}

// refuse takes the points of denied series out of the batch and adds a reject
// for each record that had some. It keeps no copy of the points: there may be
// millions, and they could not be stored tomorrow either.
func (s *Sink) refuse(b *telemetry.Batch) {
	r := &refusals{at: make(map[uint64]int)}
	s.exemplars.found = s.exemplars.found[:0]
	b.Numbers = s.samples.refuse(s, b.Numbers, r)
	b.Histograms = s.histograms.refuse(s, b.Histograms, r)
	b.Exponentials = s.exponentials.refuse(s, b.Exponentials, r)
	b.Summaries = s.summaries.refuse(s, b.Summaries, r)
	// The first metric of a record is the one with the most series.
	slices.SortFunc(r.all, func(x, y refusal) int {
		return cmp.Or(cmp.Compare(x.record, y.record), cmp.Compare(y.series, x.series),
			cmp.Compare(b.Metrics[x.metric].Name, b.Metrics[y.metric].Name))
	})
	for i := 0; i < len(r.all); {
		most, sum := &r.all[i], refusal{}
		for ; i < len(r.all) && r.all[i].record == most.record; i++ {
			sum.series += r.all[i].series
			sum.points += r.all[i].points
		}
		tenant := b.Records[most.record].Tenant
		b.Rejects = append(b.Rejects, telemetry.Reject{
			Record: most.record, Events: int64(sum.points), ReasonCode: ReasonSeriesLimit,
			Reason: fmt.Sprintf("tenant %s has %s: left out %d new series, %d of them of metric %s",
				tenant, s.series.limits.text(tenant), sum.series, most.series, shortened(b.Metrics[most.metric].Name)),
		})
	}
}

// text says what a tenant has reached.
func (l *limits) text(tenant string) string {
	limit := l.cfg.of(tenant)
	switch {
	case limit == 0: // since the block was begun
		return "reached its limit of series a day when this was first received"
	case l.partitions > 1:
		return fmt.Sprintf("reached the share of one of %d partitions in its limit of %d series a day", l.partitions, limit)
	}
	return fmt.Sprintf("reached its limit of %d series a day", limit)
}

// shortened bounds what a reason says of a name.
func shortened(name string) string {
	const most = 200
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "..."
}

// refuse takes out the points of denied series and returns the others, which
// stay in their order.
func (t *points[T]) refuse(s *Sink, all []T, r *refusals) []T {
	denied := s.series.limits.denied
	kept := all[:0]
	t.sort.reset(len(all))
	for i := range all {
		p, f := t.point(&all[i]), t.fingerprints[i]
		key := onDay(f, dayOf(p.Time))
		if last, no := denied[key]; no {
			record := s.shared.batch.Resources[s.shared.batch.Metrics[p.Metric].Resource].Record
			r.add(record, p.Metric, s.shared.metrics[p.Metric].rank, last != record+1)
			denied[key] = record + 1
			continue
		}
		s.exemplars.see(s.shared.batch, p, f)
		t.fingerprints[len(kept)] = f
		t.place(&s.shared, p, f)
		kept = append(kept, all[i])
	}
	t.fingerprints = t.fingerprints[:len(kept)]
	return kept
}
