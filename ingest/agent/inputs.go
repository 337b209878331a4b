package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/goshawk-observability/goshawk/ingest/filelog"
	"github.com/goshawk-observability/goshawk/ingest/journald"
	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/ingest/syslog"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// Inputs reports whether any of the agent's own inputs of logs is configured.
func (c *Config) Inputs() bool {
	return len(c.Files.Inputs) > 0 || c.Syslog.Enabled() || c.Journald.Enabled
}

// recordSlack is how much of a producer's batch a record leaves for headers.
const recordSlack = 16 << 10

// RunInputs runs the inputs that write to Kafka themselves, beside the
// collector, until ctx ends. Ready, which may be nil, is called when they run.
func RunInputs(ctx context.Context, c *Config, o Options, ready func()) error {
	client, err := kafka.New(o.Kafka.Kafka)
	if err != nil {
		return fmt.Errorf("inputs of logs: %w", err)
	}
	defer client.Close()
	registry := prometheus.WrapRegistererWith(prometheus.Labels{"producer": "inputs"}, o.Registry)
	producer, err := kafka.NewProducer(client, o.Kafka.Producer, o.Log, registry)
	if err != nil {
		return fmt.Errorf("inputs of logs: %w", err)
	}
	defer producer.Close()
	target := logbatch.Target{
		Producer: topic.NewProducer(client, producer), Topic: o.Kafka.Topics.Logs, Tenant: o.Kafka.Tenant,
		MaxRecord: int(min(o.Kafka.Limits.MaxRecordBytes, o.Kafka.Producer.MaxBatch-recordSlack)),
		Resource:  hostResource(), Log: o.Log,
	}
	group, ctx := errgroup.WithContext(ctx)
	starting := 0
	started := make(chan struct{}, 3)
	run := func(input func(ctx context.Context, ready func()) error) {
		starting++
		group.Go(func() error { return input(ctx, func() { started <- struct{}{} }) })
	}
	if len(c.Files.Inputs) > 0 {
		t, err := filelog.New(filelog.Options{Config: c.Files, Dir: filepath.Join(c.DataDir, "files"), Target: target, Registry: o.Registry})
		if err != nil {
			return err
		}
		run(t.Run)
	}
	if c.Syslog.Enabled() {
		s, err := syslog.New(syslog.Options{Config: c.Syslog, Target: target, Registry: o.Registry})
		if err != nil {
			return err
		}
		run(s.Run)
	}
	if c.Journald.Enabled {
		j, err := journald.New(journald.Options{Config: c.Journald, Dir: filepath.Join(c.DataDir, "journald"), Target: target, Registry: o.Registry})
		if err != nil {
			return err
		}
		run(j.Run)
	}
	group.Go(func() error {
		for range starting {
			select {
			case <-started:
			case <-ctx.Done():
				return nil
			}
		}
		if ready != nil {
			ready()
		}
		return nil
	})
	return group.Wait()
}

// hostResource says which host this is: as OTEL_RESOURCE_ATTRIBUTES has it, or
// as the host calls itself.
func hostResource() []logwriter.Attribute {
	name, err := os.Hostname()
	if err != nil {
		name = ""
	}
	all := []logwriter.Attribute{{Key: "host.name", Value: name}}
	for pair := range strings.SplitSeq(os.Getenv("OTEL_RESOURCE_ATTRIBUTES"), ",") {
		if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key != "service.name" && key != "service.instance.id" {
			all = append(all, logwriter.Attribute{Key: key, Value: value})
		}
	}
	return all
}
