package otlpjson

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

// scanner reads JSON text from left to right.
type scanner struct {
	src      []byte
	pos      int
	depth    int
	maxDepth int
	// scratch holds strings that had escapes.
	scratch []byte
}

func (s *scanner) errorf(format string, args ...any) error {
	return &Error{Offset: s.pos, Message: fmt.Sprintf(format, args...)}
}

func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the first byte of what comes next, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos == len(s.src) {
		return 0
	}
	return s.src[s.pos]
}

func (s *scanner) want(c byte) error {
	got := s.peek()
	if got == c {
		s.pos++
		return nil
	}
	if s.pos == len(s.src) {
		return s.errorf("the text ends where %q should be", c)
	}
	return s.errorf("want %q, found %q", c, got)
}

// enter opens an object or a list.
func (s *scanner) enter(c byte) error {
	if err := s.want(c); err != nil {
		return err
	}
	if s.depth++; s.depth > s.maxDepth {
		return s.errorf("values are nested deeper than %d levels", s.maxDepth)
	}
	return nil
}

// next reports whether another member of an object or list follows, and takes
// the comma before it or the bracket after the last one.
func (s *scanner) next(end byte, first bool) (bool, error) {
	switch c := s.peek(); {
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
		return false, s.errorf("the text ends early")
	}
	return false, s.errorf("want ',' or %q, found %q", end, s.src[s.pos])
}

// object calls member with every key of the object that comes next; member
// takes the value. The key is valid until then.
func (s *scanner) object(member func(key []byte) error) error {
	if err := s.enter('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := s.next('}', first)
		if err != nil || !more {
			return err
		}
		key, err := s.scratchString()
		if err != nil {
			return err
		}
		if err := s.want(':'); err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
	}
}

// array calls element for every element of the list that comes next; element
// takes it.
func (s *scanner) array(element func() error) error {
	if err := s.enter('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := s.next(']', first)
		if err != nil || !more {
			return err
		}
		if err := element(); err != nil {
			return err
		}
	}
}

// skip takes a value of any kind.
func (s *scanner) skip() error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(func([]byte) error { return s.skip() })
	case c == '[':
		return s.array(s.skip)
	case c == '"':
		_, _, err := s.rawString()
		return err
	case c == 't' && s.literal("true"), c == 'f' && s.literal("false"), c == 'n' && s.literal("null"):
		return nil
	}
	_, err := s.number()
	return err
}

func (s *scanner) literal(word string) bool {
	end := s.pos + len(word)
	if end > len(s.src) || string(s.src[s.pos:end]) != word {
		return false
	}
	s.pos = end
	return true
}

func (s *scanner) null() bool { return s.peek() == 'n' && s.literal("null") }

func (s *scanner) bool() (bool, error) {
	switch c := s.peek(); {
	case c == 't' && s.literal("true"):
		return true, nil
	case c == 'f' && s.literal("false"):
		return false, nil
	}
	return false, s.errorf("want true or false")
}

// number takes the text of a JSON number.
func (s *scanner) number() ([]byte, error) {
	s.space()
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
			return nil, s.errorf("the text ends early")
		}
		return nil, s.errorf("want a value, found %q", s.src[start])
	}
	return s.src[start:s.pos], nil
}

// numeral takes a number, or a string that holds one.
func (s *scanner) numeral() ([]byte, error) {
	if s.peek() == '"' {
		return s.scratchString()
	}
	return s.number()
}

// whole reports whether a number written with a fraction or an exponent is an
// integer that a double holds exactly.
func whole(text []byte) (float64, bool) {
	v, err := strconv.ParseFloat(string(text), 64)
	return v, err == nil && v == math.Trunc(v) && math.Abs(v) <= 1<<53
}

func (s *scanner) uint() (uint64, error) {
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
	return 0, s.errorf("%.40q is no unsigned 64-bit integer", text)
}

func (s *scanner) int() (int64, error) {
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
	return 0, s.errorf("%.40q is no signed 64-bit integer", text)
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

func (s *scanner) double() (float64, error) {
	quoted := s.peek() == '"'
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
		inner := scanner{src: text}
		if _, err := inner.number(); err != nil || inner.pos != len(text) {
			return 0, s.errorf("%.40q is no number", text)
		}
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, s.errorf("%.40q does not fit into a double", text)
	}
	return v, nil
}
