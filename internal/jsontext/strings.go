package jsontext

import (
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// RawString takes a string and returns what is between its quotes, and whether
// that holds escapes.
func (s *Scanner) RawString() (raw []byte, escaped bool, err error) {
	if err := s.Want('"'); err != nil {
		return nil, false, err
	}
	start := s.pos
	for i := start; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c == '"':
			s.pos = i + 1
			return s.src[start:i], escaped, nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			s.pos = i
			return nil, false, s.Errorf("a string holds the control character %q, which must be escaped", c)
		}
	}
	return nil, false, s.Errorf("a string has no end")
}

// ScratchString takes a string and returns its text, valid until the next call.
func (s *Scanner) ScratchString() ([]byte, error) {
	raw, escaped, err := s.RawString()
	if err != nil || !escaped {
		return raw, err
	}
	// Only names and numerals come here; they are short, or wrong.
	if len(raw) > maxName {
		raw = raw[:maxName]
	}
	text, ok := AppendUnescaped(s.scratch[:0], raw)
	s.scratch = text
	if !ok && len(raw) < maxName {
		return nil, s.Errorf("a string holds an unknown escape")
	}
	return text, nil
}

// Claimer hands out memory.
type Claimer interface {
	// Claim says that n more bytes are needed. It reports false where there are none.
	Claim(n int) bool
}

// ErrFull says that memory ran out; who was asked for it knows why.
var ErrFull = errors.New("out of memory")

// KeptString takes a string and returns its text: a view of what is read or, where
// it had escapes, of the texts, to which it is added. They are made anew where they
// are full, and what was there stays as it is. Memory is claimed for more than free
// bytes of them; where there is none the error is [ErrFull].
func (s *Scanner) KeptString(texts *[]byte, free int, memory Claimer) ([]byte, error) {
	raw, escaped, err := s.RawString()
	if err != nil || !escaped {
		return raw, err
	}
	if cap(*texts)-len(*texts) < len(raw) {
		grown := max(2*cap(*texts), len(raw), 1<<10)
		if grown > free && !memory.Claim(grown) {
			return nil, ErrFull
		}
		*texts = make([]byte, 0, grown)
	}
	from := len(*texts)
	var ok bool
	if *texts, ok = AppendUnescaped(*texts, raw); !ok {
		return nil, s.Errorf("a string holds an unknown escape")
	}
	return (*texts)[from:], nil
}

// maxName bounds what is unescaped of keys and numerals.
const maxName = 256

// AppendUnescaped appends the text of a JSON string. Half of a surrogate pair
// becomes U+FFFD. It reports false for an escape that JSON does not have. The result is no longer than raw.
func AppendUnescaped(dst, raw []byte) ([]byte, bool) {
	for i := 0; i < len(raw); {
		c := raw[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		if i+1 >= len(raw) {
			return dst, false
		}
		i += 2
		switch raw[i-1] {
		case '"', '\\', '/':
			dst = append(dst, raw[i-1])
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, ok := hex4(raw[i:])
			if !ok {
				return dst, false
			}
			i += 4
			if utf16.IsSurrogate(r) {
				r = pairOf(r, raw[i:], &i)
			}
			dst = utf8.AppendRune(dst, r)
		default:
			return dst, false
		}
	}
	return dst, true
}

// pairOf joins a surrogate with the one escaped in rest, and moves at past it.
func pairOf(first rune, rest []byte, at *int) rune {
	if len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
		if second, ok := hex4(rest[2:]); ok {
			if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
				*at += 6
				return r
			}
		}
	}
	return utf8.RuneError
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
