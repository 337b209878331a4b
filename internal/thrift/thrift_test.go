package thrift

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
)

func protocolOf(p Protocol, transport thrift.TTransport) thrift.TProtocol {
	if p == Compact {
		return thrift.NewTCompactProtocolConf(transport, nil)
	}
	return thrift.NewTBinaryProtocolConf(transport, nil)
}

// written is what Apache Thrift writes.
func written(t testing.TB, p Protocol, write func(context.Context, thrift.TProtocol)) []byte {
	t.Helper()
	memory := thrift.NewTMemoryBuffer()
	write(t.Context(), protocolOf(p, memory))
	return memory.Bytes()
}

// everything writes a struct with a field of every type, twice: the fields with
// even ids are to be read, those with odd ids to be skipped.
func everything(ctx context.Context, w thrift.TProtocol) {
	id := int16(0)
	field := func(t thrift.TType, value func()) {
		for range 2 {
			id += 1 + id%3*20 // near and far ids are written differently
			id += id % 2
			_ = w.WriteFieldBegin(ctx, "", t, id-1)
			value()
			_ = w.WriteFieldBegin(ctx, "", t, id)
			value()
		}
	}
	field(thrift.BOOL, func() { _ = w.WriteBool(ctx, true) })
	field(thrift.BOOL, func() { _ = w.WriteBool(ctx, false) })
	field(thrift.BYTE, func() { _ = w.WriteByte(ctx, -3) })
	field(thrift.I16, func() { _ = w.WriteI16(ctx, -32768) })
	field(thrift.I32, func() { _ = w.WriteI32(ctx, -1<<31) })
	field(thrift.I64, func() { _ = w.WriteI64(ctx, -1<<63) })
	field(thrift.DOUBLE, func() { _ = w.WriteDouble(ctx, 1.5) })
	field(thrift.STRING, func() { _ = w.WriteString(ctx, "") })
	field(thrift.STRING, func() { _ = w.WriteString(ctx, strings.Repeat("x", 300)) })
	field(thrift.LIST, func() {
		_ = w.WriteListBegin(ctx, thrift.BOOL, 20)
		for i := range 20 {
			_ = w.WriteBool(ctx, i%2 == 0)
		}
	})
	field(thrift.SET, func() { _ = w.WriteSetBegin(ctx, thrift.I64, 1); _ = w.WriteI64(ctx, 9) })
	field(thrift.LIST, func() { _ = w.WriteListBegin(ctx, thrift.STRUCT, 0) })
	field(thrift.MAP, func() {
		_ = w.WriteMapBegin(ctx, thrift.STRING, thrift.BOOL, 1)
		_ = w.WriteString(ctx, "k")
		_ = w.WriteBool(ctx, true)
	})
	field(thrift.MAP, func() { _ = w.WriteMapBegin(ctx, thrift.STRING, thrift.I32, 0) })
	field(thrift.STRUCT, func() {
		_ = w.WriteStructBegin(ctx, "")
		_ = w.WriteFieldBegin(ctx, "", thrift.BOOL, 1)
		_ = w.WriteBool(ctx, true)
		_ = w.WriteFieldBegin(ctx, "", thrift.LIST, 2)
		_ = w.WriteListBegin(ctx, thrift.DOUBLE, 1)
		_ = w.WriteDouble(ctx, 2)
		_ = w.WriteFieldStop(ctx)
		_ = w.WriteStructEnd(ctx)
	})
}

// oracle reads fields as Apache Thrift does, ids and types only.
func oracle(p Protocol, body []byte) (ids []int16, types []Type, err error) {
	memory := thrift.NewTMemoryBuffer()
	_, _ = memory.Write(body)
	r := protocolOf(p, memory)
	ctx := context.Background()
	if _, err = r.ReadStructBegin(ctx); err != nil {
		return nil, nil, err
	}
	for {
		_, t, id, err := r.ReadFieldBegin(ctx)
		if err != nil {
			return nil, nil, err
		}
		if t == thrift.STOP {
			return ids, types, nil
		}
		ids, types = append(ids, id), append(types, Type(t))
		if err := r.Skip(ctx, t); err != nil {
			return nil, nil, err
		}
	}
}

