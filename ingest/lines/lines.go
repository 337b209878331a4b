// Package lines takes plain text at the gateway: every line of a body is a log
// record. It is for scripts, and for whoever has nothing but an HTTP client.
//
// It must not know how requests are authenticated, limited, decompressed or
// produced: that is the gateway.
package lines

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/ingest/logpush"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// Path takes the lines.
const Path = "/api/v1/lines"

// IdempotencyKey is the header that tells a request that is sent again from another
// with the same lines.
const IdempotencyKey = "Idempotency-Key"

// Routes returns the path.
func Routes() []gateway.Route {
	return []gateway.Route{{
		Path: Path, Signal: telemetry.Logs, About: "plain lines, one log record each",
		Formats: []gateway.Format{{
			ContentType: "text/plain",
			AnswerType:  "text/plain; charset=utf-8",
			Matches:     func(string) bool { return true }, // a line is a line whatever its sender calls it
			NewSplitter: func(limits otlp.Limits, claim func(int64) error) gateway.Splitter {
				return logpush.New(limits, claim, "lines", &decoder{})
			},
			Whole: true,
			Body: func(_ telemetry.Signal, a gateway.Answer) []byte {
				if a.Message == "" {
					return nil
				}
				return append([]byte(a.Message), '\n')
			},
		}},
	}}
}

// parameters are those of the URL that have a name in the semantic conventions;
// others are attributes of the resource by their own names, which have a dot.
var parameters = map[string]string{
	"service": "service.name", "host": "host.name", "environment": "deployment.environment.name", "version": "service.version",
}

// maxParameters bounds how many attributes a request has.
const maxParameters = 32

// decoder reads one request after the other.
type decoder struct {
	resource []byte
	file     string
}

// Describe implements [logpush.Decoder]. Lines have no time by which they could be
// told apart, so a request is only known to be a repeat by its key.
func (d *decoder) Describe(r *http.Request) (string, error) {
	query := r.URL.Query()
	if len(query) > maxParameters {
		return "", fmt.Errorf("the URL has %d parameters, which is more than %d", len(query), maxParameters)
	}
	var attributes []logwriter.Attribute
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch key, ok := parameters[name]; {
		case ok:
			attributes = append(attributes, logwriter.Attribute{Key: key, Value: query.Get(name)})
		case name == "file":
			d.file = query.Get(name)
		case strings.Contains(name, "."):
			attributes = append(attributes, logwriter.Attribute{Key: name, Value: query.Get(name)})
		default:
			return "", fmt.Errorf("parameter %q is not known; want service, version, environment, host, file, or an attribute with a dot in its name", name)
		}
	}
	d.resource = logbatch.Resource(attributes...)
	if key := r.Header.Get(IdempotencyKey); key != "" {
		return key + "\x00" + string(d.resource) + "\x00" + d.file, nil
	}
	return rand.Text(), nil
}

// Decode implements [logpush.Decoder].
func (d *decoder) Decode(s *logpush.Splitter, body []byte, received int64) error {
	s.Stream(d.resource)
	number := int64(0)
	if d.file != "" {
		s.Record.Attributes = logwriter.AppendString(s.Record.Attributes, "log.file.path", d.file)
	}
	for len(body) > 0 {
		var line []byte
		line, body, _ = bytes.Cut(body, newline)
		if line = bytes.TrimSuffix(line, carriageReturn); len(line) == 0 {
			continue
		}
		// Lines of one request are told apart by their times, by which clients page.
		s.Record.Body, s.Record.Observed = line, received+number
		number++
		if !s.Add() {
			return logpush.ErrFull
		}
	}
	return nil
}

var newline, carriageReturn = []byte("\n"), []byte("\r")

// Answer implements [logpush.Decoder].
func (*decoder) Answer() []byte { return nil }

// Reset implements [logpush.Decoder].
func (d *decoder) Reset() { *d = decoder{} }
