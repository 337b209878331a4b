package clickhouse

import "encoding/binary"

// dictionary collects the texts of a LowCardinality(String) column: each text
// once, and its number for every row. The texts are views that must live until
// append is done. One dictionary serves many columns, one after the other.
type dictionary struct {
	numbers map[string]uint32
	words   []string
	keys    []uint32
	// slots predicts: the number that the nth text of the row before had.
	slots []uint32
	last  string
	at    uint32
}

// reset begins a column of about n texts.
func (d *dictionary) reset(n int) {
	if d.numbers == nil {
		d.numbers = make(map[string]uint32, 64)
	}
	clear(d.numbers)
	clear(d.words)
	d.words = d.words[:0]
	if cap(d.keys) < n {
		d.keys = make([]uint32, 0, n+n/4)
	}
	d.keys = d.keys[:0]
	d.slots = d.slots[:0]
	d.last, d.at = "", 0
}

// add adds the next text. Texts that follow an equal one are cheap.
func (d *dictionary) add(text string) {
	if text != d.last || len(d.words) == 0 {
		d.last, d.at = text, d.number(text)
	}
	d.keys = append(d.keys, d.at)
}

// addTimes adds a text n times.
func (d *dictionary) addTimes(text string, n int) {
	at := d.number(text)
	for range n {
		d.keys = append(d.keys, at)
	}
}

// addNth adds the next text, which is the nth of a list; lists tend to have the
// same texts at the same place.
func (d *dictionary) addNth(n int, text string) {
	if n < len(d.slots) {
		at := d.slots[n]
		if d.words[at] != text {
			at = d.number(text)
			d.slots[n] = at
		}
		d.keys = append(d.keys, at)
		return
	}
	at := d.number(text)
	if n < 64 {
		d.slots = append(d.slots, at)
	}
	d.keys = append(d.keys, at)
}

func (d *dictionary) number(text string) uint32 {
	at, known := d.numbers[text]
	if !known {
		at = uint32(len(d.words))
		d.words = append(d.words, text)
		d.numbers[text] = at
	}
	return at
}

// Flags of a serialized LowCardinality column: it brings its own dictionary.
const (
	additionalKeys   = 1 << 9
	updateDictionary = 1 << 10
)

// append appends the column: the dictionary and the numbers, in the least width
// that holds them. A column without texts is nothing at all.
func (d *dictionary) append(dst []byte) []byte {
	if len(d.keys) == 0 {
		return dst
	}
	width := uint64(0)
	switch {
	case len(d.words) > 1<<16:
		width = 2
	case len(d.words) > 1<<8:
		width = 1
	}
	dst = binary.LittleEndian.AppendUint64(dst, additionalKeys|updateDictionary|width)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(d.words)))
	for _, w := range d.words {
		dst = appendText(dst, w)
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(d.keys)))
	dst, out := extend(dst, len(d.keys)<<width)
	switch width {
	case 0:
		for i, k := range d.keys {
			out[i] = byte(k)
		}
	case 1:
		for _, k := range d.keys {
			binary.LittleEndian.PutUint16(out, uint16(k))
			out = out[2:]
		}
	case 2:
		for _, k := range d.keys {
			binary.LittleEndian.PutUint32(out, k)
			out = out[4:]
		}
	}
	return dst
}
