package pipeline

import (
	"errors"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/query/logs/logql"
)

// logfmt makes labels of key=value pairs.
func logfmt(s *logql.Parser, e *Entry) {
	rest := e.Line
	e.empty = e.empty || s.KeepEmpty
	for {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest == "" {
			break
		}
		key, value, after, err := pair(rest)
		rest = after
		if err != nil {
			if s.Strict {
				e.fail(errLogfmt, err)
				return
			}
			continue
		}
		if value == "" && !s.KeepEmpty {
			continue
		}
		if len(s.Fields) == 0 {
			e.extract(Sanitize(key), value)
			continue
		}
		for i := range s.Fields {
			if s.Fields[i].Expression == key {
				e.extract(s.Fields[i].Label, value)
			}
		}
	}
}

var (
	errKey   = errors.New("a value has no key")
	errQuote = errors.New("a quoted value has no end, or an escape that does not exist")
)

// pair reads the first pair of a text.
func pair(s string) (key, value, rest string, err error) {
	n := strings.IndexAny(s, "= \t\r\n\"")
	switch {
	case n < 0:
		return s, "", "", nil
	case n == 0, s[n] == '"':
		return "", "", word(s), errKey
	case s[n] != '=':
		return s[:n], "", s[n:], nil
	}
	key, s = s[:n], s[n+1:]
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, " \t\r\n")
		if end < 0 {
			end = len(s)
		}
		if i := strings.IndexAny(s[:end], "=\""); i >= 0 {
			return "", "", s[end:], errors.New("a value has = or a quote in it")
		}
		return key, s[:end], s[end:], nil
	}
	quoted, failed := strconv.QuotedPrefix(s)
	if failed != nil {
		return "", "", word(s), errQuote
	}
	rest = s[len(quoted):]
	if value, failed = strconv.Unquote(quoted); failed != nil {
		return "", "", rest, errQuote
	}
	return key, value, rest, nil
}

// word returns what is behind the first word of a text, which is not empty.
func word(s string) string {
	if n := strings.IndexAny(s, " \t\r\n"); n >= 0 {
		return s[n:]
	}
	return ""
}
