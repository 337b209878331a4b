// Package loki takes logs at the gateway as clients of Loki push them: JSON, and
// protobuf in a block of snappy.
//
// Labels of a stream become attributes of the resource by the names that they
// have, structured metadata attributes of the record; docs/gateway.md says which of
// them are known.
//
// It must not know how requests are authenticated, limited, decompressed or
// produced: that is the gateway.
package loki

import (
	"net/http"
	"strings"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/ingest/logpush"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// Path is where Loki takes logs.
const Path = "/loki/api/v1/push"

// Routes returns the path. JSON may nest up to maxDepth levels.
func Routes(maxDepth int) []gateway.Route {
	body := func(_ telemetry.Signal, a gateway.Answer) []byte {
		if a.Message == "" {
			return nil
		}
		return append([]byte(a.Message), '\n')
	}
	format := func(contentType, encoding string, names []string, d func() logpush.Decoder) gateway.Format {
		return gateway.Format{
			ContentType: contentType, AnswerType: "text/plain; charset=utf-8", Encoding: encoding,
			Matches: func(header string) bool {
				media, _, _ := strings.Cut(header, ";")
				media = strings.ToLower(strings.TrimSpace(media))
				for _, name := range names {
					if media == name {
						return true
					}
				}
				return false
			},
			NewSplitter: func(limits otlp.Limits, claim func(int64) error) gateway.Splitter {
				return logpush.New(limits, claim, "loki", d())
			},
			Whole: true, Body: body,
		}
	}
	return []gateway.Route{{
		Path: Path, Signal: telemetry.Logs, About: "logs as clients of Loki push them",
		Formats: []gateway.Format{
			format("application/json", "", []string{"application/json"}, func() logpush.Decoder { return &jsonDecoder{maxDepth: maxDepth} }),
			// Loki takes what names no type for protobuf.
			format("application/x-protobuf", "snappy", []string{"application/x-protobuf", "application/protobuf", ""}, func() logpush.Decoder { return &protoDecoder{} }),
		},
	}}
}

// stateless is what decoders have in common to which nothing but the body matters.
type stateless struct{}

// Describe implements [logpush.Decoder].
func (stateless) Describe(*http.Request) (string, error) { return "", nil }

// Answer implements [logpush.Decoder].
func (stateless) Answer() []byte { return nil }

// label is a name with a value: of a stream, or of an entry.
type label struct{ name, value []byte }

// services are the labels that name a service, as Loki looks for it, the best one
// first.
var services = []string{
	"service_name", "service.name", "service", "app", "application", "app_name", "app_kubernetes_io_name", "container", "container_name",
	"k8s_container_name", "component", "workload", "job",
}

// hosts are labels that name a host.
var hosts = []string{"host_name", "hostname", "host", "instance", "node_name"}

// stream begins the records of a stream and returns the severity that its labels
// name.
func stream(s *logpush.Splitter, labels []label) (severity uint8) {
	attributes := make([]logwriter.Attribute, 0, len(labels)+2)
	find := func(names []string) string {
		for _, name := range names {
			for _, l := range labels {
				if string(l.name) == name && len(l.value) > 0 {
					return string(l.value)
				}
			}
		}
		return ""
	}
	for _, l := range labels {
		if isLevel(l.name) {
			severity = logpush.Severity(l.value)
		}
		attributes = append(attributes, logwriter.Attribute{Key: string(l.name), Value: string(l.value)})
	}
	attributes = append(attributes, logwriter.Attribute{Key: "service.name", Value: find(services)}, logwriter.Attribute{Key: "host.name", Value: find(hosts)})
	s.Stream(logbatch.Resource(attributes...))
	return severity
}

// isLevel reports whether a label has the level of a line.
func isLevel(name []byte) bool {
	switch string(name) {
	case "level", "detected_level", "severity", "lvl", "log_level", "severity_text":
		return true
	}
	return false
}

// entry adds a line with its structured metadata. Level is that of the stream.
func entry(s *logpush.Splitter, time, received int64, line []byte, level uint8, metadata []label) bool {
	r := &s.Record
	*r = logwriter.Record{Time: time, Observed: received, Body: line, Severity: level, Attributes: r.Attributes[:0]}
	for _, l := range metadata {
		switch string(l.name) {
		case "trace_id", "traceID", "traceId", "TraceID":
			if id, ok := logpush.TraceID(l.value); ok {
				r.TraceID = id
				continue
			}
		case "span_id", "spanID", "spanId", "SpanID":
			if id, ok := logpush.SpanID(l.value); ok {
				r.SpanID = id
				continue
			}
		default:
			if isLevel(l.name) {
				if n := logpush.Severity(l.value); n != 0 {
					r.Severity = n
				}
			}
		}
		r.Attributes = logwriter.AppendText(r.Attributes, l.name, l.value)
	}
	return s.Add()
}
