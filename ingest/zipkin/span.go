package zipkin

import (
	"encoding/hex"
	"math"
	"net/netip"
	"strconv"

	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// Attributes for what OTLP has no place for.
const (
	// attributeShared marks the server's side of an RPC whose id is that of the
	// client's side, too.
	attributeShared = "zipkin.shared"
	// attributeDebug marks a span of a trace that was to be kept in any case.
	attributeDebug = "zipkin.debug"
	// attributeDuration has the microseconds that a span took of which it is not
	// known when it began.
	attributeDuration = "zipkin.duration"
	// attributeNoTime marks a span that did not say when it began. The name is
	// that of the OpenTelemetry Collector, whose exporter undoes it.
	attributeNoTime = "otel.zipkin.absentField.startTime"
)

// common is what spans of any version and format have, as it is read.
type common struct {
	index            int // of the span in its request
	bad              problem
	traceID          [16]byte
	id, parent       [8]byte
	name             []byte
	kind             byte
	timestamp        uint64 // microseconds, 0 where it is not known
	duration         uint64 // microseconds, 0 where it is not known
	local, remote    endpoint
	shared, debug    bool
	earliest         uint64 // the first time that is known, microseconds
	peerNamed        bool   // by a tag
	failed           bool
	failure, ownName []byte // the values of the tags error and service.name
	kindTag          []byte
	described        bool // by the tag otel.status_description
}

// problem is why a span is refused.
type problem struct{ code, text string }

// endpoint is a network context: a service at an address.
type endpoint struct {
	service []byte
	address netip.Addr
	port    uint16
}

// refuse notes the first problem of a span.
func (c *common) refuse(code, text string) {
	if c.bad.code == "" {
		c.bad = problem{code, text}
	}
}

// start begins a span of the request in the splitter.
func start(s *spanwriter.Splitter, c *common, index int) {
	*c = common{index: index}
	s.StartSpan()
}

// annotation adds an event.
func (c *common) annotation(s *spanwriter.Splitter, micros uint64, value []byte) {
	c.seen(micros)
	s.Event(spanwriter.Nanos(micros), value, 0)
}

// seen takes note of a time.
func (c *common) seen(micros uint64) {
	if micros > 0 && (c.earliest == 0 || micros < c.earliest) {
		c.earliest = micros
	}
}

// tag adds a tag of text: to the resource, where it is about that, to a field of
// the span, where it stands for one, else to the attributes.
func (c *common) tag(s *spanwriter.Splitter, key, value []byte) {
	switch string(key) {
	case "error":
		c.fail(s, key, value)
		return
	case "service.name":
		c.ownName = value
		return
	case "span.kind":
		c.kindTag = value
		return
	case "peer.service", "service.peer.name":
		c.peerNamed = true
	case "otel.status_description":
		c.described = true
	}
	switch {
	case s.Tag(key, value):
	case resourceTags[string(key)]:
		s.Resource.String(key, value)
	default:
		s.Attributes.String(key, value)
	}
}

// fail takes the tag error: it makes the span failed, whatever it says, unless it
// says that there was none.
func (c *common) fail(s *spanwriter.Splitter, key, value []byte) {
	switch string(value) {
	case "false":
		return
	case "", "true":
	default:
		c.failure = value
		s.Attributes.String(key, value)
	}
	c.failed = true
}

// valid reports whether the span can be taken, and refuses it where not.
func (c *common) valid(s *spanwriter.Splitter) bool {
	switch {
	case c.bad.code == "" && c.traceID == [16]byte{}:
		c.refuse(otlp.ReasonTraceID, "the trace id is missing or zero")
	case c.bad.code == "" && c.id == [8]byte{}:
		c.refuse(otlp.ReasonSpanID, "the id is missing or zero")
	}
	if c.bad.code != "" {
		s.Reject(c.index, c.bad.code, c.bad.text)
	}
	return c.bad.code == ""
}

// write writes a span that is valid.
func (c *common) write(s *spanwriter.Splitter) {
	out := &s.Span
	out.TraceID, out.SpanID, out.Name, out.Kind = c.traceID, c.id, c.name, c.kind
	if c.parent != c.id {
		out.ParentID = c.parent
	}
	if len(c.kindTag) > 0 {
		kind, known := spanwriter.KindNamed(c.kindTag)
		switch {
		case known && out.Kind == spanwriter.KindUnspecified:
			out.Kind = kind
		case !known || out.Kind != kind:
			s.Attributes.String([]byte("span.kind"), c.kindTag)
		}
	}
	if c.failed {
		out.Status = spanwriter.StatusError
		if !c.described {
			out.Message = c.failure
		}
	}
	s.EndStatus()
	c.times(s)
	c.endpoints(s)
	if c.shared {
		s.Attributes.Bool([]byte(attributeShared), true)
	}
	if c.debug {
		s.Attributes.Bool([]byte(attributeDebug), true)
	}
	s.EndSpan()
}

// times sets the times of the span. One that does not say when it began began
// with its first annotation; without one, it is filed under the time of receipt.
func (c *common) times(s *spanwriter.Splitter) {
	begin := c.timestamp
	if begin == 0 {
		begin = c.earliest
		s.Attributes.Bool([]byte(attributeNoTime), true)
	}
	if begin == 0 {
		if c.duration > 0 {
			s.Attributes.Int([]byte(attributeDuration), int64(min(c.duration, math.MaxInt64)))
		}
		return
	}
	s.Span.Start = spanwriter.Nanos(begin)
	s.Span.End = s.Span.Start
	if d := spanwriter.Nanos(c.duration); d < math.MaxInt64-s.Span.Start {
		s.Span.End += d
	} else {
		s.Span.End = math.MaxInt64
	}
}

// endpoints says where the span was and whom it talked to. An address is written
// in its canonical form.
func (c *common) endpoints(s *spanwriter.Splitter) {
	service := c.local.service
	switch {
	case len(service) == 0:
		service = c.ownName
	case len(c.ownName) > 0:
		s.Attributes.String([]byte("service.name"), c.ownName)
	}
	if len(service) > 0 {
		s.Resource.String([]byte("service.name"), service)
	}
	if len(c.remote.service) > 0 && !c.peerNamed {
		s.Attributes.String([]byte("service.peer.name"), c.remote.service)
	}
	var text [64]byte
	for _, e := range []struct {
		*endpoint
		address, port string
	}{{&c.local, "network.local.address", "network.local.port"}, {&c.remote, "network.peer.address", "network.peer.port"}} {
		if e.endpoint.address.IsValid() {
			s.Attributes.String([]byte(e.address), e.endpoint.address.AppendTo(text[:0]))
		}
		if e.endpoint.port > 0 {
			s.Attributes.Int([]byte(e.port), int64(e.endpoint.port))
		}
	}
}

// addressText sets the address from text. Zipkin has a field for each version of
// IP; the fourth is preferred, and what is no address is left out.
func (e *endpoint) addressText(text []byte) {
	if b, ok := dotted(text); ok {
		e.prefer(netip.AddrFrom4(b))
		return
	}
	if len(text) > len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255") {
		return
	}
	if a, err := netip.ParseAddr(string(text)); err == nil && a.Zone() == "" {
		e.prefer(a.Unmap())
	}
}

