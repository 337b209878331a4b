package logwriter

import (
	"iter"
	"unicode/utf8"
)

// replacement takes the place of every run of bytes that are not UTF-8.
const replacement = "\uFFFD"

// measure returns how long s is once it is repaired, and whether it has to be.
func measure(s []byte) (n int, good bool) {
	if utf8.Valid(s) {
		return len(s), true
	}
	for run, ok := range runs(s) {
		if ok {
			n += len(run)
		} else {
			n += len(replacement)
		}
	}
	return n, false
}

// appendValid appends s, repaired where it is not good.
func appendValid(b, s []byte, good bool) []byte {
	if good {
		return append(b, s...)
	}
	for run, ok := range runs(s) {
		if ok {
			b = append(b, run...)
		} else {
			b = append(b, replacement...)
		}
	}
	return b
}

// runs cuts s into runs that are UTF-8 and runs that are not.
func runs(s []byte) iter.Seq2[[]byte, bool] {
	return func(yield func([]byte, bool) bool) {
		begin, good := 0, true
		for i := 0; i < len(s); {
			r, size := utf8.DecodeRune(s[i:])
			if ok := r != utf8.RuneError || size > 1; ok != good {
				if i > begin && !yield(s[begin:i], good) {
					return
				}
				begin, good = i, ok
			}
			i += size
		}
		if begin < len(s) {
			yield(s[begin:], good)
		}
	}
}
