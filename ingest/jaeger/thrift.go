package jaeger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/goshawk-observability/goshawk/internal/thrift"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// thriftDecoder reads a Batch in Thrift. The ids of fields are those of
// jaeger.thrift.
type thriftDecoder struct {
	thrift.Reader
	out  *spanwriter.Splitter
	span span
}

// errFull stops the walk where memory ran out; the splitter knows why.
var errFull = errors.New("out of memory")

// protocolOf tells which protocol a struct is in. In the binary one it begins
// with the type of its first field, in the compact one with that and a number,
// in the upper half of a byte.
func protocolOf(body []byte) thrift.Protocol {
	if len(body) > 0 && body[0] > 0x0f {
		return thrift.Compact
	}
	return thrift.Binary
}

// id is the number of a field and its type as one number: a field of a known
// number and another type is passed over, as Thrift has it.
func id(number int16, t thrift.Type) uint32 { return uint32(uint16(number))<<8 | uint32(t) }

// Decode implements [spanwriter.Decoder].
func (d *thriftDecoder) Decode(s *spanwriter.Splitter, body []byte) error {
	d.Reader.Reset(body, protocolOf(body))
	d.out = s
	// The process is written before the spans, but need not be.
	spansAt := -1
	known := false
	if len(body) == 0 {
		return fmt.Errorf("%w: the body is empty", thrift.ErrMalformed)
	}
	for n, t := d.Field(0); t != thrift.Stop; n, t = d.Field(n) {
		switch id(n, t) {
		case id(1, thrift.Struct):
			s.Shared.Clear()
			d.process()
			known = true
		case id(2, thrift.List):
			if known {
				if err := d.spans(); err != nil {
					return err
				}
				continue
			}
			spansAt = d.Pos()
			d.Skip(t)
		default:
			d.Skip(t)
		}
	}
	if err := d.Err(); err != nil {
		return fmt.Errorf("the body is no batch of Jaeger spans: %w", err)
	}
	if d.Left() > 0 {
		return fmt.Errorf("%w: more bytes after the batch", thrift.ErrMalformed)
	}
	if spansAt >= 0 {
		d.Seek(spansAt)
		return d.spans()
	}
	return nil
}

// Reset implements [spanwriter.Decoder].
func (d *thriftDecoder) Reset() {
	d.Reader.Reset(nil, thrift.Binary)
	d.out = nil
	d.span.reset()
}

func (d *thriftDecoder) process() {
	var p process
	for n, t := d.Field(0); t != thrift.Stop; n, t = d.Field(n) {
		switch id(n, t) {
		case id(1, thrift.Bytes):
			p.service = d.Bytes()
		case id(2, thrift.List):
			for left := d.structs(); left > 0 && d.goOn(); left-- {
				tag := d.tag()
				p.tag(&d.out.Shared, &tag)
			}
		default:
			d.Skip(t)
		}
	}
	p.finish(&d.out.Shared)
}

// structs reads the head of a list of structs and returns how many there are.
// Elements of another type are passed over.
func (d *thriftDecoder) structs() int {
	t, n := d.List()
	if t == thrift.Struct {
		return n
	}
	for ; n > 0 && d.Err() == nil; n-- {
		d.SkipElement(t)
	}
	return 0
}

func (d *thriftDecoder) goOn() bool { return d.Err() == nil && !d.out.Full() }

func (d *thriftDecoder) spans() error {
	p := &d.span
	index := 0
	for left := d.structs(); left > 0; left-- {
		p.begin(d.out, index)
		d.out.ShareResource()
		d.fields()
		if err := d.Err(); err != nil {
			return fmt.Errorf("span %d: %w", index, err)
		}
		p.write(d.out)
		if d.out.Full() {
			return errFull
		}
		index++
	}
	return d.Err()
}

