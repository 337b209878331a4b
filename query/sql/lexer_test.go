package sql

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/query/querytest"
)

// fragments are what queries are thrown together from: everything that starts,
// ends or hides a word.
var fragments = []string{
	"SELECT", "SETTINGS", "file", "logs", "x", "_", "é", "1", "0", "12", "0x1F", "0xZ", "1e", "1e3", "e3", "1_0", "b", "0b1", ".5", "1.", "..", "inf", "nan",
	"'", "''", "\"", "`", "\\", "\\'", "\\\"", "\\`", "\\\\", "$", "$$", "$a$", "--", "-", "−", "/*", "*/", "/", "//", "#", "# ", "#!", "*", "\n", "\r", "\t", "\v", "\f",
	" ", "\u00a0", "\u3000", "\u200b", "\ufeff", "\x00", "(", ")", "[", "]", "{", "}", "{p:String}", ",", ";", ":", "::", "?", "!", "!=", "=", "==", "<", "<=>", ">", "|", "||", "&", "^", "~", "@", "@@",
	"%", "+", "->", "“", "”", "‘", "’", "\\G", "\u0085", "N'", "E'", "x'41'", "\xff", "\xc3", "/**/", "/*/", "'/*'", "-- '\n",
}

// TestLexAgrees holds the lexer against ClickHouse's own: in a text that it
// accepts, every word and quoted name that ClickHouse sees must be one here, at
// the same place.
func TestLexAgrees(t *testing.T) {
	s := querytest.Start(t)
	random := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range 40 {
		var texts []string
		for range 5000 {
			var b strings.Builder
			for range 1 + random.IntN(9) {
				b.WriteString(fragments[random.IntN(len(fragments))])
			}
			if _, err := lex(b.String()); err == nil {
				texts = append(texts, b.String())
			}
		}
		accepted += len(texts)
		rows, err := s.Conn.Query(context.Background(), `SELECT text, arrayMap(x -> x.1, tokens) AS starts, arrayMap(x -> x.2, tokens), arrayMap(x -> toString(x.3), tokens)
FROM (SELECT arrayJoin(?) AS text, tokenizeQuery(text) AS tokens)`, texts)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var text string
			var starts, ends []uint64
			var kinds []string
			if err := rows.Scan(&text, &starts, &ends, &kinds); err != nil {
				t.Fatal(err)
			}
			words, err := lex(text)
			if err != nil {
				t.Fatalf("%q came back as another text", text)
			}
			own := map[int]word{}
			for _, w := range words {
				own[w.at] = w
			}
			for i, k := range kinds {
				w, ok := own[int(starts[i])]
				whole := text[starts[i]:ends[i]]
				switch {
				case k == "BareWord" && inNumber(words, int(starts[i])):
				case k == "BareWord" && (!ok || w.kind != bareWord || w.text != whole),
					k == "QuotedIdentifier" && (!ok || w.kind != quotedName || len(w.text) != len(whole)-2),
					k == "Semicolon" && (!ok || w.kind != semicolon),
					k == "OpeningRoundBracket" && (!ok || w.kind != openParenthesis),
					k == "HereDoc", k == "VerticalDelimiter":
					t.Errorf("%q: ClickHouse sees the %s %q at %d, here it is %+v", text, k, whole, starts[i], w)
				}
				if strings.HasPrefix(k, "Error") {
					break // it refuses the rest
				}
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if accepted < 10000 {
		t.Errorf("only %d texts were accepted, so little was compared", accepted)
	}
	t.Logf("%d texts compared", accepted)
}

// inNumber reports whether the position is in what looks like a number here;
// such a text holds no name that matters, see number.
func inNumber(words []word, at int) bool {
	for _, w := range words {
		if w.kind == literal && w.text[0] != '\'' && w.at <= at && at < w.at+len(w.text) {
			return true
		}
	}
	return false
}
