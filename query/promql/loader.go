package promql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// A loader has the samples of a selection. It reads them all at once where they
// fit into what a query may hold. Where not, it reads batches of series when
// they are asked for: the engine goes through series one after the other, so
// that one batch is held at a time, and the next one is read meanwhile.
type loader struct {
	ctx    context.Context
	store  *Store
	in     span
	series []*series
	// all is set where every series of the metrics was selected.
	all bool

	points []*points // of every series, where they were read at once

	mu      sync.Mutex
	batches []*batch
}

// batch is a range of series and, while it is held, their samples.
type batch struct {
	from, to int
	points   []*points
	err      error
	done     chan struct{} // closed once it is read; nil where nobody reads it
}

// begin reads the samples, or finds out that they have to be read in batches. It
// may then change the order of the series.
func (l *loader) begin() error {
	if len(l.series) == 0 {
		return nil
	}
	limit := l.store.cfg.MaxSamples
	points, err := l.store.fetch(l.ctx, l.series, l.in, fetching{all: l.all, limit: limit})
	if err == nil {
		l.points = points
		return nil
	}
	if !errors.Is(err, errMany) {
		return err
	}
	return l.layOut(limit)
}

// layOut makes batches. Within a bucket rows lie in the order of fingerprints,
// so those of a batch are next to each other.
func (l *loader) layOut(limit int) error {
	slices.SortFunc(l.series, func(a, b *series) int {
		if a.from[0].fingerprint < b.from[0].fingerprint {
			return -1
		}
		return 1
	})
	var w wanted
	for i, one := range l.series {
		one.place = i
		for _, row := range one.from {
			w.add(row)
		}
	}
	total, err := l.store.count(l.ctx, w.condition(tenantOf(l.ctx), l.in, true))
	if err != nil {
		return err
	}
	each := max(1, total/len(l.series))
	size := limit / 3 / each
	if size == 0 {
		return tooMany{fmt.Errorf("one series has about %d samples, more than query.promql.max_samples allows to hold (%d): ask for less time", each, limit)}
	}
	for from := 0; from < len(l.series); from += size {
		l.batches = append(l.batches, &batch{from: from, to: min(from+size, len(l.series))})
	}
	return nil
}

// load returns the samples of the nth series.
func (l *loader) load(n int) (*points, error) {
	if l.points != nil {
		return l.points[n], nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.IndexFunc(l.batches, func(b *batch) bool { return n < b.to })
	b := l.batches[at]
	l.read(b)
	for b.done != nil {
		done := b.done
		l.mu.Unlock()
		<-done
		l.mu.Lock()
	}
	if b.err != nil {
		return nil, b.err
	}
	p := b.points[n-b.from]
	for i, other := range l.batches {
		if i != at && i != at+1 && other.done == nil {
			other.points = nil // iterators keep what they still need
		}
	}
	if at+1 < len(l.batches) {
		l.read(l.batches[at+1])
	}
	return p, nil
}

// read starts to read a batch that is not held.
func (l *loader) read(b *batch) {
	if b.points != nil || b.done != nil || b.err != nil {
		return
	}
	done := make(chan struct{})
	b.done = done
	go func() {
		points, err := l.store.fetch(l.ctx, l.series[b.from:b.to], l.in, fetching{ranged: true, limit: l.store.cfg.MaxSamples})
		if errors.Is(err, errMany) {
			err = l.store.bound(l.store.cfg.MaxSamples + 1)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		b.points, b.err, b.done = points, err, nil
		close(done)
	}()
}

// fetching says how samples are read.
type fetching struct {
	all    bool // every series of the metrics is wanted
	ranged bool // the series are all those between two fingerprints
	limit  int  // errMany is returned where there are more samples
}

// fetch reads the samples of series of a selection.
func (s *Store) fetch(ctx context.Context, all []*series, in span, how fetching) ([]*points, error) {
	var w, deltas wanted
	for _, one := range all {
		for _, row := range one.from {
			w.add(row)
			if row.delta {
				deltas.add(row)
			}
		}
	}
	c := w.condition(tenantOf(ctx), in, how.all || how.ranged)
	if how.ranged {
		c.Add(fmt.Sprintf("fingerprint BETWEEN %d AND %d", slices.Min(w.fingerprints), slices.Max(w.fingerprints)))
	}
	found, err := s.samples(ctx, c, w.fingerprints, how.limit)
	if err != nil {
		return nil, err
	}
	var before map[uint64]float64
	if len(deltas.fingerprints) > 0 {
		if before, err = s.before(ctx, &deltas, in.from); err != nil {
			return nil, err
		}
	}
	out := make([]*points, len(all))
	for i, one := range all {
		joined := &points{}
		for _, row := range one.from {
			p := found[row.fingerprint]
			p.finish()
			if row.delta {
				p.accumulate(before[row.fingerprint])
			}
			joined.join(p)
		}
		if one.held != nil {
			joined.join(one.held)
		}
		joined.finish()
		joined.markResets()
		out[i] = joined
	}
	return out, nil
}
