package clickhouse

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what the sinks of a process say of themselves. One is shared by
// all of them.
type Metrics struct {
	rows, inserts *prometheus.CounterVec
	failures      *prometheus.CounterVec
	again         *prometheus.CounterVec
	seconds       *prometheus.HistogramVec
	refused       *prometheus.CounterVec

	mu      sync.Mutex
	tenants map[string]struct{} // that refused has a label of
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_clickhouse_rows_total", Help: "Rows sent to ClickHouse and acknowledged, repeated inserts included.",
		}, []string{"table"}),
		inserts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_clickhouse_inserts_total", Help: "Inserts acknowledged by ClickHouse.",
		}, []string{"table"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_clickhouse_insert_failures_total", Help: "Inserts that failed; each is tried again.",
		}, []string{"table"}),
		again: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_clickhouse_rows_again_total",
			Help: "Rows inserted once more because ClickHouse took their insert for a repeat but did not have them.",
		}, []string{"table"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "goshawk_clickhouse_insert_duration_seconds", Help: "Time from sending an insert to its acknowledgement.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"table"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_clickhouse_series_refused_total",
			Help: "New series that were refused because their tenant has as many as it may have; one that is sent on counts about once a minute.",
		}, []string{"tenant"}),
		tenants: make(map[string]struct{}),
	}
	reg.MustRegister(m.rows, m.inserts, m.failures, m.again, m.seconds, m.refused)
	return m
}

// Beyond so many tenants, which may be anybody's to name, the others share a
// label that cannot name a tenant.
const (
	maxTenantLabels = 100
	otherTenants    = "(others)"
)

// refuse counts series that were refused. It keeps the tenant's name.
func (m *Metrics) refuse(tenant string, series int) {
	tenant = strings.ToValidUTF8(tenant, "?")
	m.mu.Lock()
	if _, ok := m.tenants[tenant]; !ok {
		if len(m.tenants) < maxTenantLabels {
			m.tenants[tenant] = struct{}{}
		} else {
			tenant = otherTenants
		}
	}
	m.mu.Unlock()
	m.refused.WithLabelValues(tenant).Add(float64(series))
}
