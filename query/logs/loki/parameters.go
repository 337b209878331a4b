package loki

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
)

// parameters are those of a request, in the URL and in a form.
type parameters struct {
	values url.Values
	now    time.Time
	err    error
}

// maxBody bounds the body of a request, which is a query in a form.
const maxBody = 1 << 20

func parametersOf(w http.ResponseWriter, r *http.Request) *parameters {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	p := &parameters{now: time.Now()}
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		p.err = logs.Invalid("the parameters cannot be read: %v", err)
		if errors.As(err, &large) {
			p.err = &logs.Fault{Status: http.StatusRequestEntityTooLarge, Message: "the form is larger than " + strconv.Itoa(maxBody) + " bytes"}
		}
	}
	p.values = r.Form
	return p
}

func (p *parameters) get(name string) string { return p.values.Get(name) }

func (p *parameters) fail(format string, args ...any) {
	if p.err == nil {
		p.err = logs.Invalid(format, args...)
	}
}

// moment reads a time: RFC 3339, seconds since 1970 with a point or up to ten
// digits, else nanoseconds.
func moment(text string) (int64, bool) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		if t.Year() < 1970 {
			return 0, true
		}
		if t.Year() > 2261 {
			return math.MaxInt64, true
		}
		return t.UnixNano(), true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if len(strings.TrimPrefix(text, "-")) <= 10 {
			n *= int64(time.Second)
		}
		return max(n, 0), true
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) {
		return 0, false
	}
	whole, part := math.Modf(min(max(seconds, 0), 9e9))
	// A double holds microseconds of today's times.
	return int64(whole)*int64(time.Second) + int64(math.Round(part*1e6))*int64(time.Microsecond), true
}

func (p *parameters) time(name string, fallback int64) int64 {
	text := p.get(name)
	if text == "" {
		return fallback
	}
	t, ok := moment(text)
	if !ok {
		p.fail("%s: %q is no time in nanoseconds, seconds or RFC 3339", name, short(text))
		return fallback
	}
	return t
}

// span is the time of a request: from start to end, both as they are named.
func (p *parameters) span(lookback time.Duration) (start, end int64) {
	end = p.time("end", p.now.UnixNano())
	// A search begins at the end, so it must not begin long after all that there is.
	end = min(end, p.now.Add(24*time.Hour).UnixNano())
	back := int64(lookback)
	if text := p.get("since"); text != "" {
		d, err := logql.ParseDuration(text)
		if err != nil || d < 0 {
			p.fail("since: %q is no duration", short(text))
		}
		back = int64(d)
	}
	start = p.time("start", min(end, p.now.UnixNano())-back)
	if start > end {
		p.fail("end timestamp must not be before or equal to start time")
	}
	return max(start, 0), end
}

// in is the time of a request for what there is.
func (p *parameters) in(lookback time.Duration) logs.Range {
	start, end := p.span(lookback)
	return logs.Range{From: start, To: end}
}

// duration reads a parameter in seconds or with a unit, 0 where it is not there.
func (p *parameters) duration(name string) time.Duration {
	text := p.get(name)
	if text == "" {
		return 0
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(f) {
		if f > 0 && f < 9e9 {
			return time.Duration(f * float64(time.Second))
		}
	} else if d, err := logql.ParseDuration(text); err == nil && d > 0 {
		return d
	}
	p.fail("%s: %q is no duration above 0, in seconds or with a unit", name, short(text))
	return 0
}

// step is the distance of the values of a query, about 250 of them unless it is
// named.
func (p *parameters) step(start, end int64) time.Duration {
	if d := p.duration("step"); d > 0 {
		return d
	}
	return time.Duration(max((end-start)/250/int64(time.Second), 1)) * time.Second
}

// limit is a number of at least 1, and at most the highest.
func (p *parameters) limit(name string, fallback, highest int, setting string) int {
	text := p.get(name)
	if text == "" {
		return min(fallback, highest)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		p.fail("%s: %q is no number", name, short(text))
		return fallback
	}
	if n == 0 {
		return min(fallback, highest)
	}
	if n > highest {
		p.fail("%s: %d is above the highest, %d (%s)", name, n, highest, setting)
	}
	return n
}

func (p *parameters) forward() bool {
	switch text := strings.ToLower(p.get("direction")); text {
	case "", "backward":
	case "forward":
		return true
	default:
		p.fail("direction: %q is neither forward nor backward", short(text))
	}
	return false
}

func short(text string) string {
	const most = 60
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// lastTime keeps times from overflowing.
var lastTime = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
