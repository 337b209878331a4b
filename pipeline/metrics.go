package pipeline

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// The steps of a worker, as the label step names them.
const (
	stepTake = iota
	stepWait
	stepDecode
	stepProcess
	stepWrite
	stepCommit
	steps
)

var stepNames = [steps]string{"take", "wait", "decode", "process", "write", "commit"}

// WorkerMetrics is what the workers of a process report, by topic and partition.
type WorkerMetrics struct {
	batches, events, repeated, dropped, rejected, retried *prometheus.CounterVec
	stuck                                                 *prometheus.GaugeVec
	seconds                                               *prometheus.CounterVec
	delay                                                 *prometheus.HistogramVec
	stateMetrics
	traces *prometheus.CounterVec

	mu         sync.Mutex
	partitions map[partitionKey]*partitionMetrics
}

type partitionKey struct {
	topic     string
	partition int32
}

// NewWorkerMetrics registers the metrics of workers.
func NewWorkerMetrics(reg prometheus.Registerer) *WorkerMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goshawk_pipeline_" + name, Help: help},
			append([]string{"topic", "partition"}, labels...))
		reg.MustRegister(c)
		return c
	}
	m := &WorkerMetrics{
		batches:  counter("batches_total", "Blocks that are durable in every sink and committed."),
		events:   counter("events_total", "Events that are durable in every sink and committed, new rows of processors included."),
		repeated: counter("repeated_records_total", "Records of committed blocks that were left out because they repeat an earlier one."),
		dropped:  counter("dropped_events_total", "Events of committed blocks that processors removed because they were told to."),
		rejected: counter("rejected_events_total", "Events of committed blocks that could not become rows, by reason.", "reason"),
		retried:  counter("retried_total", "Writes to a sink that failed and were repeated.", "sink"),
		seconds:  counter("step_seconds_total", "Time spent in the steps of the loop; take is mostly waiting for records, and wait is for room in process.max_in_flight.", "step"),
		stuck: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "goshawk_pipeline_stuck_seconds", Help: "For how long a sink has not taken the block, 0 where it does.",
		}, []string{"topic", "partition"}),
		delay: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "goshawk_pipeline_delay_seconds",
			Help:    "From the receipt of a record by the gateway to its commit.",
			Buckets: []float64{0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800, 7200},
		}, []string{"topic"}),
		partitions: make(map[partitionKey]*partitionMetrics),
	}
	reg.MustRegister(m.stuck, m.delay)
	m.stateMetrics = newStateMetrics(reg)
	m.traces = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "goshawk_traces_closed_total", Help: "Rows of traces in committed blocks, by what closed the trace.",
	}, []string{"topic", "partition", "reason"})
	reg.MustRegister(m.traces)
	return m
}

// partitionMetrics is what one partition reports.
type partitionMetrics struct {
	all                                *WorkerMetrics
	topic, number                      string
	batches, events, repeated, dropped prometheus.Counter
	retried                            *prometheus.CounterVec
	stuck                              prometheus.Gauge
	seconds                            [steps]prometheus.Counter
	delay                              prometheus.Observer
	statePartition
}

func (m *WorkerMetrics) partition(topic string, partition int32) *partitionMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := partitionKey{topic, partition}
	if p := m.partitions[key]; p != nil {
		return p
	}
	number := strconv.Itoa(int(partition))
	p := &partitionMetrics{
		all: m, topic: topic, number: number,
		batches:  m.batches.WithLabelValues(topic, number),
		events:   m.events.WithLabelValues(topic, number),
		repeated: m.repeated.WithLabelValues(topic, number),
		dropped:  m.dropped.WithLabelValues(topic, number),
		retried:  m.retried,
		stuck:    m.stuck.WithLabelValues(topic, number),
		delay:    m.delay.WithLabelValues(topic),
	}
	p.statePartition = m.stateMetrics.partition(topic, number)
	for i, name := range stepNames {
		p.seconds[i] = m.seconds.WithLabelValues(topic, number, name)
	}
	m.partitions[key] = p
	return p
}

// Forget removes the series of a partition that this process has lost.
func (m *WorkerMetrics) Forget(topic string, partition int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.partitions, partitionKey{topic, partition})
	labels := prometheus.Labels{"topic": topic, "partition": strconv.Itoa(int(partition))}
	for _, c := range []*prometheus.CounterVec{m.batches, m.events, m.repeated, m.dropped, m.rejected, m.retried, m.seconds, m.traces} {
		c.DeletePartialMatch(labels)
	}
	m.stuck.DeletePartialMatch(labels)
	m.stateMetrics.forget(labels)
}

// step adds the time of a step and returns its end.
func (p *partitionMetrics) step(step int, from, to time.Time) time.Time {
	p.seconds[step].Add(max(to.Sub(from).Seconds(), 0))
	return to
}

// done counts a committed batch.
func (p *partitionMetrics) done(b *telemetry.Batch, now time.Time) {
	p.batches.Inc()
	p.events.Add(float64(b.EventCount()))
	for i := range b.Records {
		r := &b.Records[i]
		if r.Idle {
			continue // no gateway received it
		}
		if r.Repeated {
			p.repeated.Inc()
			continue
		}
		if r.Dropped > 0 {
			p.dropped.Add(float64(r.Dropped))
		}
		p.delay.Observe(max(now.Sub(time.Unix(0, r.ReceiveTime)).Seconds(), 0))
	}
	p.closed(b)
	for i := range b.Rejects {
		r := &b.Rejects[i]
		p.all.rejected.WithLabelValues(p.topic, p.number, r.ReasonCode).Add(float64(r.Events))
	}
}

// closed counts rows of traces.
func (p *partitionMetrics) closed(b *telemetry.Batch) {
	var rows [len(telemetry.TraceCloseds)][2]int
	for i := range b.Traces {
		oversized := 0
		if b.Traces[i].Oversized {
			oversized = 1
		}
		rows[b.Traces[i].Closed][oversized]++
	}
	for reason, n := range rows {
		name := telemetry.TraceCloseds[reason]
		for oversized, suffix := range [...]string{"", "_oversized"} {
			if n[oversized] > 0 {
				p.all.traces.WithLabelValues(p.topic, p.number, name+suffix).Add(float64(n[oversized]))
			}
		}
	}
}
