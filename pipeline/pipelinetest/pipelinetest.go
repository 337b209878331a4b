// Package pipelinetest tests pipelines: a suite that every processor must pass,
// scripts of text in and text out, a partition in memory, a sink that notices
// what is written twice or differently, and crashes on command.
package pipelinetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// ErrCrash is what a crash on command looks like to a worker: a bug.
var ErrCrash = errors.New("crash on command")

// Decode makes one log row of every record that brings something: its body is the
// record's value.
func Decode(b *telemetry.Batch) {
	for i := range b.Records {
		r := &b.Records[i]
		if r.Repeated || r.Idle {
			continue
		}
		b.Resources = append(b.Resources, telemetry.Resource{Record: uint32(i)})
		b.Logs = append(b.Logs, telemetry.Log{
			Time: r.ReceiveTime, Body: telemetry.StringValue(string(r.Value)), Resource: uint32(len(b.Resources) - 1),
		})
		r.Decoded = 1
	}
}

// ModelSink is a sink that behaves as ClickHouse does with deduplication
// tokens: what comes with a token that it has seen is not stored again. Beyond
// that it checks that it is the same thing. It is safe for concurrent use.
type ModelSink struct {
	mu     sync.Mutex
	tokens map[string]string
	stored map[string]int
	wrong  []string
	// Replays counts the blocks that came with a token that was known.
	Replays int
	// Blocks counts the blocks that were stored.
	Blocks int
	// Before is called before a block is stored, After when it is, before
	// Write returns. An error is returned from Write.
	Before, After func(b *telemetry.Batch) error
}

// Write implements pipeline.Sink.
func (s *ModelSink) Write(_ context.Context, b *telemetry.Batch) error {
	if s.Before != nil {
		if err := s.Before(b); err != nil {
			return err
		}
	}
	s.store(b)
	if s.After != nil {
		return s.After(b)
	}
	return nil
}

func (s *ModelSink) store(b *telemetry.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens == nil {
		s.tokens, s.stored = make(map[string]string), make(map[string]int)
	}
	rows := make([]string, len(b.Logs))
	for i := range b.Logs {
		rows[i] = strings.Clone(b.Logs[i].Body.Str)
	}
	token, content := b.Token("model"), strings.Join(rows, "\n")
	if known, ok := s.tokens[token]; ok {
		s.Replays++
		if known != content {
			s.wrong = append(s.wrong, fmt.Sprintf("block %s was formed differently: first %.200q, then %.200q", token, known, content))
		}
		return
	}
	s.tokens[token] = content
	s.Blocks++
	for _, row := range rows {
		s.stored[row]++
	}
}

// Stored returns how often each row is stored.
func (s *ModelSink) Stored() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]int, len(s.stored))
	for row, n := range s.stored {
		all[row] = n
	}
	return all
}

// Len returns the number of different rows.
func (s *ModelSink) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stored)
}

// Check compares what is stored with what should be stored once, and returns
// what is wrong, at most a few lines of it.
func (s *ModelSink) Check(want []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	wrong := slices.Clone(s.wrong)
	expected := make(map[string]bool, len(want))
	for _, row := range want {
		expected[row] = true
		if n := s.stored[row]; n != 1 {
			wrong = append(wrong, fmt.Sprintf("%q is stored %d times, want once", row, n))
		}
	}
	for row, n := range s.stored {
		if !expected[row] {
			wrong = append(wrong, fmt.Sprintf("%q is stored %d times, want never", row, n))
		}
	}
	if len(wrong) > 10 {
		wrong = append(wrong[:10], fmt.Sprintf("and %d more", len(wrong)-10))
	}
	return wrong
}

// Partition is a partition in memory, with what its group has committed. It
// outlives the workers that read it.
type Partition struct {
	Topic   string
	Number  int32
	Records []telemetry.Record

	// Committed and Planned are what the group has committed: the offset, and
	// the end of the planned block, 0 where there is none.
	Committed, Planned int64
	// First is the first offset that can still be read.
	First      int64
	generation int
}

// Source opens the partition for a new member of the group; earlier members
// have lost it then. Size says how many records the next block takes, at most.
func (p *Partition) Source(size func() int) *MemorySource {
	p.generation++
	return &MemorySource{p: p, size: size, generation: p.generation, replay: p.Committed, opened: p.Committed}
}

// MemorySource is a pipeline.Source over a Partition.
type MemorySource struct {
	p          *Partition
	size       func() int
	generation int
	// At is called before and after each step, with its name: "take",
	// "planned", "commit", "committed". An error crashes the step.
	At func(step string) error
	// replay is the next offset to come again, where it is before what was
	// committed when the source was opened.
	replay, opened int64
	// memory is where the values are, and overwritten when the next block is
	// taken: nobody may use them any more.
	memory []byte
}

var _ pipeline.Rewinder = (*MemorySource)(nil)

// Position implements pipeline.Rewinder.
func (s *MemorySource) Position() pipeline.Position {
	return pipeline.Position{
		Topic: s.p.Topic, Partition: s.p.Number, First: s.p.First, Committed: s.opened, Epoch: 1, Fresh: s.opened == 0,
	}
}

// Rewind implements pipeline.Rewinder.
func (s *MemorySource) Rewind(from int64) { s.replay = from }

func (s *MemorySource) at(step string) error {
	if s.At == nil {
		return nil
	}
	return s.At(step)
}

// Take implements pipeline.Source. At the end of the partition it returns
// context.Canceled.
func (s *MemorySource) Take(_ context.Context, b *telemetry.Batch) error {
	for i := range s.memory {
		s.memory[i] = poison
	}
	if err := s.at("take"); err != nil {
		return err
	}
	if s.generation != s.p.generation {
		return pipeline.ErrLost
	}
	from, to := s.p.Committed, s.p.Planned
	b.Begun, b.Replayed = to != 0, false
	switch {
	case s.replay < s.opened:
		from, to = s.replay, min(s.replay+int64(max(s.size(), 1)), s.opened)
		b.Begun, b.Replayed = false, true
		s.replay = to
	case to == 0:
		to = min(from+int64(max(s.size(), 1)), int64(len(s.p.Records)))
		if to == from {
			return context.Canceled
		}
		s.p.Planned = to
	}
	if err := s.at("planned"); err != nil {
		return err
	}
	b.Block = telemetry.Block{Topic: s.p.Topic, Partition: s.p.Number, From: from, To: to, Epoch: 1}
	s.memory = s.memory[:0]
	for _, r := range s.p.Records[from:to] {
		s.memory = append(s.memory, r.Value...)
	}
	at := 0
	for _, r := range s.p.Records[from:to] {
		r.Value = s.memory[at : at+len(r.Value) : at+len(r.Value)]
		at += len(r.Value)
		b.Records = append(b.Records, r)
	}
	return nil
}

// Commit implements pipeline.Source.
func (s *MemorySource) Commit(_ context.Context, block telemetry.Block) error {
	if err := s.at("commit"); err != nil {
		return err
	}
	if s.generation != s.p.generation {
		return pipeline.ErrLost
	}
	s.p.Committed, s.p.Planned = block.To, 0
	return s.at("committed")
}

// poison is what memory is overwritten with that must not be used any more.
const poison = 0xDB
