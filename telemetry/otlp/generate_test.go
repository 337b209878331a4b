package otlp

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/goshawk-observability/goshawk/telemetry"
)

const testReceived = int64(1_760_000_000_000_000_000)

// generator fills requests at random, field by field from the descriptors, so
// that a field that is added to OTLP is covered without being named here.
type generator struct {
	*rand.Rand
	// faults is the chance that a value breaks a rule.
	faults float64
	filled map[protoreflect.FullName]bool
}

func newGenerator(seed uint64, faults float64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 77)), faults: faults, filled: map[protoreflect.FullName]bool{}}
}

func (g *generator) faulty() bool { return g.Float64() < g.faults }

// request returns an encoded request with random content in canonical form.
func (g *generator) request(signal telemetry.Signal) []byte {
	m := newRequest(signal)
	g.fill(m.ProtoReflect(), 0)
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return body
}

func (g *generator) fill(m protoreflect.Message, depth int) {
	d := m.Descriptor()
	for i := range d.Oneofs().Len() {
		o := d.Oneofs().Get(i)
		if o.IsSynthetic() || g.IntN(12) == 0 {
			continue
		}
		fd := o.Fields().Get(g.IntN(o.Fields().Len()))
		if d.Name() == "AnyValue" && depth > 8 {
			fd = d.Fields().ByName("int_value")
		}
		g.set(m, fd, depth)
	}
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		if o := fd.ContainingOneof(); o != nil && !o.IsSynthetic() {
			continue
		}
		if mandatory := fd.Name() == "trace_id" || fd.Name() == "span_id"; g.IntN(5) > 0 || mandatory {
			g.set(m, fd, depth)
		}
	}
	if d.Name() == "HistogramDataPoint" && !g.faulty() {
		g.fitBuckets(m)
	}
}

// fitBuckets gives a histogram one more count than bounds, or neither.
func (g *generator) fitBuckets(m protoreflect.Message) {
	counts := m.Mutable(m.Descriptor().Fields().ByName("bucket_counts")).List()
	bounds := m.Mutable(m.Descriptor().Fields().ByName("explicit_bounds")).List()
	if g.IntN(8) == 0 {
		counts.Truncate(0)
		bounds.Truncate(0)
		return
	}
	for counts.Len() <= bounds.Len() {
		counts.Append(protoreflect.ValueOfUint64(g.Uint64()))
	}
	counts.Truncate(bounds.Len() + 1)
}

func (g *generator) set(m protoreflect.Message, fd protoreflect.FieldDescriptor, depth int) {
	g.filled[fd.FullName()] = true
	switch {
	case fd.IsList():
		n := g.IntN(4)
		if depth > 10 {
			n = 0
		}
		for list := m.Mutable(fd).List(); n > 0; n-- {
			if fd.Message() != nil {
				g.fill(list.AppendMutable().Message(), depth+1)
			} else {
				list.Append(g.scalar(fd))
			}
		}
	case fd.Message() != nil:
		g.fill(m.Mutable(fd).Message(), depth+1)
	default:
		m.Set(fd, g.scalar(fd))
	}
}

func (g *generator) scalar(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(g.text())
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(g.bytes(fd.Name()))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(g.IntN(2) == 0)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(g.double())
	case protoreflect.EnumKind:
		if g.IntN(4) == 0 {
			return protoreflect.ValueOfEnum(protoreflect.EnumNumber(g.int64()))
		}
		values := fd.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(g.IntN(values.Len())).Number())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(int32(g.int64()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(g.int64()))
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(g.int64())
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(g.int64()))
	case protoreflect.Fixed64Kind:
		if strings.HasSuffix(string(fd.Name()), "time_unix_nano") {
			return protoreflect.ValueOfUint64(g.time())
		}
		return protoreflect.ValueOfUint64(uint64(g.int64()))
	}
	panic("no value for " + fd.FullName())
}

var words = []string{
	"", "service.name", "service.name", "a", "key", "http.request.method", "GET", "grüße", "日本語", "😀",
	"quote\" back\\slash", "tab\tnewline\n\x00\x1b", "\u2028\u2029\u007f", "<script>&amp;", "_long_ish_value_of_more_than_eight_bytes",
}

