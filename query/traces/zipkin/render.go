package zipkin

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// list answers with traces. With rooted every one has a span without a parent.
func list(all []*traces.Trace, rooted bool) traces.Answer {
	return traces.Answer{ContentType: contentType, Write: func(o *traces.Out) {
		o.B = append(o.B, '[')
		for i, t := range all {
			if i > 0 {
				o.B = append(o.B, ',')
			}
			writeTrace(o, t, rooted)
		}
		o.B = append(o.B, ']')
	}}
}

// writeTrace writes the spans of a trace. With rooted, a trace whose root is not
// there is shown with the first span whose parent is missing as the root:
// Grafana cannot show a list with a trace that has none.
func writeTrace(o *traces.Out, t *traces.Trace, rooted bool) {
	root := -1
	if rooted && !slices.ContainsFunc(t.Spans, func(s traces.Span) bool { return s.Root() }) {
		root = orphan(t)
	}
	o.B = append(o.B, '[')
	for i := range t.Spans {
		if i > 0 {
			o.B = append(o.B, ',')
		}
		o.B = appendSpan(o.B, t.ID, &t.Spans[i], i == root)
		o.Flush()
	}
	o.B = append(o.B, ']')
}

// orphan returns the first span whose parent is not in the trace, the first of
// all where every parent is.
func orphan(t *traces.Trace) int {
	known := make(map[telemetry.SpanID]bool, len(t.Spans))
	for i := range t.Spans {
		known[t.Spans[i].ID] = true
	}
	return max(0, slices.IndexFunc(t.Spans, func(s traces.Span) bool { return !known[s.Parent] }))
}

// microseconds is the unit of Zipkin's times.
const microseconds = 1000

// kinds are Zipkin's; an internal span has none.
var kinds = map[traces.Kind]string{
	traces.KindServer: "SERVER", traces.KindClient: "CLIENT", traces.KindProducer: "PRODUCER", traces.KindConsumer: "CONSUMER",
}

