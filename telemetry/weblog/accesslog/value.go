package accesslog

import (
	"strings"
	"unsafe"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/logtime"
)

// view returns bytes that nobody changes any more as a string.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// orEmpty is the value, empty where it stands for none.
func orEmpty(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// host returns an address or host name without brackets, port and zone.
func host(s string) string {
	if strings.IndexByte(s, ':') < 0 {
		return orEmpty(s)
	}
	return longHost(s)
}

func longHost(s string) string {
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return s
		}
		s = s[1:end]
	} else if first := strings.IndexByte(s, ':'); first == strings.LastIndexByte(s, ':') {
		// One colon is before a port, more are an IPv6 address; "unix:" is neither.
		if first+1 < len(s) && allDigits(s[first+1:]) {
			s = s[:first]
		}
		return orEmpty(s)
	}
	if zone := strings.IndexByte(s, '%'); zone > 0 {
		s = s[:zone]
	}
	return s
}

// isAddress reports whether a text looks like an address of IPv4 or IPv6.
func isAddress(s string) bool {
	digits := true
	for i := range len(s) {
		switch c := s[i]; {
		case c == ':':
			return i <= 4 || s[0] == '['
		case !isDigit(c) && c != '.':
			digits = false
		}
	}
	return digits && strings.IndexByte(s, '.') > 0
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// whole reads a number without sign or fraction.
func whole(s string) (int64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, true
}

// setStatus takes the status code; '-' and 0 mean that there was none.
func (l *Line) setStatus(s string) *Error {
	if len(s) == 3 {
		a, b, c := uint16(s[0]-'0'), uint16(s[1]-'0'), uint16(s[2]-'0')
		if a <= 9 && b <= 9 && c <= 9 {
			l.Status = a*100 + b*10 + c
			return nil
		}
	}
	if s == "0" || s == "-" {
		return nil
	}
	return ErrNumber
}

// setSent takes a size in bytes; '-' leaves it as it is.
func (l *Line) setSent(s string) *Error {
	n, ok := whole(s)
	if !ok {
		if s == "-" {
			return nil
		}
		return ErrNumber
	}
	l.Sent = n
	return nil
}

// setDuration takes a number of a unit of so many nanoseconds; '-' and '-1'
// leave it as it is.
func (l *Line) setDuration(s string, unit int64) *Error {
	ns, ok := logtime.Decimal(s, unit)
	if !ok {
		if s == "-" || s == "-1" {
			return nil
		}
		return ErrNumber
	}
	l.Duration = ns
	return nil
}

// setRequest takes the parts of a request line. It reports false for what is
// no request line.
func (l *Line) setRequest(r string, scratch *Scratch) bool {
	space := methodEnd(r)
	if space <= 0 || space+1 >= len(r) {
		return false
	}
	target, protocol := r[space+1:], ""
	if n := len(target); n > 9 && target[n-9] == ' ' && isHTTP(target[n-8:]) {
		target, protocol = target[:n-9], target[n-8:]
	} else if last := strings.LastIndexByte(target, ' '); last > 0 && isHTTP(target[last+1:]) {
		target, protocol = target[:last], target[last+1:]
	} else if target[0] != '/' {
		return false
	}
	l.Method, l.Target, l.Protocol = r[:space], target, protocol
	if target[0] != '/' {
		l.reduceTarget(scratch)
	}
	return true
}

// methodEnd returns the end of a request's method, -1 where it begins with none.
func methodEnd(r string) int {
	for i := range min(len(r), longestMethod+1) {
		if c := r[i]; !isMethodByte(c) {
			if c == ' ' {
				return i
			}
			return -1
		}
	}
	return -1
}

const longestMethod = 32

// isMethod reports whether a text can be a method: those that are registered,
// and those that are alike.
func isMethod(s string) bool {
	if s == "" || s == "-" || len(s) > longestMethod {
		return false
	}
	for i := range len(s) {
		if !isMethodByte(s[i]) {
			return false
		}
	}
	return true
}

func isMethodByte(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '-' || c == '_' }

func isHTTP(s string) bool {
	if !strings.HasPrefix(s, "HTTP/") || !isDigit(s[len(s)-1]) {
		return false
	}
	return len(s) == 6 || len(s) == 8 && s[6] == '.' && isDigit(s[5])
}

// reduceTarget makes a path of a target in absolute form.
func (l *Line) reduceTarget(scratch *Scratch) {
	scheme, rest, ok := strings.Cut(l.Target, "://")
	if !ok || !isScheme(scheme) {
		return
	}
	end := len(rest)
	for i := range len(rest) {
		if c := rest[i]; c == '/' || c == '?' {
			end = i
			break
		}
	}
	switch l.Target = rest[end:]; {
	case l.Target == "":
		l.Target = "/"
	case l.Target[0] == '?':
		l.setPath("/", l.Target, scratch)
	}
	if l.VHost == "" {
		l.VHost = host(rest[:end])
	}
	if l.Scheme == "" {
		l.Scheme = scheme
	}
}

func isScheme(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return s != ""
}

// traceparent returns the trace id of a W3C traceparent header, "" if that is
// not one.
func traceparent(s string) string {
	if len(s) >= 55 && s[2] == '-' && s[35] == '-' {
		return traceID(s[3:35])
	}
	return ""
}

// traceID returns an id of 32 hexadecimal digits, "" for anything else and for
// zero.
func traceID(s string) string {
	if len(s) != 32 {
		return ""
	}
	zero := true
	for i := range len(s) {
		c := s[i]
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return ""
		}
		zero = zero && c == '0'
	}
	if zero {
		return ""
	}
	return s
}
