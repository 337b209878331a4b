package jaeger

import (
	"math"
	"strconv"

	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// Attributes for what OTLP has no place for.
const (
	// attributeDebug marks a span of a trace that was to be kept in any case.
	attributeDebug = "jaeger.debug"
	// attributeWarnings has what Jaeger found wrong with a span.
	attributeWarnings = "jaeger.warnings"
	// attributeReference says what a link is, by the names of OpenTracing.
	attributeReference = "opentracing.ref_type"
)

// Bits of the flags of a span.
const (
	flagSampled = 1
	flagDebug   = 2
)

// span is what spans of both formats have, as they are read.
type span struct {
	index      int // in the request
	traceID    [16]byte
	id, parent [8]byte
	name       []byte
	flags      uint32
	// start and duration are nanoseconds, 0 where they are not known.
	start, duration uint64
	references      []reference
	warnings        [][]byte
	bad             string // what is wrong with an id
	tags            meanings
}

// meanings are the tags of a span that decide on its status and kind.
type meanings struct {
	failed, described bool
	httpCode          int64
	httpMessage       []byte
}

// reference is one to another span.
type reference struct {
	traceID [16]byte
	spanID  [8]byte
	kind    referenceKind
}

// referenceKind is what another span is to a span.
type referenceKind uint8

const (
	childOf referenceKind = iota
	followsFrom
)

// Sizes of the lists' elements, at least.
const (
	referenceBytes = 32
	warningBytes   = 24
)

// kept is how many elements of a list are kept from one request to the next.
const kept = 1024

// begin begins a span of the request.
func (p *span) begin(s *spanwriter.Splitter, index int) {
	*p = span{index: index, references: p.references[:0], warnings: p.warnings[:0]}
	s.StartSpan()
}

// reset forgets everything, views of the body among it.
func (p *span) reset() {
	references, warnings := p.references, p.warnings
	if cap(references) > kept {
		references = nil
	}
	if cap(warnings) > kept {
		warnings = nil
	}
	clear(warnings[:cap(warnings)])
	*p = span{references: references[:0], warnings: warnings[:0]}
}

// tag is a key with a value.
type tag struct {
	key    []byte
	kind   valueKind
	text   []byte // of text and bytes
	number uint64 // of the others, by their bits
}

// values are what a tag says in the fields for each type of value. Only one of them
// counts.
type values struct {
	text, data            []byte
	boolean, long, double uint64 // by their bits
}

// set gives the tag the value of a kind.
func (t *tag) set(kind valueKind, v *values) {
	switch t.kind = kind; kind {
	case isBool:
		t.number = v.boolean
	case isInt:
		t.number = v.long
	case isDouble:
		t.number = v.double
	case isBytes:
		t.text = v.data
	default:
		t.text = v.text
	}
}

// kinds are the kinds by the numbers that a format has for them.
type kinds [5]valueKind

// of returns the kind of a number, text where there is none.
func (k *kinds) of(n uint64) valueKind {
	if n < uint64(len(k)) {
		return k[n]
	}
	return isText
}

// valueKind is the type of a tag's value.
type valueKind uint8

const (
	isText valueKind = iota
	isBool
	isInt
	isDouble
	isBytes
)

// add adds the tag to a list of attributes.
func (t *tag) add(to *spanwriter.List) {
	switch t.kind {
	case isText:
		to.String(t.key, t.text)
	case isBool:
		to.Bool(t.key, t.number != 0)
	case isInt:
		to.Int(t.key, int64(t.number))
	case isDouble:
		to.Double(t.key, math.Float64frombits(t.number))
	case isBytes:
		to.Bytes(t.key, t.text)
	}
}

// integer returns the value where it is an integer, or the text of one.
func (t *tag) integer() (int64, bool) {
	switch t.kind {
	case isInt:
		return int64(t.number), true
	case isText:
		n, err := strconv.ParseInt(string(t.text), 10, 64)
		return n, err == nil
	default:
		return 0, false
	}
}

// tag adds a tag of the span: to a field, where it stands for one, else to the
// attributes.
func (p *span) tag(s *spanwriter.Splitter, t *tag) {
	m := &p.tags
	switch string(t.key) {
	case "error":
		if t.kind == isBool && t.number != 0 || t.kind == isText && string(t.text) == "true" {
			m.failed = true
			return
		}
	case "span.kind":
		if kind, ok := spanwriter.KindNamed(t.text); ok && t.kind == isText {
			s.Span.Kind = kind
			return
		}
	case "http.status_code", "http.response.status_code":
		if code, ok := t.integer(); ok {
			m.httpCode = code
		}
	case "http.status_message":
		if t.kind == isText {
			m.httpMessage = t.text
		}
	case "otel.status_code":
		if t.kind == isText && s.Tag(t.key, t.text) {
			m.described = true
			return
		}
	default:
		if t.kind == isText && s.Tag(t.key, t.text) {
			return
		}
	}
	t.add(&s.Attributes)
}

// field adds a field of a log, or sets what it says of the event itself.
func field(s *spanwriter.Splitter, t *tag, name *[]byte, dropped *uint32) {
	switch string(t.key) {
	case "event":
		if t.kind == isText {
			*name = t.text
			return
		}
	case "otel.event.dropped_attributes_count":
		if n, ok := t.integer(); ok && n >= 0 && n <= math.MaxUint32 {
			*dropped = uint32(n)
			return
		}
	}
	t.add(&s.EventAttributes)
}

// write writes the span, or refuses it.
func (p *span) write(s *spanwriter.Splitter) {
	switch {
	case p.bad != "":
		s.Reject(p.index, otlp.ReasonSpanID, p.bad)
		return
	case p.traceID == [16]byte{}:
		s.Reject(p.index, otlp.ReasonTraceID, "the trace id is missing or zero")
		return
	case p.id == [8]byte{}:
		s.Reject(p.index, otlp.ReasonSpanID, "the id is missing or zero")
		return
	}
	out := &s.Span
	out.TraceID, out.SpanID, out.Name = p.traceID, p.id, p.name
	if p.start > 0 {
		out.Start = p.start
		out.End = p.start + min(p.duration, math.MaxInt64-min(p.start, math.MaxInt64))
	}
	if p.flags&flagSampled != 0 {
		out.Flags = spanwriter.FlagSampled
	}
	if p.flags&flagDebug != 0 {
		s.Attributes.Bool([]byte(attributeDebug), true)
	}
	if len(p.warnings) > 0 {
		s.Attributes.Strings([]byte(attributeWarnings), p.warnings)
	}
	p.status(s)
	p.relatives(s)
	s.EndSpan()
}

// status decides on the status: the tag error comes first, then what an exporter
// of OpenTelemetry said, then the status of HTTP, by the rules that OpenTelemetry
// has for spans of HTTP.
func (p *span) status(s *spanwriter.Splitter) {
	m, out := &p.tags, &s.Span
	switch {
	case m.failed:
		out.Status = spanwriter.StatusError
	case !m.described && p.httpFailed(out.Kind):
		out.Status = spanwriter.StatusError
	default:
		s.EndStatus()
		return
	}
	if len(out.Message) == 0 {
		out.Message = m.httpMessage
	}
}

// httpFailed reports whether the status of HTTP says that the span failed: what
// is the client's fault is no failure of the server.
func (p *span) httpFailed(kind byte) bool {
	code := p.tags.httpCode
	return code >= 500 || code >= 400 && kind != spanwriter.KindServer
}

// relatives sets the parent and the links. The parent is what the span says that
// it is, else the first span of the same trace that it is a child of, or follows.
func (p *span) relatives(s *spanwriter.Splitter) {
	parent := p.parent
	if parent == [8]byte{} {
		parent = p.parentOf(childOf)
	}
	if parent == [8]byte{} {
		parent = p.parentOf(followsFrom)
	}
	s.Span.ParentID = parent
	for i := range p.references {
		r := &p.references[i]
		if r.kind == childOf && r.spanID == parent && r.traceID == p.traceID {
			continue
		}
		what := "child_of"
		if r.kind == followsFrom {
			what = "follows_from"
		}
		s.LinkAttributes.String([]byte(attributeReference), []byte(what))
		s.Link(r.traceID, r.spanID, nil, 0)
	}
}

func (p *span) parentOf(kind referenceKind) (id [8]byte) {
	for i := range p.references {
		if r := &p.references[i]; r.kind == kind && r.traceID == p.traceID {
			return r.spanID
		}
	}
	return id
}

// process is the resource of spans, as it is read.
type process struct {
	service, hostname []byte
	named             bool // it has a hostname
	host              bool // it has host.name
}

// tag adds a tag of the process to the attributes of a resource.
func (p *process) tag(to *spanwriter.List, t *tag) {
	switch string(t.key) {
	case "hostname":
		if t.kind == isText && !p.named {
			p.hostname, p.named = t.text, true
			return
		}
	case "host.name":
		p.host = true
	}
	t.add(to)
}

// finish adds what is known when all tags are. The tag hostname of Jaeger's
// clients is host.name in the semantic conventions.
func (p *process) finish(to *spanwriter.List) {
	switch {
	case !p.named:
	case p.host:
		to.String([]byte("hostname"), p.hostname)
	default:
		to.String([]byte("host.name"), p.hostname)
	}
	if len(p.service) > 0 {
		to.String([]byte("service.name"), p.service)
	}
}
