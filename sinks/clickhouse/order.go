package clickhouse

import (
	"cmp"
	"slices"
)

// sortKey is the place of a row in the order of its table: what the table is
// ordered by, before the time, packed into one number.
type sortKey struct {
	prefix, second uint64
	time           int64
	row            uint32
}

// sorter orders rows as their table does. ClickHouse would do it otherwise, by
// moving every column; here only the order of reading changes. Where the order
// is not quite the table's, ClickHouse sorts again; nothing depends on it.
type sorter struct {
	keys  []sortKey
	order []uint32
}

func (s *sorter) reset(n int) {
	if cap(s.keys) < n {
		s.keys = make([]sortKey, 0, n+n/4)
	}
	s.keys = s.keys[:0]
}

// add adds the next row.
func (s *sorter) add(prefix, second uint64, time int64) {
	s.keys = append(s.keys, sortKey{prefix, second, time, uint32(len(s.keys))})
}

// sorted returns the numbers of the rows in order. Equal rows stay as they came,
// so the result is the same whenever the block is.
func (s *sorter) sorted() []uint32 {
	slices.SortFunc(s.keys, func(a, b sortKey) int {
		switch {
		case a.prefix != b.prefix:
			return cmp.Compare(a.prefix, b.prefix)
		case a.second != b.second:
			return cmp.Compare(a.second, b.second)
		case a.time != b.time:
			return cmp.Compare(a.time, b.time)
		}
		return cmp.Compare(a.row, b.row)
	})
	s.order = s.order[:0]
	for i := range s.keys {
		s.order = append(s.order, s.keys[i].row)
	}
	return s.order
}
