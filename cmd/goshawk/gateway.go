package main

import (
	"context"
	"log/slog"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/goshawk-observability/goshawk/ingest/changes"
	"github.com/goshawk-observability/goshawk/ingest/elasticsearch"
	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/jaeger"
	"github.com/goshawk-observability/goshawk/ingest/lines"
	"github.com/goshawk-observability/goshawk/ingest/loki"
	"github.com/goshawk-observability/goshawk/ingest/remotewrite"
	"github.com/goshawk-observability/goshawk/ingest/sentry"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/ingest/zipkin"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/observe"
	"github.com/goshawk-observability/goshawk/internal/supervise"
)

func newGateway() *cobra.Command {
	return command("gateway", "Take OTLP, Prometheus remote-write, Zipkin and Jaeger into Kafka",
		`Takes logs, traces and metrics over OTLP/gRPC and OTLP/HTTP, metrics over Prometheus remote-write, and traces as Zipkin and
Jaeger send them, and answers success only after Kafka has acknowledged.
Listens on gateway.otlp_grpc and gateway.otlp_http; see docs/gateway.md.`,
		func(ctx context.Context, s Settings, o *observe.Observer, _ *supervise.Parent) error {
			collectLess()
			return runGateway(ctx, s, o, nil)
		})
}

// runGateway runs the gateway role until ctx ends. Ready, which may be nil, is
// called when its ports are open.
func runGateway(ctx context.Context, s Settings, o *observe.Observer, ready func(gateway.Addrs)) error {
	client, err := kafka.New(s.Kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	producer, err := newProducer(s, o, client, "gateway")
	if err != nil {
		return err
	}
	defer producer.Close()
	changeRoutes, err := changes.Routes(s.Changes)
	if err != nil {
		return err
	}
	g, err := gateway.New(s.Gateway, gatewayProducer{topic.NewProducer(client, producer), s.Topics.Logs}, o.Registry, o.Log,
		append(gatewayRoutes(&s), changeRoutes...)...)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return ensureTopics(ctx, client, s.Topics, o.Log) })
	group.Go(func() error {
		select {
		case <-g.Ready():
		case <-ctx.Done():
			return nil
		}
		if ready != nil {
			ready(g.Addrs())
		}
		return nil
	})
	group.Go(func() error {
		defer o.Repanic()
		return g.Run(ctx)
	})
	return group.Wait()
}

// gatewayRoutes are the protocols beside OTLP.
func gatewayRoutes(s *Settings) []gateway.Route {
	depth := s.Gateway.Limits.MaxJSONDepth
	return slices.Concat(remotewrite.Routes(s.RemoteWrite), zipkin.Routes(depth), jaeger.Routes(),
		loki.Routes(depth), elasticsearch.Routes(depth), lines.Routes(), sentry.Routes(s.Sentry, depth))
}

// gatewayProducer lets the gateway ask whether Kafka is there.
type gatewayProducer struct {
	*topic.Producer
	asked string
}

// Ping asks for one of the topics.
func (p gatewayProducer) Ping(ctx context.Context) error { return p.Producer.Ping(ctx, p.asked) }

// ensureTopics creates the topics that do not exist. It tries until the cluster
// answers: a broker that is away is no reason to end.
func ensureTopics(ctx context.Context, client *kafka.Client, topics topic.Config, log *slog.Logger) error {
	return retryUntil(ctx, log, "creating the topics", func() error {
		differences, err := client.EnsureTopics(ctx, topics.Topics())
		for _, d := range differences {
			log.Warn("topic differs from the configuration and is left as it is", "difference", d.String())
		}
		return err
	})
}

// newProducer makes a producer whose metrics say what it is for: `goshawk up`
// has more than one.
func newProducer(s Settings, o *observe.Observer, client *kafka.Client, use string) (*kafka.Producer, error) {
	return kafka.NewProducer(client, s.Producer, o.Log, prometheus.WrapRegistererWith(prometheus.Labels{"producer": use}, o.Registry))
}
