// Package otlpjson turns the JSON form of an OTLP request into its protobuf
// form in one pass, without building the request in memory: what a sender can
// make it hold is the output, which the caller bounds.
//
// It follows the protobuf JSON mapping with OTLP's exceptions: trace and span
// ids are hexadecimal, unknown fields are ignored. An id of a wrong length is
// passed on, so that the check of single events finds it. Field names may be in
// lower camel case or as the protobuf schema spells them; numbers may be
// strings; enums may be numbers or names.
package otlpjson

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goshawk-observability/goshawk/internal/jsontext"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// ErrNoRoom is returned where the output does not fit into dst.
var ErrNoRoom = errors.New("the output does not fit")

// AppendProto appends the request in src, an Export{Logs,Trace,Metrics}ServiceRequest
// in JSON, to dst as protobuf. It stays within the capacity of dst and returns
// ErrNoRoom where that is too small. Values may nest up to maxDepth levels.
func AppendProto(dst []byte, signal telemetry.Signal, src []byte, maxDepth int) ([]byte, error) {
	root := logsRequest
	switch signal {
	case telemetry.Spans:
		root = tracesRequest
	case telemetry.Metrics:
		root = metricsRequest
	}
	t := transcoder{dst: dst}
	t.Reset(src, maxDepth)
	if err := t.message(root); err != nil {
		return nil, err
	}
	if err := t.End(); err != nil {
		return nil, err
	}
	return t.dst, nil
}

// transcoder reads JSON from its scanner and writes protobuf to dst.
type transcoder struct {
	jsontext.Scanner
	dst []byte
}

// message writes the fields of the object that comes next.
func (t *transcoder) message(m *message) error {
	return t.Object(func(key []byte) error {
		f, ok := m.fields[string(key)]
		if !ok {
			return t.Skip()
		}
		err := t.field(f)
		var placed *jsontext.Error
		switch {
		case err == nil || errors.Is(err, ErrNoRoom):
			return err
		case !errors.As(err, &placed):
			placed = &jsontext.Error{Offset: t.Pos(), Message: err.Error()}
		}
		if placed.Field == "" {
			placed.Field = f.name
		}
		return placed
	})
}

func (t *transcoder) field(f *field) error {
	if t.Null() {
		return nil
	}
	switch {
	case !f.list:
		return t.value(f)
	case f.kind == embedded:
		return t.Array(func() error { return t.value(f) })
	}
	start, err := t.open(f.number)
	if err != nil {
		return err
	}
	if err := t.Array(func() error { return t.scalar(f) }); err != nil {
		return err
	}
	return t.close(start)
}

// value writes one value with its tag.
func (t *transcoder) value(f *field) error {
	switch f.kind {
	case embedded:
		start, err := t.open(f.number)
		if err != nil {
			return err
		}
		if err := t.message(f.of); err != nil {
			return err
		}
		return t.close(start)
	case text, hexID, base64ed:
		start, err := t.open(f.number)
		if err != nil {
			return err
		}
		if err := t.bytes(f.kind); err != nil {
			return err
		}
		return t.close(start)
	}
	if err := t.room(maxTag); err != nil {
		return err
	}
	t.dst = protowire.AppendTag(t.dst, protowire.Number(f.number), wireTypes[f.kind])
	return t.scalar(f)
}

var wireTypes = [...]protowire.Type{
	boolean: protowire.VarintType, unsigned: protowire.VarintType, signed: protowire.VarintType,
	zigzag: protowire.VarintType, enum: protowire.VarintType,
	fixed32: protowire.Fixed32Type, fixed64: protowire.Fixed64Type, sfixed64: protowire.Fixed64Type,
	double: protowire.Fixed64Type,
}

