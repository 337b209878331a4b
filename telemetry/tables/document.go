package tables

import (
	"fmt"
	"strings"
)

// Reference returns the reference page of all tables and views, in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Tables\n\nGenerated from `telemetry/tables` by `make golden`; do not edit. " +
		"[../schema.md](../schema.md) explains how the tables are meant and how to ask them.\n")
	for _, t := range All() {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n", t.Name, sentence(t.Comment))
		b.WriteString("| column | type | codec | what it holds |\n|---|---|---|---|\n")
		for _, c := range t.Columns {
			codec := c.Codec
			if c.Alias != "" {
				codec = "computed when read"
			}
			fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", c.Name, c.Type, codec, c.Comment)
		}
		fmt.Fprintf(&b, "\n- engine: `%s`\n- order: `%s`\n- partition: `%s`\n- expiry: `%s`\n",
			t.Engine, strings.Join(t.OrderBy, ", "), t.PartitionBy, t.TTL)
		if t.Recompress != "" {
			fmt.Fprintf(&b, "- default codec: `%s` in parts that merges make; in those that inserts make none, on a cluster the server's, usually LZ4\n", t.Recompress)
		}
		for _, i := range t.Indexes {
			fmt.Fprintf(&b, "- index `%s`: `%s` on `%s`\n", i.Name, i.Type, i.Expression)
		}
		for _, p := range t.Projections {
			fmt.Fprintf(&b, "- projection `%s`: `%s` by `%s`\n", p.Name, strings.Join(p.Values, ", "), strings.Join(p.Keys, ", "))
		}
	}
	b.WriteString("\n# Views\n\nIn the layout of the ClickHouse exporter of OpenTelemetry Collector Contrib.\n")
	for _, v := range Views() {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n| column | type |\n|---|---|\n", v.Name, sentence(v.Comment))
		for _, c := range v.Columns {
			fmt.Fprintf(&b, "| `%s` | `%s` |\n", c.Name, c.Type)
		}
	}
	return b.String()
}

// sentence begins a comment with a capital.
func sentence(comment string) string { return strings.ToUpper(comment[:1]) + comment[1:] }
