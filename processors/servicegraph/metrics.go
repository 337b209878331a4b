package servicegraph

import (
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/pointwriter"
)

// The names are those that Tempo gave to the metrics of its service graph, which
// Grafana draws.
const (
	serviceName = "goshawk"
	scopeName   = "github.com/goshawk-observability/goshawk/processors/servicegraph"
	prefix      = "traces_service_graph_"
)

// Places of the families.
const (
	totalFamily = iota
	failedFamily
	clientFamily
	serverFamily
	networkFamily
)

// connectionTypes are the values of the label connection_type by kind.
var connectionTypes = [...]string{
	telemetry.EdgeService: "", telemetry.EdgeMessaging: "messaging_system", telemetry.EdgeDatabase: "database",
	telemetry.EdgeExternal: "virtual_node", telemetry.EdgeEntry: "virtual_node",
}

// entryClient is the label client of requests from outside.
const entryClient = "user"

// metrics is what is published as metrics.
type metrics struct {
	totals  *pointwriter.Totals
	offsets offsets
}

func newMetrics(cfg *MetricsConfig) *metrics {
	histogram := func(name, description string) pointwriter.Family {
		return pointwriter.Family{Name: prefix + name, Unit: "s", Description: description, Kind: pointwriter.Histogram, Bounds: cfg.Bounds}
	}
	return &metrics{
		totals: pointwriter.NewTotals(pointwriter.TotalsConfig{
			Service: serviceName, Scope: scopeName, Labels: []string{"client", "server", "connection_type"},
			Families: []pointwriter.Family{
				totalFamily:   {Name: prefix + "request_total", Description: "Calls."},
				failedFamily:  {Name: prefix + "request_failed_total", Description: "Calls of which the span of either side failed."},
				clientFamily:  histogram("request_client_seconds", "How long callers waited."),
				serverFamily:  histogram("request_server_seconds", "How long callees worked."),
				networkFamily: histogram("request_network_seconds", "How much longer callers waited than callees worked."),
			},
			Interval: cfg.Interval, MaxSeries: cfg.MaxSeries,
		}),
		offsets: newOffsets(cfg),
	}
}

func (m *metrics) reset() {
	m.totals.Reset()
	m.offsets.reset()
}

// count counts a call.
func (m *metrics) count(e *edge, t *telemetry.Trace, c *call, n *names) {
	if e.series == nil || e.series.Gone {
		client := n.text(e.caller)
		if c.kind == telemetry.EdgeEntry {
			client = entryClient
		}
		e.series = m.totals.Series(t.Tenant, client, n.text(e.callee), connectionTypes[c.kind])
	}
	e.series.Add(totalFamily, 1)
	if c.failed {
		e.series.Add(failedFamily, 1)
	}
	observe := func(family int, s *telemetry.TraceSpan, duration int64) {
		m.totals.Observe(e.series, family, duration, s.End, t.TraceID, s.ID)
	}
	if c.client != nil {
		observe(clientFamily, c.client, lasted(c.client))
	}
	if c.server != nil {
		observe(serverFamily, c.server, lasted(c.server))
	}
	if c.network() {
		observe(networkFamily, c.client, lasted(c.client)-lasted(c.server))
	}
}

// advance adds the points that are due to the batch.
func (m *metrics) advance(b *telemetry.Batch, now int64, n *names) {
	m.totals.Advance(b, now)
	m.offsets.advance(b, now, n)
}

func (m *metrics) held() (items, bytes int64) {
	const pairBytes = 150
	pairs := int64(len(m.offsets.pairs))
	return int64(m.totals.Len()) + pairs, m.totals.Bytes() + pairs*pairBytes
}
