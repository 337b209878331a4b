package syslog

import "time"

// clock turns dates into Unix nanoseconds. What it worked out for an hour it
// remembers, as messages mostly are of the same one.
type clock struct {
	location *time.Location
	// The hour of which base is the beginning, in the location.
	year, month, day, hour int
	base                   int64 // Unix seconds
	known                  bool
}

// local returns the Unix seconds of a time in the location.
func (c *clock) local(year, month, day, hour, minute, second int) int64 {
	if !c.known || year != c.year || month != c.month || day != c.day || hour != c.hour {
		c.base = time.Date(year, time.Month(month), day, hour, 0, 0, 0, c.location).Unix()
		c.year, c.month, c.day, c.hour, c.known = year, month, day, hour, true
	}
	return c.base + int64(minute*60+second)
}

// civil returns the days from 1970 to a date of the Gregorian calendar.
func civil(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	ofEra := year - era*400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return int64(era)*146097 + int64(ofEra*365+ofEra/4-ofEra/100+ofYear) - 719468
}

// two reads two digits.
func two(text []byte) (int, bool) {
	if len(text) < 2 || !digit(text[0]) || !digit(text[1]) {
		return 0, false
	}
	return int(text[0]-'0')*10 + int(text[1]-'0'), true
}

// dayTime reads hh:mm:ss with an optional fraction, and returns its length, 0
// where it is not right.
func dayTime(text []byte) (hour, minute, second, nanos, size int) {
	const least = len("hh:mm:ss")
	if len(text) < least || text[2] != ':' || text[5] != ':' {
		return 0, 0, 0, 0, 0
	}
	hour, ok1 := two(text)
	minute, ok2 := two(text[3:])
	second, ok3 := two(text[6:])
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 60 {
		return 0, 0, 0, 0, 0
	}
	size = least
	if len(text) > size+1 && (text[size] == '.' || text[size] == ',') && digit(text[size+1]) {
		unit := 100_000_000
		for size++; size < len(text) && digit(text[size]); size++ {
			nanos += int(text[size]-'0') * unit
			unit /= 10
		}
	}
	return hour, minute, second, nanos, size
}

// isoTime reads 2026-11-21T12:34:56.123456+01:00, also with a space in the
// place of the T and without a zone, and returns its length, 0 where it is not
// one.
func isoTime(text []byte, c *clock) (nanoseconds int64, size int) {
	const date = len("2026-11-21T")
	if len(text) < date || text[4] != '-' || text[7] != '-' || text[10] != 'T' && text[10] != ' ' && text[10] != 't' {
		return 0, 0
	}
	century, ok1 := two(text)
	year, ok2 := two(text[2:])
	month, ok3 := two(text[5:])
	day, ok4 := two(text[8:])
	if year += century * 100; !ok1 || !ok2 || !ok3 || !ok4 || !validDate(year, month, day) {
		return 0, 0
	}
	hour, minute, second, nanos, n := dayTime(text[date:])
	if n == 0 {
		return 0, 0
	}
	size = date + n
	seconds := int64(hour*3600 + minute*60 + second)
	switch rest := text[size:]; {
	case len(rest) > 0 && (rest[0] == 'Z' || rest[0] == 'z'):
		size++
	case len(rest) > 4 && (rest[0] == '+' || rest[0] == '-'):
		zone := rest[1:]
		h, ok1 := two(zone)
		zone, length := zone[2:], 5
		if zone[0] == ':' {
			zone, length = zone[1:], 6
		}
		m, ok2 := two(zone)
		if !ok1 || !ok2 || h > 23 || m > 59 {
			return 0, 0
		}
		offset := int64(h*3600 + m*60)
		if rest[0] == '-' {
			offset = -offset
		}
		seconds -= offset
		size += length
	default:
		return c.local(year, month, day, hour, minute, second)*1e9 + int64(nanos), size
	}
	return (civil(year, month, day)*86400+seconds)*1e9 + int64(nanos), size
}

// validDate bounds the years to those that nanoseconds can tell.
func validDate(year, month, day int) bool {
	return year >= 1970 && year <= 2261 && month >= 1 && month <= 12 && day >= 1 && day <= 31
}

const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// monthNamed returns the number of the month that a text begins with, 0 where
// it is none.
func monthNamed(text []byte) int {
	for i := 0; i < len(months); i += 3 {
		if string(text[:3]) == months[i:i+3] {
			return i/3 + 1
		}
	}
	return 0
}

// stamp reads the time of a message of RFC 3164 and returns its length, 0 where
// there is none.
func stamp(text []byte, c *clock, now time.Time) (nanoseconds int64, size int) {
	if len(text) > 0 && digit(text[0]) {
		return isoTime(text, c)
	}
	const least = len("Nov  1 hh:mm:ss")
	if len(text) < least || text[3] != ' ' {
		return 0, 0
	}
	month := monthNamed(text)
	at := 4
	if text[at] == ' ' {
		at++
	}
	day := 0
	for ; at < 6 && digit(text[at]); at++ {
		day = day*10 + int(text[at]-'0')
	}
	if month == 0 || day < 1 || day > 31 || text[at] != ' ' {
		return 0, 0
	}
	at++
	year := 0
	if century, ok := two(text[at:]); ok && at+5 < len(text) && text[at+4] == ' ' {
		if rest, ok := two(text[at+2:]); ok {
			year = century*100 + rest
			at += 5
		}
	}
	hour, minute, second, nanos, n := dayTime(text[at:])
	if n == 0 || year != 0 && !validDate(year, month, day) {
		return 0, 0
	}
	at += n
	if year == 0 {
		if len(text) > at+5 && text[at] == ' ' && digit(text[at+1]) {
			// The year comes last, as some devices have it.
			century, ok1 := two(text[at+1:])
			rest, ok2 := two(text[at+3:])
			if later := century*100 + rest; ok1 && ok2 && text[at+5] == ' ' && later >= 1970 && later <= 2100 {
				year = later
				at += 5
			}
		}
		if year == 0 {
			return c.nearest(month, day, hour, minute, second, now)*1e9 + int64(nanos), at + zone(text[at:])
		}
	}
	return c.local(year, month, day, hour, minute, second)*1e9 + int64(nanos), at + zone(text[at:])
}

// zone returns the length of a zone's name and its colon, as Cisco writes it.
// What zone it is the setting says: such names are not unique.
func zone(text []byte) int {
	if len(text) < 5 || text[0] != ' ' {
		return 0
	}
	i := 1
	for i < len(text) && i < 6 && text[i] >= 'A' && text[i] <= 'Z' {
		i++
	}
	if i < 4 || i >= len(text) || text[i] != ':' {
		return 0
	}
	return i
}

// nearest returns the Unix seconds of a time without a year: this year's, or
// that of the year beside it where this year's is more than half a year off.
func (c *clock) nearest(month, day, hour, minute, second int, now time.Time) int64 {
	const half = 183 * 86400
	year := now.In(c.location).Year()
	seconds := c.local(year, month, day, hour, minute, second)
	switch ahead := seconds - now.Unix(); {
	case ahead > half:
		return c.local(year-1, month, day, hour, minute, second)
	case ahead < -half:
		return c.local(year+1, month, day, hour, minute, second)
	}
	return seconds
}
