package logs

import (
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// plan is what ClickHouse does of a query for lines.
type plan struct {
	// condition holds of all rows that the query wants, beside tenant and time.
	condition []string
	// exact says that it holds of no others, so that nothing is left to do.
	exact bool
	// none says that no row can be wanted.
	none bool
}

// planner makes the conditions of a query. It is a pure function of the query and
// the streams that there are.
type planner struct {
	c *clickhouse.Condition
	// streams are those of the time of the query, nil where they are not known.
	streams []*stream
	// inexact is set where a condition is met by rows that the query does not want.
	inexact bool
}

// needsStreams reports whether a query for lines can only be planned when the
// streams are known: it names labels that come from resources, or from attributes
// that a resource may hide.
func needsStreams(e *logql.LogExpr) bool {
	for _, m := range e.Matchers {
		if m.Name != labelService {
			return true
		}
	}
	needs := false
	for _, s := range e.Stages {
		f, ok := s.(logql.LabelFilter)
		if _, line := s.(*logql.LineFilter); !ok && !line && !neutral(s) {
			return needs
		}
		if ok && slices.ContainsFunc(namesOf(f), func(name string) bool { return !ownColumn(name) }) {
			needs = true
		}
	}
	return needs
}

// ownColumn reports whether a label has a column that no attribute hides.
func ownColumn(name string) bool {
	switch name {
	case labelService, labelTrace, labelSpan, labelEvent, pipeline.ErrorLabel, pipeline.DetailsLabel:
		return true
	}
	return false
}

// namesOf returns the labels of a condition.
func namesOf(f logql.LabelFilter) []string {
	switch f := f.(type) {
	case *logql.LogicFilter:
		return append(namesOf(f.Left), namesOf(f.Right)...)
	case *logql.TextFilter:
		return []string{f.Name}
	case *logql.NumberFilter:
		return []string{f.Name}
	case *logql.IPFilter:
		return []string{f.Name}
	}
	return nil
}

// neutral reports whether a stage changes nothing of a line that was not parsed.
func neutral(s logql.Stage) bool {
	pick, ok := s.(*logql.Pick)
	if !ok || pick.Keep {
		return false
	}
	return !slices.ContainsFunc(pick.Names, func(n logql.PickName) bool {
		return n.Name != pipeline.ErrorLabel && n.Name != pipeline.DetailsLabel
	})
}

// planOf adds what ClickHouse can do of a query to a condition. Where all is not
// pushed, only the streams are selected there.
func planOf(c *clickhouse.Condition, e *logql.LogExpr, known []*stream, streamed bool) plan {
	p := &planner{c: c, streams: known}
	before := len(c.Terms)
	p.selector(e.Matchers)
	if streamed {
		return plan{condition: c.Terms[before:]}
	}
	// Line filters can be told from the stored line until a stage changes it, label
	// filters from stored labels until a stage sets some.
	lines, labels := true, true
	for _, s := range e.Stages {
		switch s := s.(type) {
		case *logql.LineFilter:
			if lines {
				p.line(s)
			} else {
				p.inexact = true
			}
		case logql.LabelFilter:
			term := ""
			if labels {
				term = p.filter(s)
			}
			if term == "" {
				p.inexact = true
			} else {
				p.add(term)
			}
		default:
			if neutral(s) {
				continue
			}
			p.inexact, labels = true, false
			switch s := s.(type) {
			case *logql.LineFormat, logql.Decolorize:
				lines = false
			case *logql.Parser:
				if s.Kind == logql.Unpack {
					lines = false
				}
			}
		}
	}
	terms := c.Terms[before:]
	return plan{condition: terms, exact: !p.inexact, none: slices.Contains(terms, never)}
}

// never and always are conditions that hold of no row and of every one.
const (
	never  = "0"
	always = "1"
)

func (p *planner) add(term string) {
	if term != always {
		p.c.Add(term)
	}
}

// line adds a line filter.
func (p *planner) line(f *logql.LineFilter) {
	var terms []string
	for i := range f.Values {
		v := &f.Values[i]
		if v.IP != nil {
			p.inexact = true
			return
		}
		terms = append(terms, p.value(v, f.Op.Negative()))
	}
	switch {
	case f.Op.Negative() && slices.Contains(terms, always):
		p.add(never)
	case f.Op.Negative():
		p.add("NOT (" + strings.Join(terms, " OR ") + ")")
	case slices.Contains(terms, always):
	case len(terms) == 1:
		p.add(terms[0])
	default:
		p.add("(" + strings.Join(terms, " OR ") + ")")
	}
}

// value is the condition that a line has a value. The words of it, whose rows the
// indexes of the body find, are asked for as well, unless it is negated.
func (p *planner) value(v *logql.LineValue, negated bool) string {
	var terms []string
	var needles []string
	if v.Pattern != nil {
		needles = required(v.Pattern.Text)
	} else {
		if v.Text == "" {
			return always
		}
		needles = []string{v.Text}
	}
	if !negated {
		for _, needle := range needles {
			for _, w := range wordsOf(needle) {
				term := "hasToken(body, " + p.c.Text(w.text) + ")"
				if !w.whole {
					term = "(longest_word > " + strconv.Itoa(len(w.text)) + " OR " + term + ")"
				}
				terms = append(terms, term)
			}
		}
	}
	if v.Pattern != nil {
		terms = append(terms, "match(body, "+p.c.Text("(?-s)"+v.Pattern.Text)+")")
	} else {
		terms = append(terms, "position(body, "+p.c.Text(v.Text)+") > 0")
	}
	if len(terms) == 1 {
		return terms[0]
	}
	return "(" + strings.Join(terms, " AND ") + ")"
}

// word is a word of a text that lines must have.
type word struct {
	text string
	// whole says that it is a whole word of every such line. Else it touches an end
	// of the text and may be a part of a longer word.
	whole bool
}

const (
	// maxWords is how many words of a text are looked up in the index.
	maxWords = 8
	// minPart is how long a word that may be a part is at least: most lines have a
	// word that is longer than a shorter one, of which the index then knows nothing.
	minPart = 8
)

// wordsOf returns the words of a text that are worth looking up: whole ones first, of
// them longer ones, as they are rarer.
func wordsOf(text string) []word {
	var all []word
	for start := 0; start < len(text); start++ {
		end := start
		for end < len(text) && telemetry.IsWordByte(text[end]) {
			end++
		}
		if w := (word{text[start:end], start > 0 && end < len(text)}); end > start && !slices.Contains(all, w) &&
			(w.whole || len(w.text) >= minPart && len(w.text) < telemetry.LongestWordMax) {
			all = append(all, w)
		}
		start = end
	}
	slices.SortStableFunc(all, func(a, b word) int {
		if a.whole != b.whole {
			if a.whole {
				return -1
			}
			return 1
		}
		return len(b.text) - len(a.text)
	})
	return all[:min(len(all), maxWords)]
}

// required returns texts that are in everything that a regular expression matches.
func required(text string) []string {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil
	}
	return literals(re)
}

func literals(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return []string{string(re.Rune)}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return literals(re.Sub[0])
	case syntax.OpConcat:
		var all []string
		for _, sub := range re.Sub {
			all = append(all, literals(sub)...)
		}
		return all
	}
	return nil
}
