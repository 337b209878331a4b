package logpattern

import "bytes"

// field deals with the field from pos to end, which has bytes of the classes in
// seen.
func (m *Masker) field(end int, seen uint8) {
	if m.wide(end, seen) {
		return
	}
	f := m.in[m.pos:end]
	m.pos = end
	if seen&^(isLetter|isHigh) == 0 {
		m.dated = false
		m.token(f, seen)
		return
	}
	if m.dated && seen&isLetter != 0 {
		m.dated = false
	}
	switch {
	case seen&isSlash != 0:
		m.slashes(f)
	case seen&isJoint != 0:
		m.joints(f)
	default:
		m.token(f, seen)
	}
}

// wide deals with what begins with the field from pos to end and goes beyond it,
// and reports whether it did.
func (m *Masker) wide(end int, seen uint8) bool {
	next := byte(0)
	if end < len(m.in) {
		next = m.in[end]
	}
	switch {
	case next == ':' && end+2 < len(m.in) && classes[m.in[end+1]]&isSlash != 0 && seen&isLetter != 0 &&
		(m.in[end+1] == '/' && m.in[end+2] == '/' || end == m.pos+1):
		m.pos = m.locator(end)
		m.wild()
		return true
	case next == ':' && hexadecimal(m.in[m.pos]):
		if to := m.address(m.pos); to > 0 {
			m.pos = to
			m.wild()
			return true
		}
	case next == ':' && seen&isDigit != 0 && seen&isLetter != 0 && seen&^(isDigit|isLetter|isJoint) == 0 && classes[m.in[m.pos]]&isLetter != 0 && m.port(end+1):
		m.pos = end
		m.wild()
		return true
	case end-m.pos == 3 && seen == isLetter:
		if to := m.date(m.pos); to > 0 {
			m.pos, m.dated = to, true
			m.wild()
			return true
		}
	case m.dated && end-m.pos == 4 && seen == isDigit:
		if n := len(m.out); n > 0 && m.out[n-1] == ' ' && bytes.HasSuffix(m.out[:n-1], []byte(Wild)) {
			m.out = m.out[:n-1]
			m.pos, m.dated = end, false
			return true
		}
	}
	return false
}

// slashes deals with a field that has slashes.
func (m *Masker) slashes(f []byte) {
	n, first := 0, -1
	for i, c := range f {
		if classes[c]&isSlash != 0 {
			if first < 0 {
				first = i
			}
			n++
		}
	}
	left, right := f[:first], f[first+1:]
	switch {
	case f[first] == '\\':
		if n > 1 && named(f) {
			m.wild()
			return
		}
	case named(right) && (first == 0 || n > 1 || len(left) == 1 && (left[0] == '.' || left[0] == '~') || string(left) == ".." || qualified(left) || qualified(right)):
		m.wild()
		return
	case n == 1 && address4(right):
		m.out = append(m.out, Wild+"/"+Wild...) // the name of a host and its address
		return
	case n == 1:
		m.joints(left)
		m.out = append(m.out, '/')
		m.joints(right)
		return
	}
	m.joints(f)
}

// named reports whether a text has a letter or a digit.
func named(f []byte) bool {
	for _, c := range f {
		if alphanumeric(c) {
			return true
		}
	}
	return false
}

// qualified reports whether a text has letters and, in it, a dot, as names of
// files and of classes do.
func qualified(f []byte) bool {
	dot := bytes.IndexByte(f, '.')
	if dot < 0 || dot == len(f)-1 {
		return false
	}
	for _, c := range f[dot+1:] {
		if classes[c]&isLetter != 0 {
			return true
		}
	}
	return false
}

// joints deals with a field that has no slashes.
func (m *Masker) joints(f []byte) {
	if name, ok := host(f); ok || compound(f) {
		m.wild()
		m.out = append(m.out, f[name:]...)
		return
	}
	for i := 0; i < len(f); {
		c := f[i]
		if classes[c]&isJoint != 0 {
			if (c == '-' || c == '+') && i == 0 && len(f) > 1 && digit(f[1]) {
				i++ // a sign
				continue
			}
			m.out = append(m.out, c)
			i++
			continue
		}
		end, seen := i, uint8(0)
		for end < len(f) {
			class := classes[f[end]]
			if class&isJoint != 0 && !signed(f[i:], end-i) {
				break
			}
			seen |= class
			end++
		}
		m.token(f[i:end], seen)
		i = end
	}
}
