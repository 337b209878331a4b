package logpattern

// date returns where a date ends that begins at from with the short name of a day
// or a month, 0 if there is none. The hours of a time belong to it.
func (m *Masker) date(from int) int {
	at := from
	if dayName(m.in[at : at+3]) {
		at = m.spaces(at + 3)
		if at == 0 {
			return 0
		}
	}
	var end int
	if month := m.word(at); monthName(month) {
		if at = m.spaces(at + 3); at == 0 {
			return 0
		}
		if end = m.number(at, 2); end == 0 {
			return 0
		}
	} else if end = m.number(at, 2); end > 0 && at > from {
		at = m.spaces(end)
		if at == 0 || !monthName(m.word(at)) {
			return 0
		}
		end = at + 3
		if year := m.spaces(end); year > 0 {
			if to := m.number(year, 4); to == year+4 {
				end = to
			}
		}
	} else {
		return 0
	}
	if hour := m.spaces(end); hour > 0 {
		if to := m.number(hour, 2); to > 0 && to < len(m.in) && m.in[to] == ':' {
			end = to
		}
	}
	return end
}

// spaces returns where the spaces at a position end, a comma before them
// included, 0 if there are none.
func (m *Masker) spaces(at int) int {
	if at < len(m.in) && m.in[at] == ',' {
		at++
	}
	start := at
	for at < len(m.in) && classes[m.in[at]]&isSpace != 0 {
		at++
	}
	if at == start {
		return 0
	}
	return at
}

// number returns where a number of up to so many digits ends, 0 if there is none.
func (m *Masker) number(at, digits int) int {
	end := at
	for end < len(m.in) && digit(m.in[end]) {
		end++
	}
	if end == at || end-at > digits || end < len(m.in) && alphanumeric(m.in[end]) {
		return 0
	}
	return end
}

// word returns the three letters at a position that are a word, nil if there is
// none.
func (m *Masker) word(at int) []byte {
	if at+3 > len(m.in) || at+3 < len(m.in) && alphanumeric(m.in[at+3]) {
		return nil
	}
	return m.in[at : at+3]
}

func dayName(word []byte) bool {
	switch string(word) {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
		return true
	}
	return false
}

func monthName(word []byte) bool {
	switch string(word) {
	case "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec":
		return true
	}
	return false
}
