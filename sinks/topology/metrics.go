package topology

import "github.com/prometheus/client_golang/prometheus"

// Metrics are those of the job.
type Metrics struct {
	events   *prometheus.CounterVec
	refused  prometheus.Counter
	failures prometheus.Counter
	things   *prometheus.GaugeVec
	unseen   prometheus.Gauge
	seconds  prometheus.Histogram
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_topology_events_total", Help: "Events that Kafka has acknowledged, by name; those that were produced again count again.",
		}, []string{"event"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_topology_refused_total", Help: "Events that Kafka would not take, and that are lost.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_topology_failures_total", Help: "Tenants that could not be looked at; they are tried again.",
		}),
		things: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "goshawk_topology_things", Help: "What is known of tenants that had data at the last look: services, versions and edges, by state.",
		}, []string{"thing", "state"}),
		unseen: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "goshawk_topology_unwatched_things", Help: "What was seen at the last look and is not watched because of sinks.topology.max_things.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "goshawk_topology_look_duration_seconds", Help: "How long a look at all tenants took.",
			Buckets: []float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100},
		}),
	}
	reg.MustRegister(m.events, m.refused, m.failures, m.things, m.unseen, m.seconds)
	return m
}

// show says what is known.
func (m *Metrics) show(tenants map[string]*tenant) {
	counts, unseen := map[[2]string]int{}, 0
	for _, t := range tenants {
		unseen += t.refused
		for th, k := range t.things {
			counts[[2]string{th.kind.String(), k.state()}]++
		}
	}
	for kind := range kinds {
		for _, state := range []string{present, vanished} {
			m.things.WithLabelValues(kinds[kind], state).Set(float64(counts[[2]string{kinds[kind], state}]))
		}
	}
	m.unseen.Set(float64(unseen))
}
