// Package clickhouse writes batches into ClickHouse, every event exactly once.
//
// A block of Kafka records becomes one insert per table. Every insert carries a
// token made of the block's name and the table's, and every table remembers its
// last inserts by their tokens, so an insert that is repeated, by this process
// or by the one that takes over after a crash, changes nothing. The order is:
// series and dead letters first, then events, and the ledger last: a row in the
// ledger says that the block is complete. Series and dead letters say what was
// decided about the block where a tenant has too many series; see limit.go.
//
// # Writes that may have been begun
//
// A plain MergeTree table, one that is not replicated, notes a token before it
// puts the rows in place. A server that is killed in between is left with a
// token without rows and drops the repeat of an insert that it never did. So
// where a write may have been begun before, by this process or another, the sink
// looks whether the rows are there; see verify.go.
//
// # How rows get there
//
// The rows of a block are sent as an external table of one INSERT ... SELECT,
// whose columns encode themselves straight from the batch into the connection's
// buffer. That is what makes the client side cost a third of what the client's
// own columns cost; ADR 4 has the figures.
//
// # Durability
//
// An insert is acknowledged when its part is renamed into place. A ClickHouse
// process that is killed loses nothing that it acknowledged. Against the loss
// of power there is replication; on a single node an operator may set
// fsync_after_insert and fsync_part_directory on the tables, see docs/schema.md.
package clickhouse

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Sink writes the batches of one worker. It is used by one goroutine.
type Sink struct {
	cfg      Config
	conn     driver.Conn
	dialect  tables.Dialect
	log      *slog.Logger
	metrics  *Metrics
	now      func() time.Time
	settings clickhouse.Settings
	// partitions returns the number of partitions of a topic.
	partitions func(ctx context.Context, topic string) (int, error)
	// failed is the block that was written last, where that failed.
	failed telemetry.Block

	shared       shared
	logs         *logs
	patterns     *counted[telemetry.PatternCount]
	failures     *counted[telemetry.Failure]
	changes      *counted[telemetry.Change]
	webHits      *webHits
	webSessions  *counted[telemetry.WebSession]
	findings     *findings
	spans        *spans
	traces       *traces
	edges        *counted[telemetry.Edge]
	operations   *counted[telemetry.Operation]
	clockOffsets *counted[telemetry.ClockOffset]
	samples      *points[telemetry.NumberPoint]
	histograms   *points[telemetry.HistogramPoint]
	exponentials *points[telemetry.ExponentialPoint]
	summaries    *points[telemetry.SummaryPoint]
	series       *series
	exemplars    *exemplars
	deadLetters  *deadLetters
	ledger       *ledger
}

var _ pipeline.Sink = (*Sink)(nil)

// New makes the sink of one worker. The connection and the metrics are shared
// by all workers.
func New(conn driver.Conn, dialect tables.Dialect, cfg Config, log *slog.Logger, metrics *Metrics) *Sink {
	s := &Sink{cfg: cfg, conn: conn, dialect: dialect, log: log, metrics: metrics, now: time.Now}
	s.partitions = func(context.Context, string) (int, error) { return 1, nil }
	s.shared.retention = &s.cfg.Retention
	s.logs = newLogs(s)
	s.patterns = newPatterns(s)
	s.failures = newFailures(s)
	s.changes = newChanges(s)
	s.webHits = newWebHits(s)
	s.webSessions = newWebSessions(s)
	s.findings = newFindings(s)
	s.spans = newSpans(s)
	s.traces = newTraces(s)
	s.edges = newEdges(s)
	s.operations = newOperations(s)
	s.clockOffsets = newClockOffsets(s)
	s.series = newSeries(s)
	s.exemplars = newExemplars(s)
	s.samples = newSamples(s)
	s.histograms = newHistograms(s)
	s.exponentials = newExponentials(s)
	s.summaries = newSummaries(s)
	s.deadLetters = newDeadLetters(s)
	s.ledger = newLedger(s)
	return s
}

