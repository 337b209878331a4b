package tables

import (
	"fmt"
	"strings"
	"text/template"
)

// Dialect is where statements run: which database, and on which cluster.
type Dialect struct {
	// Database holds the tables; DefaultDatabase where it is empty.
	Database string
	// Cluster is the name of the cluster, empty for a single node. On a cluster
	// every table is a replicated table of each shard, with "_local" after its
	// name, under a distributed table with its plain name.
	Cluster string
}

// localSuffix tells the part of a table that one shard holds from the whole.
const localSuffix = "_local"

// Quote returns a name as an identifier.
func Quote(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

// QuoteText returns a text as a string literal.
func QuoteText(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

// Database name, never empty.
func (d Dialect) database() string {
	if d.Database == "" {
		return DefaultDatabase
	}
	return d.Database
}

// Table returns the quoted name under which a table is read and inserted into.
func (d Dialect) Table(name string) string { return Quote(d.database()) + "." + Quote(name) }

// Local returns the quoted name of the table that holds the rows on one node.
func (d Dialect) Local(name string) string { return d.Table(d.LocalName(name)) }

// LocalName is the name of that table as the tables of the system have it.
func (d Dialect) LocalName(name string) string {
	if d.Cluster == "" {
		return name
	}
	return name + localSuffix
}

// DatabaseName returns the quoted name of the database.
func (d Dialect) DatabaseName() string { return Quote(d.database()) }

// OnCluster returns the clause that runs a statement on every node.
func (d Dialect) OnCluster() string {
	if d.Cluster == "" {
		return ""
	}
	return " ON CLUSTER " + Quote(d.Cluster)
}

// Engine returns an engine of the MergeTree family, replicated on a cluster.
func (d Dialect) Engine(name, arguments string) string {
	if d.Cluster != "" {
		name = "Replicated" + name
	}
	if arguments == "" {
		return name
	}
	return name + "(" + arguments + ")"
}

// Window returns the settings that make a table recognise its last n inserts.
func (d Dialect) Window(n int) string {
	if d.Cluster == "" {
		return fmt.Sprintf("non_replicated_deduplication_window = %d", n)
	}
	// A replicated table forgets by age as well; the age must not be what limits.
	return fmt.Sprintf("replicated_deduplication_window = %d, replicated_deduplication_window_seconds = 2592000", n)
}

// Fresh returns the setting that makes an insert leave the columns of codec
// Default as they are, for tables that merges compress. The first merge mostly comes before
// such a part is on the disk. Replicas would send it to each other, so theirs have
// the server's default, which is LZ4.
func (d Dialect) Fresh() string {
	if d.Cluster != "" {
		return ""
	}
	return ", default_compression_codec = 'NONE'"
}

// Distributed returns the statement that makes the table over all shards, or
// nothing on a single node.
func (d Dialect) Distributed(name, shardingKey string) string {
	if d.Cluster == "" {
		return ""
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s%s AS %s\nENGINE = Distributed(%s, %s, %s, %s);\n",
		d.Table(name), d.OnCluster(), d.Local(name),
		QuoteText(d.Cluster), QuoteText(d.database()), QuoteText(name+localSuffix), shardingKey)
}

// DropDistributed returns the statement that removes what Distributed made.
func (d Dialect) DropDistributed(name string) string {
	if d.Cluster == "" {
		return ""
	}
	return fmt.Sprintf("DROP TABLE IF EXISTS %s%s SYNC;\n", d.Table(name), d.OnCluster())
}

// Render turns a text of statements with the calls above in double braces, each
// statement ended by a semicolon at the end of a line, into statements.
func (d Dialect) Render(text string) ([]string, error) {
	t, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("parsing statements: %w", err)
	}
	var out strings.Builder
	if err := t.Execute(&out, d); err != nil {
		return nil, fmt.Errorf("rendering statements: %w", err)
	}
	var statements []string
	for _, s := range strings.Split(out.String()+"\n", ";\n") {
		if s = strings.TrimSpace(uncommented(s)); s != "" {
			statements = append(statements, s)
		}
	}
	return statements, nil
}

// uncommented drops lines that are comments.
func uncommented(text string) string {
	lines := strings.Split(text, "\n")
	kept := lines[:0]
	for _, l := range lines {
		if !strings.HasPrefix(strings.TrimSpace(l), "--") {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n")
}

// Up returns the text, for Render, of the statements that create the table.
func (t *Table) Up() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS {{.Local %q}}{{.OnCluster}}\n(\n", t.Name)
	var lines []string
	for _, c := range t.Columns {
		line := "    " + Quote(c.Name) + " " + c.Type
		if c.Default != "" {
			line += " DEFAULT " + c.Default
		}
		if c.Alias != "" {
			line += " ALIAS " + c.Alias
		}
		line += " COMMENT " + QuoteText(c.Comment)
		if c.Codec != "" {
			line += " CODEC(" + c.Codec + ")"
		}
		lines = append(lines, line)
	}
	for _, i := range t.Indexes {
		lines = append(lines, fmt.Sprintf("    INDEX %s %s TYPE %s GRANULARITY %d", Quote(i.Name), i.Expression, i.Type, i.Granularity))
	}
	for _, p := range t.Projections {
		keys := strings.Join(p.Keys, ", ")
		lines = append(lines, fmt.Sprintf("    PROJECTION %s (SELECT %s, %s GROUP BY %s)", Quote(p.Name), keys, strings.Join(p.Values, ", "), keys))
	}
	b.WriteString(strings.Join(lines, ",\n"))
	fmt.Fprintf(&b, "\n)\nENGINE = {{.Engine %q %q}}\n", t.Engine, t.EngineArguments)
	if t.PartitionBy != "" {
		fmt.Fprintf(&b, "PARTITION BY %s\n", t.PartitionBy)
	}
	if t.PrimaryKey != nil {
		fmt.Fprintf(&b, "PRIMARY KEY (%s)\n", strings.Join(t.PrimaryKey, ", "))
	}
	fmt.Fprintf(&b, "ORDER BY (%s)\n", strings.Join(t.OrderBy, ", "))
	if t.TTL != "" {
		fmt.Fprintf(&b, "TTL %s", t.TTL)
		if t.Recompress != "" {
			fmt.Fprintf(&b, ", %s RECOMPRESS CODEC(%s)", recompressFrom, t.Recompress)
		}
		b.WriteString("\n")
	}
	settings := []string{fmt.Sprintf("{{.Window %d}}", deduplicationWindow)}
	for _, s := range t.Settings {
		settings = append(settings, s.Name+" = "+s.Value)
	}
	fmt.Fprintf(&b, "SETTINGS %s", strings.Join(settings, ", "))
	if t.Recompress != "" {
		b.WriteString("{{.Fresh}}")
	}
	b.WriteString("\n")
	fmt.Fprintf(&b, "COMMENT %s;\n", QuoteText(t.Comment))
	fmt.Fprintf(&b, "{{.Distributed %q %q}}", t.Name, t.ShardingKey)
	return b.String()
}

// Down returns the text, for Render, of the statements that drop the table.
func (t *Table) Down() string {
	return fmt.Sprintf("{{.DropDistributed %q}}DROP TABLE IF EXISTS {{.Local %q}}{{.OnCluster}} SYNC;\n", t.Name, t.Name)
}

// Up returns the text, for Render, of the statement that creates the view.
func (v *View) Up() string {
	return fmt.Sprintf("CREATE VIEW IF NOT EXISTS {{.Table %q}}{{.OnCluster}} AS\n%s;\n", v.Name, strings.TrimSpace(v.Select))
}

// Down returns the text, for Render, of the statement that drops the view.
func (v *View) Down() string {
	return fmt.Sprintf("DROP VIEW IF EXISTS {{.Table %q}}{{.OnCluster}} SYNC;\n", v.Name)
}
