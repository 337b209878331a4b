package sentry

import (
	"bytes"
	"strconv"

	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// spanFields are the fields of a span as it is read; that of a transaction's root is
// its trace context.
type spanFields struct {
	traceID, spanID, parentID []byte
	op, status, name          []byte
	start, end                uint64
}

// decodeTransaction makes a span of a transaction, and of every span in it.
func (d *decoder) decodeTransaction(payload []byte) error {
	d.begin(payload)
	e := &d.event
	*e = event{}
	d.out.StartSpan()
	if err := d.readEvent(&d.out.Attributes); err != nil {
		return err
	}
	root := e.trace
	root.start, root.end, root.name = e.start, e.time, e.transaction
	if len(d.eventID) == 0 {
		d.eventID = bytes.Clone(shortened(e.id, maxKey))
	}
	d.writeSpan(&root)
	if len(e.spans) == 0 {
		return nil
	}
	trace := root.traceID
	// What the texts of the client are views of stays until the next item.
	kept := d.unescaped
	d.load(e.spans, d.maxDepth)
	d.unescaped = kept
	return d.array(func() error { return d.child(trace) })
}

// child reads a span of a transaction, whose trace is that of the root where it does
// not say another.
func (d *decoder) child(trace []byte) error {
	f := spanFields{traceID: trace}
	d.out.StartSpan()
	if err := d.readSpan(&f, &d.out.Attributes); err != nil {
		return err
	}
	d.writeSpan(&f)
	if d.out.Full() {
		return errFull
	}
	return nil
}

// decodeSpans reads an item of spans: one, or a list as in the second version.
func (d *decoder) decodeSpans(payload []byte) error {
	d.begin(payload)
	var items []byte
	err := d.object(func(key []byte) (err error) {
		if string(key) == "items" {
			items, err = d.raw()
			return err
		}
		return d.Skip()
	})
	if err != nil {
		return err
	}
	d.load(payload, d.maxDepth)
	if items != nil {
		d.load(items, d.maxDepth)
		return d.array(func() error { return d.child(d.header.traceID) })
	}
	return d.child(d.header.traceID)
}

// readSpan reads a span in any version, or a trace context.
func (d *decoder) readSpan(f *spanFields, to *spanwriter.List) error {
	c := &d.client
	return d.object(func(key []byte) error {
		switch string(key) {
		case "trace_id":
			return d.textIn(&f.traceID)
		case "span_id":
			return d.textIn(&f.spanID)
		case "parent_span_id":
			return d.textIn(&f.parentID)
		case "op":
			return d.textIn(&f.op)
		case "status":
			return d.textIn(&f.status)
		case "description", "name":
			return d.textIn(&f.name)
		case "start_timestamp":
			return d.timeIn(&f.start)
		case "timestamp", "end_timestamp":
			return d.timeIn(&f.end)
		case "origin", "exclusive_time", "is_segment", "segment_id":
			return d.attribute(to, "sentry.", key)
		case "platform":
			return d.textIn(&c.platform)
		case "tags", "sentry_tags":
			return d.readTags(to)
		case "measurements":
			return d.readMeasurements(to)
		case "data":
			return d.object(func(key []byte) error { return d.readData(to, key) })
		case "attributes":
			return d.typed(to, func(key, value []byte) bool {
				if string(key) == "sentry.op" {
					f.op = value
					return true
				}
				return d.special(key, value)
			})
		}
		return d.Skip()
	})
}

// readData reads a value of a span. Names of the conventions have a dot; others are
// Sentry's own.
func (d *decoder) readData(to *spanwriter.List, key []byte) error {
	if bytes.IndexByte(key, '.') < 0 {
		return d.attribute(to, "sentry.data.", key)
	}
	return d.attribute(to, "", key)
}

// special takes attributes that are of the client and not of what it tells.
func (d *decoder) special(key, value []byte) bool {
	c := &d.client
	switch string(key) {
	case "sentry.release":
		c.release = value
	case "sentry.environment":
		c.environment = value
	case "sentry.sdk.name":
		c.sdkName = value
	case "sentry.sdk.version":
		c.sdkVersion = value
	case "server.address", "sentry.server.address":
		c.server = value
	case "service.name":
		c.service = value
	default:
		return false
	}
	return true
}

// writeSpan writes a span with the attributes that were read.
func (d *decoder) writeSpan(f *spanFields) {
	w, s := d.out, &d.out.Span
	place := d.spans
	d.spans++
	switch {
	case !idIn(s.TraceID[:], f.traceID) || s.TraceID == [16]byte{}:
		w.Reject(place, otlp.ReasonTraceID, "the trace id is missing or no hexadecimal number of 32 digits")
		return
	case !idIn(s.SpanID[:], f.spanID) || s.SpanID == [8]byte{}:
		w.Reject(place, otlp.ReasonSpanID, "the id is missing or no hexadecimal number of 16 digits")
		return
	}
	if len(f.parentID) > 0 && !idIn(s.ParentID[:], f.parentID) {
		s.ParentID = [8]byte{}
	}
	s.Name = f.name
	if len(s.Name) == 0 {
		s.Name = f.op
	}
	s.Name = shortened(s.Name, maxBody)
	s.Start, s.End = f.start, f.end
	if s.Start == 0 {
		s.Start = s.End
	}
	s.End = max(s.End, s.Start)
	s.Kind = kindOf(f.op)
	s.Flags = spanwriter.FlagSampled
	switch string(f.status) {
	case "":
	case "ok":
		s.Status = spanwriter.StatusOK
	case "unknown", "cancelled":
		w.Attributes.String([]byte("sentry.status"), f.status)
	default:
		s.Status, s.Message = spanwriter.StatusError, shortened(f.status, maxKey)
	}
	if len(f.op) > 0 {
		w.Attributes.String([]byte("sentry.op"), shortened(f.op, maxKey))
	}
	d.eachResource(func(key string, value []byte) { w.Resource.String([]byte(key), value) })
	w.EndSpan()
}

// kinds are those of spans by the beginning of their operation.
var kinds = []struct {
	op   string
	kind byte
}{
	{"http.server", spanwriter.KindServer},
	{"rpc.server", spanwriter.KindServer},
	{"grpc.server", spanwriter.KindServer},
	{"websocket.server", spanwriter.KindServer},
	{"http.client", spanwriter.KindClient},
	{"http", spanwriter.KindClient},
	{"rpc", spanwriter.KindClient},
	{"grpc", spanwriter.KindClient},
	{"db", spanwriter.KindClient},
	{"cache", spanwriter.KindClient},
	{"queue.publish", spanwriter.KindProducer},
	{"queue.submit", spanwriter.KindProducer},
	{"queue.create", spanwriter.KindProducer},
	{"queue", spanwriter.KindConsumer},
	{"topic.receive", spanwriter.KindConsumer},
	{"topic.process", spanwriter.KindConsumer},
	{"topic.send", spanwriter.KindProducer},
}

func kindOf(op []byte) byte {
	for i := range kinds {
		k := &kinds[i]
		if len(op) >= len(k.op) && string(op[:len(k.op)]) == k.op && (len(op) == len(k.op) || op[len(k.op)] == '.') {
			return k.kind
		}
	}
	return spanwriter.KindInternal
}

func decimal(n int) string { return strconv.Itoa(n) }
