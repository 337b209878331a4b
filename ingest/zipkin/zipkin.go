// Package zipkin takes Zipkin spans at the gateway and makes OTLP of them: the
// second version of the format in JSON and protobuf, the first in JSON and Thrift.
//
// Of a span of the first version, whose annotations of client and server are
// mixed, one span becomes for every service that took part, as Zipkin itself does
// it. What becomes of every field is written in docs/formats/zipkin.md.
//
// It must not know how requests are authenticated, limited, decompressed or
// produced: that is the gateway.
package zipkin

import (
	"strings"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// The paths at which Zipkin's own collector takes spans.
const (
	PathV2 = "/api/v2/spans"
	PathV1 = "/api/v1/spans"
)

// Routes returns the paths of both versions. JSON may nest up to maxDepth levels.
func Routes(maxDepth int) []gateway.Route {
	json := func(s span) gateway.Format {
		return format("application/json", true, func(limits otlp.Limits, claim func(int64) error) gateway.Splitter {
			return newJSON(limits, claim, maxDepth, s)
		})
	}
	return []gateway.Route{{
		Path: PathV2, Signal: telemetry.Spans, About: "Zipkin spans, v2",
		Formats: []gateway.Format{json(span2), format("application/x-protobuf", false, newProto)},
	}, {
		Path: PathV1, Signal: telemetry.Spans, About: "Zipkin spans, v1",
		Formats: []gateway.Format{json(span1), format("application/x-thrift", false, newThrift)},
	}}
}

// format is one of a route. As Zipkin's collector does, it takes what names no
// type, or that of a form, for JSON; that is what clients made by hand send.
func format(contentType string, usual bool, splitter func(otlp.Limits, func(int64) error) gateway.Splitter) gateway.Format {
	return gateway.Format{
		ContentType: contentType,
		AnswerType:  "text/plain; charset=utf-8",
		Matches: func(header string) bool {
			media, _, _ := strings.Cut(header, ";")
			switch media = strings.ToLower(strings.TrimSpace(media)); media {
			case "", "application/x-www-form-urlencoded", "text/plain":
				return usual
			case "application/protobuf", "application/vnd.google.protobuf":
				return contentType == "application/x-protobuf"
			case "application/vnd.apache.thrift.binary":
				return contentType == "application/x-thrift"
			}
			return media == contentType
		},
		NewSplitter: splitter,
		Queued:      true,
		Body: func(_ telemetry.Signal, a gateway.Answer) []byte {
			if a.Message == "" {
				return nil
			}
			return append([]byte(a.Message), '\n')
		},
	}
}

var _ gateway.Splitter = (*spanwriter.Splitter)(nil)
