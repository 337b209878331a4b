package sentry

import (
	"bytes"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// frame is a call of a stack.
type frame struct{ function, module, file, path, line, column []byte }

// readStack reads the frames of a stack, the outermost first.
func (d *decoder) readStack() error {
	return d.object(func(key []byte) error {
		if string(key) != "frames" {
			return d.Skip()
		}
		return d.array(func() error {
			var f frame
			err := d.object(func(key []byte) error {
				switch string(key) {
				case "function":
					return d.textIn(&f.function)
				case "module":
					return d.textIn(&f.module)
				case "filename":
					return d.textIn(&f.file)
				case "abs_path":
					return d.textIn(&f.path)
				case "lineno":
					return d.textIn(&f.line)
				case "colno":
					return d.textIn(&f.column)
				}
				return d.Skip()
			})
			if d.out.Full() {
				return errFull
			}
			d.frames = spanwriter.Append(&d.out.Writer, d.frames, f, frameSize)
			return err
		})
	})
}

// maxFrames is how many frames of a stack are written, the innermost.
const maxFrames = 250

// kindOf is the type of an exception, as its language prints it.
func (d *decoder) kindOf(x *exception) []byte {
	switch string(d.client.platform) {
	case "java", "python":
		if len(x.module) > 0 && len(x.kind) > 0 && string(x.module) != "builtins" {
			return bytes.Join([][]byte{x.module, x.kind}, dot)
		}
	}
	if len(x.kind) == 0 {
		return []byte("Error")
	}
	return x.kind
}

var dot = []byte(".")

// render writes the stacks of all exceptions as the language prints them: in Python
// the cause first and the innermost call last, elsewhere the reverse.
func (d *decoder) render() {
	d.stack.clear()
	last := len(d.exceptions) - 1
	for i := range d.exceptions {
		x := &d.exceptions[last-i]
		if d.python() {
			x = &d.exceptions[i]
		}
		switch {
		case i == 0:
		case d.python():
			d.stack.string("\n\nThe above exception was the direct cause of the following exception:\n\n")
		default:
			d.stack.string("\nCaused by: ")
		}
		d.renderException(x)
		if len(d.stack.b) > maxStack {
			return
		}
	}
}

func (d *decoder) python() bool { return string(d.client.platform) == "python" }

func (d *decoder) renderException(x *exception) {
	title := func() {
		d.stack.append(d.kindOf(x))
		if len(x.value) > 0 {
			d.stack.string(": ")
			d.stack.append(shortened(x.value, maxValue))
		}
	}
	if d.python() {
		if x.to > x.from {
			d.stack.string("Traceback (most recent call last):\n")
			d.renderFrames(x.from, x.to)
			d.stack.string("\n")
		}
		title()
		return
	}
	title()
	if x.to > x.from {
		if string(d.client.platform) == "php" {
			d.stack.string("\nStack trace:")
		}
		d.stack.string("\n")
		d.renderFrames(x.from, x.to)
	}
}

// renderFrames writes frames, each in a line or two.
func (d *decoder) renderFrames(from, to int) {
	number := 0
	for i := max(from, to-maxFrames); i < to; i++ {
		f := &d.frames[i]
		if !d.python() {
			f = &d.frames[to-1-number]
		}
		if number > 0 {
			d.stack.string("\n")
		}
		d.renderFrame(f, number)
		number++
	}
}

func (d *decoder) renderFrame(f *frame, number int) {
	s := &d.stack
	file := f.path
	if len(file) == 0 {
		file = f.file
	}
	function := f.function
	if len(function) == 0 {
		function = []byte("<anonymous>")
	}
	line := f.line
	if len(line) == 0 {
		line = []byte("0")
	}
	// qualified is the function in its module, or class.
	qualified := func() {
		if len(f.module) > 0 {
			s.append(f.module, dot)
		}
		s.append(function)
	}
	switch string(d.client.platform) {
	case "python":
		s.string(`  File "`)
		s.append(file)
		s.string(`", line `)
		s.append(line)
		s.string(", in ")
		s.append(function)
	case "go":
		qualified()
		s.string("\n\t")
		s.append(file)
		s.string(":")
		s.append(line)
	case "java":
		s.string("\tat ")
		qualified()
		s.string("(")
		if len(f.file) == 0 {
			s.string("Unknown Source)")
			return
		}
		s.append(f.file)
		s.string(":")
		s.append(line)
		s.string(")")
	case "csharp":
		s.string("   at ")
		qualified()
		if bytes.IndexByte(function, '(') < 0 {
			s.string("()")
		}
		if len(file) > 0 {
			s.string(" in ")
			s.append(file)
			s.string(":line ")
			s.append(line)
		}
	case "ruby":
		if number > 0 {
			s.string("\tfrom ")
		} else {
			s.string("\t")
		}
		s.append(file)
		s.string(":")
		s.append(line)
		s.string(":in '")
		s.append(function)
		s.string("'")
	case "php":
		s.string("#" + decimal(number) + " ")
		s.append(file)
		s.string("(")
		s.append(line)
		s.string("): ")
		s.append(function)
		s.string("()")
	default:
		s.string("    at ")
		s.append(function)
		s.string(" (")
		s.append(file)
		s.string(":")
		s.append(line)
		if len(f.column) > 0 {
			s.string(":")
			s.append(f.column)
		}
		s.string(")")
	}
}
