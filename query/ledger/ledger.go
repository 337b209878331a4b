// Package ledger proves that nothing was lost and nothing counted twice on the
// way from Kafka to the tables.
//
// With every block of offsets that the pipeline stored, it wrote one row per
// tenant into the table ledger: how many events were accepted, stored, rejected
// and dropped. The audit holds these books against each other and against the
// tables: the blocks of a partition follow each other without gap or overlap,
// every count adds up, and every block has exactly the rows and dead letters
// that the books say, no more and no fewer. What sampling deletes it writes down
// for each block before it does, and that is taken into account.
//
// It must not know Kafka or how rows get into the tables. It relies on one
// thing: the row of a block in the ledger is written after its events.
package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Config says what the books are about.
type Config struct {
	// Database holds the ledger and the tables.
	Database string
	// Topics maps the name of every topic to its signal: logs, spans or metrics.
	Topics map[string]string
	// RetentionDays says after how many days a tenant's rows in a table expire;
	// 0 is never. Where it is nil, they are kept as long as the ledger's own.
	RetentionDays func(table, tenant string) int
	// MaxProblems bounds the problems that a report lists; all are counted.
	MaxProblems int
}

// DefaultConfig has the topics as they are named unless configured.
func DefaultConfig() Config {
	return Config{
		Database:    tables.DefaultDatabase,
		Topics:      map[string]string{"otlp_logs": "logs", "otlp_spans": "spans", "otlp_metrics": "metrics", "goshawk_web_hits": "web_hits"},
		MaxProblems: 1000,
	}
}

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	seen := map[string]string{}
	for topic, signal := range c.Topics {
		if signalTables[signal] == nil {
			return fmt.Errorf("ledger: topic %s has the unknown signal %q", topic, signal)
		}
		if other := seen[signal]; other != "" {
			// Rows know their partition and offset, but not their topic.
			return fmt.Errorf("ledger: topics %s and %s both carry %s", topic, other, signal)
		}
		seen[signal] = topic
	}
	if len(c.Topics) == 0 {
		return errors.New("ledger: there are no topics")
	}
	if c.Database == "" {
		return errors.New("ledger: the database has no name")
	}
	if c.MaxProblems < 1 {
		return errors.New("ledger: max_problems is below 1")
	}
	return nil
}

// signalTables are the tables that hold the events of a signal, one row each. Those
// of web_hits are stored with the logs that they are of, and dropped here.
var signalTables = map[string][]string{
	"logs":    {tables.Logs},
	"spans":   {tables.Spans},
	"metrics": {tables.Samples, tables.Histograms, tables.ExponentialHistograms, tables.Summaries},

	"web_hits": {},
}

// Options narrow one audit.
type Options struct {
	// Since leaves out the blocks that were received before; the zero time
	// takes all.
	Since time.Time
	// Now decides which rows have expired.
	Now time.Time
	// Tenant, where set, looks at the rows of one tenant only. Whether blocks
	// follow each other is then not checked: they belong to all tenants.
	Tenant string
	// Kafka is what Kafka says of its partitions. It must be read before the
	// audit starts. Without it lag is unknown, and so is whether a block that
	// the ledger does not have yet was committed.
	Kafka []KafkaPartition
}

// KafkaPartition is what Kafka says of one partition.
type KafkaPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Committed is the offset that the pipeline committed, -1 for none.
	Committed int64 `json:"committed"`
	// End is the offset of the next record that will be written.
	End int64 `json:"end"`
}

// Audit reads the books. It is safe for concurrent use.
type Audit struct {
	conn    driver.Conn
	cfg     Config
	dialect tables.Dialect
}

// New makes an audit over conn, a connection of a user that may read all tables.
func New(conn driver.Conn, cfg Config) (*Audit, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Audit{conn: conn, cfg: cfg, dialect: tables.Dialect{Database: cfg.Database}}, nil
}
