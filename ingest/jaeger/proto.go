package jaeger

import (
	"errors"
	"fmt"
	"math"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// protoDecoder reads a PostSpansRequest. The numbers of fields are those of
// collector.proto and model.proto of jaeger-idl's api_v2.
type protoDecoder struct {
	out  *spanwriter.Splitter
	span span
}

var errMalformed = errors.New("malformed protobuf")

// Decode implements [spanwriter.Decoder].
func (d *protoDecoder) Decode(s *spanwriter.Splitter, body []byte) error {
	d.out = s
	// The process of a batch is written after its spans.
	var shared process
	ok := batches(body, func(f *wire.Fields) {
		if f.Tag == 2<<3|wire.LengthType {
			d.process(f, &shared, &s.Shared)
		} else {
			f.Skip(1 << 2)
		}
	})
	if !ok {
		return fmt.Errorf("%w: the message is no PostSpansRequest", errMalformed)
	}
	shared.finish(&s.Shared)
	index := 0
	ok = batches(body, func(f *wire.Fields) {
		if f.Tag != 1<<3|wire.LengthType {
			f.Skip(1 << 1)
			return
		}
		d.span.begin(s, index)
		if !d.fields(f.Bytes()) || s.Full() {
			f.Break()
			return
		}
		d.span.write(s)
		index++
	})
	switch {
	case s.Full():
		return errFull
	case !ok:
		return fmt.Errorf("%w: span %d is broken", errMalformed, index)
	}
	return nil
}

// Reset implements [spanwriter.Decoder].
func (d *protoDecoder) Reset() {
	d.out = nil
	d.span.reset()
}

// batches calls do with every field of every batch of a request; do reads it. It
// reports false where something is broken.
func batches(body []byte, do func(*wire.Fields)) bool {
	f := wire.FieldsOf(body)
	for f.Next() {
		if f.Tag != 1<<3|wire.LengthType {
			f.Skip(1 << 1)
			continue
		}
		batch := wire.FieldsOf(f.Bytes())
		for !f.Broken() && batch.Next() {
			do(&batch)
		}
		if batch.Broken() {
			return false
		}
	}
	return !f.Broken()
}

// process reads a Process, of which the fields are merged into what came before.
func (d *protoDecoder) process(of *wire.Fields, p *process, to *spanwriter.List) {
	f := wire.FieldsOf(of.Bytes())
	for f.Next() {
		switch f.Tag {
		case 1<<3 | wire.LengthType:
			p.service = f.Bytes()
		case 2<<3 | wire.LengthType:
			tag := tagOf(&f)
			p.tag(to, &tag)
		default:
			f.Skip(1<<3 - 1<<1)
		}
	}
	if f.Broken() {
		of.Break()
	}
}

// fields reads the fields of a span. A span may have a process of its own.
func (d *protoDecoder) fields(message []byte) bool {
	s, p := d.out, &d.span
	own := false
	var resource process
	f := wire.FieldsOf(message)
	for f.Next() {
		switch f.Tag {
		case 1<<3 | wire.LengthType:
			if !setID(p.traceID[:], f.Bytes()) {
				p.bad = "the trace id has more than 16 bytes"
			}
		case 2<<3 | wire.LengthType:
			if !setID(p.id[:], f.Bytes()) {
				p.bad = "the id has more than 8 bytes"
			}
		case 3<<3 | wire.LengthType:
			p.name = f.Bytes()
		case 4<<3 | wire.LengthType:
			p.references = spanwriter.Append(&s.Writer, p.references, referenceOf(&f), referenceBytes)
		case 5<<3 | wire.VarintType:
			p.flags = uint32(f.Varint())
		case 6<<3 | wire.LengthType:
			p.start = timeOf(&f)
		case 7<<3 | wire.LengthType:
			p.duration = timeOf(&f)
		case 8<<3 | wire.LengthType:
			tag := tagOf(&f)
			p.tag(s, &tag)
		case 9<<3 | wire.LengthType:
			d.log(&f)
		case 10<<3 | wire.LengthType:
			own = true
			d.process(&f, &resource, &s.Resource)
		case 12<<3 | wire.LengthType:
			p.warnings = spanwriter.Append(&s.Writer, p.warnings, f.Bytes(), warningBytes)
		default:
			f.Skip(1<<13 - 1<<1 - 1<<11)
		}
	}
	if own {
		resource.finish(&s.Resource)
	} else {
		s.ShareResource()
	}
	return !f.Broken()
}

// setID sets an id from bytes, which are padded with zeros on the left.
func setID(into, b []byte) bool {
	clear(into)
	if len(b) > len(into) {
		return false
	}
	copy(into[len(into)-len(b):], b)
	return true
}

func referenceOf(of *wire.Fields) (r reference) {
	f := wire.FieldsOf(of.Bytes())
	for f.Next() {
		switch f.Tag {
		case 1<<3 | wire.LengthType:
			setID(r.traceID[:], f.Bytes())
		case 2<<3 | wire.LengthType:
			setID(r.spanID[:], f.Bytes())
		case 3<<3 | wire.VarintType:
			r.kind = referenceKindOf(f.Varint())
		default:
			f.Skip(1<<4 - 1<<1)
		}
	}
	if f.Broken() {
		of.Break()
	}
	return r
}

// timeOf reads a Timestamp or a Duration and returns its nanoseconds, of which
// negative ones are none.
func timeOf(of *wire.Fields) uint64 {
	var seconds int64
	var nanos int32
	f := wire.FieldsOf(of.Bytes())
	for f.Next() {
		switch f.Tag {
		case 1<<3 | wire.VarintType:
			seconds = int64(f.Varint())
		case 2<<3 | wire.VarintType:
			nanos = int32(f.Varint())
		default:
			f.Skip(1<<3 - 1<<1)
		}
	}
	if f.Broken() {
		of.Break()
	}
	const second = 1_000_000_000
	switch {
	case seconds > math.MaxInt64/second-3: // the nanoseconds may be some seconds, too
		return math.MaxInt64
	case seconds < -3:
		return 0
	}
	return uint64(max(seconds*second+int64(nanos), 0))
}

func (d *protoDecoder) log(of *wire.Fields) {
	var nanos uint64
	var name []byte
	var dropped uint32
	f := wire.FieldsOf(of.Bytes())
	for f.Next() {
		switch f.Tag {
		case 1<<3 | wire.LengthType:
			nanos = timeOf(&f)
		case 2<<3 | wire.LengthType:
			tag := tagOf(&f)
			field(d.out, &tag, &name, &dropped)
		default:
			f.Skip(1<<3 - 1<<1)
		}
	}
	if f.Broken() {
		of.Break()
		return
	}
	d.out.Event(nanos, name, dropped)
}

// tagOf reads a KeyValue, which has a field for a value of every type.
func tagOf(of *wire.Fields) (t tag) {
	var kind uint64
	var v values
	f := wire.FieldsOf(of.Bytes())
	for f.Next() {
		switch f.Tag {
		case 1<<3 | wire.LengthType:
			t.key = f.Bytes()
		case 2<<3 | wire.VarintType:
			kind = f.Varint()
		case 3<<3 | wire.LengthType:
			v.text = f.Bytes()
		case 4<<3 | wire.VarintType:
			v.boolean = f.Varint()
		case 5<<3 | wire.VarintType:
			v.long = f.Varint()
		case 6<<3 | wire.Fixed64Type:
			v.double = f.Fixed64()
		case 7<<3 | wire.LengthType:
			v.data = f.Bytes()
		default:
			f.Skip(1<<8 - 1<<1)
		}
	}
	if f.Broken() {
		of.Break()
		return tag{}
	}
	t.set(protoKinds.of(kind), &v)
	return t
}

// protoKinds are the kinds by the numbers of the enum ValueType.
var protoKinds = kinds{isText, isBool, isInt, isDouble, isBytes}
