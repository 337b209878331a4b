// Package flatjson reads a line that is a JSON object as a list of members with
// dotted paths, in one pass and in place: {"a":{"b":1}} has the member b with
// the path "a.". What it returns are views of the line.
//
// It accepts what encoding/json does, except values that nest deeper than
// MaxDepth, and bytes after the object other than space.
package flatjson

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// Kind is the type of a member's value.
type Kind uint8

// The kinds. Objects are members only where they are empty or deeper than the
// scanner was told to go.
const (
	String Kind = iota
	Number
	True
	False
	Null
	Array
	Object
)

// MaxDepth is how deep values may nest.
const MaxDepth = 64

// Member is one value and the key that it has in the object around it.
type Member struct {
	// Key and Raw are as they are in the text, without the quotes of strings.
	Key, Raw string
	Kind     Kind
	// KeyEscaped and Escaped say that Key and Raw are texts with escapes.
	KeyEscaped, Escaped bool
}

// Scanner reads one object. The zero value has nothing to read.
type Scanner struct {
	src []byte
	pos int
	// depth is how many objects are open, and starts where the path of each
	// begins to differ from the one around it.
	depth, enter int
	starts       [MaxDepth]int
	path         []byte
	// first is set where no member of the innermost object was read.
	first, failed, done bool
}

// Reset makes the scanner read the line; objects within others are taken apart
// down to the given depth, of which the line's own is 1.
func (s *Scanner) Reset(line string, enter int) {
	s.src = bytesOf(line)
	s.pos, s.depth, s.enter = 0, 0, min(max(enter, 1), MaxDepth)
	s.path, s.first, s.failed, s.done = s.path[:0], false, false, false
	if s.space() != '{' {
		s.failed, s.done = true, true
		return
	}
	s.open()
}

// Valid reports, once Next has returned false, whether the line was an object
// and nothing else.
func (s *Scanner) Valid() bool { return s.done && !s.failed }

// Path is that of the object around the last member, with a dot at its end, and
// empty for the line's own. It is valid until the next call of Next.
func (s *Scanner) Path() []byte { return s.path }

// Next reads the next member.
func (s *Scanner) Next(m *Member) bool {
	for !s.done {
		c := s.space()
		if c == '}' {
			s.pos++
			if s.close(); s.depth == 0 {
				s.done = true
				s.failed = s.space() != 0 || s.pos != len(s.src)
				return false
			}
			continue
		}
		if !s.first {
			if c != ',' {
				return s.fail()
			}
			s.pos++
		}
		s.first = false
		if !s.key(m) {
			return s.fail()
		}
		if c = s.space(); c == '{' && s.depth < s.enter && !s.empty() {
			s.path = append(AppendText(s.path, m.Key, m.KeyEscaped), '.')
			s.open()
			continue
		}
		return s.value(c, m) || s.fail()
	}
	return false
}

func (s *Scanner) fail() bool {
	s.failed, s.done = true, true
	return false
}

// open goes into the object that begins here.
func (s *Scanner) open() {
	s.pos++
	s.depth++
	s.first = true
	if s.depth < MaxDepth {
		s.starts[s.depth] = len(s.path)
	}
}

// close leaves the innermost object.
func (s *Scanner) close() {
	s.depth--
	if s.depth > 0 {
		s.path = s.path[:s.starts[s.depth]]
	}
	s.first = false
}

// empty reports whether the object that begins here has no members.
func (s *Scanner) empty() bool {
	for i := s.pos + 1; i < len(s.src); i++ {
		if c := s.src[i]; !isSpace(c) {
			return c == '}'
		}
	}
	return false
}

// value reads the value that begins with c.
func (s *Scanner) value(c byte, m *Member) bool {
	m.Escaped = false
	start := s.pos
	switch c {
	case '"':
		m.Kind = String
		return s.text(&m.Raw, &m.Escaped)
	case 't':
		m.Kind = True
		m.Raw = "true"
		return s.word("true")
	case 'f':
		m.Kind = False
		m.Raw = "false"
		return s.word("false")
	case 'n':
		m.Kind = Null
		m.Raw = "null"
		return s.word("null")
	case '{':
		m.Kind = Object
		if !s.nested() {
			return false
		}
	case '[':
		m.Kind = Array
		if !s.nested() {
			return false
		}
	default:
		m.Kind = Number
		if !s.number() {
			return false
		}
	}
	m.Raw = s.view(start, s.pos)
	return true
}

