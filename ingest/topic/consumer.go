package topic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kafkago "github.com/segmentio/kafka-go"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Consumers makes the consumers of one process. They share a bound on memory,
// and their metrics.
type Consumers struct {
	client  *kafka.Client
	log     *slog.Logger
	metrics *sourceMetrics
	memory  *budget
	idle    *Producer // nil where no idle records are written
}

// DefaultMaxBuffered is a good bound for the memory of the blocks of a process.
const DefaultMaxBuffered config.Bytes = 128 << 20

// NewConsumers prepares consumers that read through the client. MaxBuffered
// bounds the memory of all blocks of all partitions, both those that are
// gathered and those that are under way: beyond it blocks close early.
func NewConsumers(client *kafka.Client, maxBuffered config.Bytes, log *slog.Logger, reg prometheus.Registerer) *Consumers {
	memory := &budget{limit: int64(maxBuffered)}
	return &Consumers{client: client, log: log, metrics: newSourceMetrics(reg, memory), memory: memory}
}

// WriteIdle makes the sources write idle records through the producer when their
// pipelines ask for that, see pipeline.Idler. It comes before Consumer.
func (c *Consumers) WriteIdle(producer *Producer) { c.idle = producer }

// Consumer is a member of a consumer group that reads one topic. It has the
// partitions that the group gives it.
type Consumer struct {
	*Consumers
	group  string
	topic  string
	signal telemetry.Signal
	cfg    SourceConfig
	log    *slog.Logger
	kept   keptWindows
	// endPatience is a constant that tests shorten.
	endPatience time.Duration
}

// Handler works on one partition as long as this process has it: until the
// context ends or the source says that the partition is lost. An error that is
// neither of these stops the consumer.
type Handler = func(ctx context.Context, partition int32, source pipeline.Source) error

// Consumer returns a consumer of a topic that carries the signal.
func (c *Consumers) Consumer(group, topic string, signal telemetry.Signal, cfg SourceConfig) (*Consumer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("source of topic %s: %w", topic, err)
	}
	return &Consumer{
		Consumers: c, group: group, topic: topic, signal: signal, cfg: cfg,
		log: c.log.With("group", group, "topic", topic), endPatience: endPatience,
	}, nil
}

// Run calls handle, in a goroutine each, for every partition that the group
// gives to this process. While the cluster is away it tries again. It returns
// when the context ends (nil) or a handler fails (its error), after all
// handlers have returned.
func (c *Consumer) Run(ctx context.Context, handle Handler) error {
	for ctx.Err() == nil {
		if err := c.join(ctx, handle); err != nil {
			return err
		}
	}
	return nil
}

// membership is one membership in the group. It ends for good: afterwards the
// group knows this process under another name, which fences whatever commit of
// the former member is still on its way.
type membership struct {
	group *kafkago.ConsumerGroup
	// resigned is closed when the membership must end.
	resigned   chan struct{}
	resignOnce sync.Once

	mu    sync.Mutex
	fatal error
}

// resign ends the membership. Its generation's context ends soon.
func (m *membership) resign() { m.resignOnce.Do(func() { close(m.resigned) }) }

func (m *membership) fail(err error) {
	m.mu.Lock()
	if m.fatal == nil {
		m.fatal = err
	}
	m.mu.Unlock()
	m.resign()
}

// farewell bounds how long leaving the group may take before connections are
// cut.
const farewell = 4 * time.Second

// join is one membership from joining the group to leaving it.
func (c *Consumer) join(ctx context.Context, handle Handler) error {
	dialer, hangup := c.client.Dialer()
	defer hangup()
	group, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{
		ID:                     c.group,
		Brokers:                c.client.Brokers(),
		Dialer:                 dialer,
		Topics:                 []string{c.topic},
		HeartbeatInterval:      c.cfg.HeartbeatInterval,
		SessionTimeout:         c.cfg.SessionTimeout,
		RebalanceTimeout:       c.cfg.RebalanceTimeout,
		JoinGroupBackoff:       500 * time.Millisecond,
		WatchPartitionChanges:  true,
		PartitionWatchInterval: c.cfg.PartitionWatch,
		StartOffset:            kafkago.FirstOffset,
	})
	if err != nil {
		return fmt.Errorf("joining group %s: %w", c.group, err)
	}
	m := &membership{group: group, resigned: make(chan struct{})}
	// Closing the group ends the generation, and with it the handlers. It must
	// come before the handlers return by themselves, or the group joins again.
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		select {
		case <-ctx.Done():
		case <-m.resigned:
		}
		timer := time.AfterFunc(farewell, hangup)
		defer timer.Stop()
		_ = group.Close() // always nil
	}()
	c.generations(ctx, m, handle)
	m.resign()
	<-closed
	return m.fatal
}

