package flatjson

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendText appends the text of a key or a string value, escaped or not. It
// appends no more bytes than raw has. Half of a surrogate pair becomes U+FFFD.
func AppendText(dst []byte, raw string, escaped bool) []byte {
	if !escaped {
		return append(dst, raw...)
	}
	for raw != "" {
		at := strings.IndexByte(raw, '\\')
		if at < 0 || at+1 == len(raw) {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:at]...)
		c := raw[at+1]
		raw = raw[at+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, ok := hex4(raw)
			if !ok {
				return append(append(dst, '\\', 'u'), raw...)
			}
			raw = raw[4:]
			if utf16.IsSurrogate(r) {
				low, ok := rune(0), false
				if strings.HasPrefix(raw, `\u`) {
					low, ok = hex4(raw[2:])
				}
				if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
					raw = raw[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// First returns the first element of an array if that is a string.
func First(array string) (raw string, escaped, ok bool) {
	rest := strings.TrimLeft(array[1:], " \t\r\n")
	if rest == "" || rest[0] != '"' {
		return "", false, false
	}
	end, escaped := stringEnd(bytesOf(rest), 1)
	if end < 0 {
		return "", false, false
	}
	return rest[1:end], escaped, true
}

func hexDigit(c byte) (rune, bool) {
	switch {
	case c-'0' <= 9:
		return rune(c - '0'), true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10, true
	}
	return 0, false
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		d, ok := hexDigit(s[i])
		if !ok {
			return 0, false
		}
		r = r<<4 | d
	}
	return r, true
}
