// Package state keeps snapshots of the state of processors in a compacted Kafka
// topic, so that a worker that takes over a partition has them wherever it runs.
//
// A snapshot is compressed and cut into chunks, each a record; a manifest that
// says what they add up to comes last. The key of a record is
//
//	group/topic/partition/slot/number
//
// with the number of the chunk, or "manifest". There are two slots, which are
// written in turn: while one is written the other is whole, and compaction leaves
// the latest of both. Records of snapshots of one partition of a topic are in the
// partition of the same number, or what is left of it when it is divided by the
// number of partitions.
//
// This package must not know what a state means.
package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/pipeline"
)

// DefaultChunk is the size of a chunk in bytes.
const DefaultChunk = 512 << 10

// Config says where the snapshots of a consumer group are kept.
type Config struct {
	Topic string
	// Group is the consumer group: two that read the same topic have states of
	// their own.
	Group string
	// Chunk bounds the size of a record's value.
	Chunk int
}

// Store keeps the snapshots of one consumer group.
type Store struct {
	client   *kafka.Client
	producer *kafka.Producer
	cfg      Config
	log      *slog.Logger
	metrics  *Metrics

	mu sync.Mutex
	// whole is the slot of the latest snapshot that is whole, by the beginning of
	// keys; it is not written to.
	whole map[string]int
}

var _ pipeline.SnapshotStore = (*Store)(nil)

// New returns a store. Client, producer and metrics stay the caller's.
func New(client *kafka.Client, producer *kafka.Producer, cfg Config, log *slog.Logger, metrics *Metrics) *Store {
	if cfg.Chunk <= 0 {
		cfg.Chunk = DefaultChunk
	}
	return &Store{client: client, producer: producer, cfg: cfg, log: log, metrics: metrics, whole: make(map[string]int)}
}

// Metrics counts what stores do.
type Metrics struct {
	damaged, bytes prometheus.Counter
}

// NewMetrics registers the metrics of stores.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		damaged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_state_damaged_snapshots_total", Help: "Snapshots that are incomplete or damaged and were passed over.",
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_state_written_bytes_total", Help: "Bytes of snapshots that were written to Kafka, compressed.",
		}),
	}
	reg.MustRegister(m.damaged, m.bytes)
	return m
}

// slots is the number of slots of a partition.
const slots = 2

// location is where the snapshots of a partition are.
type location struct {
	prefix    string
	partition int32
}

func (s *Store) locate(ctx context.Context, topic string, partition int32) (location, error) {
	n, err := s.client.Partitions(ctx, s.cfg.Topic)
	if err != nil {
		return location{}, err
	}
	return location{fmt.Sprintf("%s/%s/%d/", s.cfg.Group, topic, partition), partition % int32(n)}, nil
}

const manifestKey = "manifest"

// chunkKey and manifestKey are the ends of keys.
func chunkKey(slot, number int) string { return strconv.Itoa(slot) + "/" + strconv.Itoa(number) }

// parseKey reads the end of a key. The number of a manifest is -1.
func parseKey(end string) (slot, number int, ok bool) {
	first, second, _ := strings.Cut(end, "/")
	slot, err := strconv.Atoi(first)
	if err != nil || slot < 0 || slot >= slots {
		return 0, 0, false
	}
	if second == manifestKey {
		return slot, -1, true
	}
	number, err = strconv.Atoi(second)
	return slot, number, err == nil && number >= 0
}

// manifestVersion is the version of everything that this package writes.
const manifestVersion = 1

// manifest says what a snapshot consists of.
type manifest struct {
	Version int `json:"version"`
	// ID tells the chunks of this snapshot from others in the slot.
	ID     string `json:"id"`
	Epoch  uint32 `json:"epoch"`
	Offset int64  `json:"offset"`
	Chunks int    `json:"chunks"`
	// Bytes is the size of all chunks together, Size that of what they hold.
	Bytes int64 `json:"bytes"`
	Size  int64 `json:"size"`
	// Checksum is the XXH3 of the chunks' bytes, in hex.
	Checksum string `json:"checksum"`
}

// Bounds on what is read.
const (
	maxSize   = 4 << 30
	maxChunks = 1 << 16
)

func (m *manifest) check() error {
	switch {
	case m.Version != manifestVersion:
		return fmt.Errorf("manifest has version %d, this program reads %d", m.Version, manifestVersion)
	case m.Chunks < 0 || m.Chunks > maxChunks || m.Size < 0 || m.Size > maxSize || m.Bytes < 0 || m.Bytes > maxSize || m.Offset < 0 || m.ID == "":
		return errors.New("manifest makes no sense")
	}
	return nil
}

// headerID carries the snapshot's id with every chunk.
const headerID = "goshawk-snapshot"
