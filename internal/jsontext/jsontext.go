// Package jsontext reads JSON text token by token, in place: what it returns are
// views of the text, and nothing is built in memory. It is for formats that are
// turned into another one in a single walk.
//
// It must not know any of them.
package jsontext

import (
	"fmt"
	"math"
	"strconv"
)

// Error says what is wrong with the JSON and where.
type Error struct {
	// Offset is where in the body the trouble was noticed, in bytes.
	Offset int
	// Field is the field whose value is wrong, empty where that is not known.
	Field   string
	Message string
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("JSON at byte %d: %s", e.Offset, e.Message)
	}
	return fmt.Sprintf("JSON at byte %d, %s: %s", e.Offset, e.Field, e.Message)
}

// Scanner reads JSON text from left to right. The zero value has nothing to read.
type Scanner struct {
	src      []byte
	pos      int
	depth    int
	maxDepth int
	// scratch holds strings that had escapes.
	scratch []byte
}

// Reset makes the scanner read src, whose values may nest up to maxDepth levels.
// It keeps src until the next Reset.
func (s *Scanner) Reset(src []byte, maxDepth int) {
	s.src, s.pos, s.depth, s.maxDepth = src, 0, 0, maxDepth
}

// Pos is how many bytes were read.
func (s *Scanner) Pos() int { return s.pos }

// Back goes back to a place that Pos returned, at the same depth.
func (s *Scanner) Back(pos int) { s.pos = pos }

// Depth is in how many objects and lists the scanner is.
func (s *Scanner) Depth() int { return s.depth }

// End makes sure that only space is left.
func (s *Scanner) End() error {
	if s.Space(); s.pos != len(s.src) {
		return s.Errorf("more text after the end of the request")
	}
	return nil
}

// Errorf is an error at the current place.
func (s *Scanner) Errorf(format string, args ...any) error {
	return &Error{Offset: s.pos, Message: fmt.Sprintf(format, args...)}
}

// Space passes over white space.
func (s *Scanner) Space() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// Peek returns the first byte of what comes next, 0 at the end.
func (s *Scanner) Peek() byte {
	s.Space()
	if s.pos == len(s.src) {
		return 0
	}
	return s.src[s.pos]
}

// Want takes the given character, or is an error.
func (s *Scanner) Want(c byte) error {
	got := s.Peek()
	if got == c {
		s.pos++
		return nil
	}
	if s.pos == len(s.src) {
		return s.Errorf("the text ends where %q should be", c)
	}
	return s.Errorf("want %q, found %q", c, got)
}

// Enter opens an object or a list, whose bracket is given.
func (s *Scanner) Enter(c byte) error {
	if err := s.Want(c); err != nil {
		return err
	}
	if s.depth++; s.depth > s.maxDepth {
		return s.Errorf("values are nested deeper than %d levels", s.maxDepth)
	}
	return nil
}

// Next reports whether another member of an object or list follows, and takes
// the comma before it or the bracket after the last one.
func (s *Scanner) Next(end byte, first bool) (bool, error) {
	switch c := s.Peek(); {
	case c == end:
		s.pos++
		s.depth--
		return false, nil
	case first:
		return true, nil
	case c == ',':
		s.pos++
		return true, nil
	}
	if s.pos == len(s.src) {
		return false, s.Errorf("the text ends early")
	}
	return false, s.Errorf("want ',' or %q, found %q", end, s.src[s.pos])
}

// Object calls member with every key of the object that comes next; member
// takes the value. The key is valid until then, and cut off where it has escapes
// and is longer than any name that a format knows.
func (s *Scanner) Object(member func(key []byte) error) error {
	if err := s.Enter('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := s.Next('}', first)
		if err != nil || !more {
			return err
		}
		key, err := s.ScratchString()
		if err != nil {
			return err
		}
		if err := s.Want(':'); err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
	}
}

// Array calls element for every element of the list that comes next; element
// takes it.
func (s *Scanner) Array(element func() error) error {
	if err := s.Enter('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := s.Next(']', first)
		if err != nil || !more {
			return err
		}
		if err := element(); err != nil {
			return err
		}
	}
}

// Skip takes a value of any kind.
func (s *Scanner) Skip() error {
	switch c := s.Peek(); {
	case c == '{':
		return s.Object(func([]byte) error { return s.Skip() })
	case c == '[':
		return s.Array(s.Skip)
	case c == '"':
		_, _, err := s.RawString()
		return err
	case c == 't' && s.literal("true"), c == 'f' && s.literal("false"), c == 'n' && s.literal("null"):
		return nil
	}
	_, err := s.Number()
	return err
}

