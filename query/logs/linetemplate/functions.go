package linetemplate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// functions are those of Loki, with Go's own. Those that repeat or format texts
// are bounded.
func (t *Template) functions() template.FuncMap {
	expressions := map[string]*regexp.Regexp{}
	compiled := func(text string) (*regexp.Regexp, error) {
		if re, ok := expressions[text]; ok {
			return re, nil
		}
		re, err := regexp.Compile(text)
		if err == nil && len(expressions) < 100 {
			expressions[text] = re
		}
		return re, err
	}
	all := template.FuncMap{
		"__elements":      t.elements,
		"__line__":        func() string { return t.line },
		"__timestamp__":   func() time.Time { return time.Unix(0, t.time).UTC() },
		"regexReplaceAll": func(re, s, by string) (string, error) { return replaced(compiled, re, s, by, false) },
		"regexReplaceAllLiteral": func(re, s, by string) (string, error) {
			return replaced(compiled, re, s, by, true)
		},
		"count": func(re, s string) (int, error) {
			r, err := compiled(re)
			if err != nil {
				return 0, err
			}
			return len(r.FindAllStringIndex(s, -1)), nil
		},
		"now": func() time.Time { return time.Now().UTC() },
	}
	for name, f := range texts {
		all[name] = f
	}
	for name, f := range numbers {
		all[name] = f
	}
	for name, f := range times {
		all[name] = f
	}
	return all
}

func replaced(compiled func(string) (*regexp.Regexp, error), re, s, by string, literal bool) (string, error) {
	r, err := compiled(re)
	if err != nil {
		return "", err
	}
	if err := fits(len(s)+1, len(by)+1); err != nil {
		return "", err
	}
	if literal {
		return r.ReplaceAllLiteralString(s, by), nil
	}
	return r.ReplaceAllString(s, by), nil
}

var texts = template.FuncMap{
	"ToLower": strings.ToLower, "lower": strings.ToLower, "ToUpper": strings.ToUpper, "upper": strings.ToUpper,
	"Replace": func(s, old, by string, n int) (string, error) { return replace(old, by, s, n) },
	"replace": func(old, by, s string) (string, error) { return replace(old, by, s, -1) },
	"Trim":    strings.Trim, "TrimLeft": strings.TrimLeft, "TrimRight": strings.TrimRight,
	"TrimPrefix": strings.TrimPrefix, "TrimSuffix": strings.TrimSuffix, "TrimSpace": strings.TrimSpace, "trim": strings.TrimSpace,
	"trimAll":    func(cut, s string) string { return strings.Trim(s, cut) },
	"trimPrefix": func(cut, s string) string { return strings.TrimPrefix(s, cut) },
	"trimSuffix": func(cut, s string) string { return strings.TrimSuffix(s, cut) },
	"contains":   func(part, s string) bool { return strings.Contains(s, part) },
	"hasPrefix":  func(part, s string) bool { return strings.HasPrefix(s, part) },
	"hasSuffix":  func(part, s string) bool { return strings.HasSuffix(s, part) },
	"title":      title, "trunc": trunc, "substr": substr,
	"indent":    func(n int, s string) (string, error) { return indent(n, s, "") },
	"nindent":   func(n int, s string) (string, error) { return indent(n, s, "\n") },
	"repeat":    func(n int, s string) (string, error) { return repeat(s, n) },
	"alignLeft": func(n int, s string) (string, error) { return align(n, s, true) },
	"alignRight": func(n int, s string) (string, error) {
		return align(n, s, false)
	},
	"urlencode": grown(url.QueryEscape), "urlquery": grown(url.QueryEscape),
	"html": grown(template.HTMLEscapeString), "js": grown(template.JSEscapeString),
	"urldecode": url.QueryUnescape,
	"b64enc":    grown(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }),
	"b64dec": func(s string) string {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return err.Error()
		}
		return string(b)
	},
	"fromJson": func(s string) any {
		var v any
		_ = json.Unmarshal([]byte(s), &v) // what is no JSON is nothing
		return v
	},
	"default": func(otherwise, v any) any {
		if truth, _ := template.IsTrue(v); truth {
			return v
		}
		return otherwise
	},
	"printf": printf, "print": joined(fmt.Sprint), "println": joined(fmt.Sprintln),
}

