package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/pipeline"
)

// Load implements pipeline.SnapshotStore. It reads the topic from its end
// backwards: the latest snapshot is near it.
func (s *Store) Load(ctx context.Context, topic string, partition int32, take func(*pipeline.Snapshot) bool) error {
	at, err := s.locate(ctx, topic, partition)
	if err != nil {
		return err
	}
	bounds, err := s.client.PartitionOffsets(ctx, s.cfg.Topic, at.partition)
	if err != nil {
		return err
	}
	l := &loader{s: s, at: at, chunks: make(map[string]map[int]int64)}
	for to, window := bounds.Next, int64(firstWindow); to > bounds.First; window = min(2*window, lastWindow) {
		from := max(to-window, bounds.First)
		if err := l.look(ctx, from, to); err != nil {
			return err
		}
		to = from
		for len(l.found) > 0 {
			f := l.found[0]
			if !l.complete(f) {
				if to > bounds.First && !l.older(f.slot) {
					break // the rest of it is further back
				}
				l.damaged(f, errors.New("chunks are missing"))
			} else if snapshot, err := l.read(ctx, f); errors.Is(err, errDamaged) {
				l.damaged(f, err)
			} else if err != nil {
				return err
			} else {
				snapshot.Topic, snapshot.Partition = topic, partition
				if take(snapshot) {
					s.mu.Lock()
					s.whole[at.prefix] = f.slot
					s.mu.Unlock()
					return nil
				}
			}
			l.found = l.found[1:]
		}
	}
	return nil
}

// The windows of offsets that are looked at, one before the other.
const (
	firstWindow = 64
	lastWindow  = 4096
)

// errDamaged says that a snapshot is not what its manifest says.
var errDamaged = errors.New("snapshot is damaged")

// loader finds the snapshots of one partition.
type loader struct {
	s  *Store
	at location
	// found are the manifests that were not dealt with, the latest first.
	found []found
	// chunks are the offsets of chunks by snapshot id and number. One that is there
	// twice, because the producer repeated itself, is the same.
	chunks map[string]map[int]int64
}

type found struct {
	manifest
	slot   int
	offset int64
}

// look notes what is in a range of offsets.
func (l *loader) look(ctx context.Context, from, to int64) error {
	var here []found
	err := l.s.visit(ctx, l.at.partition, from, to, func(r *kafka.FetchedRecord) bool {
		end, ours := strings.CutPrefix(string(r.Key), l.at.prefix)
		slot, number, ok := parseKey(end)
		if !ours || !ok {
			return true
		}
		if number >= 0 {
			id := idOf(r)
			if l.chunks[id] == nil {
				l.chunks[id] = make(map[int]int64)
			}
			l.chunks[id][number] = r.Offset
			return true
		}
		f := found{slot: slot, offset: r.Offset}
		err := json.Unmarshal(r.Value, &f.manifest)
		if err == nil {
			err = f.check()
		}
		if err != nil {
			l.damaged(f, err)
			return true
		}
		here = append(here, f)
		return true
	})
	for i := len(here) - 1; i >= 0; i-- {
		l.found = append(l.found, here[i])
	}
	return err
}

func idOf(r *kafka.FetchedRecord) (id string) {
	r.Headers(func(key, value []byte) bool {
		if string(key) == headerID {
			id = string(value)
			return false
		}
		return true
	})
	return id
}

// complete reports whether all chunks are known.
func (l *loader) complete(f found) bool {
	chunks := l.chunks[f.ID]
	for i := range f.Chunks {
		if offset, ok := chunks[i]; !ok || offset > f.offset {
			return false
		}
	}
	return true
}

// older reports whether an earlier manifest of the slot was found: what belongs
// to the first one is not before that.
func (l *loader) older(slot int) bool {
	for _, f := range l.found[1:] {
		if f.slot == slot {
			return true
		}
	}
	return false
}

func (l *loader) damaged(f found, err error) {
	l.s.metrics.damaged.Inc()
	l.s.log.Error("snapshot of processors' state is passed over", "key", l.at.prefix, "slot", f.slot, "at", f.offset,
		"offset", f.Offset, "error", err)
}

// read reads the chunks of a snapshot.
func (l *loader) read(ctx context.Context, f found) (*pipeline.Snapshot, error) {
	var compressed []byte
	for i := range f.Chunks {
		offset, was := l.chunks[f.ID][i], len(compressed)
		err := l.s.visit(ctx, l.at.partition, offset, offset+1, func(r *kafka.FetchedRecord) bool {
			if r.Offset == offset {
				compressed = append(compressed, r.Value...)
			}
			return r.Offset < offset
		})
		if err != nil {
			return nil, err
		}
		if len(compressed) == was || int64(len(compressed)) > f.Bytes {
			return nil, fmt.Errorf("%w: chunk %d is not what it was", errDamaged, i)
		}
	}
	h := xxh3.New()
	_, _ = h.Write(compressed) // cannot fail
	if checksum(h) != f.Checksum {
		return nil, fmt.Errorf("%w: the checksum differs", errDamaged)
	}
	states, err := decode(compressed, f.Size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return &pipeline.Snapshot{Epoch: f.Epoch, Offset: f.Offset, States: states}, nil
}

// decode is the inverse of encode.
func decode(compressed []byte, size int64) ([]pipeline.State, error) {
	z, err := zstd.NewReader(bytes.NewReader(compressed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var all bytes.Buffer
	n, err := io.Copy(&all, io.LimitReader(z, size+1))
	if err != nil {
		return nil, err
	}
	if n != size {
		return nil, fmt.Errorf("holds %d bytes or more, want %d", n, size)
	}
	var states []pipeline.State
	rest := all.Bytes()
	next := func() ([]byte, bool) {
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return nil, false
		}
		text := rest[n : n+int(length)]
		rest = rest[n+int(length):]
		return text, true
	}
	for len(rest) > 0 {
		name, ok := next()
		content, both := next()
		if !ok || !both {
			return nil, errors.New("states are cut off")
		}
		states = append(states, pipeline.State{Name: string(name), Bytes: content})
	}
	return states, nil
}

// visit calls f with the records in [from, to) until it returns false. What
// compaction or retention has removed is not there; a batch that cannot be read
// is passed over.
func (s *Store) visit(ctx context.Context, partition int32, from, to int64, f func(*kafka.FetchedRecord) bool) error {
	for from < to {
		fetched, err := s.client.Fetch(ctx, kafka.FetchRequest{
			Topic: s.cfg.Topic, Partition: partition, Offset: from, MinBytes: 1, MaxBytes: 4 << 20, MaxWait: 100 * time.Millisecond,
		})
		if err != nil {
			return err
		}
		next, more := from, true
		for next < to && more {
			batch, memory, err := fetched.ReadBatch(func(r *kafka.FetchedRecord) {
				if r.Offset >= from && r.Offset < to && more {
					more = f(r)
				}
			})
			if memory != nil {
				memory.Release()
			}
			if errors.Is(err, io.EOF) {
				break
			}
			next = max(batch.Next, next)
		}
		fetched.Release()
		if !more || next == from { // nothing there: a log may end early
			return nil
		}
		from = next
	}
	return nil
}
