package filelog

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	lines, bytes, truncated, rejected, lost, repeated, scans prometheus.Counter
	renamed, copied                                          prometheus.Counter
	files, open, lag                                         prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "goshawk_filelog_" + name, Help: help})
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "goshawk_filelog_" + name, Help: help})
		reg.MustRegister(g)
		return g
	}
	rotations := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "goshawk_filelog_rotations_total", Help: "Files that were renamed or removed, or truncated.",
	}, []string{"kind"})
	reg.MustRegister(rotations)
	return &metrics{
		lines:     counter("records_total", "Log records that Kafka has acknowledged."),
		bytes:     counter("read_bytes_total", "Bytes of files that Kafka has acknowledged."),
		truncated: counter("truncated_records_total", "Log records that are pieces of longer lines or events."),
		rejected:  counter("rejected_records_total", "Log records that Kafka will never take."),
		lost:      counter("lost_bytes_total", "Bytes that were read but not acknowledged, and are in no file any more."),
		repeated:  counter("repeated_batches_total", "Batches that were produced again after a restart."),
		scans:     counter("scans_total", "Looks at all files. What is moved twice from one to the next may be missed."),
		renamed:   rotations.WithLabelValues("rename"),
		copied:    rotations.WithLabelValues("truncate"),
		files:     gauge("files", "Files that are read."),
		open:      gauge("open_files", "Files that are open."),
		lag:       gauge("lag_bytes", "Bytes of files that Kafka has not acknowledged."),
	}
}
