// Package load sends numbered events of every signal over OTLP/HTTP and repeats
// each request, byte for byte, until it is acknowledged. Afterwards every event
// must be stored exactly once.
package load

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"golang.org/x/sync/errgroup"
)

// Table names one place where the events of a signal must be found, the SQL
// condition that they meet there, and nothing else does, and the SQL expression
// that gives each event its own value.
type Table struct {
	Name, Where, Identity string
	// Share is the part of the signal's events that this table holds.
	Share func(events int64) int64
}

func all(n int64) int64 { return n }

// The load's metrics, in goshawk's own tables and in the collector's; what
// processors derive from spans is there as well.
const (
	metrics          = "metric LIKE 'once.%'"
	collectorMetrics = "MetricName LIKE 'once.%'"
)

// Tables lists every table and view that holds events, by signal path.
var Tables = map[string][]Table{
	"/v1/logs": {
		{"logs", "1", "attributes['event']", all},
		{"otel_logs", "1", "LogAttributes['event']", all},
	},
	"/v1/traces": {
		{"spans", "1", "span_id", all},
		{"otel_traces", "1", "SpanId", all},
	},
	"/v1/metrics": {
		{"samples", metrics, "(fingerprint, value)", func(n int64) int64 { return n / 4 * 2 }},
		{"histograms", metrics, "(fingerprint, sum)", func(n int64) int64 { return n / 4 }},
		{"exponential_histograms", metrics, "(fingerprint, sum)", func(n int64) int64 { return n / 4 }},
		{"otel_metrics_gauge", collectorMetrics, "(Attributes, Value)", func(n int64) int64 { return n / 4 }},
		{"otel_metrics_sum", collectorMetrics, "(Attributes, Value)", func(n int64) int64 { return n / 4 }},
		{"otel_metrics_histogram", collectorMetrics, "(Attributes, Sum)", func(n int64) int64 { return n / 4 }},
		{"otel_metrics_exponential_histogram", collectorMetrics, "(Attributes, Sum)", func(n int64) int64 { return n / 4 }},
	},
}

// Load is a running load.
type Load struct {
	// Base is the gateway's address, http://host:port.
	Base string
	// Senders is the number of senders of each signal.
	Senders int
	// Events is the number of events in a request, a multiple of four.
	Events int
	// Pause is the time between two requests of a sender.
	Pause time.Duration

	acknowledged [3]atomic.Int64
	retries      atomic.Int64
}

// Paths are the signal paths in the order of the counters.
var Paths = [3]string{"/v1/logs", "/v1/traces", "/v1/metrics"}

// Acknowledged returns the number of acknowledged events of a signal path.
func (l *Load) Acknowledged(path string) int64 {
	for i, p := range Paths {
		if p == path {
			return l.acknowledged[i].Load()
		}
	}
	panic("no such path: " + path)
}

// Retries returns how many requests were repeated.
func (l *Load) Retries() int64 { return l.retries.Load() }

// Run sends until more is closed, then waits until what was begun has been
// acknowledged. It returns early only when ctx ends.
func (l *Load) Run(ctx context.Context, more <-chan struct{}) error {
	group, ctx := errgroup.WithContext(ctx)
	var once sync.Mutex
	for signal := range Paths {
		for sender := range l.Senders {
			group.Go(func() error {
				client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
				defer client.CloseIdleConnections()
				for sequence := 0; ; sequence++ {
					select {
					case <-more:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(l.Pause):
					}
					once.Lock() // pdata's encoders are the costly part; one at a time is enough
					body, err := l.request(signal, sender, sequence)
					once.Unlock()
					if err != nil {
						return err
					}
					if err := l.send(ctx, client, Paths[signal], body); err != nil {
						return err
					}
					l.acknowledged[signal].Add(int64(l.Events))
				}
			})
		}
	}
	return group.Wait()
}

