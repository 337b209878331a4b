package loki

import (
	"errors"
	"strconv"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/logpush"
	"github.com/goshawk-observability/goshawk/internal/jsontext"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// jsonDecoder reads {"streams": [{"stream": {...}, "values": [[time, line, metadata]]}]}
// and what came before it, {"labels": "{...}", "entries": [{"ts", "line"}]}.
type jsonDecoder struct {
	stateless
	jsontext.Scanner
	maxDepth  int
	out       *logpush.Splitter
	received  int64
	records   int
	unescaped []byte
	labels    []label
	metadata  []label
}

// Decode implements [logpush.Decoder].
func (d *jsonDecoder) Decode(s *logpush.Splitter, body []byte, received int64) error {
	d.Scanner.Reset(body, d.maxDepth)
	d.out, d.received, d.records = s, received, 0
	err := d.Object(func(key []byte) error {
		if string(key) != "streams" {
			return d.Skip()
		}
		return d.Array(d.stream)
	})
	if err != nil {
		return err
	}
	return d.End()
}

// Reset implements [logpush.Decoder].
func (d *jsonDecoder) Reset() {
	d.Scanner.Reset(nil, d.maxDepth)
	d.out, d.unescaped = nil, nil
	clear(d.labels)
	clear(d.metadata)
	d.labels, d.metadata = d.labels[:0], d.metadata[:0]
}

// stream reads a stream. Its labels may come after its lines.
func (d *jsonDecoder) stream() error {
	d.labels, d.unescaped = d.labels[:0], d.unescaped[:0]
	values, entries := -1, -1
	err := d.Object(func(key []byte) error {
		switch string(key) {
		case "stream":
			return d.pairs(&d.labels)
		case "labels":
			text, err := d.text()
			if err != nil {
				return err
			}
			if d.labels, err = parseLabels(d.labels, string(text)); err != nil {
				return d.Errorf("labels: %v", err)
			}
			return nil
		case "values":
			d.Space()
			values = d.Pos()
		case "entries":
			d.Space()
			entries = d.Pos()
		}
		return d.Skip()
	})
	if err != nil {
		return err
	}
	severity := stream(d.out, d.labels)
	end, kept := d.Pos(), len(d.unescaped)
	for _, list := range []struct {
		at   int
		read func(severity uint8) error
	}{{values, d.value}, {entries, d.entry}} {
		if list.at < 0 {
			continue
		}
		d.Back(list.at)
		if err := d.Array(func() error {
			d.unescaped, d.metadata = d.unescaped[:kept], d.metadata[:0]
			d.records++
			return list.read(severity)
		}); err != nil {
			return err
		}
	}
	d.Back(end)
	return nil
}

// value reads [time, line] or [time, line, metadata].
func (d *jsonDecoder) value(severity uint8) error {
	var at int64
	var line []byte
	good, i := true, 0
	err := d.Array(func() (err error) {
		switch i++; i {
		case 1:
			at, err = d.Int()
			var wrong *jsontext.Error
			if good = err == nil && at >= 0; errors.As(err, &wrong) {
				err = d.passed(err)
			}
		case 2:
			line, err = d.text()
		case 3:
			err = d.pairs(&d.metadata)
		default:
			err = d.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	if i < 2 {
		return d.Errorf("an entry has %d elements; want a time and a line", i)
	}
	return d.add(at, good, line, severity)
}

// passed forgives an error where the value that is wrong was read.
func (d *jsonDecoder) passed(err error) error {
	if c := d.Peek(); c == ',' || c == ']' {
		return nil
	}
	return err
}

// entry reads {"ts": ..., "line": ...}.
func (d *jsonDecoder) entry(severity uint8) error {
	var at int64
	var line []byte
	good := false
	err := d.Object(func(key []byte) (err error) {
		switch string(key) {
		case "ts", "timestamp":
			var text []byte
			if text, err = d.text(); err != nil {
				return err
			}
			t, parsed := time.Parse(time.RFC3339Nano, string(text))
			at, good = t.UnixNano(), parsed == nil
		case "line":
			line, err = d.text()
		case "structuredMetadata":
			err = d.pairs(&d.metadata)
		default:
			err = d.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	return d.add(at, good, line, severity)
}

func (d *jsonDecoder) add(at int64, good bool, line []byte, severity uint8) error {
	if !good {
		d.out.Reject(d.records, otlp.ReasonMalformed, "the time is not in nanoseconds since 1970")
		return nil
	}
	if !entry(d.out, at, d.received, line, severity, d.metadata) {
		return logpush.ErrFull
	}
	return nil
}

// pairs reads an object of texts.
func (d *jsonDecoder) pairs(to *[]label) error {
	return d.Object(func(key []byte) error {
		if d.Null() {
			return nil
		}
		name := append([]byte(nil), key...) // the key is gone with the next text
		value, err := d.text()
		if err == nil {
			*to = append(*to, label{name, value})
		}
		return err
	})
}

// text takes a string, or a number or a boolean as text.
func (d *jsonDecoder) text() ([]byte, error) {
	switch c := d.Peek(); {
	case c == 't' || c == 'f':
		v, err := d.Bool()
		return strconv.AppendBool(nil, v), err
	case c == '-' || c >= '0' && c <= '9':
		return d.Number()
	}
	return d.KeptString(&d.unescaped, 0, d.out)
}
