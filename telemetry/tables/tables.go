// Package tables defines how telemetry rests in ClickHouse, once: every table,
// its columns, their types, codecs and meaning, the order of rows, partitions,
// expiry and indexes. The DDL, the column lists of the sink and of the query
// planner and the reference page docs/generated/tables.md all come from here.
//
// It must not know how rows get into a table or how they are asked for; it
// opens no connection.
package tables

// Column is one column of a table.
type Column struct {
	Name string
	// Type is the ClickHouse type, exactly as system.columns shows it.
	Type string
	// Codec is the inside of CODEC(...); Default in it stands for the codec of the
	// part, see Table.Recompress, and so does an empty one.
	Codec string
	// Default is the value of rows that are inserted without the column, empty
	// for that of the type.
	Default string
	// Alias is the expression of a column that is computed when it is read and
	// takes no space. It cannot be inserted.
	Alias string
	// Comment says what the column holds.
	Comment string
}

// Index is a data skipping index.
type Index struct {
	Name, Expression, Type string
	Granularity            int
}

// Projection is a count of rows that the engine keeps in each part beside them, and
// reads in their place where it answers a query.
type Projection struct {
	Name string
	// Keys are what rows are counted by, and Values what is counted.
	Keys, Values []string
}

// Setting is one setting of a table.
type Setting struct{ Name, Value string }

// Table is one table. Its rows are kept in the order of OrderBy, in one
// partition per value of PartitionBy.
type Table struct {
	Name    string
	Comment string
	Columns []Column
	Indexes []Index
	// Projections answer queries for what is known of many rows at once.
	Projections []Projection
	// Engine is the engine of a single node, without "Replicated".
	Engine string
	// EngineArguments is the inside of the engine's parentheses.
	EngineArguments string
	PartitionBy     string
	OrderBy         []string
	// PrimaryKey is a prefix of OrderBy, nil where they are the same.
	PrimaryKey []string
	// TTL is when a row expires, empty for never.
	TTL string
	// Recompress is the codec that merges write columns of codec Default with, empty
	// where all columns have their own. Of what an insert writes see [Dialect.Fresh].
	Recompress string
	Settings   []Setting
	// ShardingKey sends the rows of a Distributed table to a shard. Of tables that
	// must know repeated inserts all rows of one insert have the same, so that the
	// repeat meets the deduplication log of the same shard.
	ShardingKey string
}

// View is a named query over the tables, in the layout of another project.
type View struct {
	Name    string
	Comment string
	// Select is the query, with table names in the form {{.View "logs"}}.
	Select string
	// Columns are the names and types that the layout promises.
	Columns []Column
}

// Names of the tables.
const (
	Logs                  = "logs"
	Spans                 = "spans"
	Traces                = "traces"
	Edges                 = "edges_1m"
	Operations            = "operations_1m"
	ClockOffsets          = "clock_offsets"
	LogPatterns1m         = "log_patterns_1m"
	LogPatterns           = "log_patterns"
	WebHits               = "web_hits"
	WebSessions           = "web_sessions"
	Findings              = "findings"
	Errors                = "errors"
	Changes               = "changes"
	Samples               = "samples"
	Samples1m             = "samples_1m"
	Samples5m             = "samples_5m"
	Samples1h             = "samples_1h"
	Series                = "series"
	Histograms            = "histograms"
	ExponentialHistograms = "exponential_histograms"
	Summaries             = "summaries"
	Exemplars             = "exemplars"
	DeadLetters           = "dead_letters"
	DeadLetterReplays     = "dead_letter_replays"
	Ledger                = "ledger"
	Rollups               = "rollups"
	Sampling              = "sampling"
	SamplingBlocks        = "sampling_blocks"
	SamplingTraces        = "sampling_traces"
	Topology              = "topology"
)

// DefaultDatabase is the database that holds the tables unless configured.
const DefaultDatabase = "goshawk"

// BucketSeconds is the width of the column bucket: every row's bucket is its
// time, rounded down to a multiple of it.
const BucketSeconds = 1800

// All returns every table, in the order in which they are documented.
func All() []Table {
	all := []Table{
		logs(), logPatterns1m(), errors(), changes(), webHits(), webSessions(), findings(),
		spans(), traces(), edges(), operations(), clockOffsets(),
		samples(), histograms(), exponentialHistograms(), summaries(), series(), exemplars(),
	}
	for _, r := range Resolutions() {
		all = append(all, samplesOf(r))
	}
	return append(all, rollups(), sampling(), samplingBlocks(), samplingTraces(), topology(), logPatterns(), deadLetters(), deadLetterReplays(), ledger())
}

// Get returns the table with the given name, one of the constants above.
func Get(name string) Table {
	for _, t := range All() {
		if t.Name == name {
			return t
		}
	}
	panic("tables: no table " + name)
}

// Stored returns the columns that an insert fills, in order.
func (t *Table) Stored() []Column {
	stored := make([]Column, 0, len(t.Columns))
	for _, c := range t.Columns {
		if c.Alias == "" {
			stored = append(stored, c)
		}
	}
	return stored
}

// ColumnNames returns the names of the stored columns, in order.
func (t *Table) ColumnNames() []string {
	var names []string
	for _, c := range t.Stored() {
		names = append(names, c.Name)
	}
	return names
}

// EventTables are the tables of which exactly one has a row for every stored event.
func EventTables() []string {
	return []string{Logs, Spans, Samples, Histograms, ExponentialHistograms, Summaries}
}
