package logpattern

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// line returns the first line of a body that is not empty, as far as it counts.
func line(body string) string {
	body = trimLeft(body)
	cut := len(body) > maxBytes
	if cut {
		body = body[:maxBytes]
	}
	if end := strings.IndexByte(body, '\n'); end >= 0 {
		return body[:end]
	}
	if cut { // what is cut in the middle would be another word
		if end := strings.LastIndexByte(body, ' '); end > 0 {
			body = body[:end]
		}
	}
	return body
}

func trimLeft(text string) string {
	for len(text) > 0 && classes[text[0]]&isSpace != 0 {
		text = text[1:]
	}
	return text
}

// MessageRank returns how much a key of a structured body is one for what a person
// is told, 0 if it is none.
func MessageRank(key string) int {
	switch key {
	case "message", "msg":
		return 3
	case "log":
		return 2
	case "event":
		return 1
	}
	return 0
}

// object returns the message of a text that is a JSON object, or its keys as a
// text where it has none. Where the text is no object it returns "".
func (m *Masker) object(text string) string {
	s := scanner{text: text[1:]}
	best, message := 0, ""
	m.keys = m.keys[:0]
	for {
		key, ok := s.key()
		if !ok {
			break
		}
		s.space()
		if rank := MessageRank(key); rank > best && s.next() == '"' {
			value, _ := s.quoted()
			best, message = rank, value
		} else if !s.value() {
			best = -best // what counts was read, unless more is wrong
			break
		}
		m.keys = append(m.keys, key)
		if s.space(); s.next() != ',' {
			break
		}
		s.text = s.text[1:]
	}
	if best != 0 {
		return m.unescape(message)
	}
	s.space()
	if len(m.keys) == 0 || len(text) < maxBytes && s.next() != '}' {
		return ""
	}
	return m.set(m.keys)
}

// ShapeOfKeys returns the shape of a structured body that has no message: of the
// set of its keys, which it sorts. The result is valid until the next call.
func (m *Masker) ShapeOfKeys(keys []string) []byte {
	m.mask(line(m.set(keys)))
	return m.out
}

// set writes a set of keys as a text.
func (m *Masker) set(keys []string) string {
	slices.Sort(keys)
	keys = slices.Compact(keys)
	m.text = append(m.text[:0], '{')
	for i, key := range keys {
		if i > 0 {
			m.text = append(m.text, ',')
		}
		m.text = append(append(append(m.text, '"'), key...), '"')
	}
	m.text = append(m.text, '}')
	clear(m.keys)
	return view(m.text)
}

// scanner reads JSON, with no more than a look at what it leaves out.
type scanner struct{ text string }

func (s *scanner) next() byte {
	if s.text == "" {
		return 0
	}
	return s.text[0]
}

func (s *scanner) space() { s.text = trimLeft(s.text) }

// key reads a key and the colon after it.
func (s *scanner) key() (string, bool) {
	s.space()
	if s.next() != '"' {
		return "", false
	}
	key, ok := s.quoted()
	s.space()
	if !ok || s.next() != ':' {
		return "", false
	}
	s.text = s.text[1:]
	return key, true
}

// quoted reads a string, which begins with its quote, and returns what is between
// the quotes. Where the text ends before it does, it returns what is there.
func (s *scanner) quoted() (string, bool) {
	for i := 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			i++
		case '"':
			inside := s.text[1:i]
			s.text = s.text[i+1:]
			return inside, true
		}
	}
	inside := s.text[1:]
	s.text = ""
	return inside, false
}

// value skips a value and reports whether all of it was there.
func (s *scanner) value() bool {
	depth := 0
	for s.text != "" {
		switch c := s.text[0]; c {
		case '"':
			if _, ok := s.quoted(); !ok {
				return false
			}
			if depth == 0 {
				return true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return true // that of the object
			}
			if c != ',' {
				if depth--; depth == 0 {
					s.text = s.text[1:]
					return true
				}
			}
		}
		s.text = s.text[1:]
	}
	return false
}

// unescape returns a JSON string without its escapes, as far as its first line.
func (m *Masker) unescape(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	m.text = m.text[:0]
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '\\' || i+1 == len(text) {
			m.text = append(m.text, c)
			continue
		}
		i++
		switch text[i] {
		case 'n':
			if len(bytes.TrimSpace(m.text)) > 0 {
				return view(m.text)
			}
		case 'b', 'f', 'r', 't':
			m.text = append(m.text, ' ')
		case 'u':
			r, digits := rune(0), 0
			for digits < 4 && i+1 < len(text) && hexadecimal(text[i+1]) {
				i++
				digits++
				r = r<<4 | rune(hexValue(text[i]))
			}
			m.text = utf8.AppendRune(m.text, r)
		default:
			m.text = append(m.text, text[i])
		}
	}
	return view(m.text)
}

func hexValue(c byte) byte {
	if digit(c) {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}
