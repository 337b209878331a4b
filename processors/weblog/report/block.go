package report

import (
	"bytes"
	"sync/atomic"
)

// block is some lines, which a worker counts at once.
type block struct {
	number int
	memory []byte
	// parts are runs of lines of the memory, each of one source.
	parts []part
	// unreadable are the first lines that could not be read.
	unreadable []example
	// visits are those of each shard, and pending says who needs the block still.
	visits  [shards][]visit
	pending atomic.Int32
}

// part is a run of lines of a source.
type part struct {
	source   int
	from, to int
	// directive is the #Fields directive that holds where the lines begin.
	directive string
	// long is the beginning of a line before them that is too long to be read, nil if
	// there is none.
	long []byte

	// What a worker made of them.
	count, refused int64
	format         string
}

// example is an unreadable line of a part of a block.
type example struct {
	part int
	Unreadable
}

const (
	// blockSize is the size of a block in bytes. A line that is longer is not read.
	blockSize = 256 << 10
	// maxExamples bounds the lines that are shown of those that could not be read,
	// longestExample how much of each.
	maxExamples    = 5
	longestExample = 200
)

func newBlock() *block { return &block{memory: make([]byte, 0, blockSize)} }

// reset empties the block.
func (b *block) reset() {
	b.memory, b.parts, b.unreadable = b.memory[:0], b.parts[:0], b.unreadable[:0]
	for i := range b.visits {
		b.visits[i] = b.visits[i][:0]
	}
	b.pending.Store(shards + 1)
}

// add adds lines of a reader, for which there is room, and the one before them that
// is too long.
func (b *block) add(r *reader, lines []byte) {
	from := len(b.memory)
	b.memory = append(b.memory, lines...)
	b.parts = append(b.parts, part{source: r.source, from: from, to: len(b.memory), directive: r.directive, long: r.long})
}

// refuse counts a line that could not be read.
func (b *block) refuse(at int, line []byte, reason string) {
	p := &b.parts[at]
	p.refused++
	if len(b.unreadable) < maxExamples {
		text := bytes.ToValidUTF8(line[:min(len(line), longestExample)], []byte("\uFFFD"))
		b.unreadable = append(b.unreadable, example{at, Unreadable{Line: p.count + 1, Reason: reason, Text: string(text)}})
	}
}

// lines sums up blocks in their order.
type lines struct {
	files      []File
	unreadable []Unreadable
	refused    int64
}

func (l *lines) add(b *block) {
	examples := b.unreadable
	for i := range b.parts {
		p := &b.parts[i]
		f := &l.files[p.source]
		for ; len(examples) > 0 && examples[0].part == i; examples = examples[1:] {
			if len(l.unreadable) < maxExamples {
				u := examples[0].Unreadable
				u.File, u.Line = f.Name, u.Line+f.Lines
				l.unreadable = append(l.unreadable, u)
			}
		}
		f.Lines += p.count
		f.Unreadable += p.refused
		l.refused += p.refused
		if f.Format == "" {
			f.Format = p.format
		}
	}
}
