package otlp

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// AppendText appends the value as it is stored in a map of attributes: a string
// as it is, a number or bool in JSON's notation, bytes in base64, an array or
// map as JSON, nothing for an empty value.
func AppendText(dst []byte, v *telemetry.Value) []byte {
	switch v.Kind {
	case telemetry.KindString:
		return append(dst, v.Str...)
	case telemetry.KindBytes:
		return base64.StdEncoding.AppendEncode(dst, bytesOf(v.Str))
	case telemetry.KindDouble:
		return appendDouble(dst, v.Double(), "")
	case telemetry.KindEmpty:
		return dst
	case telemetry.KindBool, telemetry.KindInt, telemetry.KindArray, telemetry.KindMap:
	}
	return AppendJSON(dst, v)
}

// AppendJSON appends the value as JSON. Integers are numbers of any size, NaN
// and the infinities are the strings "NaN", "Infinity" and "-Infinity", bytes
// are base64, an empty value is null. Text that is not UTF-8 is repaired. Of a
// map's entries with the same key the last one is rendered.
//
// The result is valid JSON whatever is in the value: an array or map that is
// broken ends where it breaks.
func AppendJSON(dst []byte, v *telemetry.Value) []byte {
	switch v.Kind {
	case telemetry.KindString:
		return appendString(dst, v.Str)
	case telemetry.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case telemetry.KindInt:
		return strconv.AppendInt(dst, v.Int(), 10)
	case telemetry.KindDouble:
		return appendDouble(dst, v.Double(), `"`)
	case telemetry.KindArray:
		return appendArray(dst, bytesOf(v.Str), 1)
	case telemetry.KindMap:
		return appendMap(dst, bytesOf(v.Str), 1)
	case telemetry.KindBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, bytesOf(v.Str))
		return append(dst, '"')
	case telemetry.KindEmpty:
	}
	return append(dst, "null"...)
}

