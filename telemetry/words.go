package telemetry

// IsWordByte reports whether a byte is part of a word as ClickHouse's tokens and
// hasToken see words: letters and digits of ASCII, and all that is not ASCII.
func IsWordByte(c byte) bool { return wordBytes[c] }

var wordBytes = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x80 || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
	}
	return t
}()

// LongestWordMax is what LongestWord returns of words that are longer still.
const LongestWordMax = 255

// LongestWord returns the length of the longest word of a text in bytes, at most
// LongestWordMax. A text without a word has 0.
func LongestWord(text string) uint8 {
	longest := 0
	// A longer word that begins at start or behind it has the byte at end, or begins
	// behind the last byte before it that is in no word. Most bytes are never looked at.
	for start := 0; start+longest < len(text); {
		end := start + longest
		at := end
		for at >= start && IsWordByte(text[at]) {
			at--
		}
		if at >= start {
			start = at + 1
			continue
		}
		for end < len(text) && IsWordByte(text[end]) {
			end++
		}
		if longest = end - start; longest >= LongestWordMax {
			return LongestWordMax
		}
		start = end + 1
	}
	return uint8(longest)
}
