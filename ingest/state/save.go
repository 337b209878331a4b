package state

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/pipeline"
)

// Save implements pipeline.SnapshotStore.
func (s *Store) Save(ctx context.Context, snapshot *pipeline.Snapshot) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.save(ctx, snapshot) }()
	return done
}

func (s *Store) save(ctx context.Context, snapshot *pipeline.Snapshot) error {
	at, err := s.locate(ctx, snapshot.Topic, snapshot.Partition)
	if err != nil {
		return err
	}
	s.mu.Lock()
	slot := 0
	if whole, ok := s.whole[at.prefix]; ok {
		slot = (whole + 1) % slots
	}
	s.mu.Unlock()
	w := &writer{ctx: ctx, s: s, at: at, slot: slot, id: newID(), hash: xxh3.New()}
	size, err := encode(w, snapshot.States)
	if err == nil {
		err = w.flush()
	}
	if err == nil {
		err = w.manifest(manifest{
			Version: manifestVersion, ID: w.id, Epoch: snapshot.Epoch, Offset: snapshot.Offset,
			Chunks: w.chunks, Bytes: w.bytes, Size: size, Checksum: checksum(w.hash),
		})
	}
	if err != nil {
		return fmt.Errorf("saving the state of %s/%d at offset %d: %w", snapshot.Topic, snapshot.Partition, snapshot.Offset, err)
	}
	s.mu.Lock()
	s.whole[at.prefix] = slot
	s.mu.Unlock()
	return nil
}

func newID() string { return fmt.Sprintf("%016x", rand.Uint64()) } //nolint:gosec // unique, not secret

func checksum(h *xxh3.Hasher) string {
	sum := h.Sum128().Bytes()
	return hex.EncodeToString(sum[:])
}

// encode writes states, compressed, and returns their size.
func encode(w io.Writer, states []pipeline.State) (int64, error) {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return 0, err
	}
	size := int64(0)
	var head []byte
	for i := range states {
		head = binary.AppendUvarint(head[:0], uint64(len(states[i].Name)))
		head = append(head, states[i].Name...)
		head = binary.AppendUvarint(head, uint64(len(states[i].Bytes)))
		for _, part := range [][]byte{head, states[i].Bytes} {
			if _, err := z.Write(part); err != nil {
				return 0, err
			}
			size += int64(len(part))
		}
	}
	return size, z.Close()
}

// writer writes the chunks of one snapshot.
type writer struct {
	ctx    context.Context
	s      *Store
	at     location
	slot   int
	id     string
	hash   *xxh3.Hasher
	chunk  []byte
	chunks int
	bytes  int64
}

// Write gathers a chunk and writes it when it is full.
func (w *writer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if w.chunk == nil {
			w.chunk = make([]byte, 0, w.s.cfg.Chunk)
		}
		take := min(len(p), w.s.cfg.Chunk-len(w.chunk))
		w.chunk = append(w.chunk, p[:take]...)
		p = p[take:]
		if len(w.chunk) == w.s.cfg.Chunk {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// flush writes what was gathered.
func (w *writer) flush() error {
	if len(w.chunk) == 0 {
		return nil
	}
	if err := w.record(chunkKey(w.slot, w.chunks), w.chunk); err != nil {
		return err
	}
	_, _ = w.hash.Write(w.chunk) // cannot fail
	w.chunks++
	w.bytes += int64(len(w.chunk))
	w.s.metrics.bytes.Add(float64(len(w.chunk)))
	w.chunk = w.chunk[:0]
	return nil
}

func (w *writer) manifest(m manifest) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return w.record(fmt.Sprintf("%d/%s", w.slot, manifestKey), text)
}

func (w *writer) record(key string, value []byte) error {
	return w.s.producer.Produce(w.ctx, []kafka.Record{{
		Topic: w.s.cfg.Topic, Partition: w.at.partition, Key: []byte(w.at.prefix + key), Value: value,
		Timestamp: time.Now().UnixMilli(), Headers: []kafka.Header{{Key: headerID, Value: []byte(w.id)}},
	}})
}
