// Package logtime reads times as logs have them, in Unix nanoseconds, of the
// years 1970 to 2261. What is not a date of the calendar is refused, leap seconds
// too.
//
// It must not know any format of a log.
package logtime

import (
	"math"
	"strconv"
)

// Clock reads times of the common log format. It remembers the hour of the last
// one, which the next nearly always shares. The zero value is ready; it is used
// by one goroutine at a time.
type Clock struct {
	// text is the time that was read last of another hour or zone, and base the
	// Unix time in seconds at which its hour began.
	text [CLFWidth]byte
	base int64
}

// CLFWidth is the width of "02/Jan/2006:15:04:05 -0700".
const CLFWidth = 26

// Times are of the years that Unix nanoseconds can tell and web servers saw.
const firstYear, lastYear = 1970, 2261

// CLF reads a time such as 10/Oct/2000:13:55:36 -0700.
func (c *Clock) CLF(s string) (int64, bool) {
	if len(s) != CLFWidth || s[2] != '/' || s[14] != ':' || s[17] != ':' || s[20] != ' ' {
		return 0, false
	}
	if s[:14] != string(c.text[:14]) || s[21:] != string(c.text[21:]) {
		if !c.turn(s) {
			return 0, false
		}
	}
	minute, second := two(s, 15), two(s, 18)
	if minute > 59 || second > 59 {
		return 0, false
	}
	at := c.base + int64(minute*60+second)
	return at * 1e9, at >= 0
}

// turn makes the hour and zone of s, which has a slash after its day, those that
// are remembered.
func (c *Clock) turn(s string) bool {
	month := monthOf(s[3:6])
	day, year, hour := two(s, 0), two(s, 7)*100+two(s, 9), two(s, 12)
	offset, ok := zoneOffset(s[21:])
	if !ok || s[6] != '/' || s[11] != ':' || hour > 23 || !validDate(year, month, day) {
		return false
	}
	c.base = daysSince1970(year, month, day)*86400 + int64(hour)*3600 - offset
	copy(c.text[:], s)
	return true
}

// ISO reads a time such as 2006-01-02T15:04:05.000Z; the fraction may be left
// out, as may the zone, which is UTC then. The T may be a blank.
func ISO(s string) (ns int64, ok bool) {
	ns, _, ok = Zoned(s)
	return ns, ok
}

// Zoned is ISO, and reports whether the time says in which zone it is.
func Zoned(s string) (ns int64, zoned, ok bool) {
	if len(s) < 19 || s[10] != 'T' && s[10] != ' ' {
		return 0, false, false
	}
	days, ok := Date(s[:10])
	seconds, ok2 := TimeOfDay(s[11:19])
	if !ok || !ok2 {
		return 0, false, false
	}
	rest := s[19:]
	var nanos int64
	if len(rest) > 1 && (rest[0] == '.' || rest[0] == ',') {
		scale := int64(1e9)
		i := 1
		for ; i < len(rest) && isDigit(rest[i]); i++ {
			if scale > 1 {
				scale /= 10
				nanos += int64(rest[i]-'0') * scale
			}
		}
		if i == 1 {
			return 0, false, false
		}
		rest = rest[i:]
	}
	var offset int64
	if rest != "" {
		if offset, ok = zoneOffset(rest); !ok {
			return 0, false, false
		}
	}
	at := days*86400 + seconds - offset
	return at*1e9 + nanos, rest != "", at >= 0
}

// Date reads a date such as 2006-01-02 as days since 1970.
func Date(s string) (int64, bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	year, month, day := two(s, 0)*100+two(s, 2), two(s, 5), two(s, 8)
	if !validDate(year, month, day) {
		return 0, false
	}
	return daysSince1970(year, month, day), true
}

// TimeOfDay reads a time of day such as 15:04:05 as seconds.
func TimeOfDay(s string) (int64, bool) {
	if len(s) != 8 || s[2] != ':' || s[5] != ':' {
		return 0, false
	}
	hour, minute, second := two(s, 0), two(s, 3), two(s, 6)
	return int64(hour*3600 + minute*60 + second), hour <= 23 && minute <= 59 && second <= 59
}

// zoneOffset reads Z, +0200 or +02:00 as seconds east of Greenwich.
func zoneOffset(s string) (int64, bool) {
	if s == "Z" {
		return 0, true
	}
	if len(s) == 6 && s[3] == ':' {
		minutes := two(s, 4)
		return zoneSeconds(s[0], two(s, 1), minutes)
	}
	if len(s) != 5 {
		return 0, false
	}
	return zoneSeconds(s[0], two(s, 1), two(s, 3))
}

func zoneSeconds(sign byte, hours, minutes uint) (int64, bool) {
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	offset := int64(hours*3600 + minutes*60)
	switch sign {
	case '+':
		return offset, true
	case '-':
		return -offset, true
	}
	return 0, false
}

// Unix reads a number since 1970 in a unit of so many nanoseconds.
func Unix(s string, unit int64) (int64, bool) {
	ns, ok := Decimal(s, unit)
	return ns, ok && ns > 0
}

// two reads two digits; what is none is far out of the range of any part of a
// time.
func two(s string, at int) uint {
	a, b := uint(s[at]-'0'), uint(s[at+1]-'0')
	if a > 9 || b > 9 {
		return 1 << 16
	}
	return a*10 + b
}

// monthOf returns the number of a month's English abbreviation, 0 for another word.
func monthOf(s string) uint {
	switch s {
	case "Jan":
		return 1
	case "Feb":
		return 2
	case "Mar":
		return 3
	case "Apr":
		return 4
	case "May":
		return 5
	case "Jun":
		return 6
	case "Jul":
		return 7
	case "Aug":
		return 8
	case "Sep":
		return 9
	case "Oct":
		return 10
	case "Nov":
		return 11
	case "Dec":
		return 12
	}
	return 0
}

func validDate(year, month, day uint) bool {
	if year < firstYear || year > lastYear || month < 1 || month > 12 || day < 1 {
		return false
	}
	last := uint(31)
	switch month {
	case 4, 6, 9, 11:
		last = 30
	case 2:
		last = 28
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			last = 29
		}
	}
	return day <= last
}

// daysSince1970 counts days in years that begin in March, so that a leap day is
// the last of its year.
func daysSince1970(year, month, day uint) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	days := 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1
	const marchOfYear0To1970 = 719468
	return int64(days) - marchOfYear0To1970
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// Decimal reads a number that is not negative, with or without a fraction, and
// returns it times unit. Digits below one are cut off.
func Decimal(s string, unit int64) (int64, bool) {
	if s == "" || !isDigit(s[0]) {
		return 0, false
	}
	var whole int64
	i := 0
	for ; i < len(s) && isDigit(s[i]); i++ {
		if whole > math.MaxInt64/10-1 {
			return 0, false
		}
		whole = whole*10 + int64(s[i]-'0')
	}
	if whole > (math.MaxInt64-unit)/unit {
		return 0, false
	}
	whole *= unit
	if i == len(s) {
		return whole, true
	}
	if s[i] == '.' && i+1 < len(s) {
		scale := unit
		for i++; i < len(s) && isDigit(s[i]); i++ {
			if scale > 1 {
				scale /= 10
				whole += int64(s[i]-'0') * scale
			}
		}
		if i == len(s) {
			return whole, true
		}
	}
	// JSON has exponents, which nobody writes on purpose.
	if s[i] != 'e' && s[i] != 'E' || len(s) > 64 {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	if v *= float64(unit); err != nil || v >= math.MaxInt64 {
		return 0, false
	}
	return int64(v), true
}