// scalar writes one number or boolean without its tag.
func (t *transcoder) scalar(f *field) error {
	if err := t.room(binary.MaxVarintLen64); err != nil {
		return err
	}
	switch f.kind {
	case boolean:
		b, err := t.Bool()
		t.dst = protowire.AppendVarint(t.dst, protowire.EncodeBool(b))
		return err
	case unsigned:
		n, err := t.Uint()
		t.dst = protowire.AppendVarint(t.dst, n)
		return err
	case signed:
		n, err := t.Int()
		t.dst = protowire.AppendVarint(t.dst, uint64(n))
		return err
	case zigzag:
		n, err := t.Int()
		if err == nil && int64(int32(n)) != n {
			err = fmt.Errorf("%d does not fit into 32 bits", n)
		}
		t.dst = protowire.AppendVarint(t.dst, protowire.EncodeZigZag(n))
		return err
	case enum:
		n, err := t.enum(f.names)
		t.dst = protowire.AppendVarint(t.dst, uint64(n))
		return err
	case fixed32:
		n, err := t.Uint()
		if err == nil && n > math.MaxUint32 {
			err = fmt.Errorf("%d does not fit into 32 bits", n)
		}
		t.dst = protowire.AppendFixed32(t.dst, uint32(n))
		return err
	case fixed64:
		n, err := t.Uint()
		t.dst = protowire.AppendFixed64(t.dst, n)
		return err
	case sfixed64:
		n, err := t.Int()
		t.dst = protowire.AppendFixed64(t.dst, uint64(n))
		return err
	default: // double
		v, err := t.Double()
		t.dst = protowire.AppendFixed64(t.dst, math.Float64bits(v))
		return err
	}
}

// enum reads a number or one of the names.
func (t *transcoder) enum(names map[string]int64) (int64, error) {
	if t.Peek() != '"' {
		return t.Int()
	}
	before := t.Pos()
	name, err := t.ScratchString()
	if err != nil {
		return 0, err
	}
	if n, ok := names[string(name)]; ok {
		return n, nil
	}
	t.Back(before)
	n, err := t.Int()
	if err != nil {
		return 0, fmt.Errorf("%.40q is no value of this enum", name)
	}
	return n, nil
}

const (
	// maxTag is the most bytes that a tag takes here.
	maxTag = 2
	// patched is the depth up to which a length takes as few bytes as it can,
	// for which the content is moved once its length is known. Deeper lengths
	// take lengthBytes, so that moving cannot cost depth times size.
	patched     = 16
	lengthBytes = 4
)

// open begins a length-delimited field and returns where its length goes.
func (t *transcoder) open(number int) (int, error) {
	if err := t.room(maxTag + lengthBytes); err != nil {
		return 0, err
	}
	t.dst = protowire.AppendTag(t.dst, protowire.Number(number), protowire.BytesType)
	start := len(t.dst)
	t.dst = t.dst[:start+t.lengthRoom()]
	return start, nil
}

func (t *transcoder) lengthRoom() int {
	if t.Depth() > patched {
		return lengthBytes
	}
	return 1
}

// close writes the length of the field that began at start.
func (t *transcoder) close(start int) error {
	reserved := t.lengthRoom()
	n := len(t.dst) - start - reserved
	if reserved == lengthBytes {
		for i := range lengthBytes - 1 {
			t.dst[start+i] = byte(n>>(7*i)) | 0x80
		}
		t.dst[start+lengthBytes-1] = byte(n>>(7*(lengthBytes-1))) & 0x7f
		if n >= 1<<(7*lengthBytes) {
			return errors.New("a nested value is too long")
		}
		return nil
	}
	if size := protowire.SizeVarint(uint64(n)); size > reserved {
		if err := t.room(size - reserved); err != nil {
			return err
		}
		t.dst = t.dst[:len(t.dst)+size-reserved]
		copy(t.dst[start+size:], t.dst[start+reserved:start+reserved+n])
	}
	protowire.AppendVarint(t.dst[:start], uint64(n))
	return nil
}

// room makes sure that n more bytes fit.
func (t *transcoder) room(n int) error {
	if cap(t.dst)-len(t.dst) < n {
		return ErrNoRoom
	}
	return nil
}
