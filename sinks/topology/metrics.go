package topology

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/sinks/watch"
)

// Metrics are those of the job.
type Metrics struct {
	*watch.Metrics
	things *prometheus.GaugeVec
	unseen prometheus.Gauge
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		Metrics: watch.NewMetrics(reg, "topology"),
		things: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "goshawk_topology_things", Help: "What is known of tenants that had data at the last look: services, versions and edges, by state.",
		}, []string{"thing", "state"}),
		unseen: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "goshawk_topology_unwatched_things", Help: "What was seen at the last look and is not watched because of sinks.topology.max_things.",
		}),
	}
	reg.MustRegister(m.things, m.unseen)
	return m
}

// show says what is known.
func (m *Metrics) show(tenants map[string]*tenant) {
	counts, unseen := map[[2]string]int{}, 0
	for _, t := range tenants {
		unseen += t.refused
		for th, k := range t.things {
			counts[[2]string{th.kind.String(), k.State()}]++
		}
	}
	for kind := range kinds {
		for _, state := range []string{watch.Present, watch.Vanished} {
			m.things.WithLabelValues(kinds[kind], state).Set(float64(counts[[2]string{kinds[kind], state}]))
		}
	}
	m.unseen.Set(float64(unseen))
}
