package syslog

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"
)

// framing is how messages are told apart on a connection: RFC 6587 has both.
type framing uint8

const (
	unknownFraming framing = iota
	// lineFraming ends every message with a line end.
	lineFraming
	// countFraming begins every message with its length and a space.
	countFraming
)

// stream cuts what comes over a connection into messages.
type stream struct {
	framing framing
	max     int
	buffer  []byte
	// begin and end are the extent of what was read and not taken.
	begin, end int
	// skip is set while the rest of a message that is too long goes by: of skip
	// bytes, or where it is negative up to the next line end.
	skip int
}

// errFraming says that a connection cannot be cut into messages any more.
var errFraming = errors.New("the length of a message is wrong")

// readSize is how much room there is for one read at least.
const readSize = 16 << 10

// maxCount is the greatest length of a message that is skipped.
const maxCount = 100 << 20

func newStream(longest int) *stream {
	return &stream{max: longest, buffer: make([]byte, longest+readSize)}
}

// room returns where to read to.
func (f *stream) room() []byte {
	if f.begin > 0 {
		copy(f.buffer, f.buffer[f.begin:f.end])
		f.begin, f.end = 0, f.end-f.begin
	}
	return f.buffer[f.end:]
}

// next returns the next message, nil where more has to be read. The message is
// valid until the next call of room. Cut says that it was longer.
func (f *stream) next() (text []byte, cut bool, err error) {
	if !f.skipped() || f.begin == f.end {
		return nil, false, nil
	}
	if f.framing == unknownFraming {
		f.framing = lineFraming
		if c := f.buffer[f.begin]; c >= '1' && c <= '9' {
			f.framing = countFraming
		}
	}
	if f.framing == countFraming {
		return f.counted()
	}
	data := f.buffer[f.begin:f.end]
	n := bytes.IndexByte(data[:min(len(data), f.max+1)], '\n')
	switch {
	case n >= 0:
		f.begin += n + 1
		return data[:n:n], false, nil
	case len(data) > f.max:
		f.begin += f.max
		f.skip = -1
		f.skipped()
		return data[:f.max:f.max], true, nil
	}
	return nil, false, nil
}

// counted is next for messages with a length.
func (f *stream) counted() (text []byte, cut bool, err error) {
	data := f.buffer[f.begin:f.end]
	for len(data) > 0 && (data[0] == '\n' || data[0] == '\r') {
		data = data[1:] // some end lines as well
		f.begin++
	}
	n, i := 0, 0
	for i < len(data) && digit(data[i]) && n <= maxCount {
		n = n*10 + int(data[i]-'0')
		i++
	}
	switch {
	case i == len(data) && n <= maxCount:
		return nil, false, nil
	case i == 0 || n == 0 || n > maxCount || data[i] != ' ':
		return nil, false, errFraming
	}
	data = data[i+1:]
	switch {
	case n > f.max && len(data) >= f.max:
		f.begin += i + 1 + f.max
		f.skip = n - f.max
		f.skipped()
		return data[:f.max:f.max], true, nil
	case n > f.max || len(data) < n:
		return nil, false, nil
	}
	f.begin += i + 1 + n
	return data[:n:n], false, nil
}

// skipped passes over the rest of a message that was cut, and reports whether
// that is done.
func (f *stream) skipped() bool {
	switch {
	case f.skip > 0:
		n := min(f.skip, f.end-f.begin)
		f.begin += n
		f.skip -= n
	case f.skip < 0:
		n := bytes.IndexByte(f.buffer[f.begin:f.end], '\n')
		if n < 0 {
			f.begin = f.end
			return false
		}
		f.begin += n + 1
		f.skip = 0
	}
	return f.skip == 0
}

// last returns what is left when the connection ends: a line without an end.
func (f *stream) last() []byte {
	if f.framing != lineFraming || f.skip != 0 {
		return nil
	}
	return f.buffer[f.begin:f.end]
}

// stream receives what comes over a connection.
func (s *Server) stream(ctx context.Context, conn net.Conn, name string) {
	received := s.metrics.received.WithLabelValues(name)
	f, h, peer := newStream(int(s.cfg.MaxMessage)), s.shard(), peerOf(conn.RemoteAddr())
	for {
		_ = conn.SetReadDeadline(time.Now().Add(s.cfg.IdleTimeout)) // a read tells what is wrong with it
		n, err := conn.Read(f.room())
		f.end += n
		received.Add(float64(n))
		more, broken := h.take(ctx, f, peer, err != nil)
		switch {
		case broken != nil:
			s.metrics.refused.WithLabelValues("framing").Inc()
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.metrics.refused.WithLabelValues("idle").Inc()
			return
		case err != nil || !more:
			return
		}
	}
}

// take adds all messages that are whole; ended says that no more will come. It
// reports false where the server ends.
func (h *shard) take(ctx context.Context, f *stream, peer []byte, ended bool) (more bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for {
		text, cut, err := f.next()
		if err != nil {
			return false, err
		}
		if text == nil {
			break
		}
		if cut {
			h.s.metrics.truncated.Inc()
		}
		if !h.add(ctx, text, peer, cut, now) {
			return false, nil
		}
	}
	if ended {
		if text := f.last(); len(text) > 0 {
			h.add(ctx, text, peer, false, now)
		}
	}
	return true, nil
}

// peerOf returns the address of a sender without its port.
func peerOf(a net.Addr) []byte {
	if t, ok := a.(*net.TCPAddr); ok {
		if ip, ok := netip.AddrFromSlice(t.IP); ok {
			return []byte(ip.Unmap().String())
		}
	}
	return nil
}