func (g *generator) text() string {
	s := words[g.IntN(len(words))]
	if g.IntN(10) == 0 {
		s = strings.Repeat(s, g.IntN(40))
	}
	return s
}

func (g *generator) bytes(name protoreflect.Name) []byte {
	n := g.IntN(20)
	switch name {
	case "trace_id":
		n = 16
	case "span_id", "parent_span_id":
		n = 8
	}
	if g.faulty() {
		n = g.IntN(20)
	}
	p := make([]byte, n)
	if g.faulty() {
		return p
	}
	for i := range p {
		p[i] = byte(g.Uint32())
	}
	return p
}

func (g *generator) double() float64 {
	special := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1e300, 5e-324, 1e-7, 1e20, 1e21, -1.5, 3}
	if g.IntN(2) == 0 {
		return special[g.IntN(len(special))]
	}
	return g.NormFloat64()
}

func (g *generator) int64() int64 {
	special := []int64{0, 1, -1, 127, 128, 300, math.MaxInt32, math.MinInt32, math.MaxUint32, math.MaxInt64, math.MinInt64}
	if g.IntN(2) == 0 {
		return special[g.IntN(len(special))]
	}
	return int64(g.Uint64())
}

func (g *generator) time() uint64 {
	lim := DefaultLimits()
	switch {
	case g.IntN(4) == 0:
		return 0
	case !g.faulty():
		return uint64(testReceived - int64(lim.MaxAge) + g.Int64N(int64(lim.MaxAge+lim.MaxFuture)))
	}
	special := []uint64{
		1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64,
		uint64(testReceived + int64(lim.MaxFuture)), uint64(testReceived+int64(lim.MaxFuture)) + 1,
		uint64(testReceived - int64(lim.MaxAge)), uint64(testReceived-int64(lim.MaxAge)) - 1,
	}
	return special[g.IntN(len(special))]
}

// mangle encodes a message anew in a way that means the same: fields in any
// order, embedded messages in several pieces, unknown fields, lists packed or
// not, varints longer than they need to be.
func (g *generator) mangle(d protoreflect.MessageDescriptor, p []byte) []byte {
	lists := map[protoreflect.FullName][][]byte{} // by field, a oneof counts as one
	var names []protoreflect.FullName             // one entry per element
	add := func(name protoreflect.FullName, field []byte) {
		lists[name] = append(lists[name], field)
		names = append(names, name)
	}
	for len(p) > 0 {
		number, typ, n := protowire.ConsumeTag(p)
		size := protowire.ConsumeFieldValue(number, typ, p[n:])
		value := p[n : n+size]
		p = p[n+size:]
		fd := d.Fields().ByNumber(number)
		name := fd.FullName()
		if o := fd.ContainingOneof(); o != nil {
			name = o.FullName()
			if !o.IsSynthetic() {
				for _, field := range g.decoys(o, fd) {
					add(name, field)
				}
			}
		}
		switch {
		case fd.Message() != nil:
			content, _ := protowire.ConsumeBytes(value)
			for _, piece := range g.pieces(fd, g.mangle(fd.Message(), content)) {
				add(name, g.lengthDelimited(number, piece))
			}
		case typ == protowire.BytesType && fd.IsList() && fd.Kind() != protoreflect.StringKind:
			content, _ := protowire.ConsumeBytes(value)
			for _, field := range g.list(fd, content) {
				add(name, field)
			}
		case typ == protowire.BytesType:
			content, _ := protowire.ConsumeBytes(value)
			add(name, g.lengthDelimited(number, content))
		case typ == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(value)
			if fd.Kind() == protoreflect.BoolKind && v != 0 {
				v = g.Uint64() | 1<<g.IntN(64)
			}
			add(name, append(g.tag(number, typ), g.varint(v)...))
		default:
			add(name, append(g.tag(number, typ), value...))
		}
	}
	for g.IntN(6) == 0 {
		add("unknown", g.unknown())
	}
	g.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var out []byte
	for _, name := range names {
		out = append(out, lists[name][0]...)
		lists[name] = lists[name][1:]
	}
	return out
}