// generations runs the handlers of one generation after the other.
func (c *Consumer) generations(ctx context.Context, m *membership, handle Handler) {
	var warned time.Time
	for {
		generation, err := m.group.Next(ctx)
		switch {
		case err == nil:
			c.generation(ctx, m, generation, handle)
		case ctx.Err() != nil, errors.Is(err, kafkago.ErrGroupClosed):
			return
		case errors.Is(err, kafkago.RebalanceInProgress):
			// The group is being formed; kafka-go joins again.
		default:
			c.metrics.groupErrors.WithLabelValues(c.topic).Inc()
			c.client.Reset()
			if now := time.Now(); now.Sub(warned) > 10*time.Second {
				warned = now
				c.log.Warn("cannot join the consumer group, trying again", "error", err)
			}
		}
	}
}

// generation starts a goroutine for each assigned partition and waits for them.
func (c *Consumer) generation(ctx context.Context, m *membership, g *kafkago.Generation, handle Handler) {
	assigned := g.Assignments[c.topic]
	partitions := make([]int, len(assigned))
	for i, a := range assigned {
		partitions[i] = a.ID
	}
	c.kept.only(partitions)
	c.log.Info("partitions assigned", "partitions", partitions, "generation", g.ID)
	var wait sync.WaitGroup
	sources := new(sources)
	if len(assigned) > 0 {
		wait.Add(1)
		g.Start(func(ended context.Context) {
			defer wait.Done()
			c.watchLag(ended, sources)
		})
	}
	for _, a := range assigned {
		wait.Add(1)
		g.Start(func(ended context.Context) {
			defer wait.Done()
			// The generation's end is the only one that handlers see: see join.
			own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
			defer cancel(nil)
			stop := context.AfterFunc(ended, func() { cancel(pipeline.ErrLost) })
			defer stop()
			err := c.partition(own, m, g, int32(a.ID), sources, handle)
			if err != nil && !errors.Is(err, pipeline.ErrLost) && own.Err() == nil {
				m.fail(fmt.Errorf("partition %s/%d: %w", c.topic, a.ID, err))
			}
			select {
			case <-m.resigned:
				<-ended.Done()
			default:
			}
		})
	}
	wait.Wait()
}

// partition works on one partition until the context ends.
func (c *Consumer) partition(ctx context.Context, m *membership, g *kafkago.Generation, partition int32, all *sources, handle Handler) error {
	s, err := c.open(ctx, m, g, partition)
	if err != nil {
		return err
	}
	defer s.close()
	all.add(s)
	defer all.remove(s)
	return handle(ctx, partition, s)
}

// sources are the partitions of one generation that are being worked on.
type sources struct {
	mu  sync.Mutex
	all map[*source]struct{}
}

func (s *sources) add(src *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[*source]struct{})
	}
	s.all[src] = struct{}{}
}

func (s *sources) remove(src *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, src)
}

// lagInterval is how often the ends of the partitions are asked for: while a
// pipeline is stuck nothing is fetched, and the lag must be seen to grow.
const lagInterval = 5 * time.Second

// watchLag keeps the lag of the partitions up to date until the context ends.
func (c *Consumer) watchLag(ctx context.Context, all *sources) {
	ticker := time.NewTicker(lagInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		bounds, err := c.client.Offsets(ctx, c.topic)
		if err != nil {
			continue // whoever fetches says so
		}
		all.mu.Lock()
		for s := range all.all {
			if int(s.partition) < len(bounds) {
				s.end.Store(bounds[s.partition].Next)
				s.showLag()
			}
		}
		all.mu.Unlock()
	}
}
