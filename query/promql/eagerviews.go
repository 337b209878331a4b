package promql

import (
	"context"

	"github.com/prometheus/prometheus/model/histogram"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// eagerViews are the views whose points have to be read before it is known
// which series they are: those of histograms and summaries.
type eagerViews struct {
	native, classic, summaries kindViews
}

// kindViews are the views of stored series of one table.
type kindViews struct {
	wanted wanted
	deltas wanted // those of delta temporality
	rows   map[uint64]*stored
	views  map[uint64][]*view
}

func (e *eagerViews) add(v *view) {
	switch v.kind {
	case telemetry.ExponentialHistogram:
		e.native.add(v)
	case telemetry.Histogram:
		e.classic.add(v)
	case telemetry.Summary:
		e.summaries.add(v)
	case telemetry.MetricEmpty, telemetry.Gauge, telemetry.Sum:
	}
}

func (k *kindViews) add(v *view) {
	if k.rows == nil {
		k.rows, k.views = map[uint64]*stored{}, map[uint64][]*view{}
	}
	if k.rows[v.fingerprint] == nil {
		k.rows[v.fingerprint] = v.stored
		k.wanted.add(v.stored)
		if v.delta {
			k.deltas.add(v.stored)
		}
	}
	k.views[v.fingerprint] = append(k.views[v.fingerprint], v)
}

// readEager reads the points of the views and adds their series.
func (s *Store) readEager(ctx context.Context, e *eagerViews, in span, found *merger) error {
	for _, of := range []struct {
		views *kindViews
		read  func(context.Context, *kindViews, span, *merger) error
	}{{&e.native, s.readNative}, {&e.classic, s.readClassic}, {&e.summaries, s.readSummaries}} {
		if len(of.views.rows) == 0 {
			continue
		}
		if err := of.read(ctx, of.views, in, found); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) readNative(ctx context.Context, k *kindViews, in span, found *merger) error {
	all, err := s.natives(ctx, k, in)
	if err != nil {
		return err
	}
	before, err := s.nativesBefore(ctx, &k.deltas, in.from)
	if err != nil {
		return err
	}
	k.giveNative(all, before, found)
	return nil
}

// giveNative adds native histograms, by fingerprint, to the series of their
// views. Before has what those of delta temporality build upon.
func (k *kindViews) giveNative(all map[uint64]*points, before map[uint64]*histogram.FloatHistogram, found *merger) {
	for f, p := range all {
		p.finish()
		if k.rows[f].delta {
			p.accumulateOn(0, before[f])
		}
		for _, v := range k.views[f] {
			found.held(v, p)
		}
	}
}

func (s *Store) readClassic(ctx context.Context, k *kindViews, in span, found *merger) error {
	natives := map[uint64]*points{}
	all := partsOf{}
	names := map[float64]string{}
	err := s.classic(ctx, k, in, func(row *stored, time, start int64, h *classicPoint) {
		if row.native() {
			s.keep(natives, row.fingerprint, time, start, h.native(row))
			return
		}
		t := time / 1e6
		p := all.at(row, t, h.stale)
		if p == nil {
			return
		}
		total := 0.0
		for i, bound := range h.bounds {
			if i < len(h.counts) {
				total += float64(h.counts[i])
				name, ok := names[bound]
				if !ok {
					name = labelOf(bound)
					names[bound] = name
				}
				p.spread.of(name).add(t, total)
			}
		}
		count := float64(h.count)
		p.spread.of("+Inf").add(t, count)
		p.count.add(t, count)
		if h.hasSum {
			p.sum.add(t, h.sum)
		}
	})
	if err != nil {
		return err
	}
	before, err := s.classicBefore(ctx, &k.deltas, in.from)
	if err != nil {
		return err
	}
	k.giveNative(natives, nil, found)
	k.giveParts(all, before, found)
	return nil
}

func (s *Store) readSummaries(ctx context.Context, k *kindViews, in span, found *merger) error {
	all := partsOf{}
	err := s.summaries(ctx, k, in, func(row *stored, time int64, h *summaryPoint) {
		t := time / 1e6
		p := all.at(row, t, h.stale)
		if p == nil {
			return
		}
		for i, quantile := range h.quantiles {
			p.spread.of(labelOf(quantile)).add(t, h.values[i])
		}
		p.count.add(t, h.count)
		p.sum.add(t, h.sum)
	})
	if err != nil {
		return err
	}
	k.giveParts(all, nil, found)
	return nil
}

// giveParts adds the samples of histograms or summaries to the series of their
// views. Before has what those of delta temporality build upon; it is nil where
// there can be none.
func (k *kindViews) giveParts(all partsOf, before map[uint64]*classicTotals, found *merger) {
	for f, p := range all {
		var on *classicTotals
		if before != nil && k.rows[f].delta {
			if on = before[f]; on == nil {
				on = &classicTotals{}
			}
		}
		p.finish(on)
		for _, v := range k.views[f] {
			p.give(v, found)
		}
	}
}
