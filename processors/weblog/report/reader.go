package report

import (
	"bytes"
	"io"
	"math"
)

// reader reads the lines of a source.
type reader struct {
	scan      *scan
	source    int
	file      io.Closer
	text      io.Reader
	closeText func()
	parser    parser

	buffer []byte
	// lines are the whole lines that were read and not taken, rest the beginning of
	// one whose end was not read yet; both are of the buffer.
	lines, rest []byte
	ended       bool
	skipping    bool // of a line that is longer than the buffer
	// long is the beginning of such a line, which is before lines.
	long []byte
	// time is that of the first of the lines that has one.
	time int64
	// directive is the #Fields directive that the lines are under.
	directive string
}

// newReader opens a source.
func newReader(s *scan, source int) (*reader, error) {
	file, err := s.sources[source].Open()
	if err != nil {
		return nil, err
	}
	text, closeText, err := decompress(counted{Reader: file, bytes: &s.options.Progress.Read})
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	r := &reader{
		scan: s, source: source, file: file, text: text, closeText: closeText, buffer: make([]byte, blockSize), time: math.MinInt64,
	}
	r.parser.format = s.options.Format
	return r, nil
}

func (r *reader) close() {
	r.closeText()
	_ = r.file.Close()
}

// isEmpty reports whether all that was read was taken.
func (r *reader) isEmpty() bool { return len(r.lines) == 0 && r.long == nil }

// fill reads more lines, where there are none. It reports false at the end; an
// error of the source is noted.
func (r *reader) fill() bool {
	for r.isEmpty() && !r.ended {
		n := copy(r.buffer, r.rest)
		r.rest = nil
		n += r.read(r.buffer[n:])
		r.cut(r.buffer[:n])
	}
	r.look()
	return !r.isEmpty()
}

// read reads until the buffer is full or the source ends.
func (r *reader) read(buffer []byte) int {
	n := 0
	for n < len(buffer) && !r.ended {
		some, err := r.text.Read(buffer[n:])
		n += some
		if err != nil {
			r.ended = true
			if err != io.EOF {
				r.scan.files[r.source].Error = err.Error()
			}
		}
	}
	r.scan.files[r.source].Bytes += int64(n)
	return n
}

// cut finds the whole lines of what was read.
func (r *reader) cut(text []byte) {
	if r.skipping {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			return
		}
		r.skipping = false
		text = text[end+1:]
	}
	end := bytes.LastIndexByte(text, '\n') + 1
	switch {
	case r.ended:
		end = len(text)
	case end == 0 && len(text) == len(r.buffer):
		r.skipping = true
		r.long = bytes.Clone(text[:longestExample])
		return
	}
	r.lines, r.rest = text[:end], text[end:]
}

// look sets the time of the lines: that of the first one that has one, or that of
// those before.
func (r *reader) look() {
	const most = 20
	n := 0
	for line := range bytes.Lines(r.lines) {
		if n++; n > most {
			break
		}
		if t, ok := r.timeOf(line); ok {
			r.time = t
			break
		}
	}
}

// timeOf returns the time of a line.
func (r *reader) timeOf(line []byte) (int64, bool) {
	defer r.parser.scratch.Reset()
	r.parser.begin(r.directive)
	return r.parser.line.Time, r.parser.parse(line) == nil && r.parser.line.Time > 0
}

// upTo returns the lines up to a time, of which there is at least one. They are
// taken to be in order.
func (r *reader) upTo(bound int64) []byte {
	if bound == math.MaxInt64 {
		return r.lines
	}
	// The lines before low are to be taken, those from high on are not.
	low, high := 0, len(r.lines)
	for low < high {
		middle := (low + high) / 2
		from := bytes.LastIndexByte(r.lines[low:middle], '\n') + 1 + low
		to := len(r.lines)
		if end := bytes.IndexByte(r.lines[middle:], '\n'); end >= 0 {
			to = middle + end + 1
		}
		if t, ok := r.timeOf(r.lines[from:to]); ok && t > bound && from > 0 {
			high = from
		} else {
			low = to
		}
	}
	return r.lines[:low]
}

// took removes the first lines.
func (r *reader) took(lines []byte) {
	r.long = nil
	if r.scan.options.Format == nil {
		r.direct(lines)
	}
	r.lines = r.lines[len(lines):]
	r.look()
}

// direct finds the directive that holds after lines.
func (r *reader) direct(lines []byte) {
	directive := []byte("#Fields:")
	for {
		at := bytes.Index(lines, directive)
		if at < 0 {
			return
		}
		isStart := at == 0 || lines[at-1] == '\n'
		lines = lines[at:]
		end := bytes.IndexByte(lines, '\n')
		if end < 0 {
			end = len(lines)
		}
		if isStart {
			r.directive = string(bytes.TrimRight(lines[:end], "\r"))
		}
		lines = lines[end:]
	}
}
