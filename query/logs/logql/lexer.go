package logql

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

type kind uint8

const (
	end kind = iota
	word
	text
	number // also with a unit
	sign
)

// token is a word or sign of a query.
type token struct {
	kind kind
	// text is what stands there; of a quoted text what it means.
	text string
	// pos is where it begins, in bytes.
	pos int
}

func (t token) String() string {
	switch t.kind {
	case end:
		return "end of query"
	case text:
		return "text " + strconv.Quote(shortened(t.text))
	case word, number, sign:
	}
	return shortened(t.text)
}

func shortened(s string) string {
	const most = 40
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// signs are the operators, longer ones first.
var signs = []string{
	"|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=",
	"{", "}", "(", ")", "[", "]", ",", "=", "|", ">", "<", "+", "-", "*", "/", "%", "^",
}

// maxTokens bounds a query.
const maxTokens = 20_000

// fault is an error at a place.
func fault(query string, pos int, format string, args ...any) *Error {
	before := query[:min(pos, len(query))]
	line := 1 + strings.Count(before, "\n")
	start := strings.LastIndexByte(before, '\n') + 1
	return &Error{Line: line, Column: 1 + utf8.RuneCountInString(before[start:]), Message: fmt.Sprintf(format, args...)}
}

// lex splits a query into tokens, the last of which is the end.
func lex(query string) ([]token, error) {
	if !utf8.ValidString(query) {
		return nil, fault(query, 0, "the query is not UTF-8")
	}
	var all []token
	for pos := 0; ; {
		pos = space(query, pos)
		if len(all) > maxTokens {
			return nil, fault(query, pos, "the query has more than %d words and signs", maxTokens)
		}
		if pos == len(query) {
			return append(all, token{end, "", pos}), nil
		}
		t, size, err := next(query, pos)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
		pos += size
	}
}

// space skips space and comments.
func space(query string, pos int) int {
	for pos < len(query) {
		switch query[pos] {
		case ' ', '\t', '\n', '\r':
			pos++
		case '#':
			if i := strings.IndexByte(query[pos:], '\n'); i >= 0 {
				pos += i
			} else {
				pos = len(query)
			}
		default:
			return pos
		}
	}
	return pos
}

func next(query string, pos int) (token, int, error) {
	rest := query[pos:]
	c := rest[0]
	switch {
	case letter(c):
		n := 1
		for n < len(rest) && (letter(rest[n]) || digit(rest[n])) {
			n++
		}
		return token{word, rest[:n], pos}, n, nil
	case digit(c), c == '.' && len(rest) > 1 && digit(rest[1]):
		n := numberLength(rest)
		return token{number, rest[:n], pos}, n, nil
	case c == '"':
		return quotedText(query, pos)
	case c == '`':
		n := strings.IndexByte(rest[1:], '`')
		if n < 0 {
			return token{}, 0, fault(query, pos, "the text that begins here has no end")
		}
		return token{text, rest[1 : n+1], pos}, n + 2, nil
	}
	for _, s := range signs {
		if strings.HasPrefix(rest, s) {
			return token{sign, s, pos}, len(s), nil
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return token{}, 0, fault(query, pos, "unexpected character %q", r)
}

func quotedText(query string, pos int) (token, int, error) {
	rest := query[pos:]
	for n := 1; n < len(rest) && rest[n] != '\n'; n++ {
		switch rest[n] {
		case '\\':
			n++
		case '"':
			value, err := strconv.Unquote(rest[:n+1])
			if err != nil {
				return token{}, 0, fault(query, pos, "the text has an escape that does not exist: %s", shortened(rest[:n+1]))
			}
			return token{text, value, pos}, n + 1, nil
		}
	}
	return token{}, 0, fault(query, pos, "the text that begins here has no end")
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == ':' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// numberLength is how long a number with its unit is. A sign belongs to it only
// in an exponent.
func numberLength(s string) int {
	n := 0
	plain := true // so far a number without a unit
	for n < len(s) {
		c := s[n]
		switch {
		case digit(c) || c == '.' || c == '_':
		case plain && (c == 'e' || c == 'E') && n+2 < len(s) && (s[n+1] == '+' || s[n+1] == '-') && digit(s[n+2]):
			n++
		case letter(c) && c != ':':
			plain = false
		case strings.HasPrefix(s[n:], "µ"), strings.HasPrefix(s[n:], "μ"):
			n++
			plain = false
		default:
			return n
		}
		n++
	}
	return n
}