// appendDouble appends a number in the shortest form that reads back the same,
// with an exponent where JavaScript would use one. What is not a number is put
// in quotes. With quotes, in a document, what is beyond 64 bits has an exponent
// as well: parsers take digits alone for an integer, and ClickHouse's refuses
// the whole document for one that it cannot hold.
func appendDouble(dst []byte, f float64, quote string) []byte {
	var word string
	switch {
	case math.IsNaN(f):
		word = "NaN"
	case math.IsInf(f, 1):
		word = "Infinity"
	case math.IsInf(f, -1):
		word = "-Infinity"
	default:
		largest := 1e21
		if quote != "" {
			largest = 1 << 63
		}
		if abs := math.Abs(f); abs == 0 || abs >= 1e-6 && abs < largest {
			return strconv.AppendFloat(dst, f, 'f', -1, 64)
		}
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		if n := len(dst); dst[n-4] == 'e' && dst[n-2] == '0' { // e-09 is e-9
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst
	}
	dst = append(dst, quote...)
	dst = append(dst, word...)
	return append(dst, quote...)
}

// appendString appends a JSON string, repaired where it is not UTF-8.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	done := 0 // s is appended up to here
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				if r == '\u2028' || r == '\u2029' { // line ends to JavaScript
					dst = append(dst, s[done:i]...)
					dst = append(dst, '\\', 'u', '2', '0', '2', hex[r&15])
					done = i + size
				}
				i += size
				continue
			}
			dst = append(dst, s[done:i]...)
			for r == utf8.RuneError && size == 1 { // a run becomes one character
				i++
				r, size = utf8.DecodeRuneInString(s[i:])
			}
			dst, done = append(dst, replacement...), i
			continue
		}
		dst = append(dst, s[done:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		done = i
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// field returns the next length-delimited field at or after pos that has the
// number 1, or the tag also: its tag, its extent, and the position after it, -1
// where there is none. The number 1 has the values of an array, the entries of a
// map, and the key of an entry.
func field(buf []byte, pos int, also uint64) (tag uint64, start, end, next int) {
	for pos >= 0 && pos < len(buf) {
		tag, after := wire.Uvarint(buf, pos)
		if after < 0 {
			break
		}
		if tag == tagValues || tag == also {
			start, end := wire.Extent(buf, after)
			return tag, start, end, end
		}
		pos = skip(buf, after, tag)
	}
	return 0, 0, 0, -1
}

// appendArray appends an ArrayValue that is the given number of levels deep.
func appendArray(dst, buf []byte, level int) []byte {
	dst = append(dst, '[')
	first := len(dst)
	for pos := 0; ; {
		_, start, end, next := field(buf, pos, tagValues)
		if next < 0 {
			return append(dst, ']')
		}
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, buf[start:end], level)
		pos = next
	}
}

// appendMap appends a KeyValueList that is the given number of levels deep.
func appendMap(dst, buf []byte, level int) []byte {
	var later lastKeys
	later.find(buf)
	dst = append(dst, '{')
	first := len(dst)
	for pos := 0; ; {
		_, start, end, next := field(buf, pos, tagValues)
		if next < 0 {
			return append(dst, '}')
		}
		entry := buf[start:end]
		pos = next
		key, value := entryOf(entry)
		if !later.last(buf, key, next) {
			continue
		}
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = appendString(dst, view(key))
		dst = append(dst, ':')
		dst = appendValue(dst, value, level)
	}
}

// entryOf returns a KeyValue's key and the encoding of its value.
func entryOf(entry []byte) (key, value []byte) {
	var seen occurrences
	for pos := 0; ; {
		tag, start, end, next := field(entry, pos, tagKeyValue)
		if next < 0 {
			return key, seen.joined
		}
		if tag == tagKey {
			key = entry[start:end]
		} else {
			seen.add(entry[start:end])
		}
		pos = next
	}
}

// lastKeys finds out which of a map's entries with the same key is the last. A
// small map is searched, a large one is indexed.
type lastKeys struct {
	after map[string]int // position after the last entry of a key; nil for a small map
}

// smallMap is the largest number of entries that are searched one by one.
const smallMap = 32

func (l *lastKeys) find(buf []byte) {
	entries := 0
	for pos := 0; ; entries++ {
		if _, _, _, pos = field(buf, pos, tagValues); pos < 0 {
			break
		}
	}
	if entries <= smallMap {
		return
	}
	l.after = make(map[string]int, entries)
	for pos := 0; ; {
		_, start, end, next := field(buf, pos, tagValues)
		if next < 0 {
			return
		}
		key, _ := entryOf(buf[start:end])
		l.after[view(key)] = next
		pos = next
	}
}

// last reports whether no entry with the key follows the position.
func (l *lastKeys) last(buf, key []byte, pos int) bool {
	if l.after != nil {
		return l.after[view(key)] == pos
	}
	for {
		_, start, end, next := field(buf, pos, tagValues)
		if next < 0 {
			return true
		}
		if other, _ := entryOf(buf[start:end]); string(other) == string(key) {
			return false
		}
		pos = next
	}
}

// appendValue appends an AnyValue that is in an array or map of the given level.
func appendValue(dst, buf []byte, level int) []byte {
	var v telemetry.Value
	var nested occurrences
	for pos := 0; pos >= 0 && pos < len(buf); {
		tag, next := wire.Uvarint(buf, pos)
		if next < 0 {
			break
		}
		switch tag {
		case tagString, tagBytes, tagArray, tagMap:
			start, end := wire.Extent(buf, next)
			if end < 0 {
				return append(dst, "null"...)
			}
			kind := kindOfTag(tag)
			if kind != v.Kind {
				nested = occurrences{}
			}
			if v.Kind, pos = kind, end; tag == tagArray || tag == tagMap {
				nested.add(buf[start:end])
			} else {
				v.Str = view(buf[start:end])
			}
		case tagBool, tagInt, tagIndex:
			v.Kind = kindOfTag(tag)
			v.Num, pos = wire.Uvarint(buf, next)
		case tagDouble:
			v.Kind = telemetry.KindDouble
			v.Num, pos = wire.Fixed64(buf, next)
		default:
			pos = skip(buf, next, tag)
		}
	}
	switch v.Kind {
	case telemetry.KindArray, telemetry.KindMap:
		if level >= deepest {
			return append(dst, "null"...)
		}
		if v.Kind == telemetry.KindArray {
			return appendArray(dst, nested.joined, level+1)
		}
		return appendMap(dst, nested.joined, level+1)
	case telemetry.KindEmpty, telemetry.KindString, telemetry.KindBool, telemetry.KindInt,
		telemetry.KindDouble, telemetry.KindBytes:
	}
	return AppendJSON(dst, &v)
}

// kindOfTag returns the kind of value that a field of AnyValue holds.
func kindOfTag(tag uint64) telemetry.Kind {
	switch tag {
	case tagString:
		return telemetry.KindString
	case tagBool:
		return telemetry.KindBool
	case tagInt:
		return telemetry.KindInt
	case tagArray:
		return telemetry.KindArray
	case tagMap:
		return telemetry.KindMap
	case tagBytes:
		return telemetry.KindBytes
	}
	return telemetry.KindEmpty
}
