package promql

import (
	"fmt"
	"net/http"
)

// maxTokens bounds a query. What Prometheus' parser does with nested and chained
// expressions grows with the square of their number and cannot be stopped; a
// query that a person or a dashboard writes is a thousand times smaller. Texts in
// quotes may be of any length.
const maxTokens = 50_000

// tooLarge says what is wrong with a request whose query has too many tokens.
func tooLarge(r *http.Request) error {
	for _, name := range []string{"query", "match[]"} {
		for _, text := range r.Form[name] {
			if n := tokens(text); n > maxTokens {
				return badRequest{fmt.Errorf("invalid parameter %q: it has %d words and signs, more than the %d that are allowed", name, n, maxTokens)}
			}
		}
	}
	return nil
}

// tokens counts about how many words and signs a query has, a quoted text as one
// and comments not at all.
func tokens(text string) int {
	n, word := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' || c == '\'' || c == '`':
			for i++; i < len(text) && text[i] != c; i++ {
				if text[i] == '\\' && c != '`' {
					i++
				}
			}
			n, word = n+1, false
		case c == '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
			word = false
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			word = false
		case c >= 0x80 || c == '_' || c == ':' || c == '.' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z':
			if !word {
				n, word = n+1, true
			}
		default:
			n, word = n+1, false
		}
	}
	return n
}