func (l *Load) send(ctx context.Context, client *http.Client, path string, body []byte) error {
	for try := 0; ; try++ {
		if try > 0 {
			l.retries.Add(1)
			select {
			case <-ctx.Done():
				return fmt.Errorf("a request to %s was never acknowledged: %w", path, ctx.Err())
			case <-time.After(100 * time.Millisecond):
			}
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.Base+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/x-protobuf")
		response, err := client.Do(request)
		if err != nil {
			continue
		}
		answer, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			continue
		}
		switch response.StatusCode {
		case http.StatusOK:
			if len(answer) != 0 {
				return fmt.Errorf("%s: partial success where full success was due: %q", path, answer)
			}
			return nil
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			if response.Header.Get("Retry-After") == "" {
				return fmt.Errorf("%s: %s without Retry-After", path, response.Status)
			}
		default:
			return fmt.Errorf("%s: %s: %s", path, response.Status, answer)
		}
	}
}

func (l *Load) request(signal, sender, sequence int) ([]byte, error) {
	now := pcommon.NewTimestampFromTime(time.Now())
	service := "sender-" + strconv.Itoa(sender)
	first := int64(sender)<<40 | int64(sequence)*int64(l.Events)
	switch signal {
	case 0:
		logs := plog.NewLogs()
		for half := range 2 { // two resources, so that a request may meet two partitions
			rl := logs.ResourceLogs().AppendEmpty()
			rl.Resource().Attributes().PutStr("service.name", service+"-"+strconv.Itoa(half))
			sl := rl.ScopeLogs().AppendEmpty()
			for i := range l.Events / 2 {
				record := sl.LogRecords().AppendEmpty()
				record.SetTimestamp(now)
				record.Body().SetStr("an event that must be stored exactly once")
				record.Attributes().PutStr("event", strconv.FormatInt(first+int64(half*l.Events/2+i), 10))
			}
		}
		return plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	case 1:
		traces := ptrace.NewTraces()
		rs := traces.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", service)
		ss := rs.ScopeSpans().AppendEmpty()
		for i := range l.Events {
			var id pcommon.SpanID
			binary.BigEndian.PutUint64(id[:], uint64(first)+uint64(i)+1)
			var trace pcommon.TraceID
			binary.BigEndian.PutUint64(trace[:8], uint64(first)+uint64(i)/2*7919+1)
			span := ss.Spans().AppendEmpty()
			span.SetTraceID(trace)
			span.SetSpanID(id)
			span.SetName("once")
			span.SetStartTimestamp(now)
			span.SetEndTimestamp(now + 1000)
		}
		return ptraceotlp.NewExportRequestFromTraces(traces).MarshalProto()
	default:
		metrics := pmetric.NewMetrics()
		rm := metrics.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("service.name", service)
		sm := rm.ScopeMetrics().AppendEmpty()
		gauge := sm.Metrics().AppendEmpty()
		gauge.SetName("once.gauge")
		gaugePoints := gauge.SetEmptyGauge().DataPoints()
		sum := sm.Metrics().AppendEmpty()
		sum.SetName("once.sum")
		sum.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		histogram := sm.Metrics().AppendEmpty()
		histogram.SetName("once.histogram")
		histogram.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		exponential := sm.Metrics().AppendEmpty()
		exponential.SetName("once.exponential")
		exponential.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		for i := range l.Events / 4 {
			value := float64(first + int64(i))
			at := now + pcommon.Timestamp(i)
			g := gaugePoints.AppendEmpty()
			g.SetTimestamp(at)
			g.SetDoubleValue(value)
			g.Attributes().PutStr("sender", service)
			s := sum.Sum().DataPoints().AppendEmpty()
			s.SetTimestamp(at)
			s.SetIntValue(int64(value))
			s.Attributes().PutStr("sender", service)
			h := histogram.Histogram().DataPoints().AppendEmpty()
			h.SetTimestamp(at)
			h.SetCount(3)
			h.SetSum(value)
			h.ExplicitBounds().FromRaw([]float64{1, 2})
			h.BucketCounts().FromRaw([]uint64{1, 1, 1})
			h.Attributes().PutStr("sender", service)
			e := exponential.ExponentialHistogram().DataPoints().AppendEmpty()
			e.SetTimestamp(at)
			e.SetCount(2)
			e.SetSum(value)
			e.Positive().BucketCounts().FromRaw([]uint64{1, 1})
			e.Attributes().PutStr("sender", service)
		}
		return pmetricotlp.NewExportRequestFromMetrics(metrics).MarshalProto()
	}
}
