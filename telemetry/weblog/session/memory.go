package session

import "strings"

// slab is the memory of sessions, in pieces, so that it grows without being copied.
type slab struct {
	pieces [][]session
	free   []uint32
	used   int
	next   uint32 // the first index that was never used
}

const pieceLength = 1 << 10

func (l *slab) at(i uint32) *session { return &l.pieces[i/pieceLength][i%pieceLength] }

// take returns the index of a session that is free.
func (l *slab) take() uint32 {
	l.used++
	if n := len(l.free); n > 0 {
		i := l.free[n-1]
		l.free = l.free[:n-1]
		return i
	}
	if int(l.next/pieceLength) == len(l.pieces) {
		l.pieces = append(l.pieces, make([]session, pieceLength))
	}
	l.next++
	return l.next - 1
}

// give frees a session.
func (l *slab) give(i uint32) {
	*l.at(i) = session{}
	l.used--
	l.free = append(l.free, i)
}

// words are texts that many sessions share: the tenant and the site, or the country,
// browser, system and bot.
type words [4]string

func (w words) size() int { return len(w[0]) + len(w[1]) + len(w[2]) + len(w[3]) }

// table has words, each as long as a session has them.
type table struct {
	index map[words]uint32
	rows  []row
	free  []uint32
	text  int64
}

type row struct {
	words
	users int
}

// take returns the index of words, which have one more user then.
func (t *table) take(w words) uint32 {
	if i, ok := t.index[w]; ok {
		t.rows[i].users++
		return i
	}
	if t.index == nil {
		t.index = make(map[words]uint32)
	}
	for i := range w {
		w[i] = strings.Clone(w[i])
	}
	i := uint32(len(t.rows)) //nolint:gosec // no more than sessions
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
		t.rows[i] = row{w, 1}
	} else {
		t.rows = append(t.rows, row{w, 1})
	}
	t.index[w] = i
	t.text += int64(w.size())
	return i
}

func (t *table) at(i uint32) *words { return &t.rows[i].words }

// drop takes a user from words.
func (t *table) drop(i uint32) {
	r := &t.rows[i]
	if r.users--; r.users > 0 {
		return
	}
	t.text -= int64(r.size())
	delete(t.index, r.words)
	*r = row{}
	t.free = append(t.free, i)
}

// bytes is about how much memory the words take.
func (t *table) bytes() int64 {
	const each = 180
	return int64(len(t.index))*each + t.text
}
