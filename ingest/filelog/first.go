package filelog

import (
	"bytes"
	"regexp"
)

// firstLine reports whether a line is the first one of a log record.
type firstLine func(line []byte) bool

// firstLine returns the rule, nil where every line is a log record.
func (m *Multiline) firstLine() firstLine {
	switch {
	case m.StartsWith == "timestamp":
		return beginsWithTime
	case m.StartsWith == "not_blank":
		return func(line []byte) bool { return len(line) > 0 && line[0] != ' ' && line[0] != '\t' }
	case m.Literal != "":
		literal := []byte(m.Literal)
		return func(line []byte) bool { return bytes.HasPrefix(line, literal) }
	case m.Pattern != "":
		return regexp.MustCompile(m.Pattern).Match
	}
	return nil
}

// beginsWithTime reports whether a line begins with a date or a time, maybe in
// a bracket: 2026-11-21, 2026/11/21, 21/Nov/2026, 21.11.2026, 21 Nov 2026,
// Nov 21, Sat Nov 21, Sat, 21 Nov, 12:34:56, 1790000000, or I1121 12:34.
func beginsWithTime(line []byte) bool {
	if len(line) > 0 && (line[0] == '[' || line[0] == '(' || line[0] == '<') {
		line = line[1:]
	}
	digits := 0
	for digits < len(line) && digits < 10 && digit(line[digits]) {
		digits++
	}
	switch rest := line[digits:]; digits {
	case 0:
		return beginsWithName(line)
	case 1, 2:
		return len(rest) > 2 && (rest[0] == ':' && digit(rest[1]) ||
			(rest[0] == '/' || rest[0] == '-' || rest[0] == '.') && digit(rest[1]) && digits == 2 ||
			(rest[0] == '/' || rest[0] == '-' || rest[0] == ' ') && month(rest[1:]))
	case 4:
		return len(rest) > 2 && (rest[0] == '-' || rest[0] == '/' || rest[0] == '.') && digit(rest[1]) && digit(rest[2])
	case 8:
		// 20261121T123456, 20261121 123456
		return len(rest) > 1 && (rest[0] == 'T' || rest[0] == ' ' || rest[0] == '-') && digit(rest[1])
	case 10:
		return true
	}
	return false
}

// beginsWithName reports whether a line begins with a month or a day of the
// week before a number, or with the letter and date of glog.
func beginsWithName(line []byte) bool {
	if len(line) > 7 && (line[0] == 'I' || line[0] == 'W' || line[0] == 'E' || line[0] == 'F') && digit(line[1]) {
		return digit(line[2]) && digit(line[3]) && digit(line[4]) && line[5] == ' ' && digit(line[6])
	}
	if weekday(line) {
		line = line[3:]
		if len(line) > 0 && line[0] == ',' {
			line = line[1:]
		}
		if len(line) == 0 || line[0] != ' ' {
			return false
		}
		line = line[1:]
		if len(line) > 1 && digit(line[0]) {
			return true
		}
	}
	if !month(line) || len(line) < 6 || line[3] != ' ' {
		return false
	}
	return digit(line[4]) || line[4] == ' ' && digit(line[5])
}

func digit(c byte) bool { return c-'0' < 10 }

const (
	months   = "JanFebMarAprMayJunJulAugSepOctNovDec"
	weekdays = "MonTueWedThuFriSatSun"
)

func month(line []byte) bool   { return named(line, months) }
func weekday(line []byte) bool { return named(line, weekdays) }

// named reports whether the line begins with one of the names of three letters.
func named(line []byte, names string) bool {
	if len(line) < 3 {
		return false
	}
	for i := 0; i < len(names); i += 3 {
		if string(line[:3]) == names[i:i+3] {
			return true
		}
	}
	return false
}
