package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/ingest/agent"
	"github.com/goshawk-observability/goshawk/ingest/changes"
	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/remotewrite"
	"github.com/goshawk-observability/goshawk/ingest/sentry"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/observe"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/processors"
	changesprocessor "github.com/goshawk-observability/goshawk/processors/changes"
	errorsprocessor "github.com/goshawk-observability/goshawk/processors/errors"
	"github.com/goshawk-observability/goshawk/processors/logpatterns"
	"github.com/goshawk-observability/goshawk/processors/parse"
	"github.com/goshawk-observability/goshawk/processors/red"
	"github.com/goshawk-observability/goshawk/processors/security"
	"github.com/goshawk-observability/goshawk/processors/servicegraph"
	"github.com/goshawk-observability/goshawk/processors/traces"
	weblogprocessor "github.com/goshawk-observability/goshawk/processors/weblog"
	"github.com/goshawk-observability/goshawk/processors/websessions"
	"github.com/goshawk-observability/goshawk/query"
	chsink "github.com/goshawk-observability/goshawk/sinks/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/patterns"
	"github.com/goshawk-observability/goshawk/sinks/rollup"
	"github.com/goshawk-observability/goshawk/sinks/sampling"
	"github.com/goshawk-observability/goshawk/sinks/topology"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
	"github.com/goshawk-observability/goshawk/telemetry/weblog"
)

// embedded stands for the address of a part that `goshawk up` runs itself.
const embedded = "embedded"

// Settings is the whole configuration: one file for all roles.
type Settings struct {
	// DataDir holds what the embedded parts keep.
	DataDir     string               `yaml:"data_dir"`
	Kafka       kafka.Config         `yaml:"kafka"`
	Topics      topic.Config         `yaml:"topics"`
	Producer    kafka.ProducerConfig `yaml:"producer"`
	ClickHouse  clickhouse.Config    `yaml:"clickhouse"`
	Gateway     gateway.Config       `yaml:"gateway"`
	Agent       agent.Config         `yaml:"agent"`
	RemoteWrite remotewrite.Config   `yaml:"remote_write"`
	Sentry      sentry.Config        `yaml:"sentry"`
	Changes     changes.Config       `yaml:"changes"`
	Process     ProcessSettings      `yaml:"process"`
	Pipelines   PipelinesSettings    `yaml:"pipelines"`
	Sinks       SinksSettings        `yaml:"sinks"`
	Query       query.Config         `yaml:"query"`
	Embedded    EmbeddedSettings     `yaml:"embedded"`
	Observe     observe.Config       `yaml:"observe"`
}

// EmbeddedSettings are those of the parts that `goshawk up` runs itself.
type EmbeddedSettings struct {
	Kafka      broker.Config `yaml:"kafka"`
	ClickHouse engine.Config `yaml:"clickhouse"`
}

// ProcessSettings are those of the process role as a whole.
type ProcessSettings struct {
	// Listen serves /metrics, /healthz and /readyz of `goshawk process`; empty
	// for none.
	Listen string `yaml:"listen"`
	// Group is the prefix of the consumer groups, one per signal (goshawk-logs
	// and so on), so that one pipeline's rebalance leaves the others alone. The
	// members of a group share its topic's partitions.
	Group string `yaml:"group"`
	// MaxBuffered bounds the memory of the blocks of all partitions.
	MaxBuffered config.Bytes `yaml:"max_buffered"`
	// MaxInFlight bounds the records that each pipeline works on at a time, whose
	// rows take several times their memory. 0 is maxInFlightEach for each core.
	MaxInFlight config.Bytes `yaml:"max_in_flight"`
	// State says how often the state of processors is saved.
	State pipeline.StateConfig `yaml:"state"`
}

// maxInFlightEach is half of the records of a large block: with two cores a pipeline
// works on one such block at a time, beside those of the other pipelines.
const maxInFlightEach config.Bytes = 12 << 20

// room makes room for the blocks of a pipeline.
func (p *ProcessSettings) room() *pipeline.Room {
	bytes := p.MaxInFlight
	if bytes == 0 {
		bytes = maxInFlightEach * config.Bytes(runtime.GOMAXPROCS(0))
	}
	return pipeline.NewRoom(int64(bytes))
}

// SinksSettings are those of the sinks, the same for all pipelines.
type SinksSettings struct {
	ClickHouse chsink.Config   `yaml:"clickhouse"`
	Rollup     rollup.Config   `yaml:"rollup"`
	Sampling   sampling.Config `yaml:"sampling"`
	Topology   topology.Config `yaml:"topology"`
	Patterns   patterns.Config `yaml:"patterns"`
}

