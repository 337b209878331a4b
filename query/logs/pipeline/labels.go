package pipeline

import (
	"slices"
	"strings"
)

// Label is a name and its value.
type Label struct{ Name, Value string }

// Labels are sorted by name, every name once.
type Labels []Label

// Get returns the value of a label, empty where it is not there.
func (l Labels) Get(name string) string {
	v, _ := l.Find(name)
	return v
}

// Find returns the value of a label and whether it is there.
func (l Labels) Find(name string) (string, bool) {
	for i := range l {
		if l[i].Name == name {
			return l[i].Value, true
		}
	}
	return "", false
}

// Sort puts the labels in their order.
func (l Labels) Sort() {
	slices.SortFunc(l, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
}

// AppendKey appends a text that only the same labels have.
func (l Labels) AppendKey(b []byte) []byte {
	for i := range l {
		b = append(b, l[i].Name...)
		b = append(b, 0)
		b = append(b, l[i].Value...)
		b = append(b, 0xff)
	}
	return b
}

// String returns the labels as a selector has them.
func (l Labels) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range l {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(l[i].Name + "=" + quote(l[i].Value))
	}
	return b.String() + "}"
}

// Entry is a line on its way through a pipeline. Labels are in three groups: those
// of the stream, those of the record (structured metadata) and those that were
// read out of the line.
type Entry struct {
	Time int64 // Unix nanoseconds
	Line string
	// Stream is shared between entries and not changed.
	Stream Labels
	// Meta are the record's. They are sorted before the pipeline runs.
	Meta Labels
	// Parsed are in the order in which they were set.
	Parsed []Label
	// Err and Details are the labels __error__ and __error_details__.
	Err, Details string
	// gone are labels of the stream that a stage removed.
	gone []string
	// read says how many keys a parser has read, which is bounded.
	read int
	// empty is set where labels without a value are kept too.
	empty bool
}

// The labels that say what went wrong.
const (
	ErrorLabel   = "__error__"
	DetailsLabel = "__error_details__"
)

// Reset empties the entry for the next line.
func (e *Entry) Reset() {
	e.Time, e.Line, e.Stream, e.Err, e.Details, e.read, e.empty = 0, "", nil, "", "", 0, false
	e.Meta, e.Parsed, e.gone = e.Meta[:0], e.Parsed[:0], e.gone[:0]
}

// Get returns the value of a label, empty where it is not there.
func (e *Entry) Get(name string) string {
	v, _ := e.Find(name)
	return v
}

// Find returns the value of a label and whether it is there.
func (e *Entry) Find(name string) (string, bool) {
	switch name {
	case ErrorLabel:
		return e.Err, e.Err != ""
	case DetailsLabel:
		return e.Details, e.Details != ""
	}
	for i := len(e.Parsed) - 1; i >= 0; i-- {
		if e.Parsed[i].Name == name {
			return e.Parsed[i].Value, true
		}
	}
	if v, ok := e.Meta.Find(name); ok {
		return v, true
	}
	if len(e.gone) > 0 && slices.Contains(e.gone, name) {
		return "", false
	}
	return e.Stream.Find(name)
}

// inStream reports whether the stream has the label, also where it was removed.
func (e *Entry) inStream(name string) bool {
	_, ok := e.Stream.Find(name)
	return ok
}

// Set sets a label in place of all of its name.
func (e *Entry) Set(name, value string) {
	switch name {
	case ErrorLabel:
		e.Err = value
		return
	case DetailsLabel:
		e.Details = value
		return
	}
	for i := range e.Parsed {
		if e.Parsed[i].Name == name {
			e.Parsed[i].Value = value
			return
		}
	}
	e.hide(name)
	e.Parsed = append(e.Parsed, Label{name, value})
}

// hide removes a label of the record and the stream.
func (e *Entry) hide(name string) {
	for i := range e.Meta {
		if e.Meta[i].Name == name {
			e.Meta = slices.Delete(e.Meta, i, i+1)
			break
		}
	}
	if e.inStream(name) && !slices.Contains(e.gone, name) {
		e.gone = append(e.gone, name)
	}
}

// Delete removes a label.
func (e *Entry) Delete(name string) {
	switch name {
	case ErrorLabel:
		e.Err = ""
		return
	case DetailsLabel:
		e.Details = ""
		return
	}
	for i := range e.Parsed {
		if e.Parsed[i].Name == name {
			e.Parsed = slices.Delete(e.Parsed, i, i+1)
			break
		}
	}
	e.hide(name)
}

// fail notes the first error of the entry.
func (e *Entry) fail(kind string, err error) {
	if e.Err == "" {
		e.Err, e.Details = kind, short(err.Error())
	}
}

// short bounds what is said of an error.
func short(s string) string {
	const most = 200
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// Of appends the labels of the stream that are left.
func (e *Entry) Of(to Labels) Labels {
	for _, l := range e.Stream {
		if len(e.gone) == 0 || !slices.Contains(e.gone, l.Name) {
			to = append(to, l)
		}
	}
	return to
}

// Read appends the labels that were read out of the line, with what went wrong,
// and without those that are empty, unless logfmt was told to keep them.
func (e *Entry) Read(to Labels) Labels {
	for _, l := range e.Parsed {
		if l.Value != "" || e.empty {
			to = append(to, l)
		}
	}
	if e.Err != "" {
		to = append(to, Label{ErrorLabel, e.Err})
	}
	if e.Details != "" {
		to = append(to, Label{DetailsLabel, e.Details})
	}
	return to
}

// All appends all labels, sorted.
func (e *Entry) All(to Labels) Labels {
	from := len(to)
	to = e.Read(append(e.Of(to), e.Meta...))
	to[from:].Sort()
	return to
}
