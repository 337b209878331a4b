// Package pipeline does with lines what the stages of a LogQL query say: it
// filters lines, reads labels out of them and rewrites both.
//
// It must not know where lines come from or which of the stages ClickHouse has
// done already.
package pipeline

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/goshawk-observability/goshawk/query/logs/logql"
)

// Pipeline is a sequence of stages. It is for one goroutine.
type Pipeline struct{ stages []stage }

// stage changes an entry and says whether it is kept.
type stage func(*Entry) bool

// New makes a pipeline of the stages of a query.
func New(stages []logql.Stage) (*Pipeline, error) {
	p := &Pipeline{}
	for _, s := range stages {
		made, err := stageOf(s)
		if err != nil {
			return nil, err
		}
		p.stages = append(p.stages, made)
	}
	return p, nil
}

// Run runs the entry through the stages and says whether it is kept.
func (p *Pipeline) Run(e *Entry) bool {
	for _, s := range p.stages {
		if !s(e) {
			return false
		}
	}
	return true
}

func stageOf(s logql.Stage) (stage, error) {
	switch s := s.(type) {
	case *logql.LineFilter:
		return func(e *Entry) bool { return lineMatches(s, e.Line) }, nil
	case *logql.Parser:
		return parserOf(s), nil
	case logql.LabelFilter:
		return func(e *Entry) bool { return Keeps(s, e) }, nil
	case *logql.LineFormat:
		return lineFormat(s)
	case *logql.LabelFormat:
		return labelFormat(s)
	case *logql.Pick:
		if s.Keep {
			return func(e *Entry) bool { keep(s, e); return true }, nil
		}
		return func(e *Entry) bool { drop(s, e); return true }, nil
	case logql.Decolorize:
		return func(e *Entry) bool { e.Line = colour.ReplaceAllString(e.Line, ""); return true }, nil
	}
	return nil, fmt.Errorf("the stage %s is not supported", s)
}

// colour finds what terminals take for colours and other commands.
var colour = regexp.MustCompile("[\u001b\u009b][[()#;?]*(?:[0-9]{1,4}(?:;[0-9]{0,4})*)?[0-9A-ORZcf-nqry=><]")

func drop(s *logql.Pick, e *Entry) {
	for i := range s.Names {
		n := &s.Names[i]
		if v, ok := e.Find(n.Name); ok && (n.Matcher == nil || n.Matcher.Matches(v)) {
			e.Delete(n.Name)
		}
	}
}

func keep(s *logql.Pick, e *Entry) {
	kept := func(l Label) bool {
		for i := range s.Names {
			n := &s.Names[i]
			if n.Name == l.Name && (n.Matcher == nil || n.Matcher.Matches(l.Value)) {
				return true
			}
		}
		return false
	}
	for i := len(e.Parsed) - 1; i >= 0; i-- {
		if !kept(e.Parsed[i]) {
			e.Delete(e.Parsed[i].Name)
		}
	}
	for i := len(e.Meta) - 1; i >= 0; i-- {
		if !kept(e.Meta[i]) {
			e.Delete(e.Meta[i].Name)
		}
	}
	for _, l := range e.Stream {
		if !kept(l) {
			e.hide(l.Name)
		}
	}
}

func quote(s string) string { return strconv.Quote(s) }
