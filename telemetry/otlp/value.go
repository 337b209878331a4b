package otlp

import (
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// Tags of KeyValue, AnyValue, ArrayValue and KeyValueList.
const (
	tagKey      = 1<<3 | wire.LengthType
	tagKeyValue = 2<<3 | wire.LengthType

	tagString = 1<<3 | wire.LengthType
	tagBool   = 2<<3 | wire.VarintType
	tagInt    = 3<<3 | wire.VarintType
	tagDouble = 4<<3 | wire.Fixed64Type
	tagArray  = 5<<3 | wire.LengthType
	tagMap    = 6<<3 | wire.LengthType
	tagBytes  = 7<<3 | wire.LengthType
	tagIndex  = 8<<3 | wire.VarintType // string_value_strindex

	tagValues = 1<<3 | wire.LengthType // of ArrayValue and KeyValueList

	knownKeyValue = 1<<1 | 1<<2 | 1<<3
	knownAnyValue = 1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8
)

// varint reads a varint field's value; next is -1 where it is broken.
func (w *walker) varint(buf []byte, pos int) (v uint64, next int) {
	v, next = wire.Uvarint(buf, pos)
	if next < 0 {
		w.malformed(pos, badValue)
	}
	return v, next
}

// fixed reads a fixed64 field's value; next is -1 where it is broken.
func (w *walker) fixed(buf []byte, pos int) (v uint64, next int) {
	v, next = wire.Fixed64(buf, pos)
	if next < 0 {
		w.malformed(pos, badValue)
	}
	return v, next
}

// text reads a string field; next is -1 where it is broken.
func (w *walker) text(buf []byte, pos int) (s string, next int) {
	start, end := wire.Extent(buf, pos)
	if end < 0 {
		return "", w.malformed(pos, badLength)
	}
	return w.string(buf[start:end], w.maxValue), end
}

// string checks a string and repairs it. When checking it is not needed.
func (w *walker) string(p []byte, limit int) string {
	if len(p) > limit {
		w.note(valueTooLong, int64(len(p)), int64(limit))
		return ""
	}
	if w.check {
		return ""
	}
	return repaired(p)
}

// occurrences is what was seen of a field that holds a message and should occur
// once: how often it did, and the bytes of all of them, which as protobuf has it
// are the encoding of the merged message.
type occurrences struct {
	n      int
	joined []byte
}

func (o *occurrences) add(p []byte) {
	o.n++
	if o.n == 1 {
		o.joined = p[:len(p):len(p)] // appending to it copies it
		return
	}
	o.joined = append(o.joined, p...)
}

// anyValue reads a field of type AnyValue into v and returns the position after
// it, -1 where it is broken. When the message has ended, mergedValue must follow.
func (w *walker) anyValue(buf []byte, pos, limit int, seen *occurrences, v *telemetry.Value) int {
	start, end := wire.Extent(buf, pos)
	if end < 0 {
		return w.malformed(pos, badLength)
	}
	if !w.value(buf[:end], start, limit, v) {
		return -1
	}
	seen.add(buf[start:end])
	return end
}

// mergedValue reads v again where its field occurred more than once.
func (w *walker) mergedValue(limit int, seen *occurrences, v *telemetry.Value) bool {
	return seen.n < 2 || w.value(seen.joined, 0, limit, v)
}

// value reads an AnyValue. Arrays and maps are checked and kept as they are.
func (w *walker) value(buf []byte, pos, limit int, v *telemetry.Value) bool {
	if pos < len(buf) && buf[pos] == tagString {
		if start, end := wire.Extent(buf, pos+1); end == len(buf) { // as nearly always
			*v = telemetry.Value{Kind: telemetry.KindString, Str: w.string(buf[start:], limit)}
			return true
		}
	}
	*v = telemetry.Value{}
	var text []byte        // of a string or of bytes
	var nested occurrences // of the array or map that came last
	var entries int        // of the map that came last
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case tagString, tagBytes:
			start, end := wire.Extent(buf, next)
			if end < 0 {
				w.malformed(next, badLength)
				return false
			}
			v.Kind, text, pos = telemetry.KindString, buf[start:end], end
			if tag == tagBytes {
				v.Kind = telemetry.KindBytes
			}
			if len(text) > limit {
				w.note(valueTooLong, int64(len(text)), int64(limit))
			}
		case tagBool:
			v.Kind = telemetry.KindBool
			if v.Num, pos = w.varint(buf, next); v.Num != 0 {
				v.Num = 1
			}
		case tagInt:
			v.Kind = telemetry.KindInt
			v.Num, pos = w.varint(buf, next)
		case tagDouble:
			v.Kind = telemetry.KindDouble
			v.Num, pos = w.fixed(buf, next)
		case tagArray, tagMap:
			start, end := wire.Extent(buf, next)
			if end < 0 {
				w.malformed(next, badLength)
				return false
			}
			kind := telemetry.KindArray
			if tag == tagMap {
				kind = telemetry.KindMap
			}
			if v.Kind != kind {
				v.Kind, nested, entries = kind, occurrences{}, 0
			}
			if !w.nested(buf[:end], start, limit, 1, kind == telemetry.KindMap, &entries) {
				return false
			}
			nested.add(buf[start:end])
			pos = end
		case tagIndex:
			v.Kind = telemetry.KindEmpty
			_, pos = w.varint(buf, next)
		default:
			pos = w.other(buf, at, next, tag, knownAnyValue)
		}
		if pos < 0 {
			return false
		}
	}
	switch v.Kind {
	case telemetry.KindString:
		v.Num = 0
		v.Str = w.string(text, limit)
	case telemetry.KindBytes:
		v.Num = 0
		v.Str = view(text)
	case telemetry.KindArray, telemetry.KindMap:
		v.Num = 0
		v.Str = view(nested.joined)
	case telemetry.KindEmpty:
		v.Num = 0
	case telemetry.KindBool, telemetry.KindInt, telemetry.KindDouble:
	}
	return true
}