// dotted reads an address of IPv4, which nearly all are, without the string that
// [netip.ParseAddr] needs.
func dotted(text []byte) (b [4]byte, ok bool) {
	part, digits, n := 0, 0, 0
	for _, c := range text {
		switch {
		case c == '.' && digits > 0 && part < 3:
			b[part] = byte(n)
			part, digits, n = part+1, 0, 0
		case c < '0' || c > '9' || digits > 0 && n == 0:
			return b, false
		default:
			if digits, n = digits+1, n*10+int(c-'0'); n > 255 {
				return b, false
			}
		}
	}
	b[part] = byte(n)
	return b, part == 3 && digits > 0
}

// addressBytes sets the address from 4 or 16 bytes.
func (e *endpoint) addressBytes(b []byte) {
	if a, ok := netip.AddrFromSlice(b); ok && !a.IsUnspecified() {
		e.prefer(a.Unmap())
	}
}

func (e *endpoint) prefer(a netip.Addr) {
	if !e.address.IsValid() || a.Is4() {
		e.address = a
	}
}

// setPort sets the port, if it is one.
func (e *endpoint) setPort(n int64) {
	if n > 0 && n <= math.MaxUint16 {
		e.port = uint16(n)
	}
}

// hexID decodes a number of up to 2*len(into) hexadecimal digits, padded with
// zeros on the left. It reports false where the text is none.
func hexID(into, text []byte) bool {
	clear(into)
	if len(text) == 0 || len(text) > 2*len(into) {
		return false
	}
	if len(text)%2 == 0 {
		_, err := hex.Decode(into[len(into)-len(text)/2:], text)
		return err == nil
	}
	var padded [32]byte
	padded[0] = '0'
	n := 1 + copy(padded[1:], text)
	_, err := hex.Decode(into[len(into)-n/2:], padded[:n])
	return err == nil
}

// traceIDText, idText and parentText set ids from their text.
func (c *common) traceIDText(text []byte) {
	if !hexID(c.traceID[:], text) {
		c.refuse(otlp.ReasonTraceID, "the trace id is no hexadecimal number of 1 to 32 digits")
	}
}

func (c *common) idText(text []byte) {
	if !hexID(c.id[:], text) {
		c.refuse(otlp.ReasonSpanID, "the id is no hexadecimal number of 1 to 16 digits")
	}
}

func (c *common) parentText(text []byte) {
	if len(text) > 0 && !hexID(c.parent[:], text) {
		c.refuse(otlp.ReasonSpanID, "the id of the parent is no hexadecimal number of 1 to 16 digits")
	}
}

// bytesID sets an id from the bytes of one that is as long or, where it may be
// padded, half as long.
func bytesID(into, b []byte, padded bool) bool {
	clear(into)
	if len(b) != len(into) && !(padded && len(b) == len(into)/2) {
		return false
	}
	copy(into[len(into)-len(b):], b)
	return true
}

// kindNamed returns the kind that Zipkin names so. One that is not known is none.
func kindNamed(name []byte) byte {
	switch string(name) {
	case "CLIENT":
		return spanwriter.KindClient
	case "SERVER":
		return spanwriter.KindServer
	case "PRODUCER":
		return spanwriter.KindProducer
	case "CONSUMER":
		return spanwriter.KindConsumer
	}
	return spanwriter.KindUnspecified
}

// microsOf returns a time or a duration, of which a negative one is none.
func microsOf(n int64) uint64 { return uint64(max(n, 0)) }

// spanAt names a span in an error.
func spanAt(index int) string { return "span " + strconv.Itoa(index) }
