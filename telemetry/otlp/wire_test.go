package otlp

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestVarint(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 20_000 {
		p := make([]byte, r.IntN(14))
		for i := range p {
			p[i] = byte(r.Uint32()) | byte(r.IntN(4))<<7
		}
		want, n := protowire.ConsumeVarint(p)
		v, next := uvarint(p, 0)
		if n < 0 && next != -1 || n >= 0 && (next != n || v != want) {
			t.Fatalf("%x: %d at %d, want %d at %d", p, v, next, want, n)
		}
	}
}

func TestExtentAt(t *testing.T) {
	for name, c := range map[string]struct {
		p          []byte
		start, end int
	}{
		"nothing":           {nil, -1, -1},
		"empty":             {[]byte{0}, 1, 1},
		"whole":             {[]byte{2, 'a', 'b'}, 1, 3},
		"one too long":      {[]byte{3, 'a', 'b'}, -1, -1},
		"padded":            {[]byte{0x82, 0x80, 0, 'a', 'b'}, 3, 5},
		"two bytes":         {append([]byte{0x80, 1}, make([]byte, 128)...), 2, 130},
		"two bytes, short":  {append([]byte{0x80, 1}, make([]byte, 127)...), -1, -1},
		"64 MiB":            {protowire.AppendVarint(nil, 64<<20), -1, -1},
		"negative":          {protowire.AppendVarint(nil, math.MaxUint64), -1, -1},
		"overflows int":     {protowire.AppendVarint(nil, 1<<63), -1, -1},
		"eleven bytes":      {append(bytes.Repeat([]byte{0x80}, 10), 0), -1, -1},
		"overflows 64 bits": {[]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2}, -1, -1},
	} {
		start, end := extentAt(c.p, 0)
		if end != c.end || end >= 0 && start != c.start {
			t.Errorf("%s: [%d, %d), want [%d, %d)", name, start, end, c.start, c.end)
		}
	}
}

// group returns groups inside each other, that deep.
func group(depth int) []byte {
	var p []byte
	for i := range depth {
		p = protowire.AppendTag(p, protowire.Number(i+100), protowire.StartGroupType)
	}
	for i := depth - 1; i >= 0; i-- {
		p = protowire.AppendTag(p, protowire.Number(i+100), protowire.EndGroupType)
	}
	return p
}

func TestSkip(t *testing.T) {
	field := func(typ protowire.Type, p ...byte) []byte {
		return append(protowire.AppendTag(nil, 100, typ), p...)
	}
	for name, c := range map[string]struct {
		p  []byte
		ok bool
	}{
		"varint":                    {field(protowire.VarintType, 0xff, 1), true},
		"varint, cut off":           {field(protowire.VarintType, 0xff), false},
		"fixed64":                   {field(protowire.Fixed64Type, 1, 2, 3, 4, 5, 6, 7, 8), true},
		"fixed64, cut off":          {field(protowire.Fixed64Type, 1, 2, 3, 4, 5, 6, 7), false},
		"fixed32":                   {field(protowire.Fixed32Type, 1, 2, 3, 4), true},
		"fixed32, cut off":          {field(protowire.Fixed32Type, 1, 2, 3), false},
		"length":                    {field(protowire.BytesType, 1, 2), true},
		"length, cut off":           {field(protowire.BytesType, 2, 2), false},
		"group":                     {group(1), true},
		"groups, as deep as may be": {group(maxGroups), true},
		"groups, deeper":            {group(maxGroups + 1), false},
		"groups, a million deep":    {group(1_000_000), false},
		"group without an end":      {group(3)[:8], false},
		"end without a group":       {field(protowire.EndGroupType), false},
		"group, another's end":      {append(group(1)[:2], protowire.AppendTag(nil, 101, protowire.EndGroupType)...), false},
		"group, field number 0":     {append(group(1)[:2], 0, 0), false},
		"wire type 6":               {field(6, 1, 2, 3, 4, 5, 6, 7, 8), false},
		"wire type 7":               {field(7, 1, 2, 3, 4, 5, 6, 7, 8), false},
	} {
		tag, pos := uvarint(c.p, 0)
		next := skip(c.p, pos, tag)
		if c.ok && next != len(c.p) || !c.ok && next != -1 {
			t.Errorf("%s: %d of %d", name, next, len(c.p))
		}
	}
}

func TestRepaired(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for n := range 40 {
		for range 500 {
			p := make([]byte, n)
			for i := range p {
				p[i] = byte('a' + r.IntN(26))
			}
			if n > 0 && r.IntN(2) == 0 {
				p[r.IntN(n)] = byte(r.Uint32())
			}
			plain := true
			for _, c := range p {
				plain = plain && c < utf8.RuneSelf
			}
			if ascii(p) != plain {
				t.Fatalf("%q: %t", p, ascii(p))
			}
			if got, want := repaired(p), strings.ToValidUTF8(string(p), "\uFFFD"); got != want {
				t.Fatalf("%q: %q, want %q", p, got, want)
			}
		}
	}
}
