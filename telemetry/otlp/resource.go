package otlp

import (
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// unknownService is the service of a resource that does not name its own, as
// the OpenTelemetry resource conventions have it.
const unknownService = "unknown_service"

// resourceMessage merges a Resource into the current resource row.
func (w *walker) resourceMessage(buf []byte, pos int) bool {
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case 1<<3 | wire.LengthType:
			pos = w.attributes(buf, next, byte(tag))
		case 2<<3 | wire.VarintType:
			w.b.Resources[w.resource].DroppedAttrs, pos = w.uint32(buf, next)
		case 3<<3 | wire.LengthType:
			pos = w.entityRef(buf, next)
		default:
			pos = w.other(buf, at, next, tag, 1<<1|1<<2|1<<3)
		}
		if pos < 0 {
			return false
		}
	}
	return true
}

// entityRef checks an EntityRef, of which nothing is kept, and returns the
// position after it, -1 where it is broken.
func (w *walker) entityRef(buf []byte, pos int) int {
	start, end := wire.Extent(buf, pos)
	if end < 0 {
		return w.malformed(pos, badLength)
	}
	for pos = start; pos >= 0 && pos < end; {
		at := pos
		tag, next := wire.Uvarint(buf[:end], pos)
		switch tag {
		case 1<<3 | wire.LengthType, 2<<3 | wire.LengthType, 3<<3 | wire.LengthType, 4<<3 | wire.LengthType:
			pos = w.stepOver(buf[:end], next)
		default:
			pos = w.other(buf[:end], at, next, tag, 1<<1|1<<2|1<<3|1<<4)
		}
	}
	return pos
}

// finishResource sets what follows from the resource's attributes, which start
// at the given index.
func (w *walker) finishResource(attrs uint32) {
	r := &w.b.Resources[w.resource]
	r.Attrs = telemetry.Range{Start: attrs, End: uint32(len(w.b.Attrs))}
	r.Service = unknownService
	if w.check {
		return
	}
	list := w.b.AttrsOf(r.Attrs)
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Key != "service.name" {
			continue
		}
		switch v := &list[i].Value; {
		case v.Kind == telemetry.KindString && v.Str != "":
			r.Service = v.Str
		case v.Kind != telemetry.KindString && v.Kind != telemetry.KindEmpty:
			r.Service = string(AppendText(nil, v))
		}
		return
	}
}

// scopeMessage merges an InstrumentationScope into the current scope row.
func (w *walker) scopeMessage(buf []byte, pos int) bool {
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		s := &w.b.Scopes[w.scope]
		switch tag {
		case 1<<3 | wire.LengthType:
			s.Name, pos = w.text(buf, next)
		case 2<<3 | wire.LengthType:
			s.Version, pos = w.text(buf, next)
		case 3<<3 | wire.LengthType:
			pos = w.attributes(buf, next, byte(tag))
		case 4<<3 | wire.VarintType:
			s.DroppedAttrs, pos = w.uint32(buf, next)
		default:
			pos = w.other(buf, at, next, tag, 1<<1|1<<2|1<<3|1<<4)
		}
		if pos < 0 {
			return false
		}
	}
	return true
}
