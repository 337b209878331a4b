package sentry

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/goshawk-observability/goshawk/internal/jsontext"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// reader reads the JSON of an item. Clients differ in the types of fields, and in
// what they leave out: what is of another type than a field has is passed over.
type reader struct {
	jsontext.Scanner
	src []byte
	out *spanwriter.Splitter
	// unescaped holds the texts of the item that had escapes.
	unescaped []byte
	name      [2 * maxKey]byte // of the attribute that is read
}

// load makes the reader read an item.
func (r *reader) load(src []byte, maxDepth int) {
	r.src = src
	r.unescaped = r.unescaped[:0]
	r.Scanner.Reset(src, maxDepth)
}

// object reads the members of an object.
func (r *reader) object(member func(key []byte) error) error {
	if r.Peek() != '{' {
		return r.Skip()
	}
	return r.Object(member)
}

// array reads the elements of a list.
func (r *reader) array(element func() error) error {
	if r.Peek() != '[' {
		return r.Skip()
	}
	return r.Array(element)
}

// values reads a list, which may be the member values of an object.
func (r *reader) values(element func() error) error {
	if r.Peek() != '{' {
		return r.array(element)
	}
	return r.Object(func(key []byte) error {
		if string(key) == "values" {
			return r.array(element)
		}
		return r.Skip()
	})
}

// raw takes any value as it is written.
func (r *reader) raw() ([]byte, error) {
	r.Space()
	start := r.Pos()
	err := r.Skip()
	return r.src[start:r.Pos()], err
}

// textIn takes the text of a string, a number or a boolean into a place. Of any other
// value nothing is taken.
func (r *reader) textIn(into *[]byte) error {
	switch c := r.Peek(); c {
	case '"':
		text, err := r.KeptString(&r.unescaped, keptUnescaped, r.out)
		if err == nil {
			*into = text
		}
		return err
	case '{', '[', 'n':
		return r.Skip()
	}
	raw, err := r.raw()
	if err == nil {
		*into = raw
	}
	return err
}

// keptUnescaped is up to which size nothing is claimed for unescaped texts.
const keptUnescaped = 16 << 10

// boolIn takes a boolean.
func (r *reader) boolIn(into *tristate) error {
	if c := r.Peek(); c != 't' && c != 'f' {
		return r.Skip()
	}
	v, err := r.Bool()
	if *into = no; v {
		*into = yes
	}
	return err
}

// tristate is a boolean that may not be known.
type tristate byte

const (
	unknown tristate = iota
	yes
	no
)

// timeIn takes a time: seconds since 1970, or a text as in RFC 3339, whose zone may
// be missing.
func (r *reader) timeIn(into *uint64) error {
	var text []byte
	if err := r.textIn(&text); err != nil || len(text) == 0 {
		return err
	}
	if n, ok := nanoseconds(text); ok {
		*into = n
	}
	return nil
}

func nanoseconds(text []byte) (uint64, bool) {
	if len(text) > 40 {
		return 0, false
	}
	s := string(text)
	if len(s) > 10 && s[4] == '-' {
		for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
			if t, err := time.Parse(layout, s); err == nil && t.Unix() > 0 {
				return uint64(t.UnixNano()), true
			}
		}
		return 0, false
	}
	// Digit by digit: a double has not all of the nanoseconds.
	seconds, fraction, digits, i := uint64(0), uint64(0), 0, 0
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9' && seconds < 1<<33; i++ {
		seconds = seconds*10 + uint64(s[i]-'0')
	}
	if i < len(s) && s[i] == '.' {
		for i++; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
			if digits < 9 {
				fraction, digits = fraction*10+uint64(s[i]-'0'), digits+1
			}
		}
	}
	if i < len(s) || seconds == 0 || seconds >= 1<<33 {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f > 0 && f < 1<<33) {
			return 0, false
		}
		return uint64(f * 1e9), true
	}
	for ; digits < 9; digits++ {
		fraction *= 10
	}
	return seconds*1e9 + fraction, true
}

// Bounds of texts, in bytes.
const (
	maxKey   = 200
	maxValue = 8 << 10
	maxJSON  = 4 << 10
	maxList  = 16 << 10 // of breadcrumbs, and of what is told as one JSON
	maxBody  = 64 << 10
	maxStack = 128 << 10
)

// shortened returns the beginning of a text, of whole characters.
func shortened(s []byte, most int) []byte {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// attribute takes a value of any type as an attribute, whose key is put together.
func (r *reader) attribute(to *spanwriter.List, prefix string, key []byte) error {
	name := append(append(r.name[:0], prefix...), shortened(key, maxKey)...)
	switch c := r.Peek(); c {
	case 'n':
		return r.Skip()
	case 't', 'f':
		v, err := r.Bool()
		to.Bool(name, v)
		return err
	case '{', '[':
		raw, err := r.raw()
		if len(raw) <= maxJSON {
			to.String(name, raw)
		}
		return err
	case '"':
		var text []byte
		err := r.textIn(&text)
		addText(to, name, text)
		return err
	}
	text, err := r.Number()
	if err != nil {
		return err
	}
	number(to, name, text)
	return nil
}

// number adds a number: an integer where it is one.
func number(to *spanwriter.List, name, text []byte) {
	if len(text) < 19 {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			to.Int(name, n)
			return
		}
	}
	if f, err := strconv.ParseFloat(string(text), 64); err == nil && !math.IsInf(f, 0) {
		to.Double(name, f)
	}
}

// typed reads attributes as newer items have them: objects with a type and a value.
func (r *reader) typed(to *spanwriter.List, special func(key, value []byte) bool) error {
	return r.object(func(key []byte) error {
		if r.Peek() != '{' {
			return r.attribute(to, "", key)
		}
		var kept [maxKey]byte
		name := append(kept[:0], shortened(key, maxKey)...)
		return r.Object(func(field []byte) error {
			if string(field) != "value" {
				return r.Skip()
			}
			if r.Peek() != '"' {
				return r.attribute(to, "", name)
			}
			var text []byte
			if err := r.textIn(&text); err != nil {
				return err
			}
			if !special(name, text) {
				addText(to, name, text)
			}
			return nil
		})
	})
}

// addText adds a text that says of a user no more than what tells users apart.
func addText(to *spanwriter.List, name, text []byte) {
	switch string(name) {
	case "user.email":
		to.String([]byte("user.hash"), []byte(telemetry.HashUser(string(text))))
	case "user.ip_address":
	default:
		to.String(name, shortened(text, maxValue))
	}
}

// hexOf returns the hexadecimal digits of an id without its hyphens. It reports false
// where it has not so many.
func hexOf(text []byte, digits int) ([]byte, bool) {
	if len(text) < digits || len(text) > digits+4 {
		return nil, false
	}
	id := make([]byte, 0, 36)
	for _, c := range text {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f':
			id = append(id, c)
		case 'A' <= c && c <= 'F':
			id = append(id, c+'a'-'A')
		case c == '-':
		default:
			return nil, false
		}
	}
	return id, len(id) == digits
}

// idIn decodes an id.
func idIn(into, text []byte) bool {
	clear(into)
	id, ok := hexOf(text, 2*len(into))
	if !ok {
		return false
	}
	_, err := hex.Decode(into, id)
	return err == nil
}
