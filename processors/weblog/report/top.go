package report

import (
	"cmp"
	"slices"
)

// most sorts rows by requests and then by name.
func most(a, b Row) int {
	return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Name, b.Name))
}

// leaders keeps the rows that come first of many.
type leaders struct {
	rows  []Row
	top   int // 0 is all
	total int
	// least is how many requests a row needs.
	least uint64
}

// offer counts a row, which is made if it can be one of the first.
func (l *leaders) offer(requests uint64, row func() Row) {
	l.total++
	if requests < l.least {
		return
	}
	l.rows = append(l.rows, row())
	const slack = 500
	if l.top > 0 && len(l.rows) >= 2*l.top+slack {
		l.cut()
	}
}

func (l *leaders) cut() {
	slices.SortFunc(l.rows, most)
	if l.top > 0 && len(l.rows) >= l.top {
		clear(l.rows[l.top:])
		l.rows = l.rows[:l.top]
		l.least = l.rows[l.top-1].Requests
	}
}
