package spanwriter

import (
	"bytes"
	"strconv"
)

// Tag takes a tag that stands for a field of a span, as the OpenTelemetry
// specification maps spans to formats that lack these fields
// (common/mapping-to-non-otlp.md), and reports whether it is one. A status from
// a tag may be overruled by what else a protocol knows.
func (w *Writer) Tag(key, value []byte) bool {
	if len(key) < len("w3c.tracestate") || key[0] != 'o' && key[0] != 'w' {
		return false
	}
	s := &w.Span
	switch string(key) {
	case "otel.scope.name", "otel.library.name":
		s.ScopeName = value
	case "otel.scope.version", "otel.library.version":
		s.ScopeVersion = value
	case "otel.status_code":
		code, ok := statusNamed(value)
		if !ok {
			return false
		}
		s.Status = code
	case "otel.status_description":
		s.Message = value
	case "w3c.tracestate":
		s.TraceState = value
	case "otel.dropped_attributes_count":
		return number(value, &s.DroppedAttributes)
	case "otel.dropped_events_count":
		return number(value, &s.DroppedEvents)
	case "otel.dropped_links_count":
		return number(value, &s.DroppedLinks)
	default:
		return false
	}
	return true
}

// EndStatus gives a description back to the attributes where no tag said what the
// status is.
func (w *Writer) EndStatus() {
	if s := &w.Span; s.Status == StatusUnset && len(s.Message) > 0 {
		w.Attributes.String([]byte("otel.status_description"), s.Message)
		s.Message = nil
	}
}

// statusNamed returns the code that the specification names OK and ERROR, and
// some exporters otherwise.
func statusNamed(name []byte) (byte, bool) {
	name = bytes.TrimPrefix(name, []byte("STATUS_CODE_"))
	for code, known := range []string{StatusUnset: "unset", StatusOK: "ok", StatusError: "error"} {
		if len(name) == len(known) && bytes.EqualFold(name, []byte(known)) {
			return byte(code), true
		}
	}
	return 0, false
}

func number(text []byte, into *uint32) bool {
	n, err := strconv.ParseUint(string(text), 10, 32)
	if err == nil {
		*into = uint32(n)
	}
	return err == nil
}

// KindNamed returns the kind that the tag span.kind of OpenTracing names.
func KindNamed(name []byte) (kind byte, ok bool) {
	switch string(name) {
	case "internal":
		return KindInternal, true
	case "server":
		return KindServer, true
	case "client":
		return KindClient, true
	case "producer":
		return KindProducer, true
	case "consumer":
		return KindConsumer, true
	}
	return KindUnspecified, false
}
