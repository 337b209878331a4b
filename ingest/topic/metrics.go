package topic

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// sourceMetrics is what the consumers of a process report.
type sourceMetrics struct {
	lag, assigned                                   *prometheus.GaugeVec
	records, events, repeats, blocks, lost, foreign *prometheus.CounterVec
	idle                                            *prometheus.CounterVec
	fetchErrors, commitErrors, groupErrors, bytes   *prometheus.CounterVec
	buffered                                        prometheus.GaugeFunc
}

func newSourceMetrics(reg prometheus.Registerer, memory *budget) *sourceMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goshawk_source_" + name, Help: help},
			append([]string{"topic", "partition"}, labels...))
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "goshawk_source_" + name, Help: help}, []string{"topic", "partition"})
		reg.MustRegister(g)
		return g
	}
	m := &sourceMetrics{
		lag:          gauge("lag_records", "Offsets between the end of the partition and the last commit."),
		assigned:     gauge("assigned", "1 for every partition that this process has."),
		records:      counter("records_total", "Records taken from Kafka, repeats included."),
		events:       counter("events_total", "Events that the headers of the records declare."),
		bytes:        counter("bytes_total", "Bytes of the records' values, decompressed."),
		repeats:      counter("repeats_total", "Records left out because they repeat an earlier one."),
		foreign:      counter("foreign_records_total", "Records without goshawk's batch id, written by somebody else."),
		blocks:       counter("blocks_total", "Blocks handed to the pipeline."),
		idle:         counter("idle_records_total", "Idle records that were written because nothing came while processors waited, or could not be.", "outcome"),
		lost:         counter("lost_records_total", "Offsets that Kafka lost before they were read, or that cannot be read."),
		fetchErrors:  counter("fetch_errors_total", "Fetch requests that failed; they are repeated.", "error"),
		commitErrors: counter("commit_errors_total", "Commits that failed.", "error"),
		buffered: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "goshawk_source_buffered_bytes", Help: "Memory of the blocks that are gathered or under way.",
		}, func() float64 { return float64(memory.used.Load()) }),
	}
	m.groupErrors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "goshawk_source_group_errors_total", Help: "Attempts to join a consumer group that failed; they are repeated.",
	}, []string{"topic"})
	reg.MustRegister(m.groupErrors, m.buffered)
	return m
}

// partitionMetrics is what one partition reports while this process has it.
type partitionMetrics struct {
	all                                              *sourceMetrics
	labels                                           prometheus.Labels
	lag                                              prometheus.Gauge
	records, events, bytes, repeats, blocks, foreign prometheus.Counter
	lost                                             prometheus.Counter
}

func (m *sourceMetrics) partition(topic string, partition int32) *partitionMetrics {
	labels := prometheus.Labels{"topic": topic, "partition": strconv.Itoa(int(partition))}
	m.assigned.With(labels).Set(1)
	return &partitionMetrics{
		all: m, labels: labels,
		lag:     m.lag.With(labels),
		records: m.records.With(labels), events: m.events.With(labels), bytes: m.bytes.With(labels),
		repeats: m.repeats.With(labels), blocks: m.blocks.With(labels), foreign: m.foreign.With(labels),
		lost: m.lost.With(labels),
	}
}

// forget removes the series of a partition that this process has lost. What is
// lost in Kafka stays visible.
func (p *partitionMetrics) forget() {
	for _, g := range []*prometheus.GaugeVec{p.all.lag, p.all.assigned} {
		g.Delete(p.labels)
	}
	for _, c := range []*prometheus.CounterVec{
		p.all.records, p.all.events, p.all.bytes, p.all.repeats, p.all.foreign, p.all.blocks, p.all.idle,
		p.all.fetchErrors, p.all.commitErrors,
	} {
		c.DeletePartialMatch(p.labels)
	}
}

// with returns the partition's labels and one more.
func (p *partitionMetrics) with(name, value string) prometheus.Labels {
	return prometheus.Labels{"topic": p.labels["topic"], "partition": p.labels["partition"], name: value}
}