// SharedBy makes the sink ask for the number of partitions of a topic: limits on
// series are shared out over them. Without it, there is one. It is asked at most
// once, so a sink must not live longer than the number of partitions stays.
func (s *Sink) SharedBy(partitions func(ctx context.Context, topic string) (int, error)) *Sink {
	s.partitions = partitions
	return s
}

// Write writes the batch and returns nil when all of it is durable. After an
// error it may be called again with the same batch. Points of series beyond a
// limit leave the batch and become rejects of it.
func (s *Sink) Write(ctx context.Context, b *telemetry.Batch) error {
	if err := s.write(ctx, b); err != nil {
		s.failed = b.Block
		return fmt.Errorf("writing block %s/%d %d-%d: %w", b.Topic, b.Partition, b.From, b.To, err)
	}
	s.failed = telemetry.Block{}
	return nil
}

func (s *Sink) write(ctx context.Context, b *telemetry.Batch) error {
	if s.settings == nil {
		settings, err := insertSettings(ctx, s.conn, s.dialect)
		if err != nil {
			return err
		}
		s.settings = settings
	}
	uncertain := b.Begun || b.Block == s.failed
	s.shared.prepare(b)
	s.see(b)
	if err := s.admit(ctx, b); err != nil {
		return err
	}
	for _, prepared := range []*block{
		s.series.prepare(&s.shared),
		s.deadLetters.prepare(b),
		s.logs.prepare(s, b),
		s.patterns.prepare(b),
		s.failures.prepare(b),
		s.changes.prepare(b),
		s.webHits.prepare(s, b),
		s.webSessions.prepare(b),
		s.findings.prepare(b),
		s.spans.prepare(s, b),
		s.traces.prepare(b),
		s.edges.prepare(b),
		s.operations.prepare(b),
		s.clockOffsets.prepare(b),
		s.samples.prepare(b.Numbers),
		s.histograms.prepare(b.Histograms),
		s.exponentials.prepare(b.Exponentials),
		s.summaries.prepare(b.Summaries),
		s.exemplars.prepare(&s.shared),
		s.ledger.prepare(s, b),
	} {
		if err := s.store(ctx, prepared, b.Token(prepared.table), uncertain); err != nil {
			return err
		}
	}
	s.series.learn()
	s.release()
	return nil
}

// see looks at every point.
func (s *Sink) see(b *telemetry.Batch) {
	s.series.reset(s.now())
	s.exemplars.found = s.exemplars.found[:0]
	s.samples.see(s, b.Numbers)
	s.histograms.see(s, b.Histograms)
	s.exponentials.see(s, b.Exponentials)
	s.summaries.see(s, b.Summaries)
}

// release lets go of the batch.
func (s *Sink) release() {
	s.shared.batch = nil
	s.logs.rows.all = nil
	s.patterns.release()
	s.failures.release()
	s.changes.release()
	s.webHits.release()
	s.webSessions.release()
	s.findings.release()
	s.spans.rows.all, s.spans.events.elements.all, s.spans.links.elements.all = nil, nil, nil
	s.traces.release()
	s.edges.release()
	s.operations.release()
	s.clockOffsets.release()
	s.samples.release()
	s.histograms.release()
	s.exponentials.release()
	s.summaries.release()
	s.deadLetters.rows.all = nil
	clear(s.exemplars.found)
	clear(s.ledger.found)
	clear(s.shared.resources)
	clear(s.shared.scopes)
	s.shared.words.reset(0)
}

// origin encodes the columns that say where the block came from.
func (s *Sink) origin(rows *int) encoders {
	return encoders{
		"kafka_partition": repeated(rows, 4, func() uint64 { return uint64(uint32(s.shared.batch.Partition)) }),
		"kafka_offset":    repeated(rows, 8, func() uint64 { return uint64(s.shared.batch.From) }),
	}
}

// bucketWidth is the width of the column bucket in nanoseconds.
const bucketWidth = tables.BucketSeconds * int64(time.Second)

// bucketOf returns the column bucket of a time.
func bucketOf(t int64) uint32 {
	return uint32(eventTime(t) / bucketWidth * tables.BucketSeconds)
}
