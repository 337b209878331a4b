package otlp

import (
	"encoding/binary"
	"slices"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// attributes reads consecutive fields with the given tag, KeyValues, and adds
// them to the batch's attributes. It starts after the first tag and returns the
// position after the last field, -1 where one is broken. w.count counts them.
//
// Nearly every attribute of every sender is a key and a scalar in the shortest
// encoding; that is read by plain, everything else by attribute.
func (w *walker) attributes(buf []byte, pos int, tag byte) int {
	attrs := w.b.Attrs
	for {
		end := wire.ShortEnd(buf, pos)
		start := pos + 1
		if end < 0 {
			if start, end = wire.Extent(buf, pos); end < 0 {
				return w.malformed(pos, badLength)
			}
		}
		n := len(attrs)
		if n == cap(attrs) {
			attrs = doubled(attrs)
		}
		a := &attrs[:n+1][n]
		if !w.plain(buf[start:end], a) && !w.attribute(buf[:end], start, a) {
			return -1
		}
		w.count++
		if w.count > w.maxAttributes {
			w.note(tooManyAttributes, int64(w.count), int64(w.maxAttributes))
		} else if !w.check {
			attrs = attrs[:n+1]
		}
		pos = end
		if pos == len(buf) || buf[pos] != tag {
			w.b.Attrs = attrs
			return pos
		}
		pos++
	}
}

// doubled makes room for as many elements again: blocks are large, and what
// append adds to a large slice is a quarter, so that it would be copied often.
func doubled[T any](s []T) []T { return slices.Grow(s, max(len(s), 64)) }

// plain reads a KeyValue that is a key and a scalar and nothing else, in either
// order: SDKs write the key first, the collector's pdata writes it last. It
// reports whether it was one.
func (w *walker) plain(kv []byte, a *telemetry.Attr) bool {
	if len(kv) < 4 {
		return false
	}
	end := wire.ShortEnd(kv, 1)
	start := 2
	if end < 0 {
		if start, end = wire.Extent(kv, 1); end < 0 {
			return false
		}
	}
	if end == len(kv) {
		return false
	}
	rest := wire.ShortEnd(kv, end+1)
	second := end + 2
	if rest != len(kv) {
		if second, rest = wire.Extent(kv, end+1); rest != len(kv) {
			return false
		}
	}
	var key, value []byte
	switch {
	case kv[0] == tagKey && kv[end] == tagKeyValue:
		key, value = kv[start:end], kv[second:]
	case kv[0] == tagKeyValue && kv[end] == tagKey:
		key, value = kv[second:], kv[start:end]
	default:
		return false
	}
	if len(value) < 2 || len(key) > w.maxValue {
		return false
	}
	kind := telemetry.KindInt
	var n uint64
	switch value[0] {
	case tagString:
		first := 2
		if wire.ShortEnd(value, 1) != len(value) {
			var last int
			if first, last = wire.Extent(value, 1); last != len(value) {
				return false
			}
		}
		text := value[first:]
		if len(text) > w.maxValue {
			return false
		}
		if w.check {
			return true
		}
		if ascii(kv) { // one look at the whole, lengths included, usually does
			*a = telemetry.Attr{Key: view(key), Value: telemetry.Value{Kind: telemetry.KindString, Str: view(text)}}
		} else {
			*a = telemetry.Attr{Key: repaired(key), Value: telemetry.Value{Kind: telemetry.KindString, Str: repaired(text)}}
		}
		return true
	case tagInt, tagBool:
		var next int
		if n, next = wire.Uvarint(value, 1); next != len(value) {
			return false
		}
		if value[0] == tagBool {
			kind = telemetry.KindBool
			if n != 0 {
				n = 1
			}
		}
	case tagDouble:
		if len(value) != 9 {
			return false
		}
		kind, n = telemetry.KindDouble, binary.LittleEndian.Uint64(value[1:])
	default:
		return false
	}
	if !w.check {
		*a = telemetry.Attr{Key: repaired(key), Value: telemetry.Value{Kind: kind, Num: n}}
	}
	return true
}

// attribute reads any KeyValue.
func (w *walker) attribute(buf []byte, pos int, a *telemetry.Attr) bool {
	*a = telemetry.Attr{}
	var seen occurrences
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case tagKey:
			a.Key, pos = w.text(buf, next)
		case tagKeyValue:
			pos = w.anyValue(buf, next, w.maxValue, &seen, &a.Value)
		case 3<<3 | wire.VarintType: // key_strindex
			_, pos = w.varint(buf, next)
		default:
			pos = w.other(buf, at, next, tag, knownKeyValue)
		}
		if pos < 0 {
			return false
		}
	}
	return w.mergedValue(w.maxValue, &seen, &a.Value)
}
