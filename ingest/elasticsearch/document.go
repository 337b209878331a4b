package elasticsearch

import (
	"bytes"
	"math"
	"strconv"
	"time"
	"unsafe"

	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/ingest/logpush"
	"github.com/goshawk-observability/goshawk/internal/jsontext"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// document reads one document after the other.
type document struct {
	*jsontext.Scanner
	out *logpush.Splitter

	// key is the path of the current field, joined by dots.
	key      []byte
	resource []logwriter.Attribute
	// texts holds what had escapes and what the resource has.
	texts    []byte
	message  []byte
	encoded  []byte // attributes of the record
	time     int64
	traceID  telemetry.TraceID
	spanID   telemetry.SpanID
	severity uint8
	hasText  bool // whether there is a message
	service  bool // whether the resource has a service
}

func (d *document) reset() {
	const kept = 1 << 20
	if cap(d.texts) > kept || cap(d.encoded) > kept {
		d.texts, d.encoded = nil, nil
	}
	clear(d.resource)
	d.resource, d.texts, d.encoded, d.message, d.out, d.Scanner = d.resource[:0], d.texts[:0], d.encoded[:0], nil, nil, nil
}

// read adds a document to the splitter as a log record. An error of JSON is one of
// the document alone.
func (d *document) read(s *logpush.Splitter, scanner *jsontext.Scanner, text []byte, maxDepth int, index string, received int64) error {
	d.Scanner, d.out = scanner, s
	d.Scanner.Reset(text, maxDepth)
	d.key, d.resource, d.texts, d.encoded = d.key[:0], d.resource[:0], d.texts[:0], d.encoded[:0]
	d.message, d.time, d.severity, d.hasText, d.service = nil, 0, 0, false, false
	d.traceID, d.spanID = telemetry.TraceID{}, telemetry.SpanID{}
	if d.Peek() != '{' {
		return d.Errorf("the document is no object")
	}
	if err := d.fields(); err != nil {
		return err
	}
	if err := d.End(); err != nil {
		return err
	}
	if index != "" {
		d.encoded = logwriter.AppendString(d.encoded, "elasticsearch.index", index)
		if !d.service {
			d.resource = append(d.resource, logwriter.Attribute{Key: "service.name", Value: index})
		}
	}
	if !d.hasText {
		d.message = text
	}
	s.Stream(logbatch.Resource(d.resource...))
	r := &s.Record
	r.Time, r.Observed, r.Body, r.Severity, r.Attributes = d.time, received, d.message, d.severity, append(r.Attributes[:0], d.encoded...)
	r.TraceID, r.SpanID = d.traceID, d.spanID
	if !s.Add() {
		return logpush.ErrFull
	}
	return nil
}

// fields reads an object whose path is the key.
func (d *document) fields() error {
	path := len(d.key)
	err := d.Object(func(name []byte) error {
		if path > 0 {
			d.key = append(d.key[:path], '.')
		}
		d.key = append(d.key, name...)
		err := d.value()
		d.key = d.key[:path]
		return err
	})
	return err
}

// value reads the value of the field whose path is the key.
func (d *document) value() error {
	switch c := d.Peek(); {
	case d.Null():
		return nil
	case c == '{':
		return d.fields()
	case c == '[':
		from := d.Pos()
		if err := d.Skip(); err != nil {
			return err
		}
		d.text(d.rest(from))
	case c == '"':
		text, err := d.KeptString(&d.texts, 0, d.out)
		if err != nil {
			return err
		}
		d.text(text)
	case c == 't' || c == 'f':
		v, err := d.Bool()
		if err != nil {
			return err
		}
		d.encoded = logwriter.AppendBool(d.encoded, view(d.key), v)
	default:
		text, err := d.Number()
		if err != nil {
			return err
		}
		d.number(text)
	}
	return nil
}

// rest returns the text from a place up to the current one.
func (d *document) rest(from int) []byte {
	to := d.Pos()
	d.Back(from)
	raw := d.Text(to)
	d.Back(to)
	return raw
}

// text takes a text: it is what the key says, or an attribute.
func (d *document) text(value []byte) {
	ok := false
	switch string(d.key) {
	case "@timestamp", "timestamp", "time":
		if t, err := time.Parse(time.RFC3339Nano, view(value)); err == nil && d.time == 0 {
			d.time, ok = t.UnixNano(), true
		}
	case "message", "log", "msg":
		if !d.hasText {
			d.message, d.hasText, ok = value, true, true
		}
	case "log.level", "level", "severity", "loglevel":
		d.severity = logpush.Severity(value)
	case "trace.id", "trace_id", "traceId":
		var id telemetry.TraceID
		if id, ok = logpush.TraceID(value); ok {
			d.traceID = id
		}
	case "span.id", "span_id", "spanId":
		var id telemetry.SpanID
		if id, ok = logpush.SpanID(value); ok {
			d.spanID = id
		}
	}
	if ok {
		return
	}
	if key := resourceKey(d.key); key != "" {
		d.service = d.service || key == "service.name"
		d.resource = append(d.resource, logwriter.Attribute{Key: key, Value: view(value)})
		return
	}
	d.encoded = logwriter.AppendText(d.encoded, view(d.key), value)
}

// number takes a number. A time may be one, in milliseconds, as Elasticsearch has it,
// or in seconds with a fraction, as Fluent Bit has it.
func (d *document) number(text []byte) {
	if n, err := strconv.ParseInt(view(text), 10, 64); err == nil {
		if string(d.key) == "@timestamp" && n > 0 && n < math.MaxInt64/1_000_000 {
			d.time = n * 1e6
			return
		}
		d.encoded = logwriter.AppendInt(d.encoded, view(d.key), n)
		return
	}
	f, _ := strconv.ParseFloat(view(text), 64) // out of range is infinite
	if string(d.key) == "@timestamp" && f > 0 && f < math.MaxInt64/1e9 {
		d.time = int64(f * 1e9)
		return
	}
	d.encoded = logwriter.AppendDouble(d.encoded, view(d.key), f)
}

// renamed are fields of the Elastic Common Schema, and of what ships logs, that the
// semantic conventions have by another name.
var renamed = map[string]string{
	"host.hostname": "host.name", "hostname": "host.name", "host": "host.name", "service": "service.name", "service.environment": "deployment.environment.name",
	"kubernetes.pod.name": "k8s.pod.name", "kubernetes.pod_name": "k8s.pod.name", "kubernetes.namespace": "k8s.namespace.name",
	"kubernetes.namespace_name": "k8s.namespace.name", "kubernetes.deployment.name": "k8s.deployment.name", "kubernetes.node.name": "k8s.node.name",
	"kubernetes.container.name": "k8s.container.name", "kubernetes.container_name": "k8s.container.name",
	"container.image.name": "container.image.name", "agent.name": "telemetry.distro.name", "agent.version": "telemetry.distro.version",
}

// prefixes are those of fields that say where a document is from.
var prefixes = []string{"service.", "host.", "cloud.", "container.", "os.", "process.pid"}

// resourceKey returns the attribute of the resource that a field is, empty if it is
// not one.
func resourceKey(field []byte) string {
	if key, ok := renamed[string(field)]; ok {
		return key
	}
	for _, prefix := range prefixes {
		if bytes.HasPrefix(field, []byte(prefix)) {
			return string(field)
		}
	}
	return ""
}

// view returns bytes as a string without a copy.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
