package injection

import "bytes"

// How many points are needed. What libinjection takes for SQL needs something more
// that is typical of an attack, because it takes some sentences for SQL, too; what
// it does not needs much more.
// In a sentence, quotes and words of SQL mean less.
const (
	enough     = 5
	enoughWith = 2
	suspicious = 4
	inSentence = 3 // more
	sentence   = 4 // words that SQL does not have, and more of them than of others
)

// judge weighs what libinjection says, with its fingerprint, and what the scorer
// has counted.
func judge(hit bool, fingerprint string, c *scorer) Strength {
	more := 0
	if c.plain >= sentence && c.plain > 2*c.words {
		more = inSentence
	}
	switch {
	case c.points >= enough+more || hit && c.points >= enoughWith+more:
		return Strong
	case hit && c.words == 0 && c.plain < 2 && (fingerprint == "sos" || fingerprint == "s&s" || fingerprint == "sc"):
		return Strong // quotes and operators only: nobody writes that
	case hit && more == 0 || c.points >= suspicious+more:
		return Weak
	}
	return None
}

// scorer gives points to a text for what is typical of SQL that is put into a
// query of somebody else.
type scorer struct {
	s      []byte
	points int
	// words counts those of SQL, plain the others of three letters and more.
	words, plain int
	seen         [filler + 1]bool
	// quotes counts ' and doubles ".
	quotes, doubles int
}

// score looks at a text in lower case.
func score(s []byte) (c scorer) {
	c.s = s
	before := other // the class of the word before, other behind anything else
	for i := 0; i < len(s); {
		b := s[i]
		switch {
		case isLetter(b) || b == '@' && i+1 < len(s) && isLetter(s[i+1]):
			end := i + 1
			for end < len(s) && (isLetter(s[end]) || isDigit(s[end]) || s[end] == '$' || s[end] == '#') {
				end++
			}
			before = c.word(i, end, before)
			i = end
			continue
		case b == '\'' || b == '"' || b == '`':
			c.quote(i)
		case b == ';':
			if next, _ := c.next(i + 1); next == verb || next == selects || next == waitfor || next == special {
				c.points += 4
			} else if next == having || next == joins || c.commentAt(c.skip(i+1)) {
				c.points += 2
			}
		case b == '/' && i+1 < len(s) && s[i+1] == '*':
			end := c.commentEnd(i)
			switch {
			case i+2 < len(s) && s[i+2] == '!':
				c.points += 4
				i += 2
				continue
			case i > 0 && isLetter(s[i-1]) && end < len(s) && isLetter(s[end]):
				c.points += 2 // where a blank belongs
			default:
				c.points++
			}
			i = end
			continue
		case b == '@' && i+1 < len(s) && s[i+1] == '@':
			c.points += 3
			i += 2
			continue
		case b == '=' && i > 0 && i+1 < len(s):
			// One thing is compared with itself: 1=1.
			if l, r := c.left(i), c.right(i); len(l) > 0 && string(l) == string(r) {
				c.points += 2
			}
		case b == ':' && i+1 < len(s) && s[i+1] == ':' && i > 0 && (isQuote(s[i-1]) || s[i-1] == ')' || isLetter(s[i-1])):
			if _, end := c.next(i + 2); casting[string(s[i+2:end])] {
				if c.points += 3; !isLetter(s[i-1]) {
					c.points += 2
				}
			}
			i += 2
			continue
		case b == '0' && i+5 < len(s) && s[i+1] == 'x' && isHex(s[i+2:i+6]) && (i == 0 || !isDigit(s[i-1]) && !isLetter(s[i-1])):
			c.points++
		}
		if b > ' ' && b != '(' && b != '*' && b != '/' {
			before = other
		}
		i++
	}
	c.end()
	return c
}

