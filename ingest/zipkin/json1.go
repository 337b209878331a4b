package zipkin

import (
	"math"
	"strconv"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// span1 reads a span of the first version.
func span1(d *jsonDecoder) error {
	d.v1.begin()
	if err := d.Object(d.field1); err != nil {
		return err
	}
	d.v1.write(d.out, &d.common)
	return nil
}

func (d *jsonDecoder) field1(key []byte) error {
	if d.Null() {
		return nil
	}
	switch string(key) {
	case "annotations":
		return named(d.Array(d.annotation1), key)
	case "binaryAnnotations":
		return named(d.Array(d.binary1), key)
	case "kind", "localEndpoint", "remoteEndpoint", "tags", "shared":
		return d.errVersion(string(key), PathV2)
	}
	return d.field(key)
}

func (d *jsonDecoder) annotation1() error {
	v := &d.v1
	v.annotation = annotation{}
	if err := d.Object(d.annotationField1); err != nil {
		return err
	}
	if a := v.annotation; a.micros != 0 || len(a.value) > 0 {
		v.annotations = spanwriter.Append(&d.out.Writer, v.annotations, a, annotationBytes)
	}
	return nil
}

func (d *jsonDecoder) annotationField1(key []byte) error {
	if string(key) != "endpoint" {
		return d.annotationField(key)
	}
	return d.endpoint1(&d.v1.annotation.at)
}

// endpoint1 reads an endpoint and sets the reference to it.
func (d *jsonDecoder) endpoint1(at *int32) error {
	if d.Null() {
		return nil
	}
	var e endpoint
	err := d.endpoint(&e)
	*at = d.v1.addEndpoint(d.out, e)
	return err
}

func (d *jsonDecoder) binary1() error {
	v := &d.v1
	v.binary = binaryAnnotation{kind: isNothing}
	if err := d.Object(d.binaryField); err != nil {
		return err
	}
	if v.binary.kind != isNothing {
		v.binaries = spanwriter.Append(&d.out.Writer, v.binaries, v.binary, binaryBytes)
	}
	return nil
}

func (d *jsonDecoder) binaryField(key []byte) error {
	if d.Null() {
		return nil
	}
	b := &d.v1.binary
	var err error
	switch string(key) {
	case "key":
		b.key, err = d.text()
	case "value":
		err = d.value1(b)
	case "endpoint":
		return d.endpoint1(&b.at)
	default:
		return d.Skip()
	}
	return err
}

// value1 reads the value of a tag of any type.
func (d *jsonDecoder) value1(b *binaryAnnotation) error {
	var err error
	switch c := d.Peek(); {
	case c == '"':
		b.kind = isText
		b.value, err = d.string()
	case c == 't' || c == 'f':
		b.kind, b.number = isBool, 0
		var v bool
		if v, err = d.Bool(); v {
			b.number = 1
		}
	case c == '-' || c >= '0' && c <= '9':
		var text []byte
		if text, err = d.Number(); err != nil {
			return err
		}
		if n, bad := strconv.ParseInt(string(text), 10, 64); bad == nil {
			b.kind, b.number = isInt, uint64(n)
		} else if f, bad := strconv.ParseFloat(string(text), 64); bad == nil {
			b.kind, b.number = isDouble, math.Float64bits(f)
		} else {
			b.kind, b.value = isText, text
		}
	default:
		return d.Skip()
	}
	return err
}