func (s *Scanner) literal(word string) bool {
	end := s.pos + len(word)
	if end > len(s.src) || string(s.src[s.pos:end]) != word {
		return false
	}
	s.pos = end
	return true
}

// Null takes a null, if that comes next.
func (s *Scanner) Null() bool { return s.Peek() == 'n' && s.literal("null") }

// Bool takes true or false.
func (s *Scanner) Bool() (bool, error) {
	switch c := s.Peek(); {
	case c == 't' && s.literal("true"):
		return true, nil
	case c == 'f' && s.literal("false"):
		return false, nil
	}
	return false, s.Errorf("want true or false")
}

// Number takes the text of a JSON number.
func (s *Scanner) Number() ([]byte, error) {
	s.Space()
	start := s.pos
	digits := func() bool {
		before := s.pos
		for s.pos < len(s.src) && s.src[s.pos] >= '0' && s.src[s.pos] <= '9' {
			s.pos++
		}
		return s.pos > before
	}
	at := func(set string) bool {
		for i := 0; i < len(set) && s.pos < len(s.src); i++ {
			if s.src[s.pos] == set[i] {
				s.pos++
				return true
			}
		}
		return false
	}
	at("-")
	ok := at("0") || digits()
	if ok && at(".") {
		ok = digits()
	}
	if ok && at("eE") {
		at("+-")
		ok = digits()
	}
	if !ok {
		s.pos = start
		if start == len(s.src) {
			return nil, s.Errorf("the text ends early")
		}
		return nil, s.Errorf("want a value, found %q", s.src[start])
	}
	return s.src[start:s.pos], nil
}

// numeral takes a number, or a string that holds one.
func (s *Scanner) numeral() ([]byte, error) {
	if s.Peek() == '"' {
		return s.ScratchString()
	}
	return s.Number()
}

// whole reports whether a number written with a fraction or an exponent is an
// integer that a double holds exactly.
func whole(text []byte) (float64, bool) {
	v, err := strconv.ParseFloat(string(text), 64)
	return v, err == nil && v == math.Trunc(v) && math.Abs(v) <= 1<<53
}

// Uint takes an unsigned integer, which may be in a string.
func (s *Scanner) Uint() (uint64, error) {
	text, err := s.numeral()
	if err != nil {
		return 0, err
	}
	if n, ok := decimal(text); ok {
		return n, nil
	}
	if v, ok := whole(text); ok && v >= 0 {
		return uint64(v), nil
	}
	return 0, s.Errorf("%.40q is no unsigned 64-bit integer", text)
}

// Int takes a signed integer, which may be in a string.
func (s *Scanner) Int() (int64, error) {
	text, err := s.numeral()
	if err != nil {
		return 0, err
	}
	if len(text) > 0 && text[0] == '-' {
		if n, ok := decimal(text[1:]); ok && n <= 1<<63 {
			return -int64(n), nil
		}
	} else if n, ok := decimal(text); ok && n <= math.MaxInt64 {
		return int64(n), nil
	}
	if v, ok := whole(text); ok {
		return int64(v), nil
	}
	return 0, s.Errorf("%.40q is no signed 64-bit integer", text)
}

// decimal parses digits without allocating.
func decimal(text []byte) (uint64, bool) {
	if len(text) == 0 || len(text) > 20 {
		return 0, false
	}
	var n uint64
	for _, c := range text {
		d := uint64(c - '0')
		if d > 9 || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// Double takes a number, or a string that holds one or names a value that JSON
// has no number for.
func (s *Scanner) Double() (float64, error) {
	quoted := s.Peek() == '"'
	text, err := s.numeral()
	if err != nil {
		return 0, err
	}
	if quoted {
		switch string(text) {
		case "NaN":
			return math.NaN(), nil
		case "Infinity":
			return math.Inf(1), nil
		case "-Infinity":
			return math.Inf(-1), nil
		}
		inner := Scanner{src: text}
		if _, err := inner.Number(); err != nil || inner.pos != len(text) {
			return 0, s.Errorf("%.40q is no number", text)
		}
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, s.Errorf("%.40q does not fit into a double", text)
	}
	return v, nil
}

// Text returns the text from the current place up to a later one that Pos returned.
func (s *Scanner) Text(to int) []byte { return s.src[s.pos:to] }
