// Package sentry takes what Sentry's clients send at the gateway: envelopes, and
// single events as older clients store them. Events become log records, transactions
// spans, and sessions points. What becomes of every field is written in
// docs/formats/sentry.md.
//
// It must not know how requests are limited, decompressed or produced, nor what
// errors are grouped by: that is the gateway, and processors/errors.
package sentry

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/internal/jsontext"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Routes returns the paths that clients send to. JSON may nest up to maxDepth
// levels.
func Routes(cfg Config, maxDepth int) []gateway.Route {
	var routes []gateway.Route
	for _, path := range []struct {
		path, about string
		single      bool
	}{
		{"/api/{project}/envelope/", "Sentry envelopes", false},
		{"/api/{project}/envelope", "the same", false},
		{"/api/{project}/store/", "Sentry events", true},
		{"/api/{project}/store", "the same", true},
	} {
		routes = append(routes, gateway.Route{
			Path: path.path, Signal: telemetry.Logs, Also: []telemetry.Signal{telemetry.Spans, telemetry.Metrics}, About: path.about, Token: token,
			Formats: []gateway.Format{{
				ContentType: "application/json",
				// Browsers send text/plain, with which they need not ask first.
				Matches:     func(string) bool { return true },
				ErrorHeader: "X-Sentry-Error",
				Body:        refusal,
				NewSplitter: func(limits otlp.Limits, claim func(int64) error) gateway.Splitter {
					return newSplitter(cfg, limits, claim, maxDepth, path.single)
				},
			}},
		})
	}
	return routes
}

// refusal words an answer that has no id: why a request was refused.
func refusal(_ telemetry.Signal, a gateway.Answer) []byte {
	if a.Status < http.StatusMultipleChoices {
		return []byte("{}")
	}
	body, _ := json.Marshal(struct { // of a text: cannot fail
		Detail string `json:"detail"`
	}{a.Message})
	return body
}

// token returns the public key of the client's DSN, which is a token of the gateway.
func token(r *http.Request) string {
	key := ""
	switch header := r.Header.Get("X-Sentry-Auth"); {
	case header != "":
		key = keyIn(header)
	case strings.HasPrefix(r.Header.Get("Authorization"), "Sentry "):
		key = keyIn(r.Header.Get("Authorization"))
	case r.URL.Query().Get("sentry_key") != "":
		key = r.URL.Query().Get("sentry_key")
	case r.Header.Get("Authorization") != "":
		return r.Header.Get("Authorization")
	case r.Header.Get("Content-Encoding") == "":
		key = keyInBody(r)
	}
	if key == "" {
		return ""
	}
	return "Bearer " + key
}

// keyIn returns the key in a header such as
//
//	Sentry sentry_version=7, sentry_key=abc, sentry_client=go/1
func keyIn(header string) string {
	for pair := range strings.SplitSeq(strings.TrimPrefix(header, "Sentry "), ",") {
		if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); name == "sentry_key" {
			return value
		}
	}
	return ""
}

// peeked is how much of a body is looked at for the key of its DSN.
const peeked = 4 << 10

// keyInBody returns the key of the DSN in the header of an envelope, which is all
// that comes from clients that send through a tunnel. What was read is put back.
func keyInBody(r *http.Request) string {
	if !strings.Contains(r.URL.Path, "/envelope") {
		return ""
	}
	start := make([]byte, 0, peeked)
	for len(start) < cap(start) && bytes.IndexByte(start, '\n') < 0 {
		n, err := r.Body.Read(start[len(start):cap(start)])
		start = start[:len(start)+n]
		if err != nil {
			break // who reads the rest is told
		}
	}
	r.Body = &putBack{io.MultiReader(bytes.NewReader(start), r.Body), r.Body}
	line, _, _ := bytes.Cut(start, []byte("\n"))
	var dsn []byte
	var s jsontext.Scanner
	s.Reset(line, 16)
	_ = s.Object(func(key []byte) (err error) { // a broken one has no key
		if string(key) == "dsn" && s.Peek() == '"' {
			dsn, _, err = s.RawString()
			return err
		}
		return s.Skip()
	})
	u, err := url.Parse(string(dsn))
	if err != nil || u.User == nil {
		return ""
	}
	return u.User.Username()
}

// putBack is a body of which a part was read already.
type putBack struct {
	io.Reader
	io.Closer
}