// grown refuses texts that grew too long; nested calls would let them grow
// without bound.
func grown(f func(string) string) func(any) (string, error) {
	return func(v any) (string, error) {
		s := f(fmt.Sprint(v))
		return s, fits(len(s), 1)
	}
}

// joined is for functions that print what they are given.
func joined(f func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		if size := largest(args) * len(args); size > maxOutput {
			return "", errLong
		}
		return f(args...), nil
	}
}

// largest is the length of the longest argument as text.
func largest(args []any) int {
	most := 0
	for _, arg := range args {
		if s, ok := arg.(string); ok {
			most = max(most, len(s))
		} else {
			most = max(most, len(fmt.Sprint(arg)))
		}
	}
	return most
}

func replace(old, by, s string, n int) (string, error) {
	if err := fits(len(s)+1, len(by)+1); err != nil {
		return "", err
	}
	return strings.Replace(s, old, by, n), nil
}

func repeat(s string, n int) (string, error) {
	if err := fits(len(s), n); err != nil {
		return "", err
	}
	return strings.Repeat(s, n), nil
}

func indent(n int, s, before string) (string, error) {
	if err := fits(n+1, strings.Count(s, "\n")+1); err != nil {
		return "", err
	}
	pad := strings.Repeat(" ", n)
	return before + pad + strings.ReplaceAll(s, "\n", "\n"+pad), nil
}

// align cuts a text to a width, or fills it with spaces.
func align(n int, s string, left bool) (string, error) {
	if err := fits(n, 1); err != nil {
		return "", err
	}
	runes := utf8.RuneCountInString(s)
	switch {
	case runes == n:
		return s, nil
	case runes > n && left:
		return string([]rune(s)[:n]), nil
	case runes > n:
		return string([]rune(s)[runes-n:]), nil
	case left:
		return s + strings.Repeat(" ", n-runes), nil
	}
	return strings.Repeat(" ", n-runes) + s, nil
}

func title(s string) string {
	before := ' '
	return strings.Map(func(r rune) rune {
		first := unicode.IsSpace(before)
		before = r
		if first {
			return unicode.ToTitle(r)
		}
		return r
	}, s)
}

// trunc keeps the first n characters, or the last ones of a negative n.
func trunc(n int, s string) string {
	runes := []rune(s)
	switch {
	case n < 0 && len(runes)+n > 0:
		return string(runes[len(runes)+n:])
	case n >= 0 && len(runes) > n:
		return string(runes[:n])
	}
	return s
}

func substr(from, to int, s string) string {
	runes := []rune(s)
	from = min(max(from, 0), len(runes))
	if to < 0 || to > len(runes) {
		to = len(runes)
	}
	return string(runes[from:max(from, to)])
}

// width finds the numbers of a format.
var width = regexp.MustCompile(`%[^a-zA-Z%]*`)

// printf formats as Go does, with widths of at most a thousand.
func printf(format string, args ...any) (string, error) {
	for _, verb := range width.FindAllString(format, -1) {
		digits := 0
		for _, c := range verb {
			if c == '*' {
				return "", fmt.Errorf("printf takes no width from its arguments")
			}
			if digits++; c < '0' || c > '9' {
				digits = 0
			}
			if digits > 3 {
				return "", fmt.Errorf("printf takes widths of at most 999")
			}
		}
	}
	if err := fits(largest(args)+1, strings.Count(format, "%")); err != nil {
		return "", err
	}
	s := fmt.Sprintf(format, args...)
	return s, fits(len(s), 1)
}

func integer(v any) int64 {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int64:
		return v
	case string:
		if i, err := strconv.ParseInt(strings.TrimSpace(v), 0, 64); err == nil {
			return i
		}
	}
	f := float(v)
	if math.IsNaN(f) || math.Abs(f) >= math.MaxInt64 {
		return 0
	}
	return int64(f)
}

