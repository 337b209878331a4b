package archtest

// Rules say which folder may import which.
type Rules struct {
	// Zones are tried in order; the first whose pattern matches a folder decides.
	Zones []Zone
	// Restricted are the packages of others that only some folders may import.
	Restricted []Restricted
}

// Zone is a part of the tree whose packages follow one rule. Patterns are
// folders of the module in which "*" stands for one path element and "/..." at
// the end for everything below, and the folder itself.
type Zone struct {
	Pattern string
	// Own lets the packages of one match of the pattern import each other:
	// processors/a may import processors/a/b, but not processors/c.
	Own bool
	// Tests says that the zone does not ship, and may use packages for tests.
	Tests bool
	// Allowed lists what else of this module the zone may import.
	Allowed []string
}

// Restricted is a package of another module, with all below it.
type Restricted struct {
	Import string
	Only   []string
}

// Goshawk are the rules of this module.
func Goshawk() Rules {
	return Rules{
		Zones: []Zone{
			{Pattern: "telemetry", Allowed: []string{"telemetry/sketch"}},
			{Pattern: "telemetry/sketch"},
			{Pattern: "telemetry/wire"},
			{Pattern: "telemetry/otlp/...", Own: true, Allowed: []string{"telemetry", "telemetry/wire", "internal/config"}},
			{Pattern: "telemetry/prometheus/...", Own: true, Allowed: []string{"telemetry", "telemetry/otlp"}},
			{Pattern: "telemetry/tables/...", Own: true, Allowed: []string{"telemetry"}},
			{Pattern: "telemetry/rollup"},
			{Pattern: "telemetry/logpattern"},
			{Pattern: "telemetry/weblog/...", Own: true, Allowed: []string{"telemetry", "telemetry/wire"}},
			// The registry reads the settings of processors, of which it knows nothing.
			{Pattern: "pipeline/...", Own: true, Allowed: []string{"telemetry", "telemetry/sketch", "internal/config"}},
			// The folder itself holds the registry, the one place that knows them all.
			{Pattern: "processors", Allowed: []string{"telemetry", "pipeline", "processors/*"}},
			{Pattern: "processors/*/...", Own: true, Allowed: []string{"telemetry", "telemetry/sketch", "telemetry/otlp/pointwriter", "telemetry/logpattern", "telemetry/weblog/...", "pipeline"}},
			// The agent is where the receivers of the other folders run.
			{Pattern: "ingest/agent/...", Own: true, Allowed: []string{"telemetry/...", "internal/...", "ingest/topic", "ingest/probe", "ingest/logbatch", "ingest/filelog", "ingest/syslog", "ingest/journald"}},
			{Pattern: "ingest/*/...", Own: true, Allowed: []string{"telemetry/...", "pipeline/...", "internal/...", "ingest/topic", "ingest/gateway", "ingest/logbatch", "ingest/logpush"}},
			// Jobs that watch tenants have what they have in common from sinks/watch.
			{Pattern: "sinks/*/...", Own: true, Allowed: []string{"telemetry/...", "pipeline/...", "internal/...", "sinks/watch"}},
			{Pattern: "query/...", Own: true, Allowed: []string{"telemetry", "telemetry/tables", "telemetry/prometheus", "telemetry/rollup", "telemetry/sketch", "internal/...", "dashboards/web"}},
			{Pattern: "dashboards/web/...", Own: true},
			{Pattern: "dashboards/...", Own: true, Allowed: []string{"telemetry", "telemetry/tables", "internal/..."}},
			{Pattern: "internal/...", Own: true},
			// The harness is no package that the product imports, as the generator is.
			{Pattern: "benchmarks/harness/...", Own: true, Tests: true, Allowed: []string{"benchmarks/...", "telemetry/...", "internal/...", "test/..."}},
			{Pattern: "benchmarks/...", Own: true, Allowed: []string{
				"telemetry/...", "pipeline/...", "processors/...", "ingest/...", "sinks/...", "query/...",
				"dashboards/...", "internal/...", "deploy/...",
			}},
			{Pattern: "cmd/...", Allowed: []string{"..."}},
			{Pattern: "deploy/...", Own: true},
			{Pattern: "test/...", Allowed: []string{"..."}},
		},
		Restricted: []Restricted{
			{Import: "github.com/segmentio/kafka-go", Only: []string{"internal/kafka/...", "ingest/topic/...", "benchmarks/..."}},
			{Import: "github.com/ClickHouse/clickhouse-go", Only: []string{"internal/clickhouse/...", "sinks/clickhouse/...", "query/...", "benchmarks/..."}},
			{Import: "github.com/ClickHouse/ch-go", Only: []string{"internal/clickhouse/...", "sinks/clickhouse/...", "sinks/rollup/...", "query/store", "query/sql", "query/promql/...", "query/traces/...", "query/logs/...", "benchmarks/..."}},
			{Import: "github.com/twmb/franz-go/pkg/kfake", Only: []string{"internal/embedded/..."}},
			{Import: "github.com/ebitengine/purego", Only: []string{"internal/embedded/..."}},
			// pdata costs several times what our own rows cost; it is the oracle in
			// tests, and reads JSON at the gateway, which is not a hot path.
			{Import: "go.opentelemetry.io/collector/pdata", Only: []string{
				"ingest/gateway/...", "ingest/agent/...", "ingest/probe/...", "telemetry/otlp/spanwriter/spanwritertest", "benchmarks/...",
			}},
		},
	}
}
