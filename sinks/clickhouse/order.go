package clickhouse

import (
	"cmp"
	"math/bits"
	"slices"
)

// sortKey is the place of a row in the order of its table: what the table is
// ordered by, before the time, packed into one number.
type sortKey struct {
	prefix, second uint64
	time           int64
	row            uint32
}

func compareKeys(a, b *sortKey) int {
	switch {
	case a.prefix != b.prefix:
		return cmp.Compare(a.prefix, b.prefix)
	case a.second != b.second:
		return cmp.Compare(a.second, b.second)
	case a.time != b.time:
		return cmp.Compare(a.time, b.time)
	}
	return cmp.Compare(a.row, b.row)
}

// sorter orders rows as their table does. ClickHouse would do it otherwise, by
// moving every column; here only the order of reading changes. Where the order
// is not quite the table's, ClickHouse sorts again; nothing depends on it.
type sorter struct {
	keys          []sortKey
	order         []uint32
	packed, spare []uint64
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

// fewRows is below which sorting by digits does not pay.
const fewRows = 512

// sorted returns the numbers of the rows in order. Equal rows stay as they came,
// so the result is the same whenever the block is. The keys are used up.
func (s *sorter) sorted() []uint32 {
	s.order = slices.Grow(s.order[:0], len(s.keys))
	if len(s.keys) >= fewRows && s.byDigits() {
		return s.order
	}
	slices.SortFunc(s.keys, func(a, b sortKey) int { return compareKeys(&a, &b) })
	for i := range s.keys {
		s.order = append(s.order, s.keys[i].row)
	}
	return s.order
}

// The digits of a key, and how many are looked at: enough to tell most rows.
const (
	digitBits = 11
	digits    = 3
)

// byDigits sorts the rows by the leading ones of those bits in which keys differ
// at all, least digit first, and by comparison what that does not tell apart. It
// leaves that to the caller where keys differ in bits all over the place, and
// where no hash is part of them: rows in the order of time are nearly sorted.
func (s *sorter) byDigits() bool {
	rowBits := bits.Len(uint(len(s.keys)))
	pick, width, ok := s.differing(min(digits*digitBits, 64-rowBits))
	if !ok {
		return false
	}
	s.packed = slices.Grow(s.packed[:0], len(s.keys))[:len(s.keys)]
	s.spare = slices.Grow(s.spare[:0], len(s.keys))[:len(s.keys)]
	var counts [digits][1 << digitBits]uint32
	const mask = 1<<digitBits - 1
	passes := (width + digitBits - 1) / digitBits
	for i := range s.keys {
		key := pick.of(&s.keys[i])
		s.packed[i] = key<<rowBits | uint64(i)
		for d := range passes {
			counts[d][key>>(d*digitBits)&mask]++
		}
	}
	from, to := s.packed, s.spare
	for d := range passes {
		at := &counts[d]
		var sum uint32
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		shift := rowBits + d*digitBits
		for _, p := range from {
			n := &at[p>>shift&mask]
			to[*n] = p
			*n++
		}
		from, to = to, from
	}
	s.packed, s.spare = from, to
	row := func(p uint64) *sortKey { return &s.keys[p&(1<<rowBits-1)] }
	for start := 0; start < len(from); {
		end, ordered := start+1, true
		for end < len(from) && from[end]>>rowBits == from[start]>>rowBits {
			ordered = ordered && compareKeys(row(from[end-1]), row(from[end])) < 0
			end++
		}
		if !ordered {
			slices.SortFunc(from[start:end], func(a, b uint64) int { return compareKeys(row(a), row(b)) })
		}
		start = end
	}
	for _, p := range from {
		s.order = append(s.order, uint32(p&(1<<rowBits-1)))
	}
	return true
}

// bitRun is a run of bits of a part of the key that goes to another place.
type bitRun struct {
	mask        uint64
	left, right uint8 // shift, one of them is 0
}

// bitPick makes a number of some bits of a key.
type bitPick struct {
	runs [3][]bitRun // of prefix, second and time
	all  [maxRuns]bitRun
}

const maxRuns = 6

func (p *bitPick) of(k *sortKey) uint64 {
	var out uint64
	for i, part := range [3]uint64{k.prefix, k.second, uint64(k.time) ^ 1<<63} {
		for _, r := range p.runs[i] {
			out |= part & r.mask << r.left >> r.right
		}
	}
	return out
}

// differing returns what picks the first bits in which the keys differ, at most
// most of them, and how many those are.
func (s *sorter) differing(most int) (pick bitPick, width int, ok bool) {
	var masks [3]uint64
	first := s.keys[0]
	for i := range s.keys {
		k := &s.keys[i]
		masks[0] |= k.prefix ^ first.prefix
		masks[1] |= k.second ^ first.second
		masks[2] |= uint64(k.time ^ first.time)
	}
	if masks[1] == 0 {
		return pick, 0, false
	}
	for _, m := range masks {
		width += bits.OnesCount64(m)
	}
	width = min(width, most)
	n, rest := 0, width
	for i, m := range masks {
		begin := n
		for m != 0 && rest > 0 {
			if n == maxRuns {
				return pick, 0, false
			}
			high := 64 - bits.LeadingZeros64(m) // after the highest bit of the run
			length := min(bits.LeadingZeros64(^(m << (64 - high))), rest)
			low := high - length
			rest -= length
			r := bitRun{mask: (1<<length - 1) << low}
			if low > rest {
				r.right = uint8(low - rest)
			} else {
				r.left = uint8(rest - low)
			}
			pick.all[n] = r
			n++
			m &^= r.mask
		}
		pick.runs[i] = pick.all[begin:n]
	}
	return pick, width, true
}
