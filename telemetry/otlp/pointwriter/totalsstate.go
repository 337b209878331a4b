package pointwriter

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// lengthBytes is the size of the length of a state.
const lengthBytes = 8

// The state as bytes: the length of the rest, the layout that it is of, the time,
// and the tenants with their series. Numbers are varints.

// AppendState appends the state to dst.
func (t *Totals) AppendState(dst []byte) []byte {
	head := len(dst)
	dst = t.appendLayout(append(dst, make([]byte, lengthBytes)...))
	dst = appendTime(dst, t.at)
	dst = binary.AppendUvarint(dst, uint64(len(t.tenants)))
	for _, owner := range t.tenants {
		dst = appendString(dst, owner.name)
		dst = binary.AppendUvarint(dst, uint64(len(owner.series)))
		for _, s := range owner.series {
			dst = t.appendSeries(dst, s)
		}
	}
	binary.LittleEndian.PutUint64(dst[head:], uint64(len(dst)-head-lengthBytes))
	return dst
}

// appendLayout appends what the rest of the state is understood by.
func (t *Totals) appendLayout(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(t.cfg.Labels)))
	for _, label := range t.cfg.Labels {
		dst = appendString(dst, label)
	}
	dst = binary.AppendUvarint(dst, uint64(len(t.cfg.Families)))
	for i := range t.cfg.Families {
		f := &t.cfg.Families[i]
		dst = append(appendString(dst, f.Name), byte(f.Kind))
		dst = binary.AppendUvarint(dst, uint64(len(f.Bounds)))
		for _, bound := range f.Bounds {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(bound))
		}
	}
	return dst
}

func (t *Totals) appendSeries(dst []byte, s *Series) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s.values)))
	for _, v := range s.values {
		dst = appendString(dst, v)
	}
	dst = appendTime(appendTime(appendTime(dst, s.since), s.changed), s.said)
	touched := byte(0)
	if s.touched {
		touched = 1
	}
	dst = append(dst, touched)
	for i := range s.cells {
		c := &s.cells[i]
		dst = binary.AppendUvarint(dst, c.count)
		if t.cfg.Families[i].Kind != Histogram {
			continue
		}
		dst = binary.AppendUvarint(dst, c.said)
		dst = binary.AppendUvarint(dst, c.seconds)
		dst = binary.AppendUvarint(dst, c.nanoseconds)
		for _, n := range c.counts {
			dst = binary.AppendUvarint(dst, n)
		}
		e := &c.slowest
		dst = append(dst, e.trace[:]...)
		if !e.trace.IsZero() {
			dst = append(dst, e.span[:]...)
			dst = appendTime(appendTime(dst, e.duration), e.time)
		}
	}
	return dst
}

// appendTime appends a time or a duration, which is not negative.
func appendTime(dst []byte, time int64) []byte {
	return binary.AppendUvarint(dst, uint64(max(time, 0)))
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// ReadState replaces the state by one that AppendState appended, and returns what
// follows it. ok is false where it is damaged; everything is forgotten then. Where
// the state is of other labels, families or bounds, it is read and forgotten: the
// counters begin anew.
func (t *Totals) ReadState(src []byte) (rest []byte, ok bool) {
	t.Reset()
	if len(src) < lengthBytes {
		return nil, false
	}
	size, src := binary.LittleEndian.Uint64(src), src[lengthBytes:]
	if size > uint64(len(src)) {
		return nil, false
	}
	src, rest = src[:size], src[size:]
	layout := t.appendLayout(nil)
	if !bytes.HasPrefix(src, layout) {
		return rest, true
	}
	r := reader{src, len(layout)}
	if !t.readTenants(&r) || r.pos != len(src) {
		t.Reset()
		return nil, false
	}
	return rest, true
}

func (t *Totals) readTenants(r *reader) bool {
	t.at = r.time(math.MaxInt64)
	for range r.count() {
		name := r.text()
		n := r.count()
		if r.pos < 0 || n == 0 || slices.ContainsFunc(t.tenants, func(owner *tenant) bool { return owner.name == name }) {
			return false
		}
		for range n {
			if !t.readSeries(r, name) {
				return false
			}
		}
	}
	return true
}

func (t *Totals) readSeries(r *reader, name string) bool {
	values := make([]string, 0, len(t.cfg.Labels))
	n := r.number(uint64(len(t.cfg.Labels)))
	for range n {
		values = append(values, r.text())
	}
	if r.pos < 0 || n > 0 && len(values) != len(t.cfg.Labels) || t.find(name, values) != nil {
		return false
	}
	s := t.newSeries(values)
	s.since, s.changed, s.said = r.time(t.at), r.time(t.at), r.time(t.at)
	s.touched = r.number(1) == 1
	for i := range s.cells {
		c := &s.cells[i]
		c.count = r.number(math.MaxUint64)
		if t.cfg.Families[i].Kind != Histogram {
			continue
		}
		c.said = r.number(c.count)
		c.seconds, c.nanoseconds = r.number(math.MaxUint64), r.number(1e9-1)
		for j := range c.counts {
			c.counts[j] = r.number(math.MaxUint64)
		}
		e := &c.slowest
		copy(e.trace[:], r.take(len(e.trace)))
		if !e.trace.IsZero() {
			copy(e.span[:], r.take(len(e.span)))
			e.duration, e.time = r.time(math.MaxInt64), r.time(math.MaxInt64)
		}
	}
	if r.pos < 0 {
		return false
	}
	t.insert(name, s)
	return true
}

// reader reads the bytes of a state. After something was wrong its position is
// negative, and what it reads are zeros.
type reader struct {
	src []byte
	pos int
}

func (r *reader) number(most uint64) uint64 {
	if r.pos < 0 {
		return 0
	}
	v, next := wire.Uvarint(r.src, r.pos)
	if v > most {
		next = -1
	}
	if r.pos = next; next < 0 {
		return 0
	}
	return v
}

func (r *reader) time(most int64) int64 { return int64(r.number(uint64(most))) }

// count reads how many elements follow, of a byte or more each.
func (r *reader) count() int { return int(r.number(uint64(len(r.src)))) }

func (r *reader) text() string { return string(r.take(r.count())) }

func (r *reader) take(n int) []byte {
	if r.pos < 0 || n > len(r.src)-r.pos {
		r.pos = -1
		return nil
	}
	r.pos += n
	return r.src[r.pos-n : r.pos]
}
