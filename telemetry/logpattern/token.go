package logpattern

import "bytes"

// token deals with a token, which has bytes of the classes in seen.
func (m *Masker) token(t []byte, seen uint8) {
	if variable(t, seen) {
		m.wild()
		return
	}
	m.out = append(m.out, t...)
}

// variable reports whether a token is a value.
func variable(t []byte, seen uint8) bool {
	if seen&isAngle != 0 && bytes.Contains(t, []byte(Wild)) {
		return true
	}
	if seen&isDigit == 0 {
		return constant(t) || len(t) >= 8 && seen == isLetter && allHex(t)
	}
	if digit(t[0]) {
		return true
	}
	if len(t) > 1 && digit(t[1]) && (t[0]|0x20 == 'v' || t[0] == '<' || t[0] == '>' || t[0] == '~') {
		return true // a version, or about a number
	}
	digits, changes, hex := 0, 0, true
	for i, c := range t {
		if !digit(c) {
			hex = hex && hexadecimal(c)
			continue
		}
		digits++
		if i > 0 && !digit(t[i-1]) {
			changes++
			if t[i-1] == '_' && number(t[i:]) {
				return true
			}
		}
	}
	return digits >= 4 || changes >= 3 || hex && len(t) >= 6
}

// number reports whether a text begins with a number that ends with it or at an
// underscore.
func number(t []byte) bool {
	for _, c := range t {
		if !digit(c) {
			return c == '_'
		}
	}
	return true
}

func allHex(t []byte) bool {
	for _, c := range t {
		if !hexadecimal(c) {
			return false
		}
	}
	return true
}

// constant reports whether a word is a value of many programs.
func constant(word []byte) bool {
	if len(word) != 4 && len(word) != 5 {
		return false
	}
	var low [5]byte
	for i, c := range word {
		low[i] = c | 0x20
	}
	switch string(low[:len(word)]) {
	case "true", "false", "null", "root", "admin":
		return true
	}
	return false
}