func float(v any) float64 {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		return v
	case bool:
		if v {
			return 1
		}
	case string:
		if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
			return f
		}
	}
	return 0
}

func integers(f func(a, b int64) int64) func(any, ...any) int64 {
	return func(first any, more ...any) int64 {
		sum := integer(first)
		for _, v := range more {
			sum = f(sum, integer(v))
		}
		return sum
	}
}

func floats(f func(a, b float64) float64) func(any, ...any) float64 {
	return func(first any, more ...any) float64 {
		sum := float(first)
		for _, v := range more {
			sum = f(sum, float(v))
		}
		return sum
	}
}

func divided(f func(a, b int64) int64) func(a, b any) (int64, error) {
	return func(a, b any) (int64, error) {
		if integer(b) == 0 {
			return 0, fmt.Errorf("division by zero")
		}
		return f(integer(a), integer(b)), nil
	}
}

var numbers = template.FuncMap{
	"int": func(v any) int { return int(integer(v)) }, "float64": float,
	"add":  integers(func(a, b int64) int64 { return a + b }),
	"sub":  func(a, b any) int64 { return integer(a) - integer(b) },
	"mul":  integers(func(a, b int64) int64 { return a * b }),
	"div":  divided(func(a, b int64) int64 { return a / b }),
	"mod":  divided(func(a, b int64) int64 { return a % b }),
	"max":  integers(func(a, b int64) int64 { return max(a, b) }),
	"min":  integers(func(a, b int64) int64 { return min(a, b) }),
	"addf": floats(func(a, b float64) float64 { return a + b }),
	"subf": floats(func(a, b float64) float64 { return a - b }),
	"mulf": floats(func(a, b float64) float64 { return a * b }),
	"divf": floats(func(a, b float64) float64 { return a / b }),
	"maxf": floats(math.Max), "minf": floats(math.Min),
	"ceil": func(v any) float64 { return math.Ceil(float(v)) }, "floor": func(v any) float64 { return math.Floor(float(v)) },
	"round": func(v any, digits int, at ...float64) float64 {
		half := 0.5
		if len(at) > 0 {
			half = at[0]
		}
		power := math.Pow(10, float64(digits))
		whole, part := math.Modf(float(v) * power)
		if part >= half {
			whole++
		}
		return whole / power
	},
	"bytes": func(s string) (float64, error) {
		n, err := humanize.ParseBytes(s)
		return float64(n), err
	},
	"duration": seconds, "duration_seconds": seconds,
}

func seconds(s string) (float64, error) {
	d, err := time.ParseDuration(s)
	return d.Seconds(), err
}

var times = template.FuncMap{
	"unixEpoch":       func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) },
	"unixEpochMillis": func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) },
	"unixEpochNanos":  func(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) },
	"date":            func(layout string, t time.Time) string { return t.Format(layout) },
	"toDate":          func(layout, s string) time.Time { return dateIn(layout, "UTC", s) },
	"toDateInZone":    dateIn,
	"unixToTime": func(s string) (time.Time, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("%q is no number", s)
		}
		switch len(strings.TrimPrefix(s, "-")) {
		case 5: // days
			return time.Unix(n*86400, 0).UTC(), nil
		case 10:
			return time.Unix(n, 0).UTC(), nil
		case 13:
			return time.UnixMilli(n).UTC(), nil
		case 16:
			return time.UnixMicro(n).UTC(), nil
		case 19:
			return time.Unix(0, n).UTC(), nil
		}
		return time.Time{}, fmt.Errorf("%q is no time in days, seconds, milliseconds, microseconds or nanoseconds", s)
	},
}

func dateIn(layout, zone, s string) time.Time {
	location, err := time.LoadLocation(zone)
	if err != nil {
		location = time.UTC
	}
	t, _ := time.ParseInLocation(layout, s, location) // what is no time is the zero one
	return t
}
