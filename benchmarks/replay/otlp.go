package replay

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// export is one decoded Export*ServiceRequest.
type export struct {
	signal  telemetry.Signal
	events  int
	logs    plogotlp.ExportRequest
	spans   ptraceotlp.ExportRequest
	metrics pmetricotlp.ExportRequest
}

var signalKeys = [...][]byte{
	telemetry.Logs:    []byte(`"resourceLogs"`),
	telemetry.Spans:   []byte(`"resourceSpans"`),
	telemetry.Metrics: []byte(`"resourceMetrics"`),
}

// parseJSON reads one line of OTLP JSON, of any signal.
func parseJSON(line []byte) (*export, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("{")) {
		return nil, errors.New("want a JSON object")
	}
	first := math.MaxInt
	var signal telemetry.Signal
	for s, key := range signalKeys {
		if at := bytes.Index(line, key); at >= 0 && at < first {
			first, signal = at, telemetry.Signal(s)
		}
	}
	if first == math.MaxInt {
		return nil, errors.New("want resourceLogs, resourceSpans or resourceMetrics")
	}
	return newExport(signal, func(e *export) error {
		switch signal {
		case telemetry.Logs:
			return e.logs.UnmarshalJSON(line)
		case telemetry.Spans:
			return e.spans.UnmarshalJSON(line)
		}
		return e.metrics.UnmarshalJSON(line)
	})
}

// parseProto reads one protobuf message of the signal.
func parseProto(message []byte, signal telemetry.Signal) (*export, error) {
	return newExport(signal, func(e *export) error {
		switch signal {
		case telemetry.Logs:
			return e.logs.UnmarshalProto(message)
		case telemetry.Spans:
			return e.spans.UnmarshalProto(message)
		}
		return e.metrics.UnmarshalProto(message)
	})
}

func newExport(signal telemetry.Signal, decode func(*export) error) (*export, error) {
	e := &export{signal: signal, logs: plogotlp.NewExportRequest(), spans: ptraceotlp.NewExportRequest(), metrics: pmetricotlp.NewExportRequest()}
	if err := decode(e); err != nil {
		return nil, fmt.Errorf("decoding %s: %w", signal, err)
	}
	switch signal {
	case telemetry.Logs:
		e.events = e.logs.Logs().LogRecordCount()
	case telemetry.Spans:
		e.events = e.spans.Traces().SpanCount()
	case telemetry.Metrics:
		e.events = e.metrics.Metrics().DataPointCount()
	}
	return e, nil
}

func (e *export) marshal() ([]byte, error) {
	switch e.signal {
	case telemetry.Logs:
		return e.logs.MarshalProto()
	case telemetry.Spans:
		return e.spans.MarshalProto()
	}
	return e.metrics.MarshalProto()
}

// latest returns the latest event time, 0 if no event has one.
func (e *export) latest() int64 {
	var last pcommon.Timestamp
	e.eachEventTime(func(get func() pcommon.Timestamp, _ func(pcommon.Timestamp)) {
		if t := get(); t <= math.MaxInt64 {
			last = max(last, t)
		}
	})
	return int64(last)
}

// shift moves every time that is set. A time that would leave the range of Unix
// nanoseconds stays as it is.
func (e *export) shift(by int64) {
	move := func(get func() pcommon.Timestamp, set func(pcommon.Timestamp)) {
		if t, ok := shifted(get(), by); ok {
			set(t)
		}
	}
	e.eachEventTime(move)
	e.eachOtherTime(move)
}

func shifted(t pcommon.Timestamp, by int64) (pcommon.Timestamp, bool) {
	if t == 0 || t > math.MaxInt64 {
		return t, false
	}
	moved := int64(t) + by
	if moved <= 0 || (by > 0) != (moved > int64(t)) && by != 0 {
		return t, false
	}
	return pcommon.Timestamp(moved), true
}

type visitTime func(get func() pcommon.Timestamp, set func(pcommon.Timestamp))

// eachEventTime visits the times that say when an event was: of a log record,
// a span's end, a point.
func (e *export) eachEventTime(visit visitTime) {
	switch e.signal {
	case telemetry.Logs:
		for _, r := range e.logs.Logs().ResourceLogs().All() {
			for _, s := range r.ScopeLogs().All() {
				for _, l := range s.LogRecords().All() {
					if l.Timestamp() == 0 {
						visit(l.ObservedTimestamp, l.SetObservedTimestamp)
						continue
					}
					visit(l.Timestamp, l.SetTimestamp)
				}
			}
		}
	case telemetry.Spans:
		for _, r := range e.spans.Traces().ResourceSpans().All() {
			for _, s := range r.ScopeSpans().All() {
				for _, p := range s.Spans().All() {
					visit(p.EndTimestamp, p.SetEndTimestamp)
				}
			}
		}
	case telemetry.Metrics:
		e.eachPoint(func(p point, _ pmetric.ExemplarSlice) { visit(p.Timestamp, p.SetTimestamp) })
	}
}

// eachOtherTime visits all other times: observed, starts, events, exemplars.
func (e *export) eachOtherTime(visit visitTime) {
	switch e.signal {
	case telemetry.Logs:
		for _, r := range e.logs.Logs().ResourceLogs().All() {
			for _, s := range r.ScopeLogs().All() {
				for _, l := range s.LogRecords().All() {
					if l.Timestamp() != 0 {
						visit(l.ObservedTimestamp, l.SetObservedTimestamp)
					}
				}
			}
		}
	case telemetry.Spans:
		for _, r := range e.spans.Traces().ResourceSpans().All() {
			for _, s := range r.ScopeSpans().All() {
				for _, p := range s.Spans().All() {
					visit(p.StartTimestamp, p.SetStartTimestamp)
					for _, v := range p.Events().All() {
						visit(v.Timestamp, v.SetTimestamp)
					}
				}
			}
		}
	case telemetry.Metrics:
		e.eachPoint(func(p point, exemplars pmetric.ExemplarSlice) {
			visit(p.StartTimestamp, p.SetStartTimestamp)
			for _, x := range exemplars.All() {
				visit(x.Timestamp, x.SetTimestamp)
			}
		})
	}
}

// point is what every kind of point has.
type point interface {
	Timestamp() pcommon.Timestamp
	SetTimestamp(pcommon.Timestamp)
	StartTimestamp() pcommon.Timestamp
	SetStartTimestamp(pcommon.Timestamp)
}

func (e *export) eachPoint(visit func(point, pmetric.ExemplarSlice)) {
	for _, r := range e.metrics.Metrics().ResourceMetrics().All() {
		for _, s := range r.ScopeMetrics().All() {
			for _, m := range s.Metrics().All() {
				eachPointOf(m, visit)
			}
		}
	}
}

func eachPointOf(m pmetric.Metric, visit func(point, pmetric.ExemplarSlice)) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			visit(p, p.Exemplars())
		}
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			visit(p, p.Exemplars())
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			visit(p, p.Exemplars())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			visit(p, p.Exemplars())
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			visit(p, pmetric.NewExemplarSlice())
		}
	case pmetric.MetricTypeEmpty:
	}
}