// dialect says where the tables are.
func (s *Settings) dialect() tables.Dialect {
	return tables.Dialect{Database: s.ClickHouse.Database, Cluster: s.ClickHouse.Cluster}
}

// PipelinesSettings has one pipeline per signal, and one for the requests to web
// servers, which the pipeline of logs brings together by client.
type PipelinesSettings struct {
	Logs    PipelineSettings `yaml:"logs"`
	Spans   PipelineSettings `yaml:"spans"`
	Metrics PipelineSettings `yaml:"metrics"`
	WebHits PipelineSettings `yaml:"web_hits"`
}

// stream is what one pipeline reads.
type stream struct {
	// name is that of the pipeline.
	name, topic, group string
	signal             telemetry.Signal
	settings           *PipelineSettings
	decode             pipeline.Decoder
}

// streams lists what the pipelines read.
func (s *Settings) streams() []stream {
	decode := func(b *telemetry.Batch) { otlp.Decode(b, &s.Gateway.Events) }
	of := func(name, topic string, signal telemetry.Signal, p *PipelineSettings, decode pipeline.Decoder) stream {
		return stream{name, topic, s.Process.Group + "-" + name, signal, p, decode}
	}
	p := &s.Pipelines
	return []stream{
		of(telemetry.Logs.String(), s.Topics.Logs, telemetry.Logs, &p.Logs, decode),
		of(telemetry.Spans.String(), s.Topics.Spans, telemetry.Spans, &p.Spans, decode),
		of(telemetry.Metrics.String(), s.Topics.Metrics, telemetry.Metrics, &p.Metrics, decode),
		of("web_hits", s.Topics.WebHits, telemetry.Logs, &p.WebHits, func(b *telemetry.Batch) {
			decode(b)
			weblog.ReadVisits(b)
		}),
	}
}

// PipelineSettings are those of the pipeline of one signal.
type PipelineSettings struct {
	Source topic.SourceConfig `yaml:"source"`
	// Processors is the chain, in order: a list of single-entry maps from a
	// processor's name to its settings.
	Processors pipeline.Chain `yaml:"processors"`
}

func defaultSettings() Settings {
	perSignal := PipelineSettings{Source: topic.DefaultSourceConfig(), Processors: pipeline.Chain{}}
	logs, spans, webHits := perSignal, perSignal, perSignal
	logs.Processors = chain(parse.Registration(), weblogprocessor.Registration(), errorsprocessor.Registration(), changesprocessor.Registration(), logpatterns.Registration())
	spans.Processors = chain(traces.Registration(), servicegraph.Registration(), red.Registration())
	logs.Source.MaxEvents = 50_000                                    // a request that is read out of a log takes a kilobyte
	webHits.Source.MaxEvents, webHits.Source.MaxBytes = 10_000, 8<<20 // nothing is inserted in bulk here, and a hit has twenty attributes
	webHits.Processors = chain(websessions.Registration(), security.Registration())
	s := Settings{
		DataDir:     "./goshawk-data",
		Kafka:       kafka.DefaultConfig(),
		Topics:      topic.DefaultConfig(),
		Producer:    kafka.DefaultProducerConfig(),
		ClickHouse:  clickhouse.DefaultConfig(),
		Gateway:     gateway.DefaultConfig(),
		Agent:       agent.DefaultConfig(),
		RemoteWrite: remotewrite.DefaultConfig(),
		Sentry:      sentry.DefaultConfig(),
		Changes:     changes.DefaultConfig(),
		Process: ProcessSettings{
			Listen: "127.0.0.1:8429", Group: "goshawk", MaxBuffered: topic.DefaultMaxBuffered, State: pipeline.DefaultStateConfig(),
		},
		Pipelines: PipelinesSettings{Logs: logs, Spans: spans, Metrics: perSignal, WebHits: webHits},
		Sinks:     SinksSettings{ClickHouse: chsink.DefaultConfig(), Rollup: rollup.DefaultConfig(), Sampling: sampling.DefaultConfig(), Topology: topology.DefaultConfig(), Patterns: patterns.DefaultConfig()},
		Query:     query.DefaultConfig(),
		Embedded:  EmbeddedSettings{Kafka: broker.DefaultConfig(), ClickHouse: engine.DefaultConfig()},
		Observe:   observe.DefaultConfig(),
	}
	s.Kafka.Brokers = []string{embedded}
	s.ClickHouse.Addresses = []string{embedded}
	return s
}

