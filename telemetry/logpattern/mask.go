package logpattern

import (
	"bytes"
	"unicode/utf8"
	"unsafe"
)

// Masker makes shapes. It is used by one goroutine; its memory is used again.
type Masker struct {
	in, out, text []byte
	// keys are those of an object.
	keys []string
	// pos is where it is in in.
	pos int
	// quote is where a quoted text ends that is looked at like any other, -1
	// outside of one.
	quote int
	// dated is set after a date as long as only a time follows.
	dated bool
}

// Shape returns the shape of a body: of its first line, or of the message of a
// JSON object. It is empty where the body has no text. The result is valid until
// the next call.
func (m *Masker) Shape(body string) []byte {
	body = trimLeft(body)
	if len(body) > 1 && body[0] == '{' {
		if text := m.object(body[:min(len(body), maxBytes)]); text != "" {
			body = text
		}
	}
	m.mask(line(body))
	return m.out
}

// view returns a text without copying it.
func view(text []byte) string { return unsafe.String(unsafe.SliceData(text), len(text)) }

// mask makes the shape of a line in out.
func (m *Masker) mask(text string) {
	s := unsafe.Slice(unsafe.StringData(text), len(text)) // only read
	m.in, m.out, m.pos, m.quote, m.dated = s, m.out[:0], 0, -1, false
	var all uint8
	words, apart := 0, true
	for m.pos < len(s) {
		class := classes[s[m.pos]]
		if class&isSpace != 0 {
			apart = true
			m.pos++
			continue
		}
		if apart {
			if words == maxTokens {
				break
			}
			words++
			if len(m.out) > 0 {
				m.out = append(m.out, ' ')
			}
			apart = false
		}
		if class&isDelimiter != 0 {
			m.delimiter()
			continue
		}
		end, seen := m.pos+1, class
		for end < len(s) {
			class = classes[s[end]]
			if class&endsField != 0 {
				break
			}
			seen |= class
			end++
		}
		all |= seen
		m.field(end, seen)
	}
	m.in = nil
	if n := len(m.out); n > 0 && m.out[n-1] == ' ' {
		m.out = m.out[:n-1]
	}
	if all&isHigh != 0 && !utf8.Valid(m.out) {
		m.out = bytes.ToValidUTF8(m.out, []byte("\uFFFD"))
	}
}

// wild appends a Wild, one for values that follow each other with nothing or a
// dot between.
func (m *Masker) wild() {
	n := len(m.out)
	switch {
	case n >= 3 && string(m.out[n-3:]) == Wild:
		return
	case n >= 4 && string(m.out[n-4:]) == Wild+".":
		m.out = m.out[:n-1]
		return
	}
	m.out = append(m.out, Wild...)
}

// delimiter deals with the delimiter at pos.
func (m *Masker) delimiter() {
	c := m.in[m.pos]
	switch c {
	case '"':
		if m.quoted() {
			return
		}
	case ':':
		if end := m.address(m.pos); end > 0 {
			m.wild()
			m.pos = end
			return
		}
	}
	m.out = append(m.out, c)
	m.pos++
}

// quoted deals with the double quote at pos and reports whether it did.
func (m *Masker) quoted() bool {
	if m.pos <= m.quote {
		return false // it is the one that ends it
	}
	n := bytes.IndexByte(m.in[m.pos+1:], '"')
	if n < 0 {
		return false
	}
	m.quote = m.pos + 1 + n
	inside := m.in[m.pos+1 : m.quote]
	space := bytes.IndexByte(inside, ' ')
	if space < 0 || m.speaks() {
		return false
	}
	m.out = append(m.out, '"')
	if verb := inside[:space]; method(verb) {
		m.out = append(append(m.out, verb...), ' ')
	}
	m.out = append(m.out, Wild...)
	m.out = append(m.out, '"')
	m.pos = m.quote + 1
	return true
}

// speaks reports whether the quote at pos begins the value of a key whose value
// is what a program has to say.
func (m *Masker) speaks() bool {
	end := m.pos
	if end == 0 || m.in[end-1] != '=' {
		return false
	}
	end--
	start := end
	for start > 0 && classes[m.in[start-1]]&endsField == 0 {
		start--
	}
	switch string(m.in[start:end]) {
	case "msg", "message", "event", "error", "err", "reason":
		return true
	}
	return false
}

// method reports whether a word is a method of HTTP.
func method(word []byte) bool {
	switch string(word) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
		return true
	}
	return false
}