// bytesOf returns the bytes of a string, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func (s *Scanner) view(from, to int) string {
	return unsafe.String(unsafe.SliceData(s.src[from:to]), to-from)
}

func (s *Scanner) word(w string) bool {
	end := s.pos + len(w)
	if end > len(s.src) || string(s.src[s.pos:end]) != w {
		return false
	}
	s.pos = end
	return true
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// space passes over white space and returns the byte after it, 0 at the end.
func (s *Scanner) space() byte {
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		if !isSpace(c) {
			return c
		}
		s.pos++
	}
	return 0
}

// key reads a key and the colon after it.
func (s *Scanner) key(m *Member) bool {
	if s.space() != '"' || !s.text(&m.Key, &m.KeyEscaped) || s.space() != ':' {
		return false
	}
	s.pos++
	return true
}

// text reads a string, at whose quote the scanner is.
func (s *Scanner) text(raw *string, escaped *bool) bool {
	start := s.pos + 1
	end, esc := stringEnd(s.src, start)
	if end < 0 {
		return false
	}
	*raw, *escaped = s.view(start, end), esc
	s.pos = end + 1
	return true
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stringEnd returns where the quote is that ends the string that begins at pos,
// -1 if the string is wrong. It looks at eight bytes at once.
func stringEnd(src []byte, pos int) (end int, escaped bool) {
	for {
		for pos+8 <= len(src) {
			w := binary.LittleEndian.Uint64(src[pos:])
			quote, slash := w^('"'*ones), w^('\\'*ones)
			stop := ((quote-ones)&^quote | (slash-ones)&^slash | (w-' '*ones)&^w) & highs
			if stop != 0 {
				pos += bits.TrailingZeros64(stop) >> 3
				break
			}
			pos += 8
		}
		if pos >= len(src) {
			return -1, false
		}
		switch c := src[pos]; {
		case c == '"':
			return pos, escaped
		case c == '\\':
			n := escapeLength(src[pos:])
			if n == 0 {
				return -1, false
			}
			pos += n
			escaped = true
		case c < ' ':
			return -1, false
		default:
			pos++
		}
	}
}

// escapeLength is the length of the escape at the beginning of b, 0 if it is none.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if _, ok := hexDigit(c); !ok {
				return 0
			}
		}
		return 6
	}
	return 0
}

// number reads a number as JSON writes them.
func (s *Scanner) number() bool {
	pos := s.pos
	digits := func() bool {
		start := pos
		for pos < len(s.src) && s.src[pos]-'0' <= 9 {
			pos++
		}
		return pos > start
	}
	if pos < len(s.src) && s.src[pos] == '-' {
		pos++
	}
	if pos < len(s.src) && s.src[pos] == '0' {
		pos++
	} else if !digits() {
		return false
	}
	if pos < len(s.src) && s.src[pos] == '.' {
		pos++
		if !digits() {
			return false
		}
	}
	if pos < len(s.src) && s.src[pos]|0x20 == 'e' {
		pos++
		if pos < len(s.src) && (s.src[pos] == '+' || s.src[pos] == '-') {
			pos++
		}
		if !digits() {
			return false
		}
	}
	s.pos = pos
	return true
}

// nested passes over the array or object that begins here.
func (s *Scanner) nested() bool {
	var skipped Member
	// A bit for each open bracket: set for objects.
	var objects uint64
	depth := 0
	for {
		// A value begins here.
		if c := s.space(); c == '{' || c == '[' {
			if s.depth+depth == MaxDepth {
				return false
			}
			s.pos++
			depth++
			objects <<= 1
			end := byte(']')
			if c == '{' {
				objects |= 1
				end = '}'
			}
			if s.space() != end {
				if c == '{' && !s.key(&skipped) {
					return false
				}
				continue
			}
		} else if !s.value(c, &skipped) {
			return false
		}
		// A value ends here, and with it may those around it.
		for s.space() == "]}"[objects&1] {
			s.pos++
			objects >>= 1
			if depth--; depth == 0 {
				return true
			}
		}
		if s.space() != ',' {
			return false
		}
		s.pos++
		if objects&1 == 1 && !s.key(&skipped) {
			return false
		}
	}
}
