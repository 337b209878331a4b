package topic

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Config names the topics and says how they are created.
type Config struct {
	Logs    string `yaml:"logs"`
	Spans   string `yaml:"spans"`
	Metrics string `yaml:"metrics"`
	// WebHits brings the requests that web servers logged together by client.
	WebHits    string `yaml:"web_hits"`
	DeadLetter string `yaml:"deadletter"`
	// State holds snapshots of the state of processors. It is compacted: the
	// latest of each partition stays.
	State string `yaml:"state"`
	// Partitions, Replication, Retention, RetentionBytes and MaxMessage are
	// what topics are created with. Topics that exist are left as they are.
	Partitions  int `yaml:"partitions"`
	Replication int `yaml:"replication"`
	// Retention is how long records are kept; zero leaves it to the brokers. The
	// embedded broker keeps what is unread for longer.
	Retention time.Duration `yaml:"retention"`
	// RetentionBytes bounds each partition; zero leaves it to the brokers.
	RetentionBytes config.Bytes `yaml:"retention_bytes"`
	// MaxMessage is the largest record batch that a topic takes.
	MaxMessage config.Bytes `yaml:"max_message"`
}

// DefaultConfig has the topic names of the OpenTelemetry collector, and so many
// partitions as one machine needs: fewer partitions make larger inserts, and a
// worker stores some hundred thousand events a second. A cluster wants more.
func DefaultConfig() Config {
	return Config{
		Logs: "otlp_logs", Spans: "otlp_spans", Metrics: "otlp_metrics", WebHits: "goshawk_web_hits", DeadLetter: "goshawk_deadletter", State: "goshawk_state",
		Partitions: 2, Replication: 1, MaxMessage: 2 << 20,
	}
}

// minRetention keeps a wrong unit from making brokers delete at once.
const minRetention = time.Minute

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	seen := map[string]string{}
	for _, n := range []struct{ key, name string }{
		{"logs", c.Logs}, {"spans", c.Spans}, {"metrics", c.Metrics}, {"web_hits", c.WebHits}, {"deadletter", c.DeadLetter}, {"state", c.State},
	} {
		if !validTopic(n.name) {
			return fmt.Errorf("topics.%s: %q cannot name a topic", n.key, n.name)
		}
		if other, ok := seen[n.name]; ok {
			return fmt.Errorf("topics.%s: %q is the topic of %s already", n.key, n.name, other)
		}
		seen[n.name] = n.key
	}
	switch {
	case c.Partitions < 1 || c.Partitions > 10000:
		return fmt.Errorf("topics.partitions: %d is not between 1 and 10000", c.Partitions)
	case c.Replication < 1:
		return fmt.Errorf("topics.replication: %d is not positive", c.Replication)
	case c.Retention < 0:
		return errors.New("topics.retention: is negative")
	case c.Retention > 0 && c.Retention < minRetention:
		return fmt.Errorf("topics.retention: %s is less than %s; 0 leaves it to the brokers", c.Retention, minRetention)
	case c.MaxMessage < 1<<20:
		return fmt.Errorf("topics.max_message: %s is less than 1MiB", c.MaxMessage)
	}
	return nil
}

func validTopic(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !telemetry.ValidTenant(string(c)) {
			return false
		}
	}
	return true
}

// Of returns the topic of a signal.
func (c Config) Of(s telemetry.Signal) string {
	switch s {
	case telemetry.Logs:
		return c.Logs
	case telemetry.Spans:
		return c.Spans
	default:
		return c.Metrics
	}
}

// Feed returns the topic that a derived record of a signal goes to.
func (c Config) Feed(feed telemetry.Feed, s telemetry.Signal) string {
	if feed == telemetry.FeedWebHits {
		return c.WebHits
	}
	return c.Of(s)
}

// Topics lists all topics as they should be.
func (c Config) Topics() []kafka.Topic {
	var all []kafka.Topic
	for _, name := range []string{c.Logs, c.Spans, c.Metrics, c.WebHits, c.DeadLetter} {
		t := kafka.Topic{Name: name, Partitions: c.Partitions, Replication: c.Replication, Configs: map[string]string{
			"max.message.bytes": strconv.FormatUint(uint64(c.MaxMessage), 10),
		}}
		if c.Retention > 0 {
			t.Configs["retention.ms"] = strconv.FormatInt(c.Retention.Milliseconds(), 10)
		}
		if c.RetentionBytes > 0 {
			t.Configs["retention.bytes"] = strconv.FormatUint(uint64(c.RetentionBytes), 10)
		}
		all = append(all, t)
	}
	// The embedded broker does not compact. It deletes the oldest segments of all
	// topics when it has no more room, as "delete" allows; Kafka deletes nothing
	// by age or size as long as the settings of the topic say so.
	return append(all, kafka.Topic{Name: c.State, Partitions: c.Partitions, Replication: c.Replication, Configs: map[string]string{
		"max.message.bytes": strconv.FormatUint(uint64(c.MaxMessage), 10),
		"cleanup.policy":    "compact,delete", "retention.ms": "-1", "retention.bytes": "-1",
	}})
}