// fields reads the fields of a span.
func (d *thriftDecoder) fields() {
	p := &d.span
	for n, t := d.Field(0); t != thrift.Stop; n, t = d.Field(n) {
		switch id(n, t) {
		case id(1, thrift.I64):
			binary.BigEndian.PutUint64(p.traceID[8:], uint64(d.I64()))
		case id(2, thrift.I64):
			binary.BigEndian.PutUint64(p.traceID[:8], uint64(d.I64()))
		case id(3, thrift.I64):
			binary.BigEndian.PutUint64(p.id[:], uint64(d.I64()))
		case id(4, thrift.I64):
			binary.BigEndian.PutUint64(p.parent[:], uint64(d.I64()))
		case id(5, thrift.Bytes):
			p.name = d.Bytes()
		case id(6, thrift.List):
			for left := d.structs(); left > 0 && d.goOn(); left-- {
				p.references = spanwriter.Append(&d.out.Writer, p.references, d.reference(), referenceBytes)
			}
		case id(7, thrift.I32):
			p.flags = uint32(d.I32())
		case id(8, thrift.I64):
			p.start = micros(d.I64())
		case id(9, thrift.I64):
			p.duration = micros(d.I64())
		case id(10, thrift.List):
			for left := d.structs(); left > 0 && d.goOn(); left-- {
				tag := d.tag()
				p.tag(d.out, &tag)
			}
		case id(11, thrift.List):
			for left := d.structs(); left > 0 && d.goOn(); left-- {
				d.log()
			}
		default:
			d.Skip(t)
		}
	}
}

// micros returns nanoseconds, of which negative ones are none.
func micros(n int64) uint64 { return spanwriter.Nanos(uint64(max(n, 0))) }

func (d *thriftDecoder) reference() (r reference) {
	for n, t := d.Field(0); t != thrift.Stop; n, t = d.Field(n) {
		switch id(n, t) {
		case id(1, thrift.I32):
			r.kind = referenceKindOf(uint64(uint32(d.I32())))
		case id(2, thrift.I64):
			binary.BigEndian.PutUint64(r.traceID[8:], uint64(d.I64()))
		case id(3, thrift.I64):
			binary.BigEndian.PutUint64(r.traceID[:8], uint64(d.I64()))
		case id(4, thrift.I64):
			binary.BigEndian.PutUint64(r.spanID[:], uint64(d.I64()))
		default:
			d.Skip(t)
		}
	}
	return r
}

// referenceKindOf returns the kind of a number; what is neither is no parent.
func referenceKindOf(n uint64) referenceKind {
	if n == 0 {
		return childOf
	}
	return followsFrom
}

func (d *thriftDecoder) log() {
	var nanos uint64
	var name []byte
	var dropped uint32
	for n, t := d.Field(0); t != thrift.Stop; n, t = d.Field(n) {
		switch id(n, t) {
		case id(1, thrift.I64):
			nanos = micros(d.I64())
		case id(2, thrift.List):
			for left := d.structs(); left > 0 && d.goOn(); left-- {
				tag := d.tag()
				field(d.out, &tag, &name, &dropped)
			}
		default:
			d.Skip(t)
		}
	}
	d.out.Event(nanos, name, dropped)
}

// tag reads a Tag, which has a field for a value of every type.
func (d *thriftDecoder) tag() (g tag) {
	var kind int32
	var v values
	for n, t := d.Field(0); t != thrift.Stop; n, t = d.Field(n) {
		switch id(n, t) {
		case id(1, thrift.Bytes):
			g.key = d.Bytes()
		case id(2, thrift.I32):
			kind = d.I32()
		case id(3, thrift.Bytes):
			v.text = d.Bytes()
		case id(4, thrift.Double):
			v.double = math.Float64bits(d.Double())
		case id(5, thrift.Bool):
			v.boolean = 0
			if d.Bool() {
				v.boolean = 1
			}
		case id(6, thrift.I64):
			v.long = uint64(d.I64())
		case id(7, thrift.Bytes):
			v.data = d.Bytes()
		default:
			d.Skip(t)
		}
	}
	g.set(thriftKinds.of(uint64(kind)), &v)
	return g
}

// thriftKinds are the kinds by the numbers of the enum TagType.
var thriftKinds = kinds{isText, isDouble, isBool, isInt, isBytes}
