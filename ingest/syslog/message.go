package syslog

import (
	"bytes"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// message is what a parser finds in a message. Texts are views of it.
type message struct {
	priority int // facility times 8 plus severity
	// time is in Unix nanoseconds, 0 where there is none.
	time                     int64
	host, app, procid, msgid []byte
	body                     []byte
	structured               []byte // encoded attributes
	ietf                     bool   // it is in the format of RFC 5424
	broken                   bool   // it begins as one, but is not
}

// defaultPriority is that of messages without one, as RFC 3164 has it: user,
// notice.
const defaultPriority = 13

// maxPriority is local7, debug.
const maxPriority = 191

// parser reads messages. It is used by one goroutine at a time and keeps its
// memory from message to message.
type parser struct {
	clock clock
	// list is that of structured data, key and value what it is made of.
	list, key, value []byte
}

// parse reads a message of RFC 5424 or 3164, or one that is like them. Every
// input is a message: what is not understood is its body.
func (p *parser) parse(text []byte, m *message, now time.Time) {
	*m = message{priority: defaultPriority}
	rest := trimEnd(text)
	if n, size := priority(rest); size > 0 {
		m.priority, rest = n, rest[size:]
	}
	if len(rest) > 2 && rest[0] == '1' && rest[1] == ' ' {
		before := *m
		if p.ietf(rest[2:], m) {
			return
		}
		*m, m.broken = before, true
	}
	p.bsd(rest, m, now)
}

// trimEnd takes line ends and zero bytes away.
func trimEnd(text []byte) []byte {
	for n := len(text); n > 0 && (text[n-1] == '\n' || text[n-1] == '\r' || text[n-1] == 0); n-- {
		text = text[:n-1]
	}
	return text
}

// priority reads <0> to <191>; size is 0 where there is none.
func priority(text []byte) (value, size int) {
	if len(text) < 3 || text[0] != '<' {
		return 0, 0
	}
	for i := 1; i < len(text) && i < 5; i++ {
		c := text[i]
		switch {
		case c == '>' && i > 1 && value <= maxPriority:
			return value, i + 1
		case !digit(c):
			return 0, 0
		}
		value = value*10 + int(c-'0')
	}
	return 0, 0
}

// ietf reads what follows the version of RFC 5424, and reports whether it is in
// that format.
func (p *parser) ietf(text []byte, m *message) bool {
	m.ietf = true
	stamp, rest := field(text)
	if !nothing(stamp) {
		t, n := isoTime(stamp, &p.clock)
		if n != len(stamp) {
			return false
		}
		m.time = t
	}
	for _, into := range []*[]byte{&m.host, &m.app, &m.procid, &m.msgid} {
		if rest == nil {
			return false
		}
		*into, rest = field(rest)
		if len(*into) == 0 {
			return false
		}
		if nothing(*into) {
			*into = nil
		}
	}
	switch {
	case len(rest) == 0:
		return false
	case rest[0] == '-':
		rest = rest[1:]
	case rest[0] == '[':
		n := p.elements(rest)
		if n == 0 {
			return false
		}
		m.structured, rest = p.list, rest[n:]
	default:
		return false
	}
	if len(rest) > 0 {
		if rest[0] != ' ' {
			return false
		}
		rest = rest[1:]
	}
	// The blank that stands behind the tag in RFC 3164 is what rsyslog begins the
	// message with.
	m.body = bytes.TrimPrefix(bytes.TrimPrefix(rest, byteOrderMark), blank)
	return true
}

var byteOrderMark, blank = []byte("\xef\xbb\xbf"), []byte(" ")

// field cuts a field from what follows its space; rest is nil where there is no
// space.
func field(text []byte) (value, rest []byte) {
	i := bytes.IndexByte(text, ' ')
	if i < 0 {
		return text, nil
	}
	return text[:i], text[i+1:]
}

func nothing(field []byte) bool { return len(field) == 1 && field[0] == '-' }

// structuredPrefix begins the names of attributes of structured data; the names
// of element and parameter follow.
const structuredPrefix = "syslog.structured_data."

// elements reads structured data into the list, and returns its length, 0 where
// it is not right.
func (p *parser) elements(text []byte) int {
	p.list = p.list[:0]
	at := 0
	for at < len(text) && text[at] == '[' {
		at++
		start := at
		for at < len(text) && nameByte(text[at]) {
			at++
		}
		id := text[start:at]
		if len(id) == 0 {
			return 0
		}
		for at < len(text) && text[at] == ' ' {
			at++
			if at < len(text) && text[at] == ']' {
				break // a space before the end, as some write it
			}
			n := p.parameter(text[at:], id)
			if n == 0 {
				return 0
			}
			at += n
		}
		if at >= len(text) || text[at] != ']' {
			return 0
		}
		at++
	}
	return at
}

// parameter reads NAME="VALUE" and returns its length, 0 where it is not right.
func (p *parser) parameter(text, id []byte) int {
	at := 0
	for at < len(text) && nameByte(text[at]) {
		at++
	}
	name := text[:at]
	if at == 0 || at+1 >= len(text) || text[at] != '=' || text[at+1] != '"' {
		return 0
	}
	at += 2
	start, escaped := at, false
	for ; at < len(text) && text[at] != '"'; at++ {
		if text[at] == '\\' && at+1 < len(text) {
			escaped = true
			at++
		}
	}
	if at >= len(text) {
		return 0
	}
	value := text[start:at]
	if escaped {
		value = p.unescape(value)
	}
	p.key = append(append(append(append(p.key[:0], structuredPrefix...), id...), '.'), name...)
	p.list = logwriter.AppendText(p.list, p.key, value)
	return at + 1
}

// unescape takes the backslashes away that stand before ", \\ and ].
func (p *parser) unescape(value []byte) []byte {
	p.value = p.value[:0]
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) && (value[i+1] == '"' || value[i+1] == '\\' || value[i+1] == ']') {
			i++
		}
		p.value = append(p.value, value[i])
	}
	return p.value
}

// nameByte reports whether a byte may be in a name of structured data.
func nameByte(c byte) bool { return c > ' ' && c < 0x7f && c != '=' && c != ']' && c != '"' }

func digit(c byte) bool { return c-'0' < 10 }
