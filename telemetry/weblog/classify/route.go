package classify

import "strings"

// The bounds of a route: what is longer or deeper ends with {rest}.
const (
	mostSegments = 8
	longestRoute = 200
)

// route returns the path with what looks like an id folded: numbers, UUIDs,
// hexadecimal digits, long words with digits, dates and e-mail addresses. It is a
// function of the path alone.
func (c *Classifier) route(path string) string {
	if path == "" || path[0] != '/' {
		return path[:min(len(path), 1)] // the asterisk of OPTIONS
	}
	if isPlain(path) {
		return path
	}
	// Folding adds at most a few bytes to each segment.
	b := c.texts.room(longestRoute + len("/{rest}"))
	rest := path
	for n := 0; rest != ""; n++ {
		segment := rest[1:]
		if slash := strings.IndexByte(segment, '/'); slash >= 0 {
			segment, rest = segment[:slash], segment[slash:]
		} else {
			rest = ""
		}
		before := len(b)
		if n < mostSegments && len(segment) <= longestRoute {
			b = appendSegment(append(b, '/'), segment)
		}
		if n == mostSegments || len(segment) > longestRoute || len(b) > longestRoute {
			b = append(b[:before], "/{rest}"...)
			break
		}
	}
	if string(b) == path {
		return path
	}
	// What was appended may have outgrown the room, and be elsewhere.
	return c.texts.keep(append(c.texts.room(len(b)), b...))
}

// isPlain reports whether there is nothing to fold in a path.
func isPlain(path string) bool {
	if len(path) > longestRoute {
		return false
	}
	segments := 0
	for i := range len(path) {
		switch c := path[i]; {
		case c == '/':
			segments++
		case c-'0' <= 9, c == '@', c == ';':
			return false
		}
	}
	return segments <= mostSegments
}

// appendSegment appends a part of a path, folded.
func appendSegment(b []byte, s string) []byte {
	// Parameters such as ;jsessionid= belong to a visit.
	s, _, _ = strings.Cut(s, ";")
	if isEmail(s) {
		return append(b, "{email}"...)
	}
	stem, extension := s, ""
	if dot := strings.LastIndexByte(s, '.'); dot > 0 && isExtension(s[dot+1:]) {
		stem, extension = s[:dot], s[dot:]
	}
	switch {
	case isDate(stem):
		return append(append(b, "{date}"...), extension...)
	case isUUID(stem), isNumber(stem):
		return append(append(b, "{id}"...), extension...)
	}
	for stem != "" {
		end := 0
		for end < len(stem) && isWordByte(stem[end]) {
			end++
		}
		if word := stem[:end]; isID(word) {
			b = append(b, "{id}"...)
		} else {
			b = append(b, word...)
		}
		if stem = stem[end:]; stem == "" {
			break
		}
		n := 1
		if stem[0] == '%' {
			n = min(3, len(stem)) // an escaped byte is no word
		}
		b = append(b, stem[:n]...)
		stem = stem[n:]
	}
	return append(b, extension...)
}

func isWordByte(c byte) bool { return isLetter(c) || c-'0' <= 9 }

func isLetter(c byte) bool { return c|0x20-'a' <= 'z'-'a' }

// isID reports whether a word of letters and digits stands for one of many: where it
// is or has a long number, is hexadecimal, or a mixture that nobody would say.
func isID(word string) bool {
	const leastNumber, leastHex, leastMixed, leastChanging, leastChanges, leastCapitals = 5, 8, 16, 8, 3, 9
	if len(word) < leastNumber {
		return false
	}
	digits, changes, run, longest, hexadecimal, capitals := 0, 0, 0, 0, true, true
	for i := range len(word) {
		c := word[i]
		isDigit := c-'0' <= 9
		switch {
		case isDigit:
			digits++
		case c|0x20 > 'f':
			hexadecimal = false
		}
		if run++; !isDigit {
			run = 0
		}
		longest = max(longest, run)
		capitals = capitals && c < 'a'
		if i > 0 && isDigit != (word[i-1]-'0' <= 9) {
			changes++
		}
	}
	switch {
	case digits == len(word):
		return true
	case digits == 0:
		return false
	}
	return longest >= leastNumber || hexadecimal && len(word) >= leastHex || len(word) >= leastMixed ||
		len(word) >= leastChanging && changes >= leastChanges || capitals && len(word) >= leastCapitals && digits > 1
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}

// isDate reports whether s is a date such as 2006-01-02.
func isDate(s string) bool {
	return len(s) == 10 && (s[4] == '-' || s[4] == '_' || s[4] == '.') && s[7] == s[4] &&
		isNumber(s[:4]) && isNumber(s[5:7]) && isNumber(s[8:])
}

func isUUID(s string) bool {
	if len(s) == 38 && s[0] == '{' && s[37] == '}' {
		s = s[1:37]
	}
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return false
			}
		} else if c := s[i]; c-'0' > 9 && c|0x20-'a' > 'f'-'a' {
			return false
		}
	}
	return true
}

func isEmail(s string) bool {
	at := strings.IndexByte(s, '@')
	width := 1
	if at < 0 {
		at, width = strings.Index(s, "%40"), 3
	}
	return at > 0 && strings.IndexByte(s[at+width:], '.') > 0
}

// isExtension reports whether s can follow the last dot of a file's name.
func isExtension(s string) bool {
	const longest = 5
	if s == "" || len(s) > longest || !isLetter(s[0]) {
		return false
	}
	for i := range len(s) {
		if !isWordByte(s[i]) {
			return false
		}
	}
	return true
}

// isAsset reports whether a path names a file that belongs to a page.
func isAsset(path string) bool {
	path, _, _ = strings.Cut(path, ";")
	dot := strings.LastIndexByte(path, '.')
	if dot < 0 {
		return false
	}
	extension := path[dot+1:]
	const shortest, longest = 2, 11
	if len(extension) < shortest || len(extension) > longest {
		return false
	}
	var lower [longest]byte
	for i := range len(extension) {
		c := extension[i]
		if c-'A' <= 'Z'-'A' {
			c |= 0x20
		}
		lower[i] = c
	}
	switch string(lower[:len(extension)]) {
	case "css", "js", "mjs", "map", "wasm", "webmanifest", // styles and scripts
		"png", "jpg", "jpeg", "gif", "svg", "ico", "webp", "avif", "bmp", "tif", "tiff", "apng", "jxl", "cur",
		"woff", "woff2", "ttf", "otf", "eot",
		"mp3", "mp4", "webm", "ogg", "ogv", "oga", "wav", "flac", "m4a", "m4v", "mov", "avi", "m3u8", "ts", "swf":
		return true
	}
	return false
}
