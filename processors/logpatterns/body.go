package logpatterns

import (
	"encoding/binary"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/logpattern"
)

// shape returns the shape of a body, empty if it has none: of a string, of what a
// person is told by a map, or of the keys of a map.
func (p *Processor) shape(v *telemetry.Value) []byte {
	switch v.Kind {
	case telemetry.KindString:
		return p.masker.Shape(v.Str)
	case telemetry.KindMap:
		text, ok := p.message(v.Str)
		if ok {
			return p.masker.Shape(text)
		}
		if len(p.keys) > 0 {
			return p.masker.ShapeOfKeys(p.keys)
		}
	case telemetry.KindBool, telemetry.KindInt, telemetry.KindDouble:
		return p.masker.Shape(logpattern.Wild)
	case telemetry.KindEmpty, telemetry.KindArray, telemetry.KindBytes:
	}
	return nil
}

// Fields of OTLP's messages, with their type: a length and so many bytes.
const (
	listValues  = 1<<3 | 2 // of KeyValueList
	pairKey     = 1<<3 | 2 // of KeyValue
	pairValue   = 2<<3 | 2
	valueString = 1<<3 | 2 // of AnyValue
)

// maxKeys is how many keys of a map count.
const maxKeys = 256

// message returns the message of an encoded KeyValueList, and leaves its keys in
// keys.
func (p *Processor) message(list string) (text string, ok bool) {
	best := 0
	p.keys = p.keys[:0]
	eachField(list, func(tag uint64, pair string) {
		if tag != listValues {
			return
		}
		var key, value string
		eachField(pair, func(tag uint64, field string) {
			switch tag {
			case pairKey:
				key = field
			case pairValue:
				value = field
			}
		})
		if len(p.keys) < maxKeys {
			p.keys = append(p.keys, key)
		}
		rank := logpattern.MessageRank(key)
		if rank <= best {
			return
		}
		eachField(value, func(tag uint64, field string) {
			if tag == valueString {
				text, best = field, rank
			}
		})
	})
	return text, best > 0
}

// eachField calls f with every field of a message that has a length, as far as the
// message is well formed.
func eachField(message string, f func(tag uint64, field string)) {
	for message != "" {
		tag, n := uvarint(message)
		if n <= 0 {
			return
		}
		message = message[n:]
		length, n := uvarint(message)
		switch tag & 7 {
		case 0: // a number
			if n <= 0 {
				return
			}
			message = message[n:]
		case 1: // eight bytes
			if len(message) < 8 {
				return
			}
			message = message[8:]
		case 5: // four bytes
			if len(message) < 4 {
				return
			}
			message = message[4:]
		case 2:
			if n <= 0 || length > uint64(len(message)-n) {
				return
			}
			f(tag, message[n:n+int(length)])  //nolint:gosec // no more than there is
			message = message[n+int(length):] //nolint:gosec // no more than there is
		default:
			return
		}
	}
}

// uvarint is binary.Uvarint of a string.
func uvarint(s string) (value uint64, n int) {
	for i := range min(len(s), binary.MaxVarintLen64) {
		value |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return value, i + 1
		}
	}
	return 0, 0
}
