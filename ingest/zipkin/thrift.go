package zipkin

import (
	"encoding/binary"
	"fmt"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/internal/thrift"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// thriftDecoder reads a list of spans of the first version in Thrift's binary
// protocol. The ids of fields are those of zipkinCore.thrift.
type thriftDecoder struct {
	thrift.Reader
	out    *spanwriter.Splitter
	common common
	v1     v1
}

func newThrift(limits otlp.Limits, claim func(int64) error) gateway.Splitter {
	return spanwriter.New(limits, claim, new(thriftDecoder))
}

// Decode implements [spanwriter.Decoder].
func (d *thriftDecoder) Decode(s *spanwriter.Splitter, body []byte) error {
	d.Reader.Reset(body, thrift.Binary)
	d.out = s
	element, n := d.List()
	if n > 0 && element != thrift.Struct {
		return fmt.Errorf("%w: the body is no list of spans", thrift.ErrMalformed)
	}
	for i := range n {
		start(s, &d.common, i)
		d.v1.begin()
		d.span()
		if err := d.Err(); err != nil {
			return fmt.Errorf("%s: %w", spanAt(i), err)
		}
		d.v1.write(s, &d.common)
		if s.Full() {
			return errFull
		}
	}
	if d.Err() == nil && d.Left() > 0 {
		return fmt.Errorf("%w: more bytes after the last span", thrift.ErrMalformed)
	}
	return d.Err()
}

// Reset implements [spanwriter.Decoder].
func (d *thriftDecoder) Reset() {
	d.Reader.Reset(nil, thrift.Binary)
	d.out, d.common = nil, common{}
	d.v1.reset()
}

func (d *thriftDecoder) span() {
	c := &d.common
	for id, t := d.Field(0); t != thrift.Stop; id, t = d.Field(id) {
		switch field(id, t) {
		case field(1, thrift.I64):
			binary.BigEndian.PutUint64(c.traceID[8:], uint64(d.I64()))
		case field(3, thrift.Bytes):
			c.name = d.Bytes()
		case field(4, thrift.I64):
			binary.BigEndian.PutUint64(c.id[:], uint64(d.I64()))
		case field(5, thrift.I64):
			binary.BigEndian.PutUint64(c.parent[:], uint64(d.I64()))
		case field(6, thrift.List):
			d.list(d.annotation)
		case field(8, thrift.List):
			d.list(d.binaryAnnotation)
		case field(9, thrift.Bool):
			c.debug = d.Bool()
		case field(10, thrift.I64):
			c.timestamp = microsOf(d.I64())
		case field(11, thrift.I64):
			c.duration = microsOf(d.I64())
		case field(12, thrift.I64):
			binary.BigEndian.PutUint64(c.traceID[:8], uint64(d.I64()))
		default:
			d.Skip(t)
		}
	}
}

// field is an id and a type as one number: a field of a known id and another type
// is passed over, as Thrift has it.
func field(id int16, t thrift.Type) uint32 { return uint32(uint16(id))<<8 | uint32(t) }

// list reads a list of structs.
func (d *thriftDecoder) list(element func()) {
	t, n := d.List()
	for ; n > 0 && d.Err() == nil && !d.out.Full(); n-- {
		if t != thrift.Struct {
			d.SkipElement(t)
			continue
		}
		element()
	}
}

func (d *thriftDecoder) annotation() {
	var a annotation
	for id, t := d.Field(0); t != thrift.Stop; id, t = d.Field(id) {
		switch field(id, t) {
		case field(1, thrift.I64):
			a.micros = microsOf(d.I64())
		case field(2, thrift.Bytes):
			a.value = d.Bytes()
		case field(3, thrift.Struct):
			a.at = d.v1.addEndpoint(d.out, d.host())
		default:
			d.Skip(t)
		}
	}
	if a.micros != 0 || len(a.value) > 0 {
		d.v1.annotations = spanwriter.Append(&d.out.Writer, d.v1.annotations, a, annotationBytes)
	}
}

func (d *thriftDecoder) host() (e endpoint) {
	for id, t := d.Field(0); t != thrift.Stop; id, t = d.Field(id) {
		switch field(id, t) {
		case field(1, thrift.I32):
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], uint32(d.I32()))
			e.addressBytes(b[:])
		case field(2, thrift.I16):
			e.setPort(int64(uint16(d.I16())))
		case field(3, thrift.Bytes):
			e.service = d.Bytes()
		case field(4, thrift.Bytes):
			e.addressBytes(d.Bytes())
		default:
			d.Skip(t)
		}
	}
	return e
}

// annotationTypes are the types of values by the numbers that the Thrift has for
// them, with the number of their bytes, 0 for any.
var annotationTypes = []struct {
	kind valueKind
	size int
}{{isBool, 1}, {isBytes, 0}, {isInt, 2}, {isInt, 4}, {isInt, 8}, {isDouble, 8}, {isText, 0}}

func (d *thriftDecoder) binaryAnnotation() {
	var b binaryAnnotation
	var kind int32
	for id, t := d.Field(0); t != thrift.Stop; id, t = d.Field(id) {
		switch field(id, t) {
		case field(1, thrift.Bytes):
			b.key = d.Bytes()
		case field(2, thrift.Bytes):
			b.value = d.Bytes()
		case field(3, thrift.I32):
			kind = d.I32()
		case field(4, thrift.Struct):
			b.at = d.v1.addEndpoint(d.out, d.host())
		default:
			d.Skip(t)
		}
	}
	b.kind = isBytes
	if kind >= 0 && int(kind) < len(annotationTypes) {
		if known := annotationTypes[kind]; known.size == 0 || known.size == len(b.value) {
			b.kind = known.kind
			b.number = bits(b.value, known.size)
		}
	}
	d.v1.binaries = spanwriter.Append(&d.out.Writer, d.v1.binaries, b, binaryBytes)
}

// bits returns a number of so many bytes, with its sign.
func bits(b []byte, size int) uint64 {
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(int16(binary.BigEndian.Uint16(b)))
	case 4:
		return uint64(int32(binary.BigEndian.Uint32(b)))
	case 8:
		return binary.BigEndian.Uint64(b)
	}
	return 0
}
