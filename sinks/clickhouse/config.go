package clickhouse

import (
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/prometheus"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Config says how blocks are written.
type Config struct {
	// Timeout bounds one insert. An insert that takes longer is repeated, which
	// its token makes harmless.
	Timeout time.Duration `yaml:"timeout"`
	// SeriesCache is how many series each worker remembers to have written.
	SeriesCache int `yaml:"series_cache"`
	// SeriesLimit is how many metric series a tenant may have on a day.
	SeriesLimit SeriesLimit `yaml:"series_limit"`
	// PromoteResourceAttributes are the resource attributes that become labels
	// of every series of the resource in PromQL, beside job and instance.
	PromoteResourceAttributes []string  `yaml:"promote_resource_attributes"`
	Retention                 Retention `yaml:"retention_days"`
}

// SeriesLimit is how many metric series a tenant may have on a day, UTC. Beyond
// it new series are refused, and those that the day has go on. It is shared out
// evenly over the partitions of the topic.
type SeriesLimit struct {
	// PerTenant is the limit of every tenant; 0 for no limit.
	PerTenant int `yaml:"per_tenant"`
	// Tenants has the tenants that differ, by name; 0 for no limit.
	Tenants map[string]int `yaml:"tenants"`
}

// of returns the limit of a tenant, 0 where it has none.
func (l *SeriesLimit) of(tenant string) int {
	if own, ok := l.Tenants[tenant]; ok {
		return own
	}
	return l.PerTenant
}

// any reports whether a tenant may have a limit.
func (l *SeriesLimit) any() bool { return l.PerTenant > 0 || len(l.Tenants) > 0 }

// Retention is how many days rows are kept.
type Retention struct {
	Logs        uint16 `yaml:"logs"`
	Spans       uint16 `yaml:"spans"`
	Metrics     uint16 `yaml:"metrics"`
	DeadLetters uint16 `yaml:"dead_letters"`
	Ledger      uint16 `yaml:"ledger"`
	// Tenants has the tenants that differ, by name; 0 is the common value.
	Tenants map[string]TenantRetention `yaml:"tenants"`
}

// TenantRetention is how many days the events of a tenant are kept.
type TenantRetention struct {
	Logs    uint16 `yaml:"logs"`
	Spans   uint16 `yaml:"spans"`
	Metrics uint16 `yaml:"metrics"`
}

// DefaultConfig keeps events longer than the oldest that is accepted, so that
// none expires as it arrives.
func DefaultConfig() Config {
	return Config{
		Timeout:                   time.Minute,
		SeriesCache:               200_000,
		SeriesLimit:               SeriesLimit{PerTenant: 1_000_000},
		PromoteResourceAttributes: prometheus.DefaultPromoted(),
		Retention:                 Retention{Logs: 35, Spans: 35, Metrics: 35, DeadLetters: 35, Ledger: 100},
	}
}

// maxRetentionDays keeps every time plus a retention within ClickHouse's DateTime.
const maxRetentionDays = 3650

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("sinks.clickhouse."+format, args...)) }
	if c.Timeout < time.Second {
		fail("timeout: %s is below one second", c.Timeout)
	}
	if c.SeriesCache < 2 {
		fail("series_cache: %d is below 2", c.SeriesCache)
	}
	if n := c.SeriesLimit.PerTenant; n < 0 {
		fail("series_limit.per_tenant: %d is negative; 0 is no limit", n)
	}
	for name, n := range c.SeriesLimit.Tenants {
		if n < 0 {
			fail("series_limit.tenants.%s: %d is negative; 0 is no limit", name, n)
		}
	}
	days := func(name string, value, least uint16) {
		if value < least || value > maxRetentionDays {
			fail("retention_days.%s: %d is not between %d and %d", name, value, least, maxRetentionDays)
		}
	}
	r := &c.Retention
	days("logs", r.Logs, 1)
	days("spans", r.Spans, 1)
	days("metrics", r.Metrics, 1)
	days("dead_letters", r.DeadLetters, 1)
	days("ledger", r.Ledger, 1)
	for name, t := range r.Tenants {
		days("tenants."+name+".logs", t.Logs, 0)
		days("tenants."+name+".spans", t.Spans, 0)
		days("tenants."+name+".metrics", t.Metrics, 0)
	}
	return errors.Join(errs...)
}

// Days returns after how many days a tenant's rows in a table expire.
func (r *Retention) Days(table, tenant string) int {
	switch table {
	case tables.Logs, tables.LogPatterns1m, tables.Errors, tables.Changes, tables.WebHits, tables.WebSessions, tables.Findings:
		return int(r.days(tenant, telemetry.Logs))
	case tables.Spans, tables.Traces, tables.Edges, tables.Operations, tables.ClockOffsets:
		return int(r.days(tenant, telemetry.Spans))
	case tables.DeadLetters:
		return int(r.DeadLetters)
	case tables.Ledger:
		return int(r.Ledger)
	}
	return int(r.days(tenant, telemetry.Metrics))
}

// days returns how long a tenant's events are kept.
func (r *Retention) days(tenant string, signal telemetry.Signal) uint16 {
	common, own := r.Logs, r.Tenants[tenant].Logs
	switch signal {
	case telemetry.Spans:
		common, own = r.Spans, r.Tenants[tenant].Spans
	case telemetry.Metrics:
		common, own = r.Metrics, r.Tenants[tenant].Metrics
	case telemetry.Logs:
	}
	if own != 0 {
		return own
	}
	return common
}
