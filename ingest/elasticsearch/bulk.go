package elasticsearch

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/goshawk-observability/goshawk/ingest/logpush"
	"github.com/goshawk-observability/goshawk/internal/jsontext"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// decoder reads one request after the other: lines of JSON, each action followed by
// a document.
type decoder struct {
	jsontext.Scanner
	document
	maxDepth int
	// index is that of the path.
	index string
	items []byte
	// failed is set where a document was refused.
	failed bool
}

// Describe implements [logpush.Decoder].
func (d *decoder) Describe(r *http.Request) (string, error) {
	d.index = r.PathValue("index")
	return d.index, nil
}

// action is what is to be done with a document.
type action struct {
	name, index, id string
}

// Decode implements [logpush.Decoder].
func (d *decoder) Decode(s *logpush.Splitter, body []byte, received int64) error {
	d.items, d.failed = d.items[:0], false
	for number := 0; ; number++ {
		var line []byte
		if line, body = nextLine(body); line == nil {
			return nil
		}
		a := action{index: d.index}
		if err := d.action(line, &a); err != nil {
			return fmt.Errorf("action %d: %w", number, err)
		}
		switch a.name {
		case "create", "index":
		case "delete":
			d.item(&a, http.StatusBadRequest, "logs are not deleted here")
			continue // has no document
		default:
			return fmt.Errorf("action %d is %.40q; want create or index", number, a.name)
		}
		if line, body = nextLine(body); line == nil {
			return fmt.Errorf("action %d has no document", number)
		}
		err := d.document.read(s, &d.Scanner, line, d.maxDepth, a.index, received)
		var wrong *jsontext.Error
		switch {
		case errors.As(err, &wrong):
			s.Reject(number, otlp.ReasonMalformed, wrong.Error())
			d.item(&a, http.StatusBadRequest, wrong.Error())
		case err != nil:
			return err
		default:
			d.item(&a, http.StatusCreated, "")
		}
		if !s.Claim(len(d.items) / (number + 1)) {
			return logpush.ErrFull
		}
	}
}

// nextLine cuts off the next line that is not empty.
func nextLine(body []byte) (line, rest []byte) {
	for len(body) > 0 {
		line, body, _ = bytes.Cut(body, []byte("\n"))
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, body
		}
	}
	return nil, nil
}

// action reads {"create": {"_index": ..., "_id": ...}}.
func (d *decoder) action(line []byte, a *action) error {
	d.Scanner.Reset(line, d.maxDepth)
	err := d.Object(func(key []byte) error {
		a.name = string(key)
		return d.Object(func(key []byte) error {
			var to *string
			switch string(key) {
			case "_index":
				to = &a.index
			case "_id":
				to = &a.id
			}
			if to == nil || d.Peek() != '"' {
				return d.Skip()
			}
			text, err := d.ScratchString()
			*to = string(text)
			return err
		})
	})
	if err != nil {
		return err
	}
	return d.End()
}

// item adds the outcome of a document to the answer.
func (d *decoder) item(a *action, status int, reason string) {
	if len(d.items) > 0 {
		d.items = append(d.items, ',')
	}
	d.items = append(append(append(d.items, `{"`...), a.name...), `":{"_index":`...)
	d.items = appendQuoted(d.items, a.index)
	d.items = append(d.items, `,"_id":`...)
	d.items = appendQuoted(d.items, a.id)
	d.items = strconv.AppendInt(append(d.items, `,"status":`...), int64(status), 10)
	if reason != "" {
		d.failed = true
		d.items = append(d.items, `,"error":{"type":"document_parsing_exception","reason":`...)
		d.items = append(appendQuoted(d.items, reason), '}')
	} else {
		d.items = append(d.items, `,"result":"created","_version":1`...)
	}
	d.items = append(d.items, "}}"...)
}

func appendQuoted(b []byte, text string) []byte {
	v := telemetry.StringValue(text)
	return otlp.AppendJSON(b, &v)
}

// Answer implements [logpush.Decoder].
func (d *decoder) Answer() []byte {
	body := make([]byte, 0, len(d.items)+64)
	body = append(body, `{"took":0,"errors":`...)
	body = strconv.AppendBool(body, d.failed)
	body = append(append(append(body, `,"items":[`...), d.items...), "]}"...)
	return body
}

// keptItems is how much memory for answers is kept between requests.
const keptItems = 1 << 20

// Reset implements [logpush.Decoder].
func (d *decoder) Reset() {
	d.Scanner.Reset(nil, d.maxDepth)
	d.document.reset()
	if cap(d.items) > keptItems {
		d.items = nil
	}
	d.items, d.index, d.failed = d.items[:0], "", false
}