// nested checks an ArrayValue or KeyValueList, the given number of levels deep.
// It adds the entries of a map to entries. What is too deep is not looked into.
func (w *walker) nested(buf []byte, pos, limit, depth int, isMap bool, entries *int) bool {
	if depth > w.maxDepth {
		w.note(tooDeep, 0, int64(w.maxDepth))
		return true
	}
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		if tag != tagValues {
			if pos = w.other(buf, at, next, tag, 1<<1); pos < 0 {
				return false
			}
			continue
		}
		start, end := wire.Extent(buf, next)
		if end < 0 {
			w.malformed(next, badLength)
			return false
		}
		pos = end
		if !isMap {
			if !w.nestedValue(buf[:end], start, limit, depth) {
				return false
			}
			continue
		}
		if *entries++; *entries > w.maxAttributes {
			w.note(tooManyAttributes, int64(*entries), int64(w.maxAttributes))
		}
		if !w.nestedEntry(buf[:end], start, limit, depth) {
			return false
		}
	}
	return true
}

// nestedEntry checks a KeyValue inside of a value.
func (w *walker) nestedEntry(buf []byte, pos, limit, depth int) bool {
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case tagKey, tagKeyValue:
			start, end := wire.Extent(buf, next)
			if end < 0 {
				w.malformed(next, badLength)
				return false
			}
			if tag == tagKey {
				w.length(end-start, limit)
			} else if !w.nestedValue(buf[:end], start, limit, depth) {
				return false
			}
			pos = end
		case 3<<3 | wire.VarintType:
			_, pos = w.varint(buf, next)
		default:
			pos = w.other(buf, at, next, tag, knownKeyValue)
		}
		if pos < 0 {
			return false
		}
	}
	return true
}

// nestedValue checks an AnyValue inside of a value.
func (w *walker) nestedValue(buf []byte, pos, limit, depth int) bool {
	last := uint64(0)
	entries := 0
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case tagString, tagBytes:
			start, end := wire.Extent(buf, next)
			if end < 0 {
				w.malformed(next, badLength)
				return false
			}
			w.length(end-start, limit)
			pos = end
		case tagBool, tagInt, tagIndex:
			_, pos = w.varint(buf, next)
		case tagDouble:
			_, pos = w.fixed(buf, next)
		case tagArray, tagMap:
			start, end := wire.Extent(buf, next)
			if end < 0 {
				w.malformed(next, badLength)
				return false
			}
			if tag != last {
				entries = 0
			}
			if !w.nested(buf[:end], start, limit, depth+1, tag == tagMap, &entries) {
				return false
			}
			pos = end
		default:
			if pos = w.other(buf, at, next, tag, knownAnyValue); pos < 0 {
				return false
			}
			continue
		}
		if pos < 0 {
			return false
		}
		last = tag
	}
	return true
}

func (w *walker) length(n, limit int) {
	if n > limit {
		w.note(valueTooLong, int64(n), int64(limit))
	}
}
