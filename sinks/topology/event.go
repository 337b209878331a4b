package topology

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// scope is the instrumentation scope of events.
const scope = "github.com/goshawk-observability/goshawk/sinks/topology"

// maxNamed bounds how much of a name is in a body. Attributes have all of it.
const maxNamed = 200

// produce produces the events of what has changed. What Kafka refuses is counted,
// and not tried again.
func (j *Job) produce(ctx context.Context, t *tenant, changed []thing) error {
	partitions, err := j.producer.Partitions(ctx, j.topic)
	if err != nil {
		return fmt.Errorf("producing events: %w", err)
	}
	now := j.now().UnixNano()
	records := make([]pipeline.Message, len(changed))
	for i, th := range changed {
		k := t.things[th]
		resource := logwriter.Resource(logwriter.Attribute{Key: "service.name", Value: th.subject()})
		records[i] = pipeline.Message{
			Topic: j.topic, Partition: int32(otlp.PartitionOfResource(resource, partitions)), //nolint:gosec // a partition
			Value:  logwriter.Request(resource, scope, event(th, k, now)),
			Tenant: t.name, BatchID: batchID(t.name, th, k), Received: now, Events: 1,
		}
	}
	err = j.producer.Produce(ctx, records)
	if !errors.Is(err, pipeline.ErrRefused) {
		if err != nil {
			return fmt.Errorf("producing events: %w", err)
		}
		for _, th := range changed {
			j.metrics.events.WithLabelValues(eventName(th, t.things[th])).Inc()
		}
		return nil
	}
	for i, th := range changed {
		err := j.producer.Produce(ctx, records[i:i+1])
		switch {
		case errors.Is(err, pipeline.ErrRefused):
			j.metrics.refused.Inc()
			j.log.Warn("an event of the topology is lost: Kafka refused it", "tenant", t.name, "event", eventName(th, t.things[th]), "error", err)
		case err != nil:
			return fmt.Errorf("producing events: %w", err)
		default:
			j.metrics.events.WithLabelValues(eventName(th, t.things[th])).Inc()
		}
	}
	return nil
}

// subject is the service that an event is about: of an edge the caller, and of a
// request from outside the callee.
func (th *thing) subject() string {
	if th.service == "" {
		return th.callee
	}
	return th.service
}

// change is what the last change of a thing was.
func (k *known) change() string {
	switch {
	case k.gone:
		return "vanished"
	case k.changed == k.first:
		return "new"
	}
	return "returned"
}

func eventName(th thing, k *known) string {
	return "topology." + th.kind.String() + "." + k.change()
}

// event returns the event of the last change of a thing.
func event(th thing, k *known, now int64) logwriter.Log {
	l := logwriter.Log{
		Time: k.changed.time().UnixNano(), Observed: now, Severity: logwriter.SeverityInfo, SeverityText: "INFO",
		EventName: eventName(th, k), Body: body(th, k), TraceID: k.trace,
	}
	if k.gone {
		l.Severity, l.SeverityText = logwriter.SeverityWarn, "WARN"
	}
	attribute := func(key, value string) {
		l.Attributes = append(l.Attributes, logwriter.Attribute{Key: key, Value: value})
	}
	switch th.kind {
	case version:
		attribute("service.version", th.version)
	case edge:
		attribute("topology.caller", th.service)
		attribute("topology.callee", th.callee)
		attribute("topology.edge.kind", th.edge.String())
	case service:
	}
	attribute("topology.first_seen", k.first.time().Format(time.RFC3339))
	attribute("topology.last_seen", k.last.time().Format(time.RFC3339))
	return l
}

// body says in words what has changed.
func body(th thing, k *known) string {
	name := "service " + short(th.service)
	switch th.kind {
	case version:
		name = "version " + short(th.version) + " of " + name
	case edge:
		caller := short(th.service)
		if th.service == "" {
			caller = "outside"
		}
		name = "edge " + caller + " -> " + short(th.callee) + " (" + th.edge.String() + ")"
	case service:
	}
	switch k.change() {
	case "vanished":
		return name + " has vanished, it was last seen at " + k.last.time().Format(time.RFC3339)
	case "returned":
		return name + " is back"
	}
	return name + " is new"
}

// short returns the beginning of a name.
func short(name string) string {
	if len(name) > maxNamed {
		return strings.ToValidUTF8(name[:maxNamed], "") + "..."
	}
	return name
}

// batchID names the event of the last change of a thing.
func batchID(tenant string, th thing, k *known) [16]byte {
	id := []byte("topology")
	for _, text := range []string{tenant, th.kind.String(), th.service, th.version, th.callee, th.edge.String(), k.change()} {
		id = append(binary.AppendUvarint(id, uint64(len(text))), text...)
	}
	return xxh3.Hash128(binary.BigEndian.AppendUint64(id, uint64(k.changed))).Bytes() //nolint:gosec // not negative
}
