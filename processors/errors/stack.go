package errors

import (
	"slices"
	"strings"
)

// frame is one call of a stack. Its strings are views of the stack.
type frame struct {
	function, file string
	// library is set where the code is not of the application itself.
	library bool
}

// culprit is what a frame is called where it is to blame.
func (f *frame) culprit() string {
	name := f.function
	for _, generated := range generatedParts {
		name, _, _ = strings.Cut(name, generated)
	}
	if name == "" {
		return f.file[strings.LastIndexAny(f.file, `/\`)+1:]
	}
	if strings.HasSuffix(f.file, ".go") {
		name = name[strings.LastIndexByte(name, '/')+1:] // the path of a package
	}
	return name
}

// appendFrames appends the frames of a stack as a language prints it, the
// innermost first. Lines say themselves which language they are of, so a text may
// hold stacks of several, of an exception and its causes for instance. Lines that
// are no frames are passed over.
func appendFrames(frames []frame, stack string) []frame {
	first, newestLast := len(frames), false
	before := "" // the line before, which has the function in Go
	for len(stack) > 0 {
		var line string
		line, stack, _ = strings.Cut(stack, "\n")
		line = strings.TrimSuffix(line, "\r")
		f, ok := frameOf(line, before)
		if ok {
			newestLast = newestLast || isPython(line)
			frames = append(frames, f)
		}
		before = line
	}
	if newestLast {
		slices.Reverse(frames[first:])
	}
	return frames
}

// frameOf reads a line of a stack.
func frameOf(line, before string) (frame, bool) {
	text := strings.TrimLeft(line, " \t")
	switch {
	case text == "":
		return frame{}, false
	case strings.HasPrefix(text, "at "):
		return atFrame(text[len("at "):])
	case isPython(line):
		return pythonFrame(text)
	case text[0] == '#':
		return phpFrame(text)
	case line[0] == '\t' || line[0] == ' ':
		if f, ok := goFrame(text, before); ok {
			return f, true
		}
	}
	if strings.Contains(text, ".rb:") || strings.Contains(text, ":in ") {
		if f, ok := rubyFrame(text); ok {
			return f, true
		}
	}
	if strings.Contains(text, "@") {
		return geckoFrame(text)
	}
	return frame{}, false
}

// atFrame reads what follows "at ": of Java, .NET or JavaScript.
func atFrame(text string) (frame, bool) {
	open := strings.IndexByte(text, '(')
	switch {
	case open < 0, open > 0 && text[open-1] == ' ':
		return scriptFrame(text)
	case strings.Contains(text, ") in ") || strings.HasSuffix(text, ")") && !isJava(text[strings.LastIndexByte(text, '(')+1:len(text)-1]):
		return dotnetFrame(text, open)
	}
	return javaFrame(text)
}

// hasAny reports whether a text has one of the parts.
func hasAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// beginsWithAny reports whether a text begins with one of the prefixes.
func beginsWithAny(text string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}

// numbered cuts the numbers of a line and a column off a place in a file. It
// reports false where there is none.
func numbered(place string) (file string, ok bool) {
	for range 2 {
		i := strings.LastIndexByte(place, ':')
		if i < 0 || i == len(place)-1 || strings.Trim(place[i+1:], "0123456789") != "" {
			break
		}
		place, ok = place[:i], true
	}
	return place, ok
}
