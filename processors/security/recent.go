package security

// recent estimates how often each of any number of keys came in a minute: a
// count-min sketch with conservative update. It never says less than there were.
type recent struct {
	minute int64
	total  uint64
	used   bool
	cells  [rows * width]uint16
}

const (
	rows  = 4
	width = 1 << 15
	// maxCell is where cells stop.
	maxCell = 1<<16 - 1
)

// reset empties the sketch.
func (r *recent) reset() {
	r.minute = 0
	r.empty()
}

func (r *recent) empty() {
	if r.used {
		r.used, r.total = false, 0
		clear(r.cells[:])
	}
}

// at begins another minute. Time that goes back makes no difference.
func (r *recent) at(minute int64) {
	if minute <= r.minute {
		return
	}
	r.minute = minute
	r.empty()
}

// add counts a key n times and reports whether it came at least as often as said,
// beyond what the sketch may be wrong by: when very many keys come, only those
// that come more often than others are told apart.
func (r *recent) add(key uint64, n, least uint32) bool {
	r.total += uint64(n)
	r.used = true
	var at [rows]int
	lowest := uint16(maxCell)
	for row := range rows {
		at[row] = row*width + int(key>>(15*row)&(width-1)) //nolint:gosec // below width
		lowest = min(lowest, r.cells[at[row]])
	}
	count := uint16(min(uint32(lowest)+n, maxCell)) //nolint:gosec // bounded
	for _, i := range at {
		r.cells[i] = max(r.cells[i], count)
	}
	return uint64(count) >= uint64(least)+r.total/width
}
