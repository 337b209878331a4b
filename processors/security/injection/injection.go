// Package injection tells whether the texts of a request try to become code: SQL,
// scripts in a page, paths out of a folder, commands of a shell, expressions of
// a template. It looks at one request at a time and remembers nothing.
//
// It must not know who sent the request, or what became of it.
package injection

import (
	"strings"
	"unsafe"

	"github.com/corazawaf/libinjection-go"
)

// Kind is what a text tries to become.
type Kind uint8

// The kinds.
const (
	SQL Kind = iota
	Script
	Traversal
	Command
	Expression
	// Kinds is the number of kinds.
	Kinds
)

// Strength says how sure it is.
type Strength uint8

// The strengths. What is weak is found in honest requests, too, if rarely.
const (
	None Strength = iota
	Weak
	Strong
)

// Verdict is what was found, by kind.
type Verdict [Kinds]Strength

// Clean reports whether nothing was found.
func (v Verdict) Clean() bool { return v == Verdict{} }

func (v *Verdict) raise(k Kind, s Strength) { v[k] = max(v[k], s) }

func (v *Verdict) merge(other Verdict) {
	for k, s := range other {
		v.raise(Kind(k), s) //nolint:gosec // one of Kinds
	}
}

const (
	// maxText bounds what is read of a text and maxValues the values of a query
	// that are looked at. Servers accept little more.
	maxText   = 8 << 10
	maxValues = 200
)

// Inspector looks at requests. It is used by one goroutine; nothing that it is
// given is kept.
type Inspector struct {
	decoded []byte
	folded  []byte
}

// Request looks at the path and the query of a request.
func (i *Inspector) Request(path, query string) Verdict {
	var v Verdict
	path, query = path[:min(len(path), maxText)], query[:min(len(query), maxText)]
	if m := maskOf(path); m&inPath != 0 || m&dot != 0 && strings.Contains(path, "..") || m&dash != 0 && strings.Contains(path, "--") {
		i.path(path, &v)
	}
	if m := maskOf(query); m&inQuery != 0 || m&dot != 0 && strings.Contains(query, "..") || m&dash != 0 && strings.Contains(query, "--") ||
		m&slash != 0 && names(query) || m&dot != 0 && strings.Contains(query, "class.") {
		i.query(query, &v)
	}
	return v
}

// names reports whether a text without anything special in it may name a file of
// the system.
func names(s string) bool {
	return strings.Contains(s, "etc/") || strings.Contains(s, "proc/") || strings.Contains(s, "bin/") || strings.Contains(s, "INF/")
}

// Header looks at a header, such as the referrer or the agent. Only what is
// certain counts there: they have brackets, semicolons and searches by nature.
func (i *Inspector) Header(text string) (v Verdict) {
	text = text[:min(len(text), maxText)]
	if rest, ok := strings.CutPrefix(text, "http"); ok && (strings.HasPrefix(rest, "://") || strings.HasPrefix(rest, "s://")) {
		_, rest, _ = strings.Cut(rest, "://")
		path, query, _ := strings.Cut(rest, "?")
		v = i.Request(path, query)
	} else if m := maskOf(text); m&(inQuery&^(space|bracket|semicolon)) != 0 || m&dash != 0 || strings.Contains(text, "..") || strings.Contains(text, "() {") {
		i.decoded = decode(i.decoded[:0], text, false)
		i.value(&v, true)
	}
	for k := range v {
		if v[k] == Weak {
			v[k] = None
		}
	}
	return v
}

// Value looks at one value that is not encoded.
func (i *Inspector) Value(text string) Verdict {
	var v Verdict
	text = text[:min(len(text), maxText)]
	if maskOf(text)&(inQuery|dot|dash|slash) != 0 {
		i.decoded = decode(i.decoded[:0], text, false)
		i.value(&v, false)
	}
	return v
}

// path looks at the path as a whole, and at its segments for SQL.
func (i *Inspector) path(path string, v *Verdict) {
	i.decoded = decode(i.decoded[:0], path, false)
	var whole Verdict
	i.value(&whole, false)
	whole[SQL] = None // slashes are operators
	v.merge(whole)
	for segment := range strings.SplitSeq(path, "/") {
		if maskOf(segment)&(inPath|dash) != 0 {
			i.decoded = decode(i.decoded[:0], segment, false)
			i.sql(v)
		}
	}
}

// query looks at the names and values of a query.
func (i *Inspector) query(query string, v *Verdict) {
	for n := 0; query != "" && n < maxValues; n++ {
		var part string
		part, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(part, "=")
		for _, text := range [...]string{name, value} {
			m := maskOf(text)
			if m&(inQuery|dash|dot) != 0 || m&slash != 0 && names(text) {
				i.decoded = decode(i.decoded[:0], text, true)
				i.value(v, false)
			}
		}
	}
}

// value looks at the decoded text for everything.
func (i *Inspector) value(v *Verdict, header bool) {
	d := i.decoded
	m := maskOf(view(d))
	if m&(inQuery|dot|dash|slash) == 0 {
		return
	}
	i.folded = appendLower(i.folded[:0], d)
	low := view(i.folded)
	if m&(quote|bracket|semicolon|operator|space|dash|sign|control) != 0 {
		i.sql(v)
	}
	if m&(angle|quote|operator|colon|bracket) != 0 {
		script(v, view(d), low, m)
	}
	if m&(slash|dot|control|colon) != 0 {
		traversal(v, low)
	}
	if m&(semicolon|operator|sign|bracket|quote|control|slash|angle) != 0 {
		command(v, low, m, header)
	}
	if m&(sign|angle|bracket|dot) != 0 {
		expression(v, low)
	}
}

// sql looks at the decoded text for SQL.
func (i *Inspector) sql(v *Verdict) {
	d := i.decoded
	m := maskOf(view(d))
	if m&(quote|bracket|semicolon|operator|space|dash|sign|control) == 0 {
		return
	}
	i.folded = appendLower(i.folded[:0], d)
	c := score(i.folded)
	hit, fingerprint := false, ""
	// In a sentence without anything else libinjection would not be believed.
	words := c.points == 0 && c.plain > 1 && c.plain > 2*c.words
	if !words && (c.words > 0 || m&(quote|bracket|semicolon|operator|control) != 0 || m&dash != 0 && strings.Contains(view(d), "--")) {
		hit, fingerprint = libinjection.IsSQLi(view(d))
	}
	v.raise(SQL, judge(hit, fingerprint, &c))
}

// view returns the bytes as a string that is valid until they are written to:
// what is given it keeps nothing.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // explained above

func appendLower(dst, src []byte) []byte {
	for _, c := range src {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
