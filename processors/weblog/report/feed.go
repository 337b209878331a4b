package report

import (
	"bytes"
	"context"
	"math"
	"time"
)

// maxOpen bounds the sources that are read at the same time.
const maxOpen = 16

// slack is how far the requests of one source may be ahead of those of another.
const slack = int64(time.Minute)

// feeder hands the lines of all sources to the workers. Lines of several sources of
// the same time are mixed by their times, so that those who visit several servers
// come in order.
type feeder struct {
	scan   *scan
	open   []*reader
	next   int // the first source that is not open yet
	number int
	block  *block
}

func (f *feeder) run(ctx context.Context) error {
	defer func() {
		for _, r := range f.open {
			r.close()
		}
	}()
	for {
		if err := f.start(ctx); err != nil {
			return err
		}
		first, bound := f.first()
		if first < 0 {
			f.flush()
			return nil
		}
		r := f.open[first]
		for !r.isEmpty() && r.time <= bound {
			if err := f.take(ctx, r, bound); err != nil {
				return err
			}
		}
		if !r.isEmpty() {
			continue
		}
		if !r.fill() {
			f.open = append(f.open[:first], f.open[first+1:]...)
			r.close()
		}
	}
}

// start opens the sources that may have the next line.
func (f *feeder) start(ctx context.Context) error {
	for f.next < len(f.scan.sources) && len(f.open) < maxOpen {
		first, _ := f.first()
		if first >= 0 && f.scan.sources[f.next].first > f.open[first].time {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r, err := newReader(f.scan, f.next)
		f.next++
		switch {
		case err != nil:
			f.scan.files[f.next-1].Error = err.Error()
		case r.fill():
			f.open = append(f.open, r)
		default:
			r.close()
		}
	}
	return nil
}

// first returns the reader with the earliest line, -1 for none, and up to which
// time its lines can be taken before those of others.
func (f *feeder) first() (first int, bound int64) {
	first, bound = -1, math.MaxInt64
	for i, r := range f.open {
		switch {
		case first < 0:
			first = i
		case r.time < f.open[first].time:
			bound = f.open[first].time
			first = i
		default:
			bound = min(bound, r.time)
		}
	}
	if f.next < len(f.scan.sources) {
		bound = min(bound, f.scan.sources[f.next].first)
	}
	if bound < math.MaxInt64-slack {
		bound += slack
	}
	return first, bound
}

// take takes lines of a reader up to a time, as many as there is room for.
func (f *feeder) take(ctx context.Context, r *reader, bound int64) error {
	if f.block == nil {
		select {
		case f.block = <-f.scan.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		f.block.reset()
	}
	b := f.block
	lines := r.upTo(bound)
	if room := cap(b.memory) - len(b.memory); len(lines) > room {
		lines = lines[:bytes.LastIndexByte(lines[:room], '\n')+1]
		if len(lines) == 0 {
			f.flush()
			return nil
		}
	}
	b.add(r, lines)
	r.took(lines)
	return nil
}

// flush hands the block to the workers.
func (f *feeder) flush() {
	if f.block != nil {
		f.block.number = f.number
		f.number++
		f.scan.full <- f.block
		f.block = nil
	}
}