// word takes the word from i to end and returns its class.
func (c *scorer) word(i, end int, before class) class {
	w := other
	if end-i <= longestWord {
		w = classOf[string(c.s[i:end])]
	}
	if w == other {
		if end-i >= 3 {
			c.plain++
		}
		return other
	}
	call := end < len(c.s) && c.s[end] == '('
	after := c.skip(end)
	switch w {
	case special:
		if after < len(c.s) && (c.s[after] == '(' && (call || c.argument(after+1)) || c.s[after] == '.' && bytes.IndexByte(c.s[i:end], '_') > 0) {
			c.points += 5
		}
	case common:
		if !call {
			c.plain++
			return before // a word as any other
		}
		c.points++
	case system:
		c.points += 3
	case selects:
		if i > 0 && c.s[c.back(i)] == '(' {
			c.points += 4
		}
		if before == union {
			if c.column(after) {
				c.points += 5
			} else {
				c.points++
			}
		} else if after < len(c.s) && (c.s[after] == '*' || c.s[after] == '@') {
			c.points += 2
		}
	case from:
		if c.seen[selects] {
			c.points++
		}
	case by:
		if before == orders && after < len(c.s) && isDigit(c.s[after]) {
			c.points += 2
		}
	case into:
		if before == verb || c.seen[selects] {
			c.points++
		}
	case object:
		if before == verb {
			c.points += 2
		}
	case delay:
		if before == waitfor {
			c.points += 5
		}
	case joins:
		c.points += c.comparison(after)
	case having:
		if c.comparison(after) > 1 {
			c.points += 2
		}
	case compare:
		if before == joins || c.seen[joins] && after < len(c.s) && c.s[after] == '\'' {
			c.points++
		}
	case filler:
		if before == union || before == joins || before == selects {
			w = before
		}
	}
	c.words++
	c.seen[w] = true
	return w
}

// comparison returns the points for what follows a word that joins conditions.
func (c *scorer) comparison(at int) int {
	s := c.s
	for at < len(s) && s[at] == '(' {
		at = c.skip(at + 1)
	}
	if at >= len(s) {
		return 0
	}
	var points, end int
	switch {
	case isQuote(s[at]):
		points, end = 1, at+1
		for end < len(s) && s[end] != s[at] {
			end++
		}
		end++
	case isDigit(s[at]) || s[at] == '-' || s[at] == '~' || s[at] == '!':
		points = 1
		fallthrough
	case isLetter(s[at]):
		for end = at + 1; end < len(s) && (isLetter(s[end]) || isDigit(s[end]) || s[end] == '.'); end++ {
		}
	default:
		return 0
	}
	for end < len(s) && (s[end] == ')' || s[end] <= ' ') {
		end++
	}
	if end >= len(s) {
		return points
	}
	switch s[end] {
	case '=', '<', '>', '@', '?', ':':
		if s[end] != ':' || end+1 < len(s) && s[end+1] == ':' {
			return points + 2
		}
	case '!', '|', '*', '-', '#', ';', '\'', '"':
		return points + 1
	}
	if next, _ := c.next(end); next == compare {
		return points + 2
	}
	return points
}

// quote takes a quote: behind the one that ends a string of the query a condition
// or a comment follows.
func (c *scorer) quote(i int) {
	// A quote that closes what another one of the text has opened means little.
	closes := false
	switch c.s[i] {
	case '\'':
		c.quotes++
		closes = c.quotes%2 == 0
	case '"':
		c.doubles++
		closes = c.doubles%2 == 0
	}
	at := c.skip(i + 1)
	for at < len(c.s) && c.s[at] == ')' {
		at = c.skip(at + 1)
	}
	if at >= len(c.s) {
		return
	}
	if c.commentAt(at) {
		c.points += 3
		if len(bytes.TrimRight(c.s[at:], " -#/*")) == 0 {
			c.points += 2 // and nothing else
		}
		return
	}
	switch c.s[at] {
	case ';':
		if rest := c.skip(at + 1); rest == len(c.s) || c.commentAt(rest) {
			c.points += 2
		}
	case '|', '&':
		if at+1 < len(c.s) && c.s[at+1] == c.s[at] {
			c.points += 3
		}
	case '=':
		if rest := c.skip(at + 1); rest < len(c.s) && isQuote(c.s[rest]) {
			c.points += 2
		}
	}
	if next, end := c.next(at); next != other {
		rest := c.skip(end)
		if follow, behind := c.next(rest); next == joins && follow == filler {
			rest = c.skip(behind)
		}
		more := rest < len(c.s) && (isQuote(c.s[rest]) || isDigit(c.s[rest]) || c.s[rest] == '(' || c.s[rest] == '-' || c.s[rest] == '~')
		follow, _ := c.next(rest)
		switch {
		case closes:
			if next == joins && more {
				c.points++
			}
		case next == joins && rest < len(c.s) && isLetter(c.s[rest]) && c.calls(rest):
			c.points += 4
		case next == joins && (more || c.comparison(rest) > 1), next == union && follow == selects, next == orders && follow == by, next == waitfor,
			next == having && more:
			c.points += 3
		case next == joins && follow == special, next == union:
			c.points += 2
		}
	}
}

// argument reports whether an argument of a function stands at the place, rather
// than a word in brackets.
func (c *scorer) argument(at int) bool {
	at = c.skip(at)
	return at < len(c.s) && !isLetter(c.s[at])
}

