package zipkin

import (
	"errors"
	"fmt"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// protoDecoder reads a ListOfSpans of the second version. The numbers of fields
// are those of zipkin.proto of zipkin-api.
type protoDecoder struct {
	out    *spanwriter.Splitter
	common common
}

func newProto(limits otlp.Limits, claim func(int64) error) gateway.Splitter {
	return spanwriter.New(limits, claim, new(protoDecoder))
}

var errMalformed = errors.New("malformed protobuf")

// Decode implements [spanwriter.Decoder].
func (d *protoDecoder) Decode(s *spanwriter.Splitter, body []byte) error {
	d.out = s
	index := 0
	f := wire.FieldsOf(body)
	for f.Next() {
		if f.Tag != 1<<3|wire.LengthType {
			f.Skip(1 << 1)
			continue
		}
		start(s, &d.common, index)
		if !d.span(f.Bytes()) || f.Broken() {
			return fmt.Errorf("%w: %s is broken", errMalformed, spanAt(index))
		}
		if d.common.valid(s) {
			d.common.write(s)
		}
		if s.Full() {
			return errFull
		}
		index++
	}
	if f.Broken() {
		return fmt.Errorf("%w: the body is no list of spans", errMalformed)
	}
	return nil
}

// Reset implements [spanwriter.Decoder].
func (d *protoDecoder) Reset() { d.out, d.common = nil, common{} }

func (d *protoDecoder) span(message []byte) bool {
	c := &d.common
	f := wire.FieldsOf(message)
	for f.Next() {
		switch f.Tag {
		case 1<<3 | wire.LengthType:
			if !bytesID(c.traceID[:], f.Bytes(), true) {
				c.refuse(otlp.ReasonTraceID, "the trace id has neither 8 nor 16 bytes")
			}
		case 2<<3 | wire.LengthType:
			if b := f.Bytes(); len(b) > 0 && !bytesID(c.parent[:], b, false) {
				c.refuse(otlp.ReasonSpanID, "the id of the parent has not 8 bytes")
			}
		case 3<<3 | wire.LengthType:
			if !bytesID(c.id[:], f.Bytes(), false) {
				c.refuse(otlp.ReasonSpanID, "the id has not 8 bytes")
			}
		case 4<<3 | wire.VarintType:
			c.kind = kindNumbered(f.Varint())
		case 5<<3 | wire.LengthType:
			c.name = f.Bytes()
		case 6<<3 | wire.Fixed64Type:
			c.timestamp = f.Fixed64()
		case 7<<3 | wire.VarintType:
			c.duration = f.Varint()
		case 8<<3 | wire.LengthType:
			protoEndpoint(&f, &c.local)
		case 9<<3 | wire.LengthType:
			protoEndpoint(&f, &c.remote)
		case 10<<3 | wire.LengthType:
			d.annotation(&f)
		case 11<<3 | wire.LengthType:
			d.tag(&f)
		case 12<<3 | wire.VarintType:
			c.debug = f.Varint() != 0
		case 13<<3 | wire.VarintType:
			c.shared = f.Varint() != 0
		default:
			f.Skip(1<<14 - 1<<1)
		}
	}
	return !f.Broken()
}

// kindNumbered returns the kind of a number of the enum Span.Kind.
func kindNumbered(n uint64) byte {
	kinds := [...]byte{
		1: spanwriter.KindClient, 2: spanwriter.KindServer, 3: spanwriter.KindProducer, 4: spanwriter.KindConsumer,
	}
	if n < uint64(len(kinds)) {
		return kinds[n]
	}
	return spanwriter.KindUnspecified
}

// protoEndpoint reads an Endpoint, of which the fields are merged into one that
// came before.
func protoEndpoint(of *wire.Fields, e *endpoint) {
	f := wire.FieldsOf(of.Bytes())
	for f.Next() {
		switch f.Tag {
		case 1<<3 | wire.LengthType:
			e.service = f.Bytes()
		case 2<<3 | wire.LengthType, 3<<3 | wire.LengthType:
			e.addressBytes(f.Bytes())
		case 4<<3 | wire.VarintType:
			e.setPort(int64(int32(f.Varint())))
		default:
			f.Skip(1<<5 - 1<<1)
		}
	}
	if f.Broken() {
		of.Break()
	}
}

func (d *protoDecoder) annotation(of *wire.Fields) {
	var micros uint64
	var value []byte
	f := wire.FieldsOf(of.Bytes())
	for f.Next() {
		switch f.Tag {
		case 1<<3 | wire.Fixed64Type:
			micros = f.Fixed64()
		case 2<<3 | wire.LengthType:
			value = f.Bytes()
		default:
			f.Skip(1<<3 - 1<<1)
		}
	}
	if f.Broken() {
		of.Break()
		return
	}
	if micros != 0 || len(value) > 0 {
		d.common.annotation(d.out, micros, value)
	}
}

// tag reads an entry of the map of tags.
func (d *protoDecoder) tag(of *wire.Fields) {
	var key, value []byte
	f := wire.FieldsOf(of.Bytes())
	for f.Next() {
		switch f.Tag {
		case 1<<3 | wire.LengthType:
			key = f.Bytes()
		case 2<<3 | wire.LengthType:
			value = f.Bytes()
		default:
			f.Skip(1<<3 - 1<<1)
		}
	}
	if f.Broken() {
		of.Break()
		return
	}
	d.common.tag(d.out, key, value)
}
