package report

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/classify"
)

// scan reads sources with workers.
type scan struct {
	options *Options
	sources []Source
	files   []File
	// free are the blocks that nobody needs, full those that are to be counted.
	free, full chan *block
	known      *known
	visits     *visits
	order      inOrder
	lines      lines
	workers    []*aggregate
}

// run reads all sources. Errors of single ones are in their files.
func (s *scan) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	blocks := s.options.Workers*2 + 2
	s.free, s.full = make(chan *block, blocks), make(chan *block, blocks)
	for range blocks {
		s.free <- newBlock()
	}
	for range s.options.Workers {
		w := worker{scan: s, aggregate: newAggregate(s.options)}
		var err error
		if w.classifier, err = classify.New(s.options.Classify); err != nil {
			return err
		}
		w.parser.format = s.options.Format
		s.workers = append(s.workers, w.aggregate)
		group.Go(func() error { return w.run(ctx) })
	}
	group.Go(func() error {
		defer close(s.full)
		f := feeder{scan: s}
		return f.run(ctx)
	})
	return group.Wait()
}

// release makes a block free when everybody is done with it.
func (s *scan) release(b *block) {
	if b.pending.Add(-1) == 0 {
		s.free <- b
	}
}

// worker counts the requests of blocks.
type worker struct {
	scan       *scan
	aggregate  *aggregate
	classifier *classify.Classifier
	parser     parser
	// hits and their visits are taken before they are counted, because workers wait
	// for each other then. They view the block.
	hits   [batch]telemetry.WebHit
	visits [batch]visit
	taken  int
}

// batch is how many requests are counted at a time.
const batch = 512

func (w *worker) run(ctx context.Context) error {
	for b := range w.scan.full {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for i := range b.parts {
			w.count(b, i)
			w.scan.options.Progress.Lines.Add(b.parts[i].count)
		}
		w.flush(b)
		w.scan.order.take(b, func(b *block) {
			w.scan.lines.add(b)
			w.scan.release(b)
		})
		w.scan.visits.take(b, w.scan.release)
	}
	return nil
}

// count counts the lines of a part of a block.
func (w *worker) count(b *block, at int) {
	p := &b.parts[at]
	w.parser.begin(p.directive)
	if p.long != nil {
		b.refuse(at, p.long, fmt.Sprintf("the line is longer than %d KiB", blockSize>>10))
		p.count++
	}
	lines := b.memory[p.from:p.to]
	for len(lines) > 0 {
		line := lines
		if end := bytes.IndexByte(lines, '\n'); end >= 0 {
			line, lines = lines[:end], lines[end+1:]
		} else {
			lines = nil
		}
		if err := w.line(line); err != nil && !isDirective(err) {
			b.refuse(at, line, err.Error())
		}
		p.count++
		if w.taken == batch {
			w.flush(b)
		}
	}
	p.format = w.parser.name()
}

// flush counts the requests that were taken, whose lines are of a block.
func (w *worker) flush(b *block) {
	visits := w.visits[:w.taken]
	w.scan.known.add(w.hits[:w.taken], visits)
	for i := range visits {
		of := &b.visits[shardOf(visits[i].person)]
		*of = append(*of, visits[i])
	}
	w.taken = 0
	w.parser.scratch.Reset()
	w.classifier.Reset()
}

// line counts a line. An empty one is none.
func (w *worker) line(line []byte) error {
	if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
		return nil
	}
	if err := w.parser.parse(line); err != nil {
		return err
	}
	h := &w.hits[w.taken]
	h.Time = w.parser.line.Time
	w.classifier.Hit("", w.scan.options.Site, &w.parser.line, h)
	if w.aggregate.add(h, &w.visits[w.taken]) {
		w.taken++
	}
	return nil
}
