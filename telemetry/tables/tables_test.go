package tables

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite expected files")

func TestReference(t *testing.T) {
	const path = "../../docs/generated/tables.md"
	if *update {
		if err := os.MkdirAll("../../docs/generated", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), Reference()); diff != "" {
		t.Errorf("%s is out of date (-file +tables); 'make golden' rewrites it:\n%s", path, diff)
	}
}

func TestDefinitions(t *testing.T) {
	names := map[string]bool{}
	for _, table := range All() {
		if names[table.Name] {
			t.Errorf("table %s is defined twice", table.Name)
		}
		names[table.Name] = true
		if table.Comment == "" || table.Engine == "" || table.ShardingKey == "" || table.TTL == "" {
			t.Errorf("table %s: something is empty", table.Name)
		}
		stored := table.ColumnNames()
		columns := map[string]bool{}
		for _, c := range table.Columns {
			if columns[c.Name] {
				t.Errorf("table %s: column %s is defined twice", table.Name, c.Name)
			}
			columns[c.Name] = true
			if c.Comment == "" {
				t.Errorf("table %s: column %s has no comment", table.Name, c.Name)
			}
			if (c.Codec == "") != (c.Alias != "") {
				t.Errorf("table %s: column %s needs a codec or an alias", table.Name, c.Name)
			}
		}
		for _, key := range append([]string{"tenant", "retention_days"}, table.OrderBy...) {
			if !slices.Contains(stored, key) {
				t.Errorf("table %s: column %s is not stored", table.Name, key)
			}
		}
	}
	for _, name := range EventTables() {
		table := Get(name)
		if table.OrderBy[0] != "tenant" {
			t.Errorf("table %s: tenant does not lead the key", name)
		}
		if got := table.ColumnNames(); !slices.Contains(got, "kafka_partition") || !slices.Contains(got, "kafka_offset") {
			t.Errorf("table %s does not say where its rows came from", name)
		}
	}
}

func TestQuote(t *testing.T) {
	for name, want := range map[string]string{"a": "`a`", "a`b": "`a\\`b`", `a\`: "`a\\\\`", "": "``", "events.time": "`events.time`"} {
		if got := Quote(name); got != want {
			t.Errorf("Quote(%q) = %s, want %s", name, got, want)
		}
	}
	if got, want := QuoteText(`it's \`), `'it\'s \\'`; got != want {
		t.Errorf("QuoteText = %s, want %s", got, want)
	}
}

func TestRender(t *testing.T) {
	text := "-- a comment;\nCREATE TABLE {{.Local \"logs\"}}{{.OnCluster}} ENGINE = {{.Engine \"MergeTree\" \"\"}};\n{{.Distributed \"logs\" \"kafka_partition\"}}"
	single, err := Dialect{}.Render(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"CREATE TABLE `goshawk`.`logs` ENGINE = MergeTree"}, single); diff != "" {
		t.Error(diff)
	}
	cluster, err := Dialect{Database: "x", Cluster: "it's"}.Render(text)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"CREATE TABLE `x`.`logs_local` ON CLUSTER `it's` ENGINE = ReplicatedMergeTree",
		"CREATE TABLE IF NOT EXISTS `x`.`logs` ON CLUSTER `it's` AS `x`.`logs_local`\nENGINE = Distributed('it\\'s', 'x', 'logs_local', kafka_partition)",
	}
	if diff := cmp.Diff(want, cluster); diff != "" {
		t.Error(diff)
	}
	if _, err := (Dialect{}).Render("{{.Nothing}}"); err == nil {
		t.Error("a call of nothing is no error")
	}
	if _, err := (Dialect{}).Render("{{"); err == nil || !strings.Contains(err.Error(), "parsing") {
		t.Errorf("broken text: %v", err)
	}
}

func TestOffsets(t *testing.T) {
	var least Offsets
	for _, o := range []Offsets{{0: 5, 1: 7, 2: 1}, {0: 9, 1: 3}, {0: 6, 1: 4, 3: 1}} {
		least = least.Least(o)
	}
	if diff := cmp.Diff(Offsets{0: 5, 1: 3}, least); diff != "" {
		t.Error(diff)
	}
	if got, want := least.Beyond(), "(kafka_partition = 0 AND from_offset >= 5 OR kafka_partition = 1 AND from_offset >= 3 OR kafka_partition NOT IN (0, 1))"; got != want {
		t.Errorf("beyond: %s", got)
	}
	if got := (Offsets{}).Beyond(); got != "1" {
		t.Errorf("beyond nothing: %s", got)
	}
}

func TestResolutions(t *testing.T) {
	for _, r := range Resolutions() {
		if 86_400_000%r.Milliseconds != 0 || r.Milliseconds%1000 != 0 {
			t.Errorf("windows of %s do not fill a day", r.Name)
		}
		if Get(r.Table).Name != r.Table {
			t.Errorf("there is no table of %s", r.Name)
		}
	}
}
