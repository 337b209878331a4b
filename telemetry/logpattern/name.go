package logpattern

import "bytes"

// signed reports whether the joint at i of a text is the sign of a number that is
// the end of an identifier, or an exponent.
func signed(f []byte, i int) bool {
	if i == 0 || i+1 >= len(f) || f[i] != '-' && f[i] != '+' || !digit(f[i+1]) {
		return false
	}
	return f[i-1] == '_' || i > 1 && f[i-1]|0x20 == 'e' && digit(f[i-2]) && digit(f[0])
}

// host reports whether a field is the name of a host or of a package, three words
// or more with dots between and a word of lower-case letters last, an address of
// mail, a name below a common domain, or a name of four words or more that is no
// exception. It returns where the name ends: dots may follow.
func host(f []byte) (end int, ok bool) {
	end = len(f)
	for end > 0 && f[end-1] == '.' {
		end--
	}
	labels, at, start, letters := 1, false, 0, false
	for i := range end {
		c := f[i]
		switch {
		case c == '.':
			if i == start {
				return len(f), false
			}
			labels++
			start = i + 1
		case c == '@':
			if at || i == 0 {
				return len(f), false
			}
			at = true
			labels, start = 1, i+1
		case classes[c]&isLetter != 0:
			letters = true
		case digit(c) || c == '-' || c == '_':
		case c == '+' && !at && labels == 1:
		default:
			return len(f), false
		}
	}
	last := f[start:end]
	if len(last) < 2 || !letters {
		return len(f), false
	}
	small, word := true, false
	for _, c := range last {
		small = small && lowercase(c)
		word = word || classes[c]&isLetter != 0
	}
	if small && (labels >= 3 || labels == 2 && (at || domain(last))) || !at && labels >= 4 && word && !exception(last) {
		return end, true
	}
	return len(f), false
}

// exception reports whether a word is the name of a class of errors: what is thrown
// is part of what a program has to say.
func exception(word []byte) bool {
	return bytes.HasSuffix(word, []byte("Exception")) || bytes.HasSuffix(word, []byte("Error"))
}

// domain reports whether a word is a common top-level domain that is no suffix of
// files.
func domain(word []byte) bool {
	switch string(word) {
	case "com", "net", "org", "edu", "gov", "io", "local", "internal":
		return true
	}
	return false
}

// compound reports whether a field is three or more hexadecimal words with dashes
// or dots between, two of which have digits: a UUID, a date.
func compound(f []byte) bool {
	words, digits, has := 1, 0, false
	for i, c := range f {
		switch {
		case c == '-' || c == '.':
			if i == 0 || !alphanumeric(f[i-1]) {
				return false
			}
			words++
			if has {
				digits++
			}
			has = false
		case digit(c):
			has = true
		case hexadecimal(c) || c == 'T' && i > 0 && digit(f[i-1]):
		default:
			return false
		}
	}
	if has {
		digits++
	}
	return words >= 3 && digits >= 2 && alphanumeric(f[len(f)-1])
}
