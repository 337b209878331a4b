package kafkaexporter

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/component"

	"github.com/goshawk-observability/goshawk/ingest/agent/lend"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// links hands out the connections to Kafka. The pipelines that name the same
// exporter share one.
type links struct {
	env *Environment
	mu  sync.Mutex
	all map[*Config]*link
}

// link is one connection to Kafka, for all signals of an exporter.
type link struct {
	client   *kafka.Client
	kafka    *kafka.Producer
	producer *topic.Producer
	registry *lend.Registerer
	users    int

	mu     sync.Mutex
	warned time.Time
}

// open returns the connection of the exporter; it connects to nothing yet. The
// collector gives all signals the same configuration value.
func (l *links) open(id component.ID, cfg *Config) (*link, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if open, ok := l.all[cfg]; ok {
		open.users++
		return open, nil
	}
	client, err := kafka.New(cfg.kafka())
	if err != nil {
		return nil, err
	}
	registry := lend.To(prometheus.WrapRegistererWith(prometheus.Labels{"producer": id.String()}, l.env.Registry))
	producer, err := kafka.NewProducer(client, cfg.producer(), l.env.Log, registry)
	if err != nil {
		client.Close()
		return nil, err
	}
	open := &link{client: client, kafka: producer, producer: topic.NewProducer(client, producer), registry: registry, users: 1}
	l.all[cfg] = open
	return open, nil
}

// close gives a connection up; the last user closes it.
func (l *links) close(cfg *Config) {
	l.mu.Lock()
	defer l.mu.Unlock()
	open, ok := l.all[cfg]
	if !ok {
		return
	}
	if open.users--; open.users > 0 {
		return
	}
	delete(l.all, cfg)
	open.kafka.Close()
	open.client.Close()
	open.registry.TakeBack()
}

// warnEvery bounds how often the log tells of rejected events.
const warnEvery = 10 * time.Second

// rejected tells the log that events were dropped, now and then.
func (k *link) rejected(log *slog.Logger, signal telemetry.Signal, events int64, why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.Sub(k.warned) >= warnEvery {
		k.warned = now
		log.Warn("events are dropped because goshawk does not take them", "signal", signal.String(), "events", events, "why", why)
	}
}
