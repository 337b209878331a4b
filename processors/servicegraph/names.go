package servicegraph

import "strings"

// names keeps each name once, under a number.
type names struct {
	numbers map[string]uint32
	texts   []string
	free    []uint32
	// kept is how many there were after the last sweep.
	kept int
}

// Names that are always there.
const (
	noName uint32 = iota
	// unknownService is the service of spans that name none, as SDKs call it.
	unknownService
	fixedNames
)

// minSwept is from how many new names on it is worth to look which are used.
const minSwept = 4096

func newNames() names {
	n := names{numbers: make(map[string]uint32)}
	for _, text := range [fixedNames]string{unknownService: "unknown_service"} {
		n.intern(text)
	}
	return n
}

// intern returns the number of a name, which is valid until a sweep finds that
// nobody uses it.
func (n *names) intern(text string) uint32 {
	if i, ok := n.numbers[text]; ok {
		return i
	}
	text = strings.Clone(text)
	var i uint32
	if last := len(n.free) - 1; last >= 0 {
		i = n.free[last]
		n.free = n.free[:last]
		n.texts[i] = text
	} else {
		i = uint32(len(n.texts)) //nolint:gosec // bounded by memory
		n.texts = append(n.texts, text)
	}
	n.numbers[text] = i
	return i
}

func (n *names) text(i uint32) string { return n.texts[i] }

// many reports whether a sweep is worth it.
func (n *names) many() bool { return len(n.numbers) > 2*n.kept+minSwept }

// sweep forgets the names that are not used.
func (n *names) sweep(used []bool) {
	for text, i := range n.numbers {
		if !used[i] {
			delete(n.numbers, text)
			n.texts[i] = ""
			n.free = append(n.free, i)
		}
	}
	n.kept = len(n.numbers)
}

func (n *names) bytes() int64 { return int64(len(n.texts)) * 100 }
