package promql

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
)

// TestPromQL runs the acceptance tests of Prometheus with Prometheus's engine
// over ClickHouse.
func TestPromQL(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.UseStartTimestamps = true })
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, promqltest.DefaultMaxSamplesPerQuery)
	promqltest.RunBuiltinTestsWithStorage(t, engine, func(testing.TB) storage.Storage { return f.remote() })
}
