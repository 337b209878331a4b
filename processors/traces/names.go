package traces

import (
	"strings"
	"unicode/utf8"
)

// names keeps each name once, under a number, as long as somebody holds it. The
// empty name has the number 0, for good.
type names struct {
	numbers map[string]uint32
	all     []name
	free    []uint32
	// live is the size of the names that are held, loose the number of those
	// that nobody holds and that are kept in case they come again.
	live  int
	loose int
}

type name struct {
	text string
	refs uint32
	used bool
	// word is the name's place in the words of a batch, in its round.
	word, round uint32
}

const (
	// maxName bounds a name; the rest of a longer one is left out.
	maxName = 256
	// nameOverhead is what a name takes beside its text.
	nameOverhead = 96
	// maxNameBytes bounds the names that are held. It is reached only where
	// names are not names but texts that never repeat.
	maxNameBytes = 64 << 20
	// minLoose is how many names that nobody holds are worth a look.
	minLoose = 4096
)

func newNames() names {
	return names{numbers: map[string]uint32{"": 0}, all: []name{{used: true, refs: 1}}}
}

// intern returns the number of a name, which is valid until the next sweep
// unless it is held.
func (n *names) intern(text string) uint32 {
	if len(text) > maxName {
		text = shortened(text)
	}
	if i, ok := n.numbers[text]; ok {
		return i
	}
	return n.add(text)
}

// internBytes is intern for a name that is put together.
func (n *names) internBytes(text []byte) uint32 {
	if i, ok := n.numbers[string(text)]; ok {
		return i
	}
	return n.intern(string(text))
}

func (n *names) add(text string) uint32 {
	text = strings.Clone(text)
	var i uint32
	if free := len(n.free); free > 0 {
		i = n.free[free-1]
		n.free = n.free[:free-1]
	} else {
		i = uint32(len(n.all))
		n.all = append(n.all, name{})
	}
	n.all[i] = name{text: text, used: true}
	n.numbers[text] = i
	n.loose++
	return i
}

// shortened cuts a name between two characters.
func shortened(text string) string {
	cut := maxName
	for cut > maxName-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

func (n *names) text(i uint32) string { return n.all[i].text }

// hold keeps a name until it is released as often as it was held.
func (n *names) hold(i uint32) {
	e := &n.all[i]
	if e.refs++; e.refs == 1 {
		n.loose--
		n.live += len(e.text) + nameOverhead
	}
}

func (n *names) release(i uint32) {
	e := &n.all[i]
	if e.refs--; e.refs == 0 {
		n.loose++
		n.live -= len(e.text) + nameOverhead
	}
}

// sweep forgets the names that nobody holds, when they are many.
func (n *names) sweep() {
	if n.loose < minLoose || n.loose < len(n.numbers)/2 {
		return
	}
	for i := range n.all {
		if e := &n.all[i]; e.used && e.refs == 0 {
			delete(n.numbers, e.text)
			*e = name{}
			n.free = append(n.free, uint32(i))
		}
	}
	n.loose = 0
}

func (n *names) bytes() int64 {
	return int64(n.live) + int64(n.loose)*nameOverhead
}
