package traceql

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Error says what is wrong with a query, and where.
type Error struct {
	// Line and Column count from 1, columns in characters.
	Line, Column int
	Message      string
}

// Error returns the message with the position.
func (e *Error) Error() string {
	return fmt.Sprintf("parse error at line %d, col %d: %s", e.Line, e.Column, e.Message)
}

// kind is what a token is.
type kind uint8

const (
	end       kind = iota
	operator       // and brackets, commas
	word           // a name without a scope
	attribute      // scope and key
	intrinsic      // scope:name
	text
	number // integers and floats
	duration
)

// token is a word or a sign of a query.
type token struct {
	kind kind
	// text is the sign, the word, the key of an attribute, the name of a scoped
	// intrinsic, or the value of a text.
	text  string
	scope string // of attributes and intrinsics, as it is written
	value float64
	at    int // position in bytes
}

// shown is the token as messages name it.
func (t *token) shown() string {
	switch t.kind {
	case end:
		return "the end of the query"
	case text:
		return "the text " + strconv.Quote(shortened(t.text))
	case attribute:
		return "the attribute " + shortened(t.scope+"."+t.text)
	case intrinsic:
		return shortened(t.scope + ":" + t.text)
	case number:
		return "the number " + strconv.FormatFloat(t.value, 'g', -1, 64)
	case duration:
		return "the duration " + time.Duration(t.value).String()
	case operator, word:
	}
	return strconv.Quote(shortened(t.text))
}

func shortened(text string) string {
	const most = 40
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// operators, the longer before those that they begin with.
var operators = []string{
	"!>>", "!<<", "&>>", "&<<",
	"&&", "||", "!=", "!~", "!>", "!<", "&>", "&<", "&~", "=~", "==", ">>", "<<", ">=", "<=",
	"{", "}", "(", ")", ",", "|", "=", "!", ">", "<", "~", "+", "-", "*", "/", "%", "^",
}

// scopes of attributes that a dot follows.
var scopes = []string{"parent.resource", "parent.span", "parent", "resource", "span", "event", "link", "instrumentation"}

type lexer struct {
	in string
	at int
}

// failed is the error at a position.
func failed(in string, at int, format string, args ...any) *Error {
	before := in[:min(at, len(in))]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return &Error{line, column, fmt.Sprintf(format, args...)}
}

// lex splits a query into tokens; the last one is the end.
func lex(in string) ([]token, error) {
	l := lexer{in: in}
	var all []token
	for {
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		all = append(all, t)
		if t.kind == end {
			return all, nil
		}
		if len(all) > maxTokens {
			return nil, failed(in, l.at, "the query has more than %d words and signs", maxTokens)
		}
	}
}

func (l *lexer) next() (token, error) {
	for l.at < len(l.in) {
		r, size := utf8.DecodeRuneInString(l.in[l.at:])
		if !unicode.IsSpace(r) {
			break
		}
		l.at += size
	}
	rest, at := l.in[l.at:], l.at
	switch {
	case rest == "":
		return token{kind: end, at: at}, nil
	case rest[0] == '"' || rest[0] == '`':
		return l.quoted()
	case '0' <= rest[0] && rest[0] <= '9', rest[0] == '.' && len(rest) > 1 && '0' <= rest[1] && rest[1] <= '9':
		return l.number()
	case rest[0] == '.':
		l.at++
		return l.attribute(at, "")
	}
	for _, scope := range scopes {
		if after, ok := strings.CutPrefix(rest, scope); ok && strings.HasPrefix(after, ".") {
			l.at += len(scope) + 1
			return l.attribute(at, scope)
		}
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			l.at += len(op)
			if op == "==" {
				return token{}, failed(l.in, at, `"==" is no operator; "=" compares`)
			}
			return token{kind: operator, text: op, at: at}, nil
		}
	}
	return l.word()
}

func (l *lexer) word() (token, error) {
	at := l.at
	letters := func() string {
		from := l.at
		for l.at < len(l.in) && (isLetter(l.in[l.at]) || l.at > from && '0' <= l.in[l.at] && l.in[l.at] <= '9') {
			l.at++
		}
		return l.in[from:l.at]
	}
	first := letters()
	if first == "" {
		r, _ := utf8.DecodeRuneInString(l.in[at:])
		return token{}, failed(l.in, at, "unexpected character %q", r)
	}
	if l.at < len(l.in) && l.in[l.at] == ':' {
		l.at++
		name := letters()
		return token{kind: intrinsic, scope: first, text: name, at: at}, nil
	}
	return token{kind: word, text: first, at: at}, nil
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }

// quoted reads a text in double quotes, with Go's escapes, or in back quotes.
func (l *lexer) quoted() (token, error) {
	at := l.at
	prefix, err := strconv.QuotedPrefix(l.in[at:])
	if err != nil {
		return token{}, failed(l.in, at, "the text does not end, or has an escape that is not known")
	}
	value, err := strconv.Unquote(prefix)
	if err != nil {
		return token{}, failed(l.in, at, "the text has an escape that is not known")
	}
	l.at += len(prefix)
	return token{kind: text, text: value, at: at}, nil
}

// number reads a number or a duration.
func (l *lexer) number() (token, error) {
	at := l.at
	digits := func() {
		for l.at < len(l.in) && ('0' <= l.in[l.at] && l.in[l.at] <= '9' || l.in[l.at] == '.') {
			l.at++
		}
	}
	digits()
	plain := l.at
	// A unit, and after it more numbers with units, or an exponent.
	for l.at < len(l.in) && (isLetter(l.in[l.at]) || strings.HasPrefix(l.in[l.at:], "µ")) {
		exponent := l.at == plain && (l.in[l.at] == 'e' || l.in[l.at] == 'E')
		l.at++
		for l.at < len(l.in) && l.in[l.at] >= utf8.RuneSelf {
			l.at++ // the rest of µ
		}
		if exponent && l.at < len(l.in) && (l.in[l.at] == '+' || l.in[l.at] == '-') {
			l.at++
		}
		digits()
	}
	written := l.in[at:l.at]
	if f, err := strconv.ParseFloat(written, 64); err == nil && !strings.ContainsAny(written, "xXpP_") {
		return token{kind: number, value: f, at: at}, nil
	}
	if d, err := time.ParseDuration(written); err == nil {
		return token{kind: duration, value: float64(d), at: at}, nil
	}
	if days, ok := strings.CutSuffix(written, "d"); ok {
		if f, err := strconv.ParseFloat(days, 64); err == nil && f < 100_000 {
			return token{kind: duration, value: f * float64(24*time.Hour), at: at}, nil
		}
	}
	return token{}, failed(l.in, at, "%q is neither a number nor a duration", shortened(written))
}

// attribute reads the key of an attribute, of which parts may be in quotes.
func (l *lexer) attribute(at int, scope string) (token, error) {
	var key strings.Builder
	for l.at < len(l.in) {
		if l.in[l.at] == '"' {
			part, err := l.quoted()
			if err != nil {
				return token{}, err
			}
			key.WriteString(part.text)
			continue
		}
		r, size := utf8.DecodeRuneInString(l.in[l.at:])
		if unicode.IsSpace(r) || strings.ContainsRune("{}()=~!<>&|^,`", r) {
			break
		}
		key.WriteString(l.in[l.at : l.at+size])
		l.at += size
	}
	if key.Len() == 0 {
		return token{}, failed(l.in, at, "an attribute has no name")
	}
	return token{kind: attribute, scope: scope, text: key.String(), at: at}, nil
}
