package syslog

import (
	"bytes"
	"time"
)

// bsd reads what follows the priority of RFC 3164. Hardly anybody follows it to
// the letter: the time may be ISO 8601, have a year, fractions or a zone, or be
// missing; and so may host and tag.
func (p *parser) bsd(text []byte, m *message, now time.Time) {
	rest := text
	if n := sequence(rest); n > 0 {
		rest = rest[n:] // as Cisco counts messages
	}
	rest = trimLeft(rest)
	if len(rest) > 0 && (rest[0] == '*' || rest[0] == '.') {
		rest = rest[1:] // a clock that is not synchronised, as Cisco marks it
	}
	t, n := stamp(rest, &p.clock, now)
	if n == 0 {
		// The name of the device may stand before the time.
		if host, after := field(rest); hostBefore(host) {
			if t, n = stamp(trimLeft(after), &p.clock, now); n > 0 {
				m.host, rest = host[:len(host)-1], trimLeft(after)
			}
		}
	}
	if n > 0 {
		m.time = t
		rest = trimLeft(rest[n:])
		if len(rest) > 1 && rest[0] == ':' {
			rest = trimLeft(rest[1:])
		} else if host, after := field(rest); m.host == nil && hostLike(host, after) {
			m.host, rest = host, trimLeft(after)
			if k := len(m.host) - 1; m.host[k] == ':' {
				m.host = m.host[:k]
			}
			if len(rest) > 1 && rest[0] == ':' && rest[1] == ' ' {
				rest = rest[2:]
			}
		}
	} else {
		rest = trimLeft(text)
	}
	m.body = rest
	if cisco(rest, m) {
		return
	}
	if app, procid, n := tag(rest); n > 0 {
		m.app, m.procid = app, procid
		m.body = trimLeft(rest[n:])
	}
}

// sequence returns the length of a number and a colon at the beginning.
func sequence(text []byte) int {
	i := 0
	for i < len(text) && i < 12 && digit(text[i]) {
		i++
	}
	if i > 0 && i+1 < len(text) && text[i] == ':' && text[i+1] == ' ' {
		return i + 1
	}
	return 0
}

func trimLeft(text []byte) []byte {
	for len(text) > 0 && text[0] == ' ' {
		text = text[1:]
	}
	return text
}

// hostLike reports whether the word after a time is a host, and not a tag.
func hostLike(word, after []byte) bool {
	if len(word) == 0 || len(word) > 255 || after == nil || word[0] == '%' {
		return false
	}
	for _, c := range word {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digit(c):
		case c == '.' || c == '-' || c == '_' || c == ':' || c == '%' || c == '/':
		default:
			return false
		}
	}
	return word[len(word)-1] != ':' || len(word) > 1 && len(after) > 0 && after[0] == '%'
}

// hostBefore reports whether a word is a name with a colon.
func hostBefore(word []byte) bool {
	n := len(word) - 1
	return n > 0 && word[n] == ':' && word[0] != '%' && hostLike(word[:n], word[n:])
}

// cisco reads %FACILITY-SEVERITY-MNEMONIC: at the beginning, which stays in the
// body.
func cisco(text []byte, m *message) bool {
	if len(text) < 6 || text[0] != '%' {
		return false
	}
	end := bytes.IndexByte(text[:min(len(text), 128)], ':')
	if end < 0 || bytes.IndexByte(text[:end], ' ') >= 0 {
		return false
	}
	name := text[1:end]
	dash := bytes.IndexByte(name, '-')
	if dash <= 0 || bytes.LastIndexByte(name, '-') == dash {
		return false
	}
	m.app, m.msgid = name[:dash], name
	return true
}

// tag reads "app: ", "app[123]: " or "app[123] ", and returns its length.
func tag(text []byte) (app, procid []byte, size int) {
	const longest = 128
	i := 0
	for i < len(text) && i < longest && tagByte(text[i]) {
		i++
	}
	if i == 0 || i == len(text) || sequence(text) > 0 {
		return nil, nil, 0
	}
	app = text[:i]
	switch text[i] {
	case ':':
		if i+1 == len(text) || text[i+1] == ' ' {
			return app, nil, i + 1
		}
	case '[':
		end := bytes.IndexByte(text[i:min(len(text), i+longest)], ']')
		if end < 2 {
			return nil, nil, 0
		}
		procid = text[i+1 : i+end]
		if bytes.IndexByte(procid, ' ') >= 0 {
			return nil, nil, 0
		}
		if i += end + 1; i < len(text) && text[i] == ':' {
			return app, procid, i + 1
		}
		if i == len(text) || text[i] == ' ' {
			return app, procid, i
		}
	}
	return nil, nil, 0
}

func tagByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digit(c) || c == '.' || c == '_' || c == '-' || c == '/' || c == '(' || c == ')' || c == '@'
}
