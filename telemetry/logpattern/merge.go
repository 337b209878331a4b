package logpattern

import (
	"slices"
	"strings"
)

// Merged is what Merge made of a set of shapes.
type Merged struct {
	// Pattern is, for each shape, the index of its pattern in Texts.
	Pattern []int
	Texts   []string
}

// Thresholds of Merge: how many values a place has to have, in shapes that are
// the same in all others, to be one whose value varies.
const (
	minSame       = 2 // of values that differ in their digits only, and where a value is to be expected
	minIdentifier = 4 // of values most of which look like identifiers
	minWords      = 6 // of any values
	maxRounds     = 16
)

// Merge returns the pattern of every shape. It depends on the set of shapes alone,
// not on their order.
func Merge(shapes []string) Merged {
	var lines []items
	place := make(map[string]int, len(shapes)) // in lines
	for _, shape := range shapes {
		if _, ok := place[shape]; !ok {
			place[shape] = len(lines)
			lines = append(lines, split(shape))
		}
	}
	fill(lines)
	repeat(lines)
	together(lines, items.unit, minSame)
	together(lines, items.assigned, minSame)
	together(lines, items.name, minIdentifier)
	for range maxRounds {
		if !vary(lines) {
			break
		}
	}
	m := Merged{Pattern: make([]int, len(shapes))}
	texts := make([]string, len(lines))
	for i := range lines {
		texts[i] = lines[i].text()
	}
	index := map[string]int{}
	for i, shape := range shapes {
		text := texts[place[shape]]
		at, ok := index[text]
		if !ok {
			at = len(m.Texts)
			index[text] = at
			m.Texts = append(m.Texts, text)
		}
		m.Pattern[i] = at
	}
	return m
}

// vary finds places whose value varies, and makes them wild. It reports whether
// there was one.
func vary(lines []items) bool {
	type place struct {
		rest uint64
		at   int
	}
	places := map[place][]int{}
	for i := range lines {
		all, fields := lines[i].hash(), 0
		for at, item := range lines[i] {
			if isField(item) && fields < maxFields {
				fields++
				key := place{all - itemHash(item, at), at}
				places[key] = append(places[key], i)
			}
		}
	}
	type change struct {
		line, at int
		value    string
	}
	var changes []change
	for key, members := range places {
		if len(members) < 2 {
			continue
		}
		values := make([]string, len(members))
		for n, line := range members {
			values[n] = lines[line][key.at]
		}
		slices.Sort(values)
		values = slices.Compact(values)
		if len(values) < 2 {
			continue
		}
		become := decide(lines[members[0]], key.at, values)
		for _, line := range members {
			if value, ok := become[lines[line][key.at]]; ok && value != lines[line][key.at] {
				changes = append(changes, change{line, key.at, value})
			}
		}
	}
	for _, c := range changes {
		lines[c.line][c.at] = c.value
	}
	return len(changes) > 0
}

// decide returns what stands, in place of each of two values or more, at a place of
// lines that are the same elsewhere. Values that stay are left out. Values are
// sorted.
func decide(line items, at int, values []string) map[string]string {
	need := minWords
	switch {
	case slices.Contains(values, Wild) && line.words(at) >= 2 && !slices.ContainsFunc(values, mark),
		line.assigned(at) || line.quoted(at) || line.named(at):
		need = minSame
	case at > 0 && !slices.ContainsFunc(values, func(v string) bool { return strings.Count(v, ".") < 2 || strings.Contains(v, Wild) }):
		need = minSame // names of hosts or classes
	case at > 0 && identifiers(values):
		need = minIdentifier
	case at == 0:
		need = len(values) + 1
	}
	become := map[string]string{}
	if len(values) >= need {
		stand(become, values)
		return become
	}
	families := map[string][]string{} // of values that differ in their digits only
	for _, v := range values {
		if family := digitless(v); family != v {
			families[family] = append(families[family], v)
		}
	}
	for _, family := range families {
		if len(family) >= minSame {
			stand(become, family)
		}
	}
	return become
}

// stand puts down what values have in common for each of them.
func stand(become map[string]string, values []string) {
	text := common(values)
	for _, v := range values {
		become[v] = text
	}
}

// mark reports whether a value is neither a word nor a number, nor the dash that
// stands for none.
func mark(value string) bool { return !named([]byte(value)) && value != Wild && value != "-" }

// digitless returns a text with one zero byte for each number.
func digitless(text string) string {
	if !strings.ContainsAny(text, "0123456789") {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := range len(text) {
		if !digit(text[i]) {
			out = append(out, text[i])
		} else if i == 0 || !digit(text[i-1]) {
			out = append(out, 0)
		}
	}
	return string(out)
}

// identifiers reports whether most values look like names that are not words of a
// language.
func identifiers(values []string) bool {
	n := 0
	for _, v := range values {
		if identifier(v) {
			n++
		}
	}
	return 2*n > len(values)
}

func identifier(v string) bool {
	for i := range len(v) {
		c := v[i]
		if digit(c) || c == '_' || c == '@' || c == '/' || (c == '.' || c == '-') && i > 0 && i < len(v)-1 || uppercase(c) && i > 0 && lowercase(v[i-1]) {
			return true
		}
	}
	return false
}

// common returns what stands for values: what they have in common between joints,
// and Wild elsewhere. Of names with dots it is the whole.
func common(values []string) string {
	first := tokens(values[0])
	for _, v := range values {
		other := tokens(v)
		if len(other) != len(first) || strings.Contains(v, ".") {
			return Wild
		}
		for i := range first {
			if first[i] == other[i] {
				continue
			}
			if joint(first[i]) || joint(other[i]) {
				return Wild
			}
			first[i] = Wild
		}
	}
	return strings.Join(first, "")
}

func joint(token string) bool { return len(token) == 1 && classes[token[0]]&isJoint != 0 }

// tokens splits a field at its joints.
func tokens(field string) []string {
	var all []string
	start := 0
	for i := range len(field) {
		if classes[field[i]]&(isJoint|isSlash) == 0 {
			continue
		}
		if i > start {
			all = append(all, field[start:i])
		}
		all = append(all, field[i:i+1])
		start = i + 1
	}
	if start < len(field) {
		all = append(all, field[start:])
	}
	return all
}
