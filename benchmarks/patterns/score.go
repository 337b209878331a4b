package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/logpattern"
)

// found is what was found of the lines of a system.
type found struct {
	// pattern is, for each line, the index of its pattern in texts.
	pattern []int
	texts   []string
	shapes  int
	// nanoseconds is what the shape of a line and its count cost, merge what it
	// took to make patterns of the shapes.
	nanoseconds float64
	merge       time.Duration
}

// rounds is how often lines are shaped to measure what that costs: the median
// counts, since other programs run.
const rounds = 50

// find finds the pattern of every line.
func find(lines []line) found {
	f := found{pattern: make([]int, len(lines))}
	var masker logpattern.Masker
	index, shapes := map[uint64]int{}, []string(nil)
	for i := range lines {
		shape := masker.Shape(lines[i].content)
		id := logpattern.ID(shape)
		at, ok := index[id]
		if !ok {
			at = len(shapes)
			index[id] = at
			shapes = append(shapes, string(shape))
		}
		f.pattern[i] = at
	}
	began := time.Now()
	merged := logpattern.Merge(shapes)
	f.merge = time.Since(began)
	for i, shape := range f.pattern {
		f.pattern[i] = merged.Pattern[shape]
	}
	f.texts, f.shapes = merged.Texts, len(shapes)

	counts := make(map[uint64]int, len(shapes))
	took := make([]time.Duration, rounds)
	for round := range took {
		began = time.Now()
		for i := range lines {
			counts[logpattern.ID(masker.Shape(lines[i].content))]++
		}
		took[round] = time.Since(began)
	}
	slices.Sort(took)
	f.nanoseconds = float64(took[rounds/2].Nanoseconds()) / float64(len(lines))
	return f
}

// score is how well the patterns of a system are found.
type score struct {
	lines, templates, shapes, patterns int
	// ga is the part of lines in groups that are exactly right, fga F1 over
	// groups, pa the part of lines whose text is right, and fta F1 over groups that
	// are right in lines and text.
	ga, fga, pa, fta float64
	nanoseconds      float64
	merge            time.Duration
}

// add adds the share of one of n systems to a mean.
func (s *score) add(one *score, n int) {
	s.lines += one.lines
	s.templates += one.templates
	s.shapes += one.shapes
	s.patterns += one.patterns
	s.ga += one.ga / float64(n)
	s.fga += one.fga / float64(n)
	s.pa += one.pa / float64(n)
	s.fta += one.fta / float64(n)
	s.nanoseconds += one.nanoseconds / float64(n)
	s.merge += one.merge / time.Duration(n)
}

// groups are lines, by their template and by their pattern.
type groups struct {
	byTemplate, byPattern map[string][]int
	texts                 map[string]string // of patterns
}

// group groups the lines. A pattern is named by its index: two may have one text.
func group(lines []line, f found) groups {
	g := groups{byTemplate: map[string][]int{}, byPattern: map[string][]int{}, texts: map[string]string{}}
	for i := range lines {
		g.byTemplate[lines[i].template] = append(g.byTemplate[lines[i].template], i)
		name := fmt.Sprint(f.pattern[i])
		g.byPattern[name] = append(g.byPattern[name], i)
		g.texts[name] = normal(f.texts[f.pattern[i]])
	}
	return g
}

// rate scores what was found.
func rate(lines []line, f found) score {
	g := group(lines, f)
	s := score{
		lines: len(lines), templates: len(g.byTemplate), patterns: len(g.byPattern), shapes: f.shapes,
		nanoseconds: f.nanoseconds, merge: f.merge,
	}
	right, told, same := 0, 0, 0
	for name, group := range g.byPattern {
		template := lines[group[0]].template
		if slices.Equal(group, g.byTemplate[template]) {
			right++
			s.ga += float64(len(group))
			if g.texts[name] == normal(template) {
				told++
			}
		}
		for _, i := range group {
			if g.texts[name] == normal(lines[i].template) {
				same++
			}
		}
	}
	s.ga /= float64(len(lines))
	s.pa = float64(same) / float64(len(lines))
	both := float64(len(g.byTemplate) + len(g.byPattern))
	s.fga, s.fta = 2*float64(right)/both, 2*float64(told)/both
	return s
}

// explain prints what is wrong: the groups with most lines first, with the
// patterns that their lines have.
func explain(out io.Writer, lines []line, f found, most int) {
	g := group(lines, f)
	var wrong []string
	for template, group := range g.byTemplate {
		name := fmt.Sprint(f.pattern[group[0]])
		if !slices.Equal(group, g.byPattern[name]) || g.texts[name] != normal(template) {
			wrong = append(wrong, template)
		}
	}
	slices.SortFunc(wrong, func(a, b string) int {
		return len(g.byTemplate[b])*1000 + len(b)%1000 - len(g.byTemplate[a])*1000 - len(a)%1000
	})
	for _, template := range wrong[:min(most, len(wrong))] {
		fmt.Fprintf(out, "%5d  %s\n", len(g.byTemplate[template]), normal(template))
		seen := map[int]int{}
		for _, i := range g.byTemplate[template] {
			seen[f.pattern[i]]++
		}
		shown := 0
		for pattern, n := range seen {
			if shown++; shown > 5 {
				fmt.Fprintf(out, "       ... %d patterns\n", len(seen))
				break
			}
			fmt.Fprintf(out, "  %5d/%d  %s\n", n, len(g.byPattern[fmt.Sprint(pattern)]), f.texts[pattern])
		}
	}
}
