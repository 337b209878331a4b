package patterns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// scope is the instrumentation scope of events.
const scope = "github.com/goshawk-observability/goshawk/sinks/patterns"

// maxShown bounds how much of a pattern is in a body. Attributes have all of it.
const maxShown = 200

// produce produces the events of what has changed. What Kafka refuses is counted,
// and not tried again.
func (j *Job) produce(ctx context.Context, t *tenant, changed []name) error {
	partitions, err := j.producer.Partitions(ctx, j.topic)
	if err != nil {
		return fmt.Errorf("producing events: %w", err)
	}
	now := j.now().UnixNano()
	records := make([]pipeline.Message, len(changed))
	for i, n := range changed {
		resource := logwriter.Resource(logwriter.Attribute{Key: "service.name", Value: n.service})
		records[i] = pipeline.Message{
			Topic: j.topic, Partition: int32(otlp.PartitionOfResource(resource, partitions)), //nolint:gosec // a partition
			Value:  logwriter.Request(resource, scope, event(t, n, now)),
			Tenant: t.name, BatchID: batchID(t.name, n, t.member(n)), Received: now, Events: 1,
		}
	}
	err = j.producer.Produce(ctx, records)
	if !errors.Is(err, pipeline.ErrRefused) {
		if err != nil {
			return fmt.Errorf("producing events: %w", err)
		}
		for _, n := range changed {
			j.metrics.events.WithLabelValues(eventName(t.member(n))).Inc()
		}
		return nil
	}
	for i, n := range changed {
		err := j.producer.Produce(ctx, records[i:i+1])
		switch {
		case errors.Is(err, pipeline.ErrRefused):
			j.metrics.refused.Inc()
			j.log.Warn("an event of a log pattern is lost: Kafka refused it", "tenant", t.name, "event", eventName(t.member(n)), "error", err)
		case err != nil:
			return fmt.Errorf("producing events: %w", err)
		default:
			j.metrics.events.WithLabelValues(eventName(t.member(n))).Inc()
		}
	}
	return nil
}

// change is what the last change of a merged pattern was.
func (m *member) change() string {
	switch {
	case m.gone:
		return "vanished"
	case m.changed == m.first:
		return "new"
	}
	return "returned"
}

func eventName(m *member) string { return "log_pattern." + m.change() }

// classes are the names of severity classes.
var classes = [...]string{"UNSPECIFIED", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}

// classWarn is the number of the class of warnings.
const classWarn = 4

// event returns the event of the last change of a merged pattern.
func event(t *tenant, n name, now int64) logwriter.Log {
	s, m := t.services[n.service], t.member(n)
	last, class := m.last, m.class
	for _, other := range s.members {
		if other.merged == n.id {
			last, class = max(last, other.last), max(class, other.class)
		}
	}
	text := s.texts[n.id]
	l := logwriter.Log{
		Time: m.changed.time().UnixNano(), Observed: now, Severity: logwriter.SeverityInfo, SeverityText: "INFO",
		EventName: eventName(m), Body: body(m, text, last),
	}
	if m.gone || class >= classWarn {
		l.Severity, l.SeverityText = logwriter.SeverityWarn, "WARN"
	}
	for _, a := range [][2]string{
		{"log_pattern.id", strconv.FormatUint(n.id, 10)},
		{"log_pattern.text", text},
		{"log_pattern.severity", classes[min(int(class), len(classes)-1)]},
		{"log_pattern.first_seen", m.first.time().Format(time.RFC3339)},
		{"log_pattern.last_seen", last.time().Format(time.RFC3339)},
	} {
		l.Attributes = append(l.Attributes, logwriter.Attribute{Key: a[0], Value: a[1]})
	}
	return l
}

// body says in words what has changed.
func body(m *member, text string, last minute) string {
	switch text = short(text); m.change() {
	case "vanished":
		return "log pattern has vanished, it last came at " + last.time().Format(time.RFC3339) + ": " + text
	case "returned":
		return "log pattern is back: " + text
	}
	return "log pattern is new: " + text
}

// short returns the beginning of a text.
func short(text string) string {
	if len(text) > maxShown {
		return strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	return text
}

// batchID names the event of the last change of a merged pattern.
func batchID(tenant string, n name, m *member) [16]byte {
	id := []byte("log_pattern")
	for _, text := range []string{tenant, n.service, m.change()} {
		id = append(binary.AppendUvarint(id, uint64(len(text))), text...)
	}
	id = binary.BigEndian.AppendUint64(id, n.id)
	return xxh3.Hash128(binary.BigEndian.AppendUint64(id, uint64(m.changed))).Bytes() //nolint:gosec // not negative
}
