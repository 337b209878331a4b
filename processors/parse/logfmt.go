package parse

import (
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/flatjson"
)

// pairScanner reads a logfmt line: pairs such as level=info and msg="it works",
// and words alone.
type pairScanner struct {
	rest string
	// broken is set where a quoted value does not end, or ends within a word.
	broken bool
}

// next reads the next pair, whose key is empty for a word alone.
func (s *pairScanner) next(m *flatjson.Member) bool {
	rest := s.rest
	for rest != "" && rest[0] <= ' ' {
		rest = rest[1:]
	}
	if rest == "" {
		return false
	}
	*m = flatjson.Member{}
	end := keyEnd(rest)
	if end == 0 || end == len(rest) || rest[end] != '=' {
		s.rest = rest[wordEnd(rest):]
		return true
	}
	m.Key, rest = rest[:end], rest[end+1:]
	if rest == "" || rest[0] != '"' {
		end = wordEnd(rest)
		m.Raw, s.rest = rest[:end], rest[end:]
		m.Kind = kindOf(m.Raw)
		return true
	}
	m.Kind = flatjson.String
	for i := 1; ; i++ {
		n := strings.IndexByte(rest[i:], '"')
		if n < 0 {
			s.broken = true
			return false
		}
		i += n
		first := i
		for rest[first-1] == '\\' {
			first--
		}
		if (i-first)&1 == 0 {
			m.Raw, s.rest = rest[1:i], rest[i+1:]
			break
		}
	}
	m.Escaped = strings.IndexByte(m.Raw, '\\') >= 0
	s.broken = s.rest != "" && s.rest[0] > ' '
	return !s.broken
}

// keyEnd returns where the key ends that s begins with.
func keyEnd(s string) int {
	for i := range len(s) {
		c := s[i]
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c == '_', c == '@':
		case i > 0 && (c >= '0' && c <= '9' || c == '.' || c == '-' || c == '/'):
		default:
			return i
		}
	}
	return len(s)
}

// wordEnd returns where the next space is.
func wordEnd(s string) int {
	for i := range len(s) {
		if s[i] <= ' ' {
			return i
		}
	}
	return len(s)
}

// kindOf is the type of a value without quotes.
func kindOf(s string) flatjson.Kind {
	switch {
	case s == "true":
		return flatjson.True
	case s == "false":
		return flatjson.False
	case isNumber(s):
		return flatjson.Number
	}
	return flatjson.String
}

// isNumber reports whether a text is a number as JSON writes them, without an
// exponent: what looks like one is more often an id.
func isNumber(s string) bool {
	if s != "" && s[0] == '-' {
		s = s[1:]
	}
	whole, fraction, dot := strings.Cut(s, ".")
	return allDigits(whole) && (len(whole) == 1 || whole[0] != '0') && (!dot || allDigits(fraction))
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}

// beginsWithPairs reports whether the first two words of a line are pairs.
func beginsWithPairs(line string) bool {
	s := pairScanner{rest: line}
	var m flatjson.Member
	for range 2 {
		if !s.next(&m) || m.Key == "" {
			return false
		}
	}
	return true
}

// isUsual reports whether a key is one of those that lines of logs have, and
// hardly any other text of pairs.
func isUsual(key string) bool {
	switch key {
	case "level", "lvl", "severity", "msg", "message", "ts", "time", "caller", "logger":
		return true
	}
	return false
}
