package report

import (
	"errors"
	"unsafe"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

// parser reads lines in a format, or in whichever they are in.
type parser struct {
	format   *accesslog.Format
	detector accesslog.Detector
	scratch  accesslog.Scratch
	line     accesslog.Line
}

// parse reads a line. What it sets views the line and the parser's memory.
func (p *parser) parse(line []byte) error {
	text := unsafe.String(unsafe.SliceData(line), len(line))
	if p.format != nil {
		return p.format.Parse(text, &p.line, &p.scratch)
	}
	return p.detector.Parse(text, &p.line, &p.scratch)
}

// begin makes the parser read a source from where a directive holds, empty for
// none.
func (p *parser) begin(directive string) {
	if p.format != nil || p.detector.Fields() == directive {
		return
	}
	p.detector = accesslog.Detector{}
	if directive != "" {
		_ = p.detector.Parse(directive, &p.line, &p.scratch)
	}
}

// name is that of the format of the last line that was read.
func (p *parser) name() string {
	f := p.format
	if f == nil {
		f = p.detector.Format()
	}
	if f == nil {
		return ""
	}
	return f.Name()
}

func isDirective(err error) bool { return errors.Is(err, accesslog.ErrDirective) }
