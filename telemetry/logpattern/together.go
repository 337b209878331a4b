package logpattern

import "slices"

// together finds places that vary together: where a value of the kind is, and
// lines that are the same elsewhere are so many or more. They become wild.
func together(lines []items, kind func(l items, at int) bool, need int) {
	groups := map[uint64][]int{}
	for i, l := range lines {
		rest, found := l.hash(), false
		for at, item := range l {
			if isField(item) && kind(l, at) {
				rest -= itemHash(item, at)
				found = true
			}
		}
		if found {
			groups[rest] = append(groups[rest], i)
		}
	}
	for _, members := range groups {
		if len(members) < need {
			continue
		}
		first := lines[members[0]]
		for at := range first {
			if !isField(first[at]) || !kind(first, at) {
				continue
			}
			values := make([]string, len(members))
			for n, line := range members {
				values[n] = lines[line][at]
			}
			slices.Sort(values)
			if values = slices.Compact(values); len(values) < min(need, 3) {
				continue
			}
			value := dropped
			if !first.unit(at) {
				value = common(values)
			}
			for _, line := range members {
				lines[line][at] = value
			}
		}
	}
}

// unit reports whether a place has the unit of a number of bytes that stands
// before.
func (l items) unit(at int) bool {
	if at < 2 || l[at-1] != " " || !endsWild(l[at-2]) {
		return false
	}
	switch l[at] {
	case "B", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", dropped:
		return true
	}
	return false
}

func endsWild(item string) bool { return len(item) >= len(Wild) && item[len(item)-len(Wild):] == Wild }

// name reports whether a place has what looks like the name of a thing: an
// identifier, or a word of capitals after a word such as from.
func (l items) name(at int) bool {
	if at == 0 {
		return false
	}
	if identifier(l[at]) {
		return true
	}
	if at < 2 || l[at-1] != " " || !capitals(l[at]) {
		return false
	}
	switch l[at-2] {
	case "from", "to", "into", "as", "by", "for":
		return true
	}
	return false
}

func capitals(word string) bool {
	for i := range len(word) {
		if !uppercase(word[i]) {
			return false
		}
	}
	return len(word) > 1
}
