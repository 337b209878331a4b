// Package kafkaexporter is the collector's way into goshawk's topics: it writes
// logs, spans and data points as the gateway does, cut by the same keys and with
// the same headers, so that nothing behind Kafka can tell the two apart.
//
// What is delivered is what one item of the sending queue holds. Its encoding is
// the same at every attempt, also after the process was killed, and so are the
// batch ids that are made of it: a repeat is recognised behind Kafka.
//
// This package must not know where telemetry comes from.
package kafkaexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// sender writes one signal. It is safe for concurrent use.
type sender struct {
	signal telemetry.Signal
	topic  string
	tenant string
	limits otlp.Limits
	link   *link
	env    *Environment
	works  sync.Pool // of *work
}

// work is the memory that one request needs besides its encoding.
type work struct {
	splitter *otlp.Splitter
	parts    []topic.Part
}

func (s *sender) pushLogs(ctx context.Context, data plog.Logs) error {
	body, err := plogotlp.NewExportRequestFromLogs(data).MarshalProto()
	return s.push(ctx, body, err)
}

func (s *sender) pushTraces(ctx context.Context, data ptrace.Traces) error {
	body, err := ptraceotlp.NewExportRequestFromTraces(data).MarshalProto()
	return s.push(ctx, body, err)
}

func (s *sender) pushMetrics(ctx context.Context, data pmetric.Metrics) error {
	body, err := pmetricotlp.NewExportRequestFromMetrics(data).MarshalProto()
	return s.push(ctx, body, err)
}

// push writes an encoded request and returns nil when Kafka has acknowledged
// all of it that it ever will. An error that is not permanent may be followed by
// a repeat.
func (s *sender) push(ctx context.Context, body []byte, err error) error {
	if err != nil {
		return consumererror.NewPermanent(fmt.Errorf("encoding %s: %w", s.signal, err))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.env.Stopping, cancel)()

	partitions, err := s.link.producer.Partitions(ctx, s.topic)
	if err != nil {
		return fmt.Errorf("topic %s: %w", s.topic, err)
	}
	w := s.work()
	defer func() {
		w.splitter.Reset()
		clear(w.parts)
		s.works.Put(w)
	}()
	received := time.Now().UnixNano()
	if err := w.splitter.Split(s.signal, body, partitions, received); err != nil {
		return consumererror.NewPermanent(fmt.Errorf("cutting %s: %w", s.signal, err))
	}
	w.parts = w.parts[:0]
	id := topic.RequestID(s.tenant, body)
	for i, p := range w.splitter.Parts() {
		w.parts = append(w.parts, topic.Part{
			Topic:     s.topic,
			Partition: int32(p.Partition),
			Value:     p.Value,
			Tenant:    s.tenant,
			BatchID:   id.Part(i),
			Received:  received,
			Events:    p.Events,
		})
	}
	if len(w.parts) > 0 {
		err = s.link.producer.Produce(ctx, w.parts)
	}
	switch {
	case errors.Is(err, topic.ErrRefused):
		s.env.metrics().reject(s.signal, "refused", w.splitter.Accepted())
		return consumererror.NewPermanent(fmt.Errorf("topic %s: %w", s.topic, err))
	case err != nil:
		return fmt.Errorf("topic %s: %w", s.topic, err)
	}
	s.count(w.splitter)
	return nil
}

// count counts what Kafka has, and what it never will have because a row broke
// a rule.
func (s *sender) count(done *otlp.Splitter) {
	s.env.metrics().accepted.WithLabelValues(s.signal.String()).Add(float64(done.Accepted()))
	if done.Rejected() == 0 {
		return
	}
	for reason, events := range done.RejectedBy() {
		s.env.metrics().reject(s.signal, reason, events)
	}
	s.link.rejected(s.env.Log, s.signal, done.Rejected(), done.Message())
}

func (s *sender) work() *work {
	if w, ok := s.works.Get().(*work); ok {
		return w
	}
	return &work{splitter: otlp.NewSplitter(s.limits)}
}
