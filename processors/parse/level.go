package parse

import "strings"

// The severity numbers of OpenTelemetry's data model.
const (
	levelTrace  = 1
	levelDebug  = 5
	levelDebug3 = 7
	levelInfo   = 9
	levelInfo2  = 10
	levelWarn   = 13
	levelError  = 17
	levelError2 = 18
	levelError3 = 19
	levelFatal  = 21
)

// levelOf returns the severity number of a level's name in any case, 0 for
// another word. A name may have an offset as those of log/slog have: INFO+2.
func levelOf(name string) uint8 {
	const longest = 16
	if len(name) == 0 || len(name) > longest {
		return 0
	}
	var lower [longest]byte
	for i := range len(name) {
		if lower[i] = name[i]; name[i] >= 'A' && name[i] <= 'Z' {
			lower[i] |= 0x20
		}
	}
	switch string(lower[:len(name)]) {
	case "trace", "trc", "verbose", "finest", "t":
		return levelTrace
	case "debug", "dbg", "finer", "fine", "d":
		return levelDebug
	case "config":
		return levelDebug3
	case "info", "information", "informational", "inf", "i":
		return levelInfo
	case "notice":
		return levelInfo2
	case "warn", "warning", "wrn", "w":
		return levelWarn
	case "error", "err", "eror", "severe", "e":
		return levelError
	case "critical", "crit", "dpanic", "c":
		return levelError2
	case "alert", "panic":
		return levelError3
	case "fatal", "ftl", "emerg", "emergency", "f":
		return levelFatal
	}
	if at := strings.IndexAny(name, "+-"); at > 1 && at == len(name)-2 {
		if base, offset := levelOf(name[:at]), name[at+1]-'0'; base != 0 && offset <= 9 {
			if name[at] == '-' {
				return base - min(offset, base-1)
			}
			return min(base+offset, 24)
		}
	}
	return 0
}

// levelNumber returns the severity number of a level that is a number: 0 to 7 as
// in syslog and GELF, 10 to 60 as in bunyan and pino.
func levelNumber(n int64) uint8 {
	switch {
	case n >= 0 && n <= 7:
		return syslogLevels[n]
	case n >= 10 && n < 20:
		return levelTrace
	case n >= 20 && n < 30:
		return levelDebug
	case n >= 30 && n < 40:
		return levelInfo
	case n >= 40 && n < 50:
		return levelWarn
	case n >= 50 && n < 60:
		return levelError
	case n >= 60 && n < 70:
		return levelFatal
	}
	return 0
}

var syslogLevels = [8]uint8{levelFatal, levelError3, levelError2, levelError, levelWarn, levelInfo2, levelInfo, levelDebug}

// window is how much of a line is searched for its level.
const window = 64

// textLevel returns the severity number that a line of plain text names at its
// beginning, and the word that does; 0 if there is none. A level stands first or
// after a time and what is in brackets: alone in capitals, in any case between
// brackets or, first of all, before a colon.
func textLevel(line string) (uint8, string) {
	s := line[:min(len(line), window)]
	if len(s) < 2 {
		return 0, ""
	}
	if n := klogLevel(s); n != 0 {
		return n, s[:1]
	}
	for at, words := 0, 0; at < len(s); words++ {
		for at < len(s) && s[at] <= ' ' {
			at++
		}
		end := at
		for end < len(s) && s[end] > ' ' {
			end++
		}
		word := s[at:end]
		if word == "" || end == len(s) && len(line) > len(s) {
			return 0, "" // what may go on behind the window says nothing
		}
		switch word[0] {
		case '[', '<', '(':
			n, inner, length := bracketLevel(s[at:], words)
			if n != 0 {
				return n, inner
			}
			if length == 0 {
				return 0, ""
			}
			at += length
			continue
		}
		bare := strings.TrimRight(word, ":|,")
		// Python and others write ERROR:root:text.
		if colon := strings.IndexByte(bare, ':'); colon > 0 && words == 0 {
			bare = bare[:colon]
		}
		if n := levelOf(bare); n != 0 && len(bare) > 1 && (isUpper(bare) || words == 0 && len(word) > len(bare) && word[len(bare)] == ':') {
			return n, bare
		}
		if !isContext(word, words) {
			return 0, ""
		}
		at = end
	}
	return 0, ""
}

// klogLevel is that of a line such as E0102 15:04:05.000000.
func klogLevel(s string) uint8 {
	if len(s) < 6 || s[5] != ' ' || !allDigits(s[1:5]) {
		return 0
	}
	switch s[0] {
	case 'I', 'W', 'E', 'F':
		return levelOf(s[:1])
	}
	return 0
}

// bracketLevel reads what is between the brackets that s begins with: a level,
// or a priority of syslog if that comes first. It returns the length of what it
// read, 0 if the bracket is not closed.
func bracketLevel(s string, words int) (n uint8, inner string, length int) {
	end := strings.IndexByte(s, s[0]+2)
	if s[0] == '(' {
		end = strings.IndexByte(s, ')')
	}
	if end < 0 {
		return 0, "", 0
	}
	inner = strings.Trim(s[1:end], " ")
	if s[0] == '<' && words == 0 && allDigits(inner) && len(inner) <= 3 {
		if priority, _ := integer(inner); priority < 192 {
			return syslogLevels[priority&7], "", end + 1
		}
	}
	if len(inner) > 1 {
		n = levelOf(inner)
	}
	return n, inner, end + 1
}

func isUpper(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

// isContext reports whether a word can stand before a level: a part of a time, a
// number or a dash. An address is what access logs begin with.
func isContext(word string, words int) bool {
	switch word {
	case "UTC", "GMT", "Z", "|":
		return true
	case "-":
		return words > 1
	case "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
		return true
	}
	return word[0]-'0' <= 9 && strings.Count(word, ".") < 3
}
