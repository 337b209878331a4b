package injection

import (
	"bytes"
	"strings"
)

// rounds is how often a text is decoded: attackers encode twice what one part of
// a server decodes before another looks at it.
const rounds = 3

// decode appends the text with everything decoded that servers, browsers and
// databases decode: percent, plus, entities of HTML, escapes of JavaScript, overlong
// UTF-8, wide forms of ASCII. What it appends is not longer than the text.
func decode(dst []byte, s string, plus bool) []byte {
	start := len(dst)
	dst = append(dst, s...)
	if plus {
		blanks(dst[start:])
	}
	for round := range rounds {
		text := dst[start:]
		n := decodeOnce(text)
		if n == len(text) {
			break
		}
		dst = dst[:start+n]
		// What was encoded twice has blanks that were, too.
		if plus && (round > 0 || bytes.IndexByte(dst[start:], ' ') < 0) {
			blanks(dst[start:])
		}
	}
	return dst
}

// blanks makes blanks of every plus.
func blanks(b []byte) {
	for i, c := range b {
		if c == '+' && !utf7(b[i:]) {
			b[i] = ' '
		}
	}
}

// utf7 reports whether a text begins as < does in UTF-7.
func utf7(b []byte) bool { return len(b) >= 5 && string(b[:4]) == "+ADw" }

// decodeOnce decodes in place and returns how much is left; all of it if nothing
// was encoded.
func decodeOnce(b []byte) int {
	w := 0
	for r := 0; r < len(b); {
		c, n := b[r], 1
		switch {
		case c == '%' || c == '\\':
			if code, size := escape(b[r:]); size > 0 {
				c, n = narrow(code), size
			}
		case c == '&':
			if code, size := entity(b[r:]); size > 0 {
				c, n = code, size
			}
		case c == 0xC0 || c == 0xC1 || c == 0xE0 || c == 0xEF:
			if code, size := overlong(b[r:]); size > 0 {
				c, n = code, size
			}
		case c == '+' && utf7(b[r:]):
			c, n = '<', 5
		}
		b[w] = c
		w++
		r += n
	}
	return w
}

// escape reads %XX, %uXXXX, \uXXXX and \xXX.
func escape(b []byte) (code, size int) {
	digits := 0
	switch {
	case b[0] == '%' && len(b) >= 3 && (b[1]|0x20) != 'u':
		code, digits = hex(b[1:], 2)
		size = 1 + digits
	case len(b) >= 6 && (b[1]|0x20) == 'u':
		code, digits = hex(b[2:], 4)
		size = 2 + digits
	case b[0] == '\\' && len(b) >= 4 && b[1] == 'x':
		code, digits = hex(b[2:], 2)
		size = 2 + digits
	}
	if digits == 0 {
		return 0, 0
	}
	return code, size
}

// hex reads exactly n digits, or none.
func hex(b []byte, n int) (v, digits int) {
	if len(b) < n {
		return 0, 0
	}
	for _, c := range b[:n] {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | int(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			v = v<<4 | int(c|0x20-'a'+10)
		default:
			return 0, 0
		}
	}
	return v, n
}

// narrow returns the byte for a code: that of ASCII for its wide form and for
// quotes that databases take for the plain one.
func narrow(code int) byte {
	switch {
	case code <= 0xFF:
		return byte(code)
	case code >= 0xFF01 && code <= 0xFF5E:
		return byte(code - 0xFF01 + '!') //nolint:gosec // below 0x7f
	case code == 0x2018 || code == 0x2019 || code == 0x02BC || code == 0x2032:
		return '\''
	case code == 0x2215 || code == 0x2044:
		return '/'
	}
	return 0xFF
}

// overlong reads two or three bytes of UTF-8 that stand for a character of ASCII.
func overlong(b []byte) (code byte, size int) {
	tail := func(i int) bool { return i < len(b) && b[i]&0xC0 == 0x80 }
	switch {
	case b[0] < 0xE0 && tail(1):
		return b[0]<<6 | b[1]&0x3F, 2
	case b[0] == 0xE0 && tail(1) && tail(2) && b[1] < 0xA0:
		if wide := int(b[1]&0x3F)<<6 | int(b[2]&0x3F); wide < 0x80 {
			return byte(wide), 3
		}
	case b[0] == 0xEF && tail(1) && tail(2):
		if wide := 0xF000 | int(b[1]&0x3F)<<6 | int(b[2]&0x3F); wide >= 0xFF01 && wide <= 0xFF5E {
			return narrow(wide), 3
		}
	}
	return 0, 0
}

// entities are those of HTML that hide what matters.
var entities = []struct {
	name string
	code byte
}{
	{"lt;", '<'},
	{"gt;", '>'},
	{"quot;", '"'},
	{"apos;", '\''},
	{"amp;", '&'},
	{"colon;", ':'},
	{"lpar;", '('},
	{"rpar;", ')'},
	{"tab;", '\t'},
	{"newline;", '\n'},
	{"sol;", '/'},
	{"equals;", '='},
	{"lbrace;", '{'},
}

// entity reads an entity of HTML.
func entity(b []byte) (code byte, size int) {
	if len(b) < 4 {
		return 0, 0
	}
	if b[1] != '#' {
		for _, e := range entities {
			if len(b) > len(e.name) && strings.EqualFold(view(b[1:1+len(e.name)]), e.name) {
				return e.code, 1 + len(e.name)
			}
		}
		return 0, 0
	}
	i, base := 2, 10
	if b[2]|0x20 == 'x' {
		i, base = 3, 16
	}
	from, v := i, 0
	for ; i < len(b) && i < from+10; i++ {
		d := 99
		switch c := b[i]; {
		case '0' <= c && c <= '9':
			d = int(c - '0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			d = int(c|0x20-'a') + 10
		}
		if d >= base {
			break
		}
		if v = v*base + d; v > 0x10FFFF {
			return 0, 0
		}
	}
	if i == from {
		return 0, 0
	}
	if i < len(b) && b[i] == ';' {
		i++
	}
	return narrow(v), i
}
