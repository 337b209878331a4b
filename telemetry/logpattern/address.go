package logpattern

// port reports whether a number of four or five digits is at a position, and no
// more follows.
func (m *Masker) port(at int) bool {
	end := m.number(at, 5)
	return end >= at+4 && (end == len(m.in) || m.in[end] != ':')
}

// locator returns where a URL, or a path that begins with a drive, ends.
func (m *Masker) locator(from int) int {
	end := from
	for end < len(m.in) {
		c := m.in[end]
		if classes[c]&isSpace != 0 || c == '"' || c == '\'' || c == '<' || c == '>' || c == ')' || c == ']' || c == '}' || c == '|' {
			break
		}
		end++
	}
	for end > from+1 {
		switch m.in[end-1] {
		case '.', ',', ';', ':', '!':
			end--
			continue
		}
		break
	}
	return end
}

// maxColons bounds how far is looked for an address.
const maxColons = 31

// address returns where an address of hexadecimal groups between colons ends that
// begins at from: IPv6, or a hardware address. It returns 0 if there is none.
func (m *Masker) address(from int) int {
	if from > 0 && (alphanumeric(m.in[from-1]) || m.in[from-1] == ':') {
		return 0
	}
	groups, colons, run := 0, 0, 0
	double, letter, number, pairs := false, false, false, true
	end := from
scan:
	for ; end < len(m.in); end++ {
		c := m.in[end]
		switch {
		case c == ':':
			if end > from && m.in[end-1] == ':' {
				if double {
					return 0
				}
				double = true
			}
			if colons++; colons > maxColons {
				return 0
			}
			pairs = pairs && run == 2
			run = 0
		case hexadecimal(c):
			if run == 0 {
				groups++
			}
			if run++; run > 4 {
				return 0
			}
			letter = letter || !digit(c)
			number = number || digit(c)
		default:
			break scan
		}
	}
	if end < len(m.in) && alphanumeric(m.in[end]) {
		return 0
	}
	if m.in[end-1] == ':' && !double { // a colon that follows
		colons--
		end--
	}
	switch {
	case double && (number || groups > 2) && (groups > 1 || colons == 2) && colons <= 7:
		return end
	case !double && groups == colons+1 && (letter && colons == 7 || pairs && run == 2 && colons >= 5):
		return end
	}
	return 0
}

// address4 reports whether a text is an IPv4 address.
func address4(f []byte) bool {
	dots := 0
	for i, c := range f {
		switch {
		case c == '.' && i > 0 && f[i-1] != '.':
			dots++
		case !digit(c):
			return false
		}
	}
	return dots == 3 && len(f) >= 7 && digit(f[len(f)-1])
}