func TestEveryTypeInBothProtocols(t *testing.T) {
	for _, p := range []Protocol{Binary, Compact} {
		body := written(t, p, func(ctx context.Context, w thrift.TProtocol) {
			_ = w.WriteStructBegin(ctx, "")
			everything(ctx, w)
			_ = w.WriteFieldStop(ctx)
			_ = w.WriteStructEnd(ctx)
		})
		ids, types, err := oracle(p, body)
		if err != nil {
			t.Fatal(err)
		}
		var r Reader
		r.Reset(body, p)
		last := int16(0)
		for i := range ids {
			id, kind := r.Field(last)
			if id != ids[i] || kind != types[i] {
				t.Fatalf("protocol %d, field %d: id %d of type %d, want %d of %d: %v", p, i, id, kind, ids[i], types[i], r.Err())
			}
			last = id
			if id%2 == 1 {
				r.Skip(kind)
				continue
			}
			switch kind {
			case Bool:
				if got, want := r.Bool(), i < 4; got != want {
					t.Errorf("field %d is %t", i, got)
				}
			case I16:
				if r.I16() != -32768 {
					t.Error("i16")
				}
			case I32:
				if r.I32() != -1<<31 {
					t.Error("i32")
				}
			case I64:
				if r.I64() != -1<<63 {
					t.Error("i64")
				}
			case Double:
				if r.Double() != 1.5 {
					t.Error("double")
				}
			case Bytes:
				if n := len(r.Bytes()); n != 0 && n != 300 {
					t.Errorf("a string of %d bytes", n)
				}
			default:
				r.Skip(kind)
			}
		}
		if id, kind := r.Field(last); kind != Stop || r.Left() != 0 || r.Err() != nil {
			t.Errorf("after the last field: %d, %d, %d bytes are left: %v", id, kind, r.Left(), r.Err())
		}
		for n := range body {
			r.Reset(body[:n], p)
			if r.Skip(Struct); !errors.Is(r.Err(), ErrMalformed) {
				t.Fatalf("protocol %d, cut off at %d of %d: %v", p, n, len(body), r.Err())
			}
		}
	}
}

func TestHostileText(t *testing.T) {
	for name, c := range map[string]struct {
		p    Protocol
		body string
		want string
	}{
		"negative length":          {Binary, "\x0b\x00\x01\xff\xff\xff\xff", "past the end"},
		"length of 2 GiB":          {Binary, "\x0b\x00\x01\x7f\xff\xff\xff", "past the end"},
		"compact, huge length":     {Compact, "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "past the end"},
		"compact, endless number":  {Compact, "\x16" + strings.Repeat("\x80", 20), "too long"},
		"compact, large i16":       {Compact, "\x14\xff\xff\xff\xff\x0f", "too large"},
		"a list of 2 billion":      {Binary, "\x0f\x00\x01\x0c\x7f\xff\xff\xff", "past the end"},
		"a map of 2 billion":       {Binary, "\x0d\x00\x01\x0c\x0c\x7f\xff\xff\xff", "past the end"},
		"an unknown type":          {Binary, "\x63\x00\x01", "not known"},
		"a list of nothing":        {Binary, "\x0f\x00\x01\x01\x00\x00\x00\x01\x00", "not known"},
		"compact, an unknown type": {Compact, "\x1d", "not known"},
		"deep structs":             {Compact, strings.Repeat("\x1c", 1<<20), "nested too deeply"},
		"deep lists":               {Compact, "\x19" + strings.Repeat("\x19", 1<<20), "nested too deeply"},
		"deep maps":                {Binary, "\x0d\x00\x01" + strings.Repeat("\x0d\x0d\x00\x00\x00\x01", 1<<16), "nested too deeply"},
	} {
		t.Run(name, func(t *testing.T) {
			var r Reader
			r.Reset([]byte(c.body), c.p)
			if r.Skip(Struct); !errors.Is(r.Err(), ErrMalformed) || !strings.Contains(r.Err().Error(), c.want) {
				t.Errorf("error is %v, want one with %q", r.Err(), c.want)
			}
		})
	}
}

// FuzzSkip holds the reader against Apache Thrift's: where both take a struct it
// has the same fields. Apache Thrift is more lenient with padded numbers.
func FuzzSkip(f *testing.F) {
	for _, p := range []Protocol{Binary, Compact} {
		f.Add(byte(p), written(f, p, func(ctx context.Context, w thrift.TProtocol) {
			everything(ctx, w)
			_ = w.WriteFieldStop(ctx)
		}))
	}
	f.Fuzz(func(t *testing.T, b byte, body []byte) {
		p := Protocol(b % 2)
		var r Reader
		r.Reset(body, p)
		var ids []int16
		var types []Type
		for last := int16(0); ; {
			id, kind := r.Field(last)
			if kind == Stop {
				break
			}
			last = id
			ids, types = append(ids, id), append(types, kind)
			r.Skip(kind)
		}
		if r.Err() != nil {
			return
		}
		wantIDs, wantTypes, err := oracle(p, body)
		if err != nil {
			return
		}
		if len(ids) != len(wantIDs) {
			t.Fatalf("%d fields, want %d", len(ids), len(wantIDs))
		}
		for i := range ids {
			if ids[i] != wantIDs[i] || types[i] != wantTypes[i] {
				t.Fatalf("field %d is %d of type %d, want %d of %d", i, ids[i], types[i], wantIDs[i], wantTypes[i])
			}
		}
	})
}
