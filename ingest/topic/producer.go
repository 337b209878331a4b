package topic

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/goshawk-observability/goshawk/internal/kafka"
)

// The outcomes of Produce that a client should hear about. Compare with
// errors.Is.
var (
	// ErrFull says that too much waits for Kafka: try again a little later.
	ErrFull = kafka.ErrFull
	// ErrUnavailable says that Kafka did not acknowledge in time. The records
	// may be there nevertheless; a repeat is recognised.
	ErrUnavailable = kafka.ErrUnavailable
	// ErrRefused says that Kafka will never take the records.
	ErrRefused = kafka.ErrRefused
)

// Producer writes parts of requests. It is safe for concurrent use.
type Producer struct {
	client   *kafka.Client
	producer *kafka.Producer

	mu      sync.RWMutex
	counts  map[string]partitionCount
	tenants map[string][]byte
}

type partitionCount struct {
	n     int
	known time.Time
}

// countAge is how long a number of partitions is believed.
const countAge = 30 * time.Second

// maxCachedTenants bounds the cache of tenant names.
const maxCachedTenants = 10_000

// NewProducer returns a producer over a Kafka producer, which stays the caller's
// to close.
func NewProducer(client *kafka.Client, producer *kafka.Producer) *Producer {
	return &Producer{
		client:   client,
		producer: producer,
		counts:   make(map[string]partitionCount),
		tenants:  make(map[string][]byte),
	}
}

// Partitions returns the number of partitions of a topic. It is read from the
// cluster now and then; while that is impossible, the last number is used, and
// where there is none the error wraps ErrUnavailable.
func (p *Producer) Partitions(ctx context.Context, topic string) (int, error) {
	p.mu.RLock()
	c, ok := p.counts[topic]
	p.mu.RUnlock()
	now := time.Now()
	if ok && now.Sub(c.known) < countAge {
		return c.n, nil
	}
	if ok {
		// Until this call has an answer, others use the old number.
		p.remember(topic, partitionCount{c.n, now})
	}
	n, err := p.client.Partitions(ctx, topic)
	if err != nil {
		if ok {
			return c.n, nil
		}
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	p.remember(topic, partitionCount{n, now})
	return n, nil
}

// Ping asks the cluster for the topic and returns an error that wraps
// ErrUnavailable where it does not answer.
func (p *Producer) Ping(ctx context.Context, topic string) error {
	if _, err := p.client.Partitions(ctx, topic); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

func (p *Producer) remember(topic string, c partitionCount) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[topic] = c
}

// Produce writes the parts and returns nil when Kafka has acknowledged all of
// them. After an error some of them may have been written: the client sends the
// whole request again, and what is there already is recognised by its batch id.
func (p *Producer) Produce(ctx context.Context, parts []Part) error {
	records := make([]kafka.Record, len(parts))
	memory := make([]partHeaders, len(parts))
	for i := range parts {
		part := &parts[i]
		records[i] = kafka.Record{
			Topic:     part.Topic,
			Partition: part.Partition,
			Key:       part.Key,
			Value:     part.Value,
			Timestamp: part.Received / int64(time.Millisecond),
			Headers:   part.headers(&memory[i], p.tenant(part.Tenant)),
		}
	}
	return p.producer.Produce(ctx, records)
}

// tenant returns the bytes of a tenant's name.
func (p *Producer) tenant(name string) []byte {
	p.mu.RLock()
	b, ok := p.tenants[name]
	p.mu.RUnlock()
	if ok {
		return b
	}
	b = []byte(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.tenants) < maxCachedTenants {
		p.tenants[name] = b
	}
	return b
}
