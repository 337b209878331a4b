package zipkin

import (
	"errors"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/internal/jsontext"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// jsonDecoder reads a list of spans in JSON.
type jsonDecoder struct {
	jsontext.Scanner
	maxDepth int
	span     span
	out      *spanwriter.Splitter
	common   common
	v1       v1
	// unescaped holds the texts of the current span that had escapes.
	unescaped []byte
}

// span reads the span that comes next, of one of the versions.
type span func(d *jsonDecoder) error

func newJSON(limits otlp.Limits, claim func(int64) error, maxDepth int, s span) gateway.Splitter {
	return spanwriter.New(limits, claim, &jsonDecoder{maxDepth: maxDepth, span: s})
}

// Decode implements [spanwriter.Decoder].
func (d *jsonDecoder) Decode(s *spanwriter.Splitter, body []byte) error {
	d.Scanner.Reset(body, d.maxDepth)
	d.out = s
	d.common.index = -1
	if err := d.Array(d.next); err != nil {
		return located(err, d.common.index)
	}
	return d.End()
}

// Reset implements [spanwriter.Decoder].
func (d *jsonDecoder) Reset() {
	d.Scanner.Reset(nil, d.maxDepth)
	d.out, d.common = nil, common{}
	d.v1.reset()
	d.unescaped = nil
}

// errFull stops the walk where memory ran out; the splitter knows why.
var errFull = errors.New("out of memory")

func (d *jsonDecoder) next() error {
	start(d.out, &d.common, d.common.index+1)
	d.unescaped = d.unescaped[:0]
	if err := d.span(d); err != nil {
		return err
	}
	if d.out.Full() {
		return errFull
	}
	return nil
}

// located says in which span the trouble is.
func located(err error, index int) error {
	var e *jsontext.Error
	if index >= 0 && errors.As(err, &e) {
		if e.Field == "" {
			e.Field = spanAt(index)
		} else {
			e.Field = spanAt(index) + ", " + e.Field
		}
	}
	return err
}

// text takes a string, or a number or a boolean as text.
func (d *jsonDecoder) text() ([]byte, error) {
	switch c := d.Peek(); {
	case c == 't' || c == 'f':
		v, err := d.Bool()
		if v {
			return []byte("true"), err
		}
		return []byte("false"), err
	case c == '-' || c >= '0' && c <= '9':
		return d.Number()
	}
	return d.string()
}

// string takes a string.
func (d *jsonDecoder) string() ([]byte, error) {
	return d.KeptString(&d.unescaped, keptUnescaped, d.out)
}

// keptUnescaped is up to which size nothing is claimed for unescaped texts.
const keptUnescaped = 16 << 10

// errVersion tells that spans were sent to the path of the other version.
func (d *jsonDecoder) errVersion(field, path string) error {
	return d.Errorf("%s is not a field of this version of spans; send them to %s", field, path)
}

// span2 reads a span of the second version.
func span2(d *jsonDecoder) error {
	if err := d.Object(d.field2); err != nil {
		return err
	}
	if d.common.valid(d.out) {
		d.common.write(d.out)
	}
	return nil
}

func (d *jsonDecoder) field2(key []byte) error {
	c := &d.common
	if d.Null() {
		return nil
	}
	var err error
	switch string(key) {
	case "kind":
		var name []byte
		name, err = d.string()
		if c.kind = kindNamed(name); c.kind == spanwriter.KindUnspecified {
			c.kindTag = name
		}
	case "localEndpoint":
		c.local = endpoint{}
		err = d.endpoint(&c.local)
	case "remoteEndpoint":
		c.remote = endpoint{}
		err = d.endpoint(&c.remote)
	case "annotations":
		return d.Array(d.annotation)
	case "tags":
		err = d.tags()
	case "shared":
		c.shared, err = d.Bool()
	case "binaryAnnotations":
		return d.errVersion("binaryAnnotations", PathV1)
	default:
		return d.field(key)
	}
	return named(err, key)
}

// field reads a field that both versions have.
func (d *jsonDecoder) field(key []byte) error {
	c := &d.common
	var text []byte
	var n int64
	var err error
	switch string(key) {
	case "traceId":
		if text, err = d.ScratchString(); err == nil {
			c.traceIDText(text)
		}
	case "id":
		if text, err = d.ScratchString(); err == nil {
			c.idText(text)
		}
	case "parentId":
		if text, err = d.ScratchString(); err == nil {
			c.parentText(text)
		}
	case "name":
		c.name, err = d.text()
	case "timestamp":
		n, err = d.Int()
		c.timestamp = microsOf(n)
	case "duration":
		n, err = d.Int()
		c.duration = microsOf(n)
	case "debug":
		c.debug, err = d.Bool()
	default:
		return d.Skip()
	}
	return named(err, key)
}

// named says which field the trouble is in, if there is any.
func named(err error, field []byte) error {
	if err != nil {
		name(err, string(field))
	}
	return err
}

func name(err error, field string) {
	var e *jsontext.Error
	if errors.As(err, &e) && e.Field == "" {
		e.Field = field
	}
}

// tags reads the tags, whose names are kept in full.
func (d *jsonDecoder) tags() error {
	if err := d.Enter('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.Next('}', first)
		if err != nil || !more {
			return err
		}
		key, err := d.string()
		if err != nil {
			return err
		}
		if err := d.Want(':'); err != nil {
			return err
		}
		if d.Null() {
			continue
		}
		value, err := d.text()
		if err != nil {
			return err
		}
		d.common.tag(d.out, key, value)
	}
}

func (d *jsonDecoder) annotation() error {
	d.v1.annotation = annotation{}
	if err := d.Object(d.annotationField); err != nil {
		return err
	}
	if a := &d.v1.annotation; a.micros != 0 || len(a.value) > 0 {
		d.common.annotation(d.out, a.micros, a.value)
	}
	return nil
}

func (d *jsonDecoder) annotationField(key []byte) error {
	if d.Null() {
		return nil
	}
	a := &d.v1.annotation
	var err error
	switch string(key) {
	case "timestamp":
		var n int64
		n, err = d.Int()
		a.micros = microsOf(n)
	case "value":
		a.value, err = d.text()
	default:
		return d.Skip()
	}
	return named(err, key)
}

func (d *jsonDecoder) endpoint(into *endpoint) error {
	d.v1.endpoint = endpoint{}
	err := d.Object(d.endpointField)
	*into = d.v1.endpoint
	return err
}

func (d *jsonDecoder) endpointField(key []byte) error {
	if d.Null() {
		return nil
	}
	e := &d.v1.endpoint
	var text []byte
	var err error
	switch string(key) {
	case "serviceName":
		e.service, err = d.text()
	case "ipv4", "ipv6":
		if text, err = d.ScratchString(); err == nil {
			e.addressText(text)
		}
	case "port":
		var n int64
		n, err = d.Int()
		e.setPort(n)
	default:
		return d.Skip()
	}
	return err
}
