package logpattern

import (
	"strings"

	"github.com/zeebo/xxh3"
)

// items are the fields of a shape with the delimiters and spaces between, each of
// those an item.
type items []string

// dropped stands for a field that is part of the one before.
const dropped = ""

// Bounds of what is merged of a shape: its first items, the rest being one, and
// its first fields.
const (
	maxItems  = 256
	maxFields = 64
)

func split(shape string) items {
	var all items
	start := 0
	for i := range len(shape) {
		if len(all) >= maxItems {
			break
		}
		if classes[shape[i]]&endsField == 0 {
			continue
		}
		if i > start {
			all = append(all, shape[start:i])
		}
		all = append(all, shape[i:i+1])
		start = i + 1
	}
	if start < len(shape) {
		all = append(all, shape[start:])
	}
	return all
}

// isField reports whether an item is a field.
func isField(item string) bool { return len(item) > 0 && classes[item[0]]&endsField == 0 }

func (l items) text() string {
	var out strings.Builder
	for i, item := range l {
		if item == " " && i+1 < len(l) && l[i+1] == dropped {
			continue
		}
		out.WriteString(item)
	}
	return out.String()
}

// hash is a sum of those of all items.
func (l items) hash() uint64 {
	sum := uint64(len(l)) * 0x9e3779b97f4a7c15
	for at, item := range l {
		sum += itemHash(item, at)
	}
	return sum
}

func itemHash(item string, at int) uint64 { return xxh3.HashStringSeed(item, uint64(at)) }

// before returns the item before the one at a place.
func (l items) before(at int) string {
	if at == 0 {
		return ""
	}
	return l[at-1]
}

// assigned reports whether a place has the value of a key: what stands after an
// equals sign, with quotes or without.
func (l items) assigned(at int) bool {
	return l.before(at) == "=" || at > 1 && l[at-2] == "=" && l.quoted(at)
}

// named reports whether a place is that of a name of a user, by the word before.
func (l items) named(at int) bool {
	return at >= 2 && l[at-1] == " " && (l[at-2] == "user" || l[at-2] == "username")
}

// quoted reports whether a place has all that is between quotes.
func (l items) quoted(at int) bool {
	return at > 0 && at+1 < len(l) && l[at-1] == l[at+1] && (l[at-1] == "\"" || l[at-1] == "'")
}

// words returns how many fields have letters, without the one at a place.
func (l items) words(except int) int {
	n := 0
	for at, item := range l {
		if at != except && isField(item) && strings.ContainsFunc(item, func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' || r >= 0x80 }) {
			n++
		}
	}
	return n
}

// fill puts Wild between brackets, and quotes, that have nothing between, where
// other shapes have it there.
func fill(lines []items) {
	full := map[string]bool{}
	for _, l := range lines {
		full[l.text()] = true
	}
	for i, l := range lines {
		if filled := l.fill(); len(filled) > len(l) && full[filled.text()] {
			lines[i] = filled
		}
	}
}

func (l items) fill() items {
	var out items
	for i, item := range l {
		out = append(out, item)
		next := ""
		if i+1 < len(l) {
			next = l[i+1]
		}
		switch item + next {
		case "()", "[]", "{}":
			out = append(out, Wild)
		}
	}
	return out
}

// repeat makes one of the values of lists where lists of other shapes have other
// lengths.
func repeat(lines []items) {
	lengths := map[string]map[int]bool{}
	short := make([]items, len(lines))
	for i, l := range lines {
		short[i] = l.single()
		text := short[i].text()
		if lengths[text] == nil {
			lengths[text] = map[int]bool{}
		}
		lengths[text][len(l)] = true
	}
	for i := range lines {
		if len(lengths[short[i].text()]) > 1 {
			lines[i] = short[i]
		}
	}
}

// maxPeriod is of how many words what is repeated in a list may be.
const maxPeriod = 4

// single returns the items with lists of what is the same, with Wild in it, cut to
// one.
func (l items) single() items {
	words := strings.Split(l.text(), " ")
	for period := 1; period <= maxPeriod; period++ {
		var out []string
		for i := 0; i < len(words); {
			n := 1
			for same(words, i, i+n*period, period) {
				n++
			}
			if n > 1 && wildly(words[i:i+period]) {
				out = append(out, words[i+(n-1)*period:i+n*period]...)
				i += n * period
				continue
			}
			out = append(out, words[i])
			i++
		}
		words = out
	}
	return split(strings.Join(words, " "))
}

// same reports whether words from a and b on are the same, but for commas.
func same(words []string, a, b, n int) bool {
	if b+n > len(words) {
		return false
	}
	for i := range n {
		if strings.TrimSuffix(words[a+i], ",") != strings.TrimSuffix(words[b+i], ",") {
			return false
		}
	}
	return true
}

func wildly(words []string) bool {
	for _, w := range words {
		if strings.Contains(w, Wild) {
			return true
		}
	}
	return false
}