func appendSpan(b []byte, trace telemetry.TraceID, s *traces.Span, asRoot bool) []byte {
	b = append(b, `{"traceId":`...)
	b = appendTraceID(b, trace)
	b = append(b, `,"id":`...)
	b = traces.AppendQuotedHex(b, s.ID[:])
	if !s.Root() && !asRoot {
		b = append(b, `,"parentId":`...)
		b = traces.AppendQuotedHex(b, s.Parent[:])
	}
	if kind := kinds[s.Kind]; kind != "" {
		b = append(b, `,"kind":"`...)
		b = append(append(b, kind...), '"')
	}
	b = append(b, `,"name":`...)
	b = traces.AppendString(b, s.Name)
	b = append(b, `,"timestamp":`...)
	b = strconv.AppendInt(b, max(s.Start/microseconds, 1), 10)
	if s.Duration > 0 { // 0 is what a span without a duration has
		b = append(b, `,"duration":`...)
		b = strconv.AppendInt(b, max(s.Duration/microseconds, 1), 10)
	}
	b = append(b, `,"localEndpoint":`...)
	b = appendLocal(b, s)
	b = appendRemote(b, s)
	for i := range s.Events {
		e := &s.Events[i]
		if i == 0 {
			b = append(b, `,"annotations":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(b, `{"timestamp":`...)
		b = strconv.AppendInt(b, e.Time/microseconds, 10)
		b = append(b, `,"value":`...)
		b = append(traces.AppendString(b, annotation(e)), '}')
	}
	if len(s.Events) > 0 {
		b = append(b, ']')
	}
	b = append(b, `,"tags":{`...)
	b = append(appendTags(b, s), '}')
	for _, mark := range marks {
		if v, ok := traces.Find(s.Attrs, mark.attribute); ok && v.Type == traces.BoolValue && v.Number != 0 {
			b = append(b, mark.member...)
		}
	}
	return append(b, '}')
}

// marks are attributes that stand for members of a span in Zipkin.
var marks = []struct{ attribute, member string }{
	{"zipkin.shared", `,"shared":true`},
	{"zipkin.debug", `,"debug":true`},
}

// appendTraceID appends the id as Zipkin writes it: 16 digits where the upper
// half is zero.
func appendTraceID(b []byte, id telemetry.TraceID) []byte {
	if [8]byte(id[:8]) == [8]byte{} {
		return traces.AppendQuotedHex(b, id[8:])
	}
	return traces.AppendQuotedHex(b, id[:])
}

// annotation is the text of an event: its name, with its attributes as JSON
// where it has some.
func annotation(e *traces.Event) string {
	if len(e.Attrs) == 0 {
		return e.Name
	}
	b := append(traces.AppendString([]byte{'{'}, e.Name), ':', '{')
	for i := range e.Attrs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(traces.AppendString(b, e.Attrs[i].Key), ':')
		b = traces.AppendString(b, e.Attrs[i].Value.String())
	}
	return string(append(b, '}', '}'))
}

func appendLocal(b []byte, s *traces.Span) []byte {
	address, port := first(s, "network.local.address", "net.host.ip"), first(s, "network.local.port", "net.host.port")
	if s.Kind == traces.KindServer && address == "" {
		address, port = first(s, "server.address"), first(s, "server.port")
	}
	return appendEndpoint(b, s.Service, address, port)
}

func appendRemote(b []byte, s *traces.Span) []byte {
	var name, address, port string
	switch s.Kind {
	case traces.KindClient, traces.KindProducer:
		name = first(s, remoteKeys...)
		address = first(s, "network.peer.address", "net.peer.ip", "net.sock.peer.addr", "server.address")
		port = first(s, "network.peer.port", "net.peer.port", "server.port")
	default:
		name = first(s, "peer.service", "service.peer.name")
		address = first(s, "network.peer.address", "client.address", "net.peer.ip", "net.sock.peer.addr")
		port = first(s, "network.peer.port", "client.port", "net.peer.port")
	}
	endpoint := appendEndpoint(nil, name, address, port)
	if len(endpoint) == len("{}") {
		return b
	}
	b = append(b, `,"remoteEndpoint":`...)
	return append(b, endpoint...)
}

// first returns the first of the attributes that is there.
func first(s *traces.Span, keys ...string) string {
	for _, key := range keys {
		if text := traces.FindText(s.Attrs, key); text != "" {
			return text
		}
	}
	return ""
}

func appendEndpoint(b []byte, service, address, port string) []byte {
	b = append(b, '{')
	comma := func() {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
	}
	if service != "" {
		b = append(b, `"serviceName":`...)
		b = traces.AppendString(b, service)
	}
	if ip, err := netip.ParseAddr(address); err == nil {
		comma()
		if ip = ip.Unmap().WithZone(""); ip.Is4() {
			b = append(b, `"ipv4":"`...)
		} else {
			b = append(b, `"ipv6":"`...)
		}
		b = append(ip.AppendTo(b), '"')
	}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
		comma()
		b = append(b, `"port":`...)
		b = strconv.AppendUint(b, n, 10)
	}
	return append(b, '}')
}

// appendTags appends the attributes of a span and its process, and what
// OpenTelemetry's mapping to Zipkin makes tags of. A key is there once.
func appendTags(b []byte, s *traces.Span) []byte {
	seen := map[string]bool{}
	add := func(key, value string) {
		if seen[key] {
			return
		}
		if len(seen) > 0 {
			b = append(b, ',')
		}
		seen[key] = true
		b = append(traces.AppendString(b, key), ':')
		b = traces.AppendString(b, value)
	}
	for i := range s.Attrs {
		if key := s.Attrs[i].Key; !strings.HasPrefix(key, "zipkin.") {
			add(key, s.Attrs[i].Value.String())
		}
	}
	switch s.Status {
	case traces.StatusOK:
		add("otel.status_code", "OK")
	case traces.StatusError:
		add("otel.status_code", "ERROR")
		message := s.StatusMessage
		if message == "" {
			message = "true"
		}
		add("error", message)
	case traces.StatusUnset:
	}
	if s.Scope != nil {
		if s.Scope.Name != "" {
			add("otel.scope.name", s.Scope.Name)
		}
		if s.Scope.Version != "" {
			add("otel.scope.version", s.Scope.Version)
		}
	}
	if s.TraceState != "" {
		add("w3c.tracestate", s.TraceState)
	}
	if s.Resource != nil {
		for i := range s.Resource.Attrs {
			if a := &s.Resource.Attrs[i]; a.Key != "service.name" {
				add(a.Key, a.Value.String())
			}
		}
	}
	return b
}
