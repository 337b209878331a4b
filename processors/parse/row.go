package parse

import (
	"strconv"
	"unsafe"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/flatjson"
)

// row is what a body says of its record, before it is sure that the body can be
// read.
type row struct {
	// start is where the record's attributes begin, at the end of the batch's:
	// those that it had and those that were added.
	start, added int
	// left is how many fields stay in the body only.
	left   uint32
	filter keyFilter

	severity     uint8
	severityText string
	traceID      telemetry.TraceID
	spanID       telemetry.SpanID
	time         int64
	// What the record itself says is not replaced.
	wantSeverity, wantTrace, wantTime bool
	// from and to are the times between which the body's may be.
	from, to int64
}

// begin copies the attributes of a record to the end of the batch's, where
// there is room for more.
func (p *Processor) begin(b *telemetry.Batch, l *telemetry.Log) {
	received := b.Records[b.Resources[l.Resource].Record].ReceiveTime
	r := &p.row
	*r = row{
		start:        len(b.Attrs),
		wantSeverity: l.Severity == 0 && p.cfg.Severity,
		wantTrace:    l.TraceID.IsZero() && l.SpanID.IsZero(),
		wantTime:     l.Time == l.Observed || l.Time == received,
		from:         received - int64(p.cfg.MaxAge),
		to:           received + int64(p.cfg.MaxFuture),
	}
	b.Attrs = append(b.Attrs, b.AttrsOf(l.Attrs)...)
	for i := r.start; i < len(b.Attrs); i++ {
		r.filter.add(b.Attrs[i].Key)
	}
}

// commit gives the record what its body says.
func (p *Processor) commit(b *telemetry.Batch, l *telemetry.Log) {
	r := &p.row
	if r.added == 0 {
		b.Attrs = b.Attrs[:r.start]
	} else {
		l.Attrs = telemetry.Range{Start: uint32(r.start), End: uint32(len(b.Attrs))}
	}
	l.DroppedAttrs += r.left
	if r.severity != 0 {
		if l.Severity = r.severity; l.SeverityText == "" {
			l.SeverityText = r.severityText
		}
	}
	if !r.traceID.IsZero() {
		l.TraceID = r.traceID
	}
	if !r.spanID.IsZero() {
		l.SpanID = r.spanID
	}
	if r.time != 0 {
		l.Time = r.time
	}
}

// member takes one field: as severity, trace or time, or else as an attribute.
func (p *Processor) member(b *telemetry.Batch, path []byte, m *flatjson.Member) {
	r, before := &p.row, p.text
	key := m.Key
	if len(path) > 0 || m.KeyEscaped {
		if len(path)+len(key) > 6*p.cfg.MaxKeyBytes {
			r.left++
			return
		}
		key = p.joined(path, m)
	}
	if key == "" {
		return
	}
	text := m.Raw
	if m.Escaped {
		text = p.unescaped(m.Raw)
	}
	if p.take(wellKnown(key), text, m.Kind) {
		return
	}
	v, ok := p.value(text, m.Kind)
	switch {
	case !ok || len(key) > p.cfg.MaxKeyBytes || r.added == p.cfg.MaxFields:
		r.left++
	case r.filter.has(key) && hasKey(b.Attrs[r.start:], key):
	default:
		r.filter.add(key)
		r.added++
		b.Attrs = append(b.Attrs, telemetry.Attr{Key: key, Value: v})
		return
	}
	p.text = before
}

// value is that of an attribute; ok is false for one that cannot be cut.
func (p *Processor) value(text string, kind flatjson.Kind) (v telemetry.Value, ok bool) {
	switch kind {
	case flatjson.True:
		return telemetry.BoolValue(true), true
	case flatjson.False:
		return telemetry.BoolValue(false), true
	case flatjson.Number:
		return number(text), true
	case flatjson.Array, flatjson.Object:
		return telemetry.StringValue(text), len(text) <= p.cfg.MaxValueBytes
	}
	return telemetry.StringValue(cut(text, p.cfg.MaxValueBytes)), true
}

// number is a number as JSON writes them: an integer or a double if that holds
// it, else its digits.
func number(text string) telemetry.Value {
	if n, ok := integer(text); ok {
		return telemetry.IntValue(n)
	}
	whole := true
	for i := range len(text) {
		if c := text[i]; c == '.' || c|0x20 == 'e' {
			whole = false
			break
		}
	}
	if !whole {
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return telemetry.DoubleValue(f)
		}
	}
	return telemetry.StringValue(text)
}

// integer reads an integer of up to 18 digits, and others that fit by the
// slower way.
func integer(text string) (int64, bool) {
	digits := text
	if digits != "" && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) > 18 {
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	}
	var n int64
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, digits != ""
}

// cut shortens a text to so many bytes, not within a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for i := 0; i < 3 && limit > 0 && s[limit]&0xc0 == 0x80; i++ {
		limit--
	}
	return s[:limit]
}

// joined returns the path and key of a member as one string.
func (p *Processor) joined(path []byte, m *flatjson.Member) string {
	start := p.room(len(path) + len(m.Key))
	p.text = flatjson.AppendText(append(p.text, path...), m.Key, m.KeyEscaped)
	return view(p.text[start:])
}

// unescaped returns a string without its escapes.
func (p *Processor) unescaped(raw string) string {
	start := p.room(len(raw))
	p.text = flatjson.AppendText(p.text, raw, true)
	return view(p.text[start:])
}

// room makes room for n bytes of text and returns where they begin. What strings
// view is not moved.
func (p *Processor) room(n int) int {
	if cap(p.text)-len(p.text) < n {
		p.text = make([]byte, 0, max(n, textChunk, min(2*cap(p.text), textKept)))
	}
	return len(p.text)
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func hasKey(attrs []telemetry.Attr, key string) bool {
	for i := range attrs {
		if attrs[i].Key == key {
			return true
		}
	}
	return false
}

// keyFilter tells of most keys that they are not in a set.
type keyFilter [4]uint64

func (f *keyFilter) add(key string) {
	h := keyHash(key)
	f[h>>6&3] |= 1 << (h & 63)
}

func (f *keyFilter) has(key string) bool {
	h := keyHash(key)
	return f[h>>6&3]>>(h&63)&1 == 1
}

func keyHash(key string) uint32 {
	n := len(key)
	if n == 0 {
		return 0
	}
	h := uint32(n)<<24 ^ uint32(key[0])<<16 ^ uint32(key[n/2])<<8 ^ uint32(key[n-1])
	return h * 0x9e3779b1 >> 24
}
