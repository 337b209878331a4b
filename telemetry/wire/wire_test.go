package wire

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestUvarint(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 20_000 {
		p := make([]byte, r.IntN(14))
		for i := range p {
			p[i] = byte(r.Uint32()) | byte(r.IntN(4))<<7
		}
		want, n := protowire.ConsumeVarint(p)
		v, next := Uvarint(p, 0)
		if n < 0 && next != -1 || n >= 0 && (next != n || v != want) {
			t.Fatalf("%x: %d at %d, want %d at %d", p, v, next, want, n)
		}
	}
}

func TestExtent(t *testing.T) {
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
		start, end := Extent(c.p, 0)
		if end != c.end || end >= 0 && start != c.start {
			t.Errorf("%s: [%d, %d), want [%d, %d)", name, start, end, c.start, c.end)
		}
		short := c.end
		if c.start > 1 {
			short = -1 // the length has more than one byte
		}
		if end := ShortEnd(c.p, 0); end != short {
			t.Errorf("%s: with a length of one byte it ends at %d, want %d", name, end, short)
		}
	}
}

func TestFixed(t *testing.T) {
	p := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}
	for pos := range len(p) + 3 {
		want64, n := protowire.ConsumeFixed64(p[min(pos, len(p)):])
		if v, next := Fixed64(p, pos); n < 0 && next != -1 || n >= 0 && (next != pos+n || v != want64) {
			t.Errorf("64 bits at %d: %x, then %d", pos, v, next)
		}
		want32, n := protowire.ConsumeFixed32(p[min(pos, len(p)):])
		if v, next := Fixed32(p, pos); n < 0 && next != -1 || n >= 0 && (next != pos+n || v != want32) {
			t.Errorf("32 bits at %d: %x, then %d", pos, v, next)
		}
	}
}

// TestEdges compares lengths and signs with protowire's where bits begin and end.
func TestEdges(t *testing.T) {
	for bit := range 64 {
		for _, v := range []uint64{1 << bit, 1<<bit - 1, ^uint64(1 << bit)} {
			if got, want := UvarintLen(v), protowire.SizeVarint(v); got != want {
				t.Errorf("%#x takes %d bytes, want %d", v, got, want)
			}
			if got, want := Zigzag64(v), protowire.DecodeZigZag(v); got != want {
				t.Errorf("%#x is %d, want %d", v, got, want)
			}
			if got, want := Zigzag32(v), int32(protowire.DecodeZigZag(v&math.MaxUint32)); got != want {
				t.Errorf("%#x is %d in 32 bits, want %d", v, got, want)
			}
		}
	}
}
