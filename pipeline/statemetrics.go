package pipeline

import "github.com/prometheus/client_golang/prometheus"

// stateMetrics is what workers report of the state of processors.
type stateMetrics struct {
	// starts and unusable are by topic: a partition begins rarely.
	starts, unusable               *prometheus.CounterVec
	snapshots, replays, pauses     *prometheus.CounterVec
	sizes, heldItems, heldMemories *prometheus.GaugeVec
}

func newStateMetrics(reg prometheus.Registerer) stateMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goshawk_state_" + name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "goshawk_state_" + name, Help: help}, labels)
		reg.MustRegister(g)
		return g
	}
	return stateMetrics{
		starts: counter("starts_total",
			"Partitions that were begun with, by where the state came from: fresh, snapshot, gap (records since the snapshot are gone), replay or empty (there was no snapshot).",
			"topic", "how"),
		unusable: counter("unusable_snapshots_total",
			"Snapshots that were passed over: of another offset or epoch, or with a content that no processor takes.", "topic", "reason"),
		snapshots: counter("snapshots_total", "Snapshots that were saved, or could not be.", "topic", "partition", "outcome"),
		replays:   counter("replayed_records_total", "Records that were read again to bring state up to date.", "topic", "partition"),
		pauses:    counter("pause_seconds_total", "Time for which snapshots held up the work.", "topic", "partition"),
		sizes:     gauge("snapshot_bytes", "Size of the last snapshot before compression.", "topic", "partition"),
		heldItems: gauge("held_items", "What a processor keeps from block to block, such as open spans.", "topic", "partition", "processor"),
		heldMemories: gauge("held_bytes", "About how much memory a processor has for what it keeps.",
			"topic", "partition", "processor"),
	}
}

// statePartition is what one partition reports of its state.
type statePartition struct {
	saved, saveFailed, replayed, paused prometheus.Counter
	snapshotBytes                       prometheus.Gauge
	held                                func(processor string, items, bytes int64)
}

func (m *stateMetrics) partition(topic, number string) statePartition {
	return statePartition{
		saved:         m.snapshots.WithLabelValues(topic, number, "saved"),
		saveFailed:    m.snapshots.WithLabelValues(topic, number, "failed"),
		replayed:      m.replays.WithLabelValues(topic, number),
		paused:        m.pauses.WithLabelValues(topic, number),
		snapshotBytes: m.sizes.WithLabelValues(topic, number),
		held: func(processor string, items, bytes int64) {
			m.heldItems.WithLabelValues(topic, number, processor).Set(float64(items))
			m.heldMemories.WithLabelValues(topic, number, processor).Set(float64(bytes))
		},
	}
}

func (m *stateMetrics) forget(labels prometheus.Labels) {
	for _, c := range []*prometheus.CounterVec{m.snapshots, m.replays, m.pauses} {
		c.DeletePartialMatch(labels)
	}
	for _, g := range []*prometheus.GaugeVec{m.sizes, m.heldItems, m.heldMemories} {
		g.DeletePartialMatch(labels)
	}
}