// chain lists processors with their default settings.
func chain(entries ...pipeline.Registration) pipeline.Chain {
	c := make(pipeline.Chain, 0, len(entries))
	for _, e := range entries {
		c = append(c, map[string]any{e.Name: map[string]any{}})
	}
	return c
}

// Validate says everything that is wrong with the values. It opens nothing.
func (s *Settings) Validate() error {
	resolved := *s
	resolved.resolveAddresses()
	errs := []error{
		resolved.Kafka.Validate(),
		resolved.Topics.Validate(),
		resolved.ClickHouse.Validate(),
		resolved.Gateway.Validate(),
		resolved.Agent.Validate(),
		resolved.RemoteWrite.Validate(),
		resolved.Sentry.Validate(),
		resolved.Changes.Validate(),
		resolved.Sinks.ClickHouse.Validate(),
		resolved.Sinks.Rollup.Validate(),
		resolved.Sinks.Sampling.Validate(),
		resolved.Sinks.Topology.Validate(),
		resolved.Sinks.Patterns.Validate(),
		resolved.Query.Validate(),
		resolved.Embedded.Kafka.Validate(),
		resolved.Embedded.ClickHouse.Validate(),
		resolved.Observe.Validate(),
	}
	if err := resolved.Producer.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("producer.%w", err))
	}
	if err := resolved.Process.State.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("process.state.%w", err))
	}
	for _, stream := range resolved.streams() {
		p := stream.settings
		if err := p.Source.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("pipelines.%s.source.%w", stream.name, err))
		}
		if registry, err := processors.Registry(); err != nil {
			errs = append(errs, err)
		} else if _, err := registry.Build(p.Processors); err != nil {
			errs = append(errs, fmt.Errorf("pipelines.%s.%w", stream.name, err))
		}
	}
	if s.DataDir == "" {
		errs = append(errs, errors.New("data_dir: is empty"))
	}
	if s.Process.Group == "" {
		errs = append(errs, errors.New("process.group: is empty"))
	}
	return errors.Join(errs...)
}

// kafkaEmbedded and clickHouseEmbedded report whether the part is run by
// `goshawk up`.
func (s *Settings) kafkaEmbedded() bool { return slices.Contains(s.Kafka.Brokers, embedded) }

func (s *Settings) clickHouseEmbedded() bool {
	return slices.Contains(s.ClickHouse.Addresses, embedded)
}

// resolve puts real addresses, directories and passwords in the place of what
// stands for them. It reads the embedded engine's password, and makes it on
// the first call.
func (s *Settings) resolve() error {
	inside := s.clickHouseEmbedded()
	s.resolveAddresses()
	if !inside {
		return nil
	}
	password, err := engine.Password(s.Embedded.ClickHouse.DataDir)
	if err != nil {
		return err
	}
	s.ClickHouse.Username, s.ClickHouse.Password = engine.User, config.Secret(password)
	return nil
}

// resolveAddresses is the part of resolve that opens nothing.
func (s *Settings) resolveAddresses() {
	e := &s.Embedded
	if e.Kafka.DataDir == "" {
		e.Kafka.DataDir = filepath.Join(s.DataDir, "kafka")
	}
	if e.ClickHouse.DataDir == "" {
		e.ClickHouse.DataDir = filepath.Join(s.DataDir, "clickhouse")
	}
	if s.Agent.DataDir == "" {
		s.Agent.DataDir = filepath.Join(s.DataDir, "agent")
	}
	if s.kafkaEmbedded() {
		s.Kafka.Brokers = []string{e.Kafka.Listen}
	}
	inside := s.clickHouseEmbedded()
	if inside {
		s.ClickHouse.Addresses = []string{net.JoinHostPort(e.ClickHouse.Listen, strconv.Itoa(e.ClickHouse.NativePort))}
	}
	s.Gateway.Topics = s.Topics
	s.Query.PromQL.Topic = s.Topics.Of(telemetry.Metrics)
	if inside {
		s.Query.SQL.HTTPAddresses = []string{net.JoinHostPort(e.ClickHouse.Listen, strconv.Itoa(e.ClickHouse.HTTPPort))}
	}
}

// configFlag adds --config to a command.
func configFlag(c *cobra.Command) *string {
	return c.Flags().StringP("config", "c", "", "configuration `file` (YAML); every setting has a default")
}

// loadSettings reads the configuration of a command.
func loadSettings(path string) (Settings, error) {
	s := defaultSettings()
	if err := config.Load(path, &s, os.Environ()); err != nil {
		return s, err
	}
	return s, s.Validate()
}
