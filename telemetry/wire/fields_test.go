package wire

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestFieldsReadWhatProtowireWrites(t *testing.T) {
	message := protowire.AppendTag(nil, 1, protowire.BytesType)
	message = protowire.AppendBytes(message, bytes.Repeat([]byte("x"), 200))
	message = protowire.AppendTag(message, 2, protowire.VarintType)
	message = protowire.AppendVarint(message, 1<<63)
	message = protowire.AppendTag(message, 1000, protowire.StartGroupType)
	message = protowire.AppendTag(message, 5, protowire.Fixed32Type)
	message = protowire.AppendFixed32(message, 5)
	message = protowire.AppendTag(message, 1000, protowire.EndGroupType)
	message = protowire.AppendTag(message, 3, protowire.Fixed64Type)
	message = protowire.AppendFixed64(message, 7)

	read := func(message []byte) (text []byte, n, fixed uint64, broken bool) {
		f := FieldsOf(message)
		for f.Next() {
			switch f.Tag {
			case 1<<3 | LengthType:
				text = f.Bytes()
			case 2<<3 | VarintType:
				n = f.Varint()
			case 3<<3 | Fixed64Type:
				fixed = f.Fixed64()
			default:
				f.Skip(1<<1 | 1<<2 | 1<<3)
			}
		}
		return text, n, fixed, f.Broken()
	}
	if text, n, fixed, broken := read(message); len(text) != 200 || n != 1<<63 || fixed != 7 || broken {
		t.Errorf("read %d bytes, %d and %d, broken: %t", len(text), n, fixed, broken)
	}
	for n := range message {
		whole := n == 0 || n == 203 || n == 214 || n == 223 // between two fields
		if _, _, _, broken := read(message[:n]); broken == whole {
			t.Errorf("cut off at %d of %d, broken: %t", n, len(message), broken)
		}
	}
	for name, message := range map[string]string{
		"a known field of another type": "\x08\x01", "field 0": "\x00\x01", "an end without a start": "\x0c", "a type that is none": "\x0f",
		"a length beyond the end": "\x0a\xff\xff\xff\xff\x0f", "a number without an end": "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		if _, _, _, broken := read([]byte(message)); !broken {
			t.Errorf("%s is taken", name)
		}
	}
}
