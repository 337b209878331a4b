package filelog

import (
	"bytes"
	"unicode/utf8"
)

// splitter cuts the content of a file into events: lines, or runs of lines. It
// keeps nothing from call to call.
type splitter struct {
	// maxLine is the longest event, in bytes.
	maxLine int
	// first is nil where every line is an event.
	first firstLine
}

// region is what a splitter is to cut.
type region struct {
	data []byte
	// inside says that the data begins within an event that was cut.
	inside bool
	// whole says that nothing belongs to the data that is not in it: its last
	// event is complete, even without a line end.
	whole bool
	// endsInside says that the last event of a whole region was cut at its end.
	endsInside bool
}

// each hands the events on, without their line ends, until take refuses one. It
// returns how much of the data they are, and whether that ends within an event.
// Events without any content are passed over. Cut says that an event is a piece
// of a longer one. The same region gives the same events.
func (s *splitter) each(r region, take func(event []byte, cut bool) bool) (n int, inside bool) {
	begin, inside := 0, r.inside // of the event that is being gathered
	end := func(to int, cutHere bool) bool {
		event := trim(r.data[begin:to])
		if len(event) > 0 && !take(event, inside || cutHere) {
			return false
		}
		begin, inside = to, cutHere
		return true
	}
	for at := 0; at < len(r.data); {
		rest := r.data[at:]
		length := bytes.IndexByte(rest[:min(len(rest), s.maxLine+1)], '\n')
		if s.first != nil && at > begin {
			line := rest[:min(len(rest), s.maxLine+1)]
			if length >= 0 {
				line = rest[:length]
			}
			switch {
			case length < 0 && len(rest) <= s.maxLine && !r.whole:
				return begin, inside // whether the line is a first one is not known yet
			case s.first(trim(line)):
				if !end(at, false) {
					return begin, inside
				}
			case at-begin+len(line) > s.maxLine:
				if !end(at, true) {
					return begin, inside
				}
			}
		}
		switch {
		case length >= 0:
			at += length + 1
			if s.first == nil && !end(at, false) {
				return begin, inside
			}
		case len(rest) > s.maxLine:
			at += wholeRunes(rest[:s.maxLine])
			if !end(at, true) {
				return begin, inside
			}
		default:
			at = len(r.data)
		}
	}
	if r.whole && begin < len(r.data) {
		end(len(r.data), r.endsInside)
	}
	return begin, inside
}

// trim takes the line end away.
func trim(event []byte) []byte {
	if n := len(event); n > 0 && event[n-1] == '\n' {
		event = event[:n-1]
	}
	if n := len(event); n > 0 && event[n-1] == '\r' {
		event = event[:n-1]
	}
	return event
}

// wholeRunes returns how long the part of b is that does not end within a
// character of UTF-8.
func wholeRunes(b []byte) int {
	for i := 1; i < utf8.UTFMax && i < len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-i:]) {
				return len(b) - i
			}
			break
		}
	}
	return len(b)
}
