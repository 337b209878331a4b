package accesslog

import (
	"errors"
	"strings"
)

// Detector reads the lines of one source whose format nobody told. The zero
// value is ready. It is used by one goroutine at a time.
//
// What a line becomes depends on the line alone, never on those before it: no
// line has the shape of two known formats. The exception are the columns that a
// #Fields directive of the source names, which lines have until the next one.
type Detector struct {
	last   *Format
	fields *Format
}

// Format is the format of the last line that was parsed, nil before the first.
func (d *Detector) Format() *Format { return d.last }

// Fields is the #Fields directive that the source is under, empty for none.
// Parsing it with another Detector puts that in the same state.
func (d *Detector) Fields() string {
	if d.fields == nil {
		return ""
	}
	return d.fields.fields
}

// Parse reads a line in whichever of the known formats it is. It returns
// ErrDirective for a directive, and ErrSyntax for a line in none of them.
func (d *Detector) Parse(line string, l *Line, scratch *Scratch) error {
	// Columns come first: where a directive names them, they are what it says.
	if d.fields != nil && d.last != d.fields {
		if err := d.fields.Parse(line, l, scratch); err == nil {
			d.last = d.fields
			return nil
		}
	}
	if d.last != nil {
		if err := d.last.Parse(line, l, scratch); err == nil {
			return nil
		}
	}
	if line = trimEnd(line); isDirective(line) {
		d.direct(line)
		return ErrDirective
	}
	return d.search(line, l, scratch)
}

// direct takes a directive. Columns that are not those of an access log end
// those that were before.
func (d *Detector) direct(line string) {
	if _, ok := cutFold(line, "#Fields:"); !ok || line == d.Fields() {
		return
	}
	if d.last == d.fields {
		d.last = nil
	}
	// An error is one of the server's settings: its lines will be in no format.
	d.fields, _ = W3C(line)
}

// search tries every format that there is. An error that says more than that a
// line has another shape is the one to return.
func (d *Detector) search(line string, l *Line, scratch *Scratch) error {
	found := error(ErrSyntax)
	// All known text formats have this between the time and the request. Most
	// lines that are no access log are known by it at once.
	text := strings.Contains(line, `] "`)
	for _, f := range known() {
		if f.shape == textShape && !text {
			continue
		}
		err := f.Parse(line, l, scratch)
		if err == nil {
			d.last = f
			return nil
		}
		if errors.Is(found, ErrSyntax) {
			found = err
		}
	}
	return found
}

// Detect returns the format that the most of the given lines are in, if that is
// more than half of those that are no directives.
func Detect(lines []string) (*Format, bool) {
	var d Detector
	var l Line
	var scratch Scratch
	counts := make(map[*Format]int)
	var best *Format
	requests := 0
	for _, line := range lines {
		err := d.Parse(line, &l, &scratch)
		scratch.Reset()
		if errors.Is(err, ErrDirective) || trimEnd(line) == "" {
			continue
		}
		requests++
		if err != nil {
			continue
		}
		if counts[d.last]++; best == nil || counts[d.last] > counts[best] {
			best = d.last
		}
	}
	return best, best != nil && counts[best]*2 > requests
}