// calls reports whether a function is called at the place.
func (c *scorer) calls(at int) bool {
	end := at
	for end < len(c.s) && (isLetter(c.s[end]) || isDigit(c.s[end])) {
		end++
	}
	end = c.skip(end)
	return end > at && end < len(c.s) && c.s[end] == '('
}

// end gives points for how the text ends.
func (c *scorer) end() {
	s := c.s
	n := len(s)
	for n > 0 && s[n-1] <= ' ' {
		n--
	}
	if c.words == 0 && c.quotes+c.doubles == 0 || n < 3 {
		return
	}
	switch {
	case s[n-1] == '#', s[n-2] == '-' && s[n-1] == '-', s[n-2] == '/' && s[n-1] == '*', n > 3 && s[n-3] == '-' && s[n-2] == '-':
		c.points++
	case n > 4 && s[n-1] == '-' && s[n-2] <= ' ' && s[n-3] == '-' && s[n-4] == '-':
		c.points += 3 // "-- -", as tools write it
	}
	if c.quotes%2 == 1 && c.words > 1 {
		c.points++
	}
}

// column reports whether what stands at the place may be the first column that a
// SELECT asks for.
func (c *scorer) column(at int) bool {
	for at < len(c.s) && c.s[at] == '(' {
		at = c.skip(at + 1)
	}
	if at >= len(c.s) {
		return false
	}
	b := c.s[at]
	if !isLetter(b) {
		return isDigit(b) || isQuote(b) || b == '*' || b == '@' || b == '-' || b == '#'
	}
	next, end := c.next(at)
	if next != other && next != from && next != joins && next != into && next != compare {
		return true
	}
	rest := c.skip(end)
	return rest < len(c.s) && (c.s[rest] == ',' || c.s[rest] == '(' || c.s[rest] == '.')
}

// next returns the class of the word at the place and its end.
func (c *scorer) next(at int) (class, int) {
	at = c.skip(at)
	end := at
	for end < len(c.s) && end-at <= longestWord && (isLetter(c.s[end]) || isDigit(c.s[end])) {
		end++
	}
	return classOf[string(c.s[at:end])], end
}

// skip returns the place of the next byte that is no blank and no comment.
func (c *scorer) skip(i int) int {
	for i < len(c.s) {
		switch {
		case c.s[i] <= ' ' || c.s[i] == 0xA0:
			i++
		case c.s[i] == '/' && i+2 < len(c.s) && c.s[i+1] == '*' && c.s[i+2] != '!' && c.commentEnd(i) < len(c.s):
			i = c.commentEnd(i)
		default:
			return i
		}
	}
	return i
}

// commentEnd returns the place behind the comment of C that begins at a place.
func (c *scorer) commentEnd(i int) int {
	if end := bytes.Index(c.s[i+2:], []byte("*/")); end >= 0 {
		return i + 2 + end + 2
	}
	return len(c.s)
}

// back returns the place of the last byte before i that is no blank, or 0.
func (c *scorer) back(i int) int {
	for i--; i > 0 && c.s[i] <= ' '; i-- {
	}
	return max(i, 0)
}

// commentAt reports whether a comment up to the end of a line begins at a place.
func (c *scorer) commentAt(at int) bool {
	return at < len(c.s) && (c.s[at] == '#' || at+1 < len(c.s) && (c.s[at] == '-' && c.s[at+1] == '-' || c.s[at] == '/' && c.s[at+1] == '*'))
}

// left and right return the words or strings beside an operator.
func (c *scorer) left(i int) []byte {
	for i > 0 && (c.s[i-1] == ' ' || isQuote(c.s[i-1])) {
		i--
	}
	from := i
	for from > 0 && i-from < longestWord && (isLetter(c.s[from-1]) || isDigit(c.s[from-1])) {
		from--
	}
	return c.s[from:i]
}

func (c *scorer) right(i int) []byte {
	for i++; i < len(c.s) && (c.s[i] == ' ' || isQuote(c.s[i])); i++ {
	}
	from := min(i, len(c.s))
	for i < len(c.s) && i-from < longestWord && (isLetter(c.s[i]) || isDigit(c.s[i])) {
		i++
	}
	return c.s[from:max(i, from)]
}

func isLetter(b byte) bool { return 'a' <= b && b <= 'z' || b == '_' }
func isDigit(b byte) bool  { return '0' <= b && b <= '9' }
func isQuote(b byte) bool  { return b == '\'' || b == '"' || b == '`' }

func isHex(s []byte) bool {
	for _, b := range s {
		if !isDigit(b) && (b < 'a' || b > 'f') {
			return false
		}
	}
	return true
}
