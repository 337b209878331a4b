package accesslog

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// escape is how the values of a format are escaped.
type escape uint8

const (
	// backslashes are those of nginx (\x22) and Apache (\", \x22, \n).
	backslashes escape = iota
	// jsonEscapes are those of strings in JSON.
	jsonEscapes
	// noEscapes means that values are as the client sent them.
	noEscapes
)

// unescape returns the value without its escapes, as a copy in the scratch if
// it has some. What only looks like an escape stays as it is.
func (e escape) unescape(s string, scratch *Scratch) string {
	at := strings.IndexByte(s, '\\')
	if at < 0 || e == noEscapes {
		return s
	}
	b := append(scratch.room(len(s)), s[:at]...)
	for i := at; i < len(s); {
		c := s[i]
		if c != '\\' || i+1 == len(s) {
			b = append(b, c)
			i++
			continue
		}
		i += 2
		switch c = s[i-1]; c {
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case 'r':
			b = append(b, '\r')
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'v':
			b = append(b, '\v')
		case '"', '\\', '/':
			b = append(b, c)
		case 'x':
			if v, ok := hexNumber(s, i, 2); ok && e == backslashes {
				b = append(b, byte(v))
				i += 2
				continue
			}
			b = append(b, '\\', c)
		case 'u':
			v, ok := hexNumber(s, i, 4)
			if !ok || e != jsonEscapes {
				b = append(b, '\\', c)
				continue
			}
			i += 4
			if utf16.IsSurrogate(v) {
				second, ok := rune(0), false
				if strings.HasPrefix(s[i:], `\u`) {
					second, ok = hexNumber(s, i+2, 4)
				}
				if v = utf16.DecodeRune(v, second); ok && v != utf8.RuneError {
					i += 6
				}
			}
			b = utf8.AppendRune(b, v)
		default:
			b = append(b, '\\', c)
		}
	}
	return scratch.keep(b)
}

// hexNumber reads so many hexadecimal digits.
func hexNumber(s string, at, digits int) (rune, bool) {
	if len(s)-at < digits {
		return 0, false
	}
	var v rune
	for i := at; i < at+digits; i++ {
		c := s[i]
		switch {
		case isDigit(c):
			v = v<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = v<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// unpercent returns the value without percent escapes, as a copy in the scratch
// if it has some.
func unpercent(s string, scratch *Scratch) string {
	at := strings.IndexByte(s, '%')
	if at < 0 {
		return s
	}
	b := append(scratch.room(len(s)), s[:at]...)
	for i := at; i < len(s); i++ {
		if s[i] == '%' {
			if v, ok := hexNumber(s, i+1, 2); ok {
				b = append(b, byte(v))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return scratch.keep(b)
}

// unplus returns the value with blanks for the plus signs that IIS writes
// instead of them, as a copy in the scratch if it has some.
func unplus(s string, scratch *Scratch) string {
	at := strings.IndexByte(s, '+')
	if at < 0 {
		return s
	}
	b := append(scratch.room(len(s)), s...)
	for i := at; i < len(b); i++ {
		if b[i] == '+' {
			b[i] = ' '
		}
	}
	return scratch.keep(b)
}
