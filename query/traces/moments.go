package traces

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/query/store"
)

// Known refuses a request that has other parameters than those that are listed.
func (p *Parameters) Known(names ...string) {
	for name := range p.Raw {
		if !slices.Contains(names, name) {
			p.Refuse("the parameter %s is not known; there are %s", store.Shortened(name), strings.Join(names, ", "))
		}
	}
}

// Moment returns a time as goshawk's own API takes it, in Unix nanoseconds:
// RFC 3339, seconds since 1970, or a duration before now. ok says whether it is
// there.
func (p *Parameters) Moment(name string, now time.Time) (t int64, ok bool) {
	text := p.Get(name)
	if text == "" {
		return 0, false
	}
	t, ok = moment(text, now)
	if !ok {
		p.Refuse("%s: %q is neither a time such as 2026-01-31T12:00:00Z, nor seconds since 1970, nor a duration such as 1h", name, store.Shortened(text))
	}
	return t, ok
}

func moment(text string, now time.Time) (int64, bool) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		switch {
		case t.Year() < 1970:
			return 0, true
		case t.Year() > 2099:
			return lastTime, true
		}
		return t.UnixNano(), true
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(seconds) || seconds < 0 {
			return 0, false
		}
		if seconds >= float64(lastTime)/1e9 {
			return lastTime, true
		}
		whole, part := math.Modf(seconds)
		return int64(whole)*1e9 + int64(part*1e9), true
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return max(now.UnixNano()-int64(d), 0), true
	}
	return 0, false
}

// Between returns the time from start to end, both as [Parameters.Moment] has
// them: until now, and as long as the lookback, where they are not there.
func (p *Parameters) Between(now time.Time, lookback time.Duration) Range {
	start, hasStart := p.Moment("start", now)
	end, hasEnd := p.Moment("end", now)
	return p.Bounded(start, hasStart, end, hasEnd, lookback)
}

// Compared returns the range that another is compared with, nil where the request
// asks for none: a duration by which it is earlier, or its start and end.
func (p *Parameters) Compared(in Range, now time.Time) *Range {
	text := p.Get("compare")
	if text == "" {
		return nil
	}
	if from, to, two := strings.Cut(text, ","); two {
		start, ok := moment(from, now)
		end, also := moment(to, now)
		if !ok || !also || start > end {
			p.Refuse("compare: %q are not the times of a start and an end", store.Shortened(text))
			return nil
		}
		r := Range{start, end}.Within()
		return &r
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		p.Refuse("compare: %q is neither a duration such as 24h nor two times with a comma", store.Shortened(text))
		return nil
	}
	r := Range{in.From - int64(d), in.To - int64(d)}.Within()
	return &r
}

// Flag returns whether a parameter is 1 or true.
func (p *Parameters) Flag(name string) bool {
	text := p.Get(name)
	set, err := strconv.ParseBool(text)
	if err != nil && text != "" {
		p.Refuse("%s: %q is neither true nor false", name, store.Shortened(text))
	}
	return set
}

// Number returns a whole number between two bounds, or the fallback where it is
// not there.
func (p *Parameters) Number(name string, fallback, least, most int) int {
	text := p.Get(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		p.Refuse("%s: %q is no whole number from %d to %d", name, store.Shortened(text), least, most)
		return fallback
	}
	return n
}
