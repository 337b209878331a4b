// Package accesslog reads the access logs of web servers: one line in, typed
// fields and a time out, without an allocation.
//
// A [Format] is compiled once, from the name of a well-known format, from the
// configuration string of the server that writes it (nginx, Apache, Envoy), or
// from a #Fields directive. A [Detector] finds the format of a source by itself.
//
// The package must not know where lines come from or what becomes of them.
package accesslog

import (
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/flatjson"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/logtime"
)

// Line is what one line of an access log says.
//
// Its strings are views of the line that was parsed, or of the Scratch where
// the line had escapes in them. They are bytes as the server got them and need
// not be UTF-8.
type Line struct {
	// Time is in Unix nanoseconds, 0 where the line has none.
	Time int64
	// Client is the peer's address as logged, or its host name. Brackets, the
	// port and the zone of IPv6 are removed.
	Client string
	// ForwardedFor is the chain of X-Forwarded-For as logged.
	ForwardedFor string
	// User is whom the server authenticated, VHost the host that was asked for,
	// without a port.
	User, VHost string
	// Method, Target and Protocol are the parts of the request line. Target is
	// the path and query; of a target in absolute form the host becomes VHost
	// where the line has no other. Where the request line is none, such as the
	// bytes of a TLS handshake, Method and Protocol are empty and Target is the
	// request as logged, escapes included.
	Method, Target, Protocol string
	// Status is 0 where it was not logged.
	Status uint16
	// Sent is how many bytes of the body were sent, or of the whole response
	// where only that was logged; -1 if unknown.
	Sent int64
	// Duration is how long the request took in nanoseconds, -1 if unknown.
	Duration int64

	Referrer, UserAgent string
	// These are empty where they were not logged. TLSVersion and Cache are in the
	// server's words. TraceID has 32 hexadecimal digits.
	TLSVersion, Cache, Scheme, RequestID, TraceID string
}

// Error is why a line was not parsed. The errors that Parse returns are the
// variables below, so that refusing a line allocates nothing.
type Error struct{ kind, text string }

// Kind is a short word for the error, a label for metrics.
func (e *Error) Kind() string { return e.kind }

func (e *Error) Error() string { return e.text }

// The errors of parsing.
var (
	ErrSyntax    = &Error{"syntax", "the line does not have the format's shape"}
	ErrTime      = &Error{"time", "the line's time is none"}
	ErrNumber    = &Error{"number", "the line's status, size or duration is not a number"}
	ErrDirective = &Error{"directive", "the line is a directive that tells what the next ones hold, and no request"}
)

// Scratch is the memory that parsing needs besides the line. The zero value is
// ready. It is used by one goroutine at a time.
//
// Strings of a Line that view it stay valid until Reset; whoever never calls
// that keeps the strings, at the price of an allocation for every few kilobytes
// that had escapes.
type Scratch struct {
	buf   []byte
	clock logtime.Clock
	json  flatjson.Scanner
	key   []byte
}

const scratchChunk, scratchKept = 4 << 10, 1 << 20

// Reset takes back the memory of all strings that view the scratch.
func (s *Scratch) Reset() {
	if s.buf = s.buf[:0]; cap(s.buf) > scratchKept {
		s.buf = nil
	}
}

// room makes room for n more bytes, without moving what strings view.
func (s *Scratch) room(n int) []byte {
	if cap(s.buf)-len(s.buf) < n {
		s.buf = make([]byte, 0, max(n, scratchChunk))
	}
	return s.buf[len(s.buf):]
}

// keep returns the bytes that were appended to what room returned, as a string.
func (s *Scratch) keep(b []byte) string {
	s.buf = s.buf[:len(s.buf)+len(b)]
	return view(b)
}

// Format parses the lines of one format. It does not change and can be used by
// many goroutines.
type Format struct {
	name   string
	shape  shape
	escape escape
	// prefix is the text before the first value of a text format; steps are its
	// values, each with the text after it.
	prefix string
	steps  []step
	// strict formats are those that are told apart by the shape of a line.
	strict bool
	// fields is the directive that a W3C format was made from, empty for those
	// that are assumed where there was none.
	fields string
	// separator stands between columns, of which there are as many as steps, or
	// more than atLeast where that is set.
	separator byte
	atLeast   int
	// dialect is an index into dialects.
	dialect int
}

// shape says which parser reads the format.
type shape uint8

const (
	textShape shape = iota
	columnsShape
	albShape
	jsonShape
)

// Name is the format's name in configurations, such as "combined", or the kind
// of its configuration string, such as "nginx".
func (f *Format) Name() string { return f.name }

// Parse reads a line, whose end may be included. Where it returns an error the
// fields of l mean nothing.
func (f *Format) Parse(line string, l *Line, scratch *Scratch) error {
	*l = Line{Sent: -1, Duration: -1}
	line = trimEnd(line)
	var err *Error
	switch f.shape {
	case textShape:
		err = f.parseText(line, l, scratch)
	case columnsShape:
		err = f.parseColumns(line, l, scratch)
	case albShape:
		err = parseALB(line, l, scratch)
	case jsonShape:
		err = f.parseJSON(line, l, scratch)
	}
	if err != nil {
		return err
	}
	return nil
}

// trimEnd removes the end of a line.
func trimEnd(line string) string {
	if n := len(line); n > 0 && (line[n-1] == '\n' || line[n-1] == '\r') {
		return strings.TrimRight(line, "\r\n")
	}
	return line
}
