package sql

import (
	"fmt"
	"regexp"
	"strings"
)

// kind is what a word of a query is.
type kind uint8

const (
	bareWord kind = iota // a keyword, a name or a function
	quotedName
	literal // a string or a number
	openParenthesis
	semicolon
	other
)

// word is one word of a query.
type word struct {
	kind kind
	// text is the word without its quotes.
	text string
	// at is its position in bytes.
	at int
}

// number matches what starts with a digit and can only be a number: no keyword
// and no forbidden name is made of these letters alone.
var number = regexp.MustCompile(`^(0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+(_[0-9]+)*([eE][+-]?[0-9]+)?)$`)

// signedExponent matches a number up to the sign of its exponent.
var signedExponent = regexp.MustCompile(`^[0-9]+(_[0-9]+)*[eE]$`)

// lex splits a query into words and leaves comments out. Whatever lies outside
// of quotes and could be read in another way by another version of ClickHouse
// (here-documents, comments with # or //, typographic quotes, escapes in quoted
// names, words that start with digits) is an error, so that nothing is hidden
// from the guard.
func lex(text string) ([]word, error) {
	var words []word
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case strings.IndexByte(" \t\n\r\f\v", c) >= 0:
			i++
		case c == '\'':
			end, err := quoted(text, i)
			if err != nil {
				return nil, err
			}
			words = append(words, word{literal, text[i:end], i})
			i = end
		case c == '"' || c == '`':
			end, err := quoted(text, i)
			if err != nil {
				return nil, err
			}
			name := text[i+1 : end-1]
			if strings.IndexByte(name, '\\') >= 0 {
				return nil, fmt.Errorf("the quoted name at position %d has a backslash, which is not allowed", i+1)
			}
			words = append(words, word{quotedName, name, i})
			i = end
		case strings.HasPrefix(text[i:], "--"):
			i = endOfLine(text, i)
		case strings.HasPrefix(text[i:], "/*"):
			end := strings.Index(text[i+2:], "*/")
			if end < 0 {
				return nil, fmt.Errorf("the comment at position %d does not end", i+1)
			}
			i += 2 + end + 2
		case strings.HasPrefix(text[i:], "//"):
			return nil, fmt.Errorf("// at position %d: write a comment as -- or /* */", i+1)
		case isWordByte(c):
			end := i + 1
			for end < len(text) && isWordByte(text[end]) {
				end++
			}
			digits := c >= '0' && c <= '9'
			if digits && end < len(text) && (text[end] == '+' || text[end] == '-') && signedExponent.MatchString(text[i:end]) {
				// The sign is part of the number: 1e--2 has no comment.
				for end++; end < len(text) && isWordByte(text[end]); {
					end++
				}
			}
			w := word{bareWord, text[i:end], i}
			if digits {
				if !number.MatchString(w.text) {
					return nil, fmt.Errorf("%s at position %d is neither a number nor a name; put a name in double quotes", w.text, i+1)
				}
				w.kind = literal
			}
			words = append(words, w)
			i = end
		case c == '(':
			words = append(words, word{openParenthesis, "(", i})
			i++
		case c == ';':
			words = append(words, word{semicolon, ";", i})
			i++
		case strings.IndexByte(")[]{},.:?*/+-%=<>!|@^&~", c) >= 0:
			words = append(words, word{other, text[i : i+1], i})
			i++
		default:
			return nil, fmt.Errorf("the character %q at position %d is not allowed outside of quotes", firstRune(text[i:]), i+1)
		}
	}
	return words, nil
}

// quoted returns the end of the quoted text that starts at i. A backslash takes
// the next character with it, a doubled quote is one of the text.
func quoted(text string, i int) (int, error) {
	quote := text[i]
	for j := i + 1; j < len(text); j++ {
		switch text[j] {
		case '\\':
			j++
		case quote:
			if j+1 < len(text) && text[j+1] == quote {
				j++
				continue
			}
			return j + 1, nil
		}
	}
	return 0, fmt.Errorf("the quote at position %d is not closed", i+1)
}

func endOfLine(text string, i int) int {
	if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(text)
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}