// decoys returns fields of a oneof that are lost, because the given one comes
// after them: that is not merged with the last of them.
func (g *generator) decoys(o protoreflect.OneofDescriptor, real protoreflect.FieldDescriptor) (fields [][]byte) {
	for g.IntN(5) == 0 || len(fields) > 0 && g.IntN(3) > 0 {
		fd := o.Fields().Get(g.IntN(o.Fields().Len()))
		if fd == real && len(fields) == 0 {
			continue
		}
		m := dynamicpb.NewMessage(o.Parent().(protoreflect.MessageDescriptor))
		g.set(m, fd, 9)
		field, err := proto.Marshal(m)
		if err != nil {
			panic(err)
		}
		fields = append([][]byte{field}, fields...) // so the first one is next to the real one
	}
	return fields
}

// pieces cuts the encoding of a message that occurs once between its fields:
// merged, the pieces are the message again.
func (g *generator) pieces(fd protoreflect.FieldDescriptor, p []byte) [][]byte {
	if fd.IsList() || g.IntN(3) > 0 {
		return [][]byte{p}
	}
	var pieces [][]byte
	from, pos := 0, 0
	for pos < len(p) {
		pos += fieldSize(p[pos:])
		if g.IntN(3) == 0 {
			pieces = append(pieces, p[from:pos])
			from = pos
		}
	}
	return append(pieces, p[from:])
}

func fieldSize(p []byte) int {
	number, typ, n := protowire.ConsumeTag(p)
	return n + protowire.ConsumeFieldValue(number, typ, p[n:])
}

// list encodes the elements of a packed list one by one or in several lists.
func (g *generator) list(fd protoreflect.FieldDescriptor, content []byte) (fields [][]byte) {
	for len(content) > 0 {
		n := 0
		for n == 0 || n < len(content) && g.IntN(3) > 0 {
			if fd.Kind() == protoreflect.Uint64Kind {
				_, size := protowire.ConsumeVarint(content[n:])
				n += size
			} else {
				n += 8
			}
		}
		_, size := protowire.ConsumeVarint(content)
		switch {
		case g.IntN(2) == 0:
			fields = append(fields, g.lengthDelimited(fd.Number(), content[:n]))
		case fd.Kind() == protoreflect.Uint64Kind:
			n = size
			fields = append(fields, append(g.tag(fd.Number(), protowire.VarintType), content[:n]...))
		default:
			n = 8
			fields = append(fields, append(g.tag(fd.Number(), protowire.Fixed64Type), content[:n]...))
		}
		content = content[n:]
	}
	return fields
}

func (g *generator) lengthDelimited(number protowire.Number, p []byte) []byte {
	out := append(g.tag(number, protowire.BytesType), g.varint(uint64(len(p)))...)
	return append(out, p...)
}

func (g *generator) tag(number protowire.Number, typ protowire.Type) []byte {
	return g.varint(protowire.EncodeTag(number, typ))
}

// varint encodes a number, now and then with padding.
func (g *generator) varint(v uint64) []byte {
	p := binary.AppendUvarint(nil, v)
	if g.IntN(20) == 0 {
		for n := 1 + g.IntN(10); len(p) < n; {
			p[len(p)-1] |= 0x80
			p = append(p, 0)
		}
	}
	return p
}

// unknown returns a field that no message of OTLP has.
func (g *generator) unknown() []byte {
	number := protowire.Number(100 + g.IntN(800))
	switch g.IntN(5) {
	case 0:
		return append(g.tag(number, protowire.VarintType), g.varint(g.Uint64())...)
	case 1:
		return binary.LittleEndian.AppendUint64(g.tag(number, protowire.Fixed64Type), g.Uint64())
	case 2:
		return binary.LittleEndian.AppendUint32(g.tag(number, protowire.Fixed32Type), g.Uint32())
	case 3:
		return g.lengthDelimited(number, []byte(g.text()))
	}
	out := g.tag(number, protowire.StartGroupType)
	for g.IntN(3) > 0 {
		out = append(out, g.unknown()...)
	}
	return append(out, g.tag(number, protowire.EndGroupType)...)
}

func (g *generator) mangleRequest(signal telemetry.Signal, body []byte) []byte {
	return g.mangle(newRequest(signal).ProtoReflect().Descriptor(), body)
}
