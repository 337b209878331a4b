package archtest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/internal/archtest"
)

func root(t *testing.T) fs.FS {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(mod), "module "+archtest.Module+"\n") {
		t.Fatalf("%s is not the root of %s", dir, archtest.Module)
	}
	return os.DirFS(dir)
}

func TestImportsFollowTheArrows(t *testing.T) {
	packages, err := archtest.Load(root(t))
	if err != nil {
		t.Fatal(err)
	}
	// Without these the test would look at the wrong tree and find nothing.
	for _, folder := range []string{"telemetry", "pipeline", "internal/archtest"} {
		if !slices.ContainsFunc(packages, func(p archtest.Package) bool { return p.Path == folder }) {
			t.Errorf("package %s was not found", folder)
		}
	}
	for _, violation := range archtest.Goshawk().Check(packages) {
		t.Errorf("forbidden: %s", violation)
	}
}

func TestProcessorsAreComplete(t *testing.T) {
	violations, err := archtest.CheckProcessors(root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, violation := range violations {
		t.Errorf("incomplete processor: %s", violation)
	}
}

// TestArrows feeds the rules with one import at a time. The tests above mean
// nothing unless every forbidden line here is noticed.
func TestArrows(t *testing.T) {
	const (
		kafka      = "github.com/segmentio/kafka-go"
		clickhouse = "github.com/ClickHouse/clickhouse-go/v2"
		kfake      = "github.com/twmb/franz-go/pkg/kfake"
		pdata      = "go.opentelemetry.io/collector/pdata/plog/plogotlp"
	)
	for _, arrow := range []struct {
		from, to  string
		forbidden bool
	}{
		{"telemetry", "strings", false},
		{"telemetry", "pipeline", true},
		{"telemetry", "telemetry/otlp", true},
		{"telemetry", "internal/config", true},
		{"telemetry/otlp", "telemetry", false},
		{"telemetry/otlp", "internal/config", false},
		{"telemetry/otlp", "internal/kafka", true},
		{"telemetry/otlp", pdata, true},
		{"telemetry/tables", "telemetry", false},
		{"telemetry/tables", clickhouse, true},
		{"pipeline", "telemetry", false},
		{"pipeline", "internal/config", false},
		{"pipeline", "internal/kafka", true},
		{"pipeline", "telemetry/otlp", true},
		{"pipeline", "ingest/topic", true},
		{"pipeline", "sinks/clickhouse", true},
		{"pipeline", kafka, true},
		{"pipeline/pipelinetest", "testing", false},
		{"pipeline", "testing", true},
		{"pipeline", "pipeline/pipelinetest", true},
		{"processors", "processors/weblog", false},
		{"processors/weblog", "pipeline", false},
		{"processors/weblog", "processors/weblog/parse", false},
		{"processors/weblog/parse", "processors/weblog", false},
		{"processors/weblog", "processors/traces", true},
		{"processors/weblog", "processors", true},
		{"processors/weblog", "sinks/clickhouse", true},
		{"processors/weblog", "internal/kafka", true},
		{"processors/weblog", "telemetry/otlp", true},
		{"processors/weblog", kafka, true},
		{"processors/weblog", clickhouse, true},
		{"ingest/gateway", "telemetry/otlp", false},
		{"ingest/gateway", "ingest/topic", false},
		{"ingest/gateway", "ingest/agent", true},
		{"ingest/gateway", "sinks/kafka", true},
		{"ingest/gateway", "query/api", true},
		{"ingest/gateway", pdata, false},
		{"ingest/gateway", kafka, true},
		{"ingest/topic", "internal/kafka", false},
		{"ingest/topic", kafka + "/protocol", false},
		{"sinks/clickhouse", "telemetry/tables", false},
		{"sinks/clickhouse", "sinks/clickhouse/migrations", false},
		{"sinks/clickhouse", clickhouse + "/lib/column", false},
		{"sinks/clickhouse", "sinks/kafka", true},
		{"sinks/clickhouse", "query/sql", true},
		{"sinks/clickhouse", "processors/weblog", true},
		{"sinks/deadletter", clickhouse, true},
		{"query/sql", "telemetry/tables", false},
		{"query/api", "dashboards/web", false},
		{"query/api", "query/sql", false},
		{"query/api", "telemetry/otlp", true},
		{"query/api", "pipeline", true},
		{"query/api", "ingest/topic", true},
		{"query/api", "sinks/clickhouse", true},
		{"dashboards/web", "query/api", true},
		{"dashboards/generate", "telemetry/tables", false},
		{"internal/kafka", kafka, false},
		{"internal/kafka", "internal/config", false},
		{"internal/kafka", "telemetry", true},
		{"internal/observe", "pipeline", true},
		{"internal/embedded/broker", kfake, false},
		{"internal/embedded/engine", "github.com/ebitengine/purego", false},
		{"internal/supervise", "github.com/ebitengine/purego", true},
		{"ingest/topic", kfake, true},
		{"internal/embedded/clickhousetest", "telemetry/tables", false},
		{"benchmarks/shop", "telemetry", false},
		{"benchmarks/shop", pdata, false},
		{"benchmarks/shop", "cmd/goshawk", true},
		{"benchmarks/shop", "test/cluster", true},
		{"benchmarks/harness", "test/cluster", false},
		{"benchmarks/harness", "cmd/goshawk", true},
		{"cmd/goshawk", "test/cluster", true},
		{"cmd/goshawk", "benchmarks/shop", false},
		{"cmd/goshawk", "query/api", false},
		{"cmd/goshawk", kafka, true},
		{"cmd/goshawk", "deploy/kafka/kafkatest", true},
		{"deploy/kafka/kafkatest", "testing", false},
		{"test/e2e", "cmd/goshawk", false},
		{"common", "strings", true},
		{"processors/weblog", "common", true},
	} {
		to := arrow.to
		if first, _, _ := strings.Cut(to, "/"); slices.Contains(folders, first) {
			to = archtest.Module + "/" + to
		}
		violations := archtest.Goshawk().Check([]archtest.Package{{Path: arrow.from, Imports: []string{to}}})
		if got := len(violations) > 0; got != arrow.forbidden {
			t.Errorf("%s -> %s: forbidden is %v, want %v (%v)", arrow.from, arrow.to, got, arrow.forbidden, violations)
		}
		for _, violation := range violations {
			if violation.From != arrow.from || violation.Reason == "" {
				t.Errorf("%s -> %s was reported as %s", arrow.from, arrow.to, violation)
			}
		}
	}
}

// folders are the first elements of the module's own folders in TestArrows.
var folders = []string{
	"telemetry", "pipeline", "processors", "ingest", "sinks", "query", "dashboards", "internal", "benchmarks",
	"cmd", "deploy", "test", "common",
}

func TestLoadFindsABadArrowInATree(t *testing.T) {
	file := func(source string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(source)} }
	tree := fstest.MapFS{
		"go.mod":                         file("module " + archtest.Module + "\n"),
		"telemetry/telemetry.go":         file("package telemetry\n\nimport _ \"strings\"\n"),
		"pipeline/pipeline.go":           file("package pipeline\n\nimport _ \"" + archtest.Module + "/telemetry\"\n"),
		"pipeline/hidden.go":             file("//go:build never\n\npackage pipeline\n\nimport kafka \"github.com/segmentio/kafka-go\"\n"),
		"pipeline/pipeline_test.go":      file("package pipeline\n\nimport _ \"" + archtest.Module + "/sinks/clickhouse\"\n"),
		"pipeline/testdata/x.go":         file("not Go"),
		"tools/go.mod":                   file("module other\n"),
		"tools/tools.go":                 file("package tools\n\nimport _ \"" + archtest.Module + "/cmd/goshawk\"\n"),
		"deploy/node_modules/m/index.go": file("not Go"),
	}
	packages, err := archtest.Load(tree)
	if err != nil {
		t.Fatal(err)
	}
	want := []archtest.Package{
		{Path: "pipeline", Imports: []string{archtest.Module + "/telemetry", "github.com/segmentio/kafka-go"}},
		{Path: "telemetry", Imports: []string{"strings"}},
	}
	if diff := cmp.Diff(want, packages); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	violations := archtest.Goshawk().Check(packages)
	if len(violations) != 1 {
		t.Fatalf("violations: %v", violations)
	}
	const line = "pipeline -> github.com/segmentio/kafka-go: only internal/kafka/..., ingest/topic/..., benchmarks/... may import github.com/segmentio/kafka-go"
	if got := violations[0].String(); got != line {
		t.Errorf("got  %s\nwant %s", got, line)
	}
}

func TestCheckProcessorsNoticesWhatIsMissing(t *testing.T) {
	file := func(source string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(source)} }
	tree := fstest.MapFS{
		"processors/registry.go":         file("package processors\n\nimport _ \"" + archtest.Module + "/processors/weblog\"\n"),
		"processors/weblog/weblog.go":    file("package weblog\n"),
		"processors/weblog/README.md":    file("weblog\n"),
		"processors/traces/traces.go":    file("package traces\n"),
		"processors/traces/README.md":    file("traces\n"),
		"processors/half/assembler.go":   file("package half\n"),
		"processors/testdata/golden.txt": file(""),
	}
	violations, err := archtest.CheckProcessors(tree)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, violation := range violations {
		got = append(got, violation.String())
	}
	want := []string{
		"processors/half: not in processors/registry.go",
		"processors/half: has no README.md",
		"processors/half: has no half.go",
		"processors/traces: not in processors/registry.go",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
	if violations, err := archtest.CheckProcessors(fstest.MapFS{}); err != nil || len(violations) > 0 {
		t.Errorf("a tree without processors: %v, %v", violations, err)
	}
}
