// Package jaeger takes Jaeger spans at the gateway and makes OTLP of them: Thrift
// over HTTP, in the binary and the compact protocol, and protobuf over gRPC, as
// Jaeger's own collector takes them. What becomes of every field is written in
// docs/formats/jaeger.md.
//
// It must not know how requests are authenticated, limited, decompressed or
// produced: that is the gateway.
package jaeger

import (
	"strings"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

const (
	// Path is where Jaeger's collector takes spans over HTTP.
	Path = "/api/traces"
	// Method is the one over gRPC.
	Method = "/jaeger.api_v2.CollectorService/PostSpans"
)

// Routes returns the path and the method.
func Routes() []gateway.Route {
	return []gateway.Route{{
		Path: Path, Signal: telemetry.Spans, About: "Jaeger spans, Thrift",
		Formats: []gateway.Format{{
			ContentType: "application/x-thrift",
			AnswerType:  "text/plain; charset=utf-8",
			Matches:     isThrift,
			NewSplitter: newSplitter(func() spanwriter.Decoder { return new(thriftDecoder) }),
			Queued:      true,
			Body: func(_ telemetry.Signal, a gateway.Answer) []byte {
				if a.Message == "" {
					return nil
				}
				return append([]byte(a.Message), '\n')
			},
		}},
	}, {
		Path: Method, Signal: telemetry.Spans, About: "Jaeger spans", GRPC: true,
		Formats: []gateway.Format{{
			ContentType: "application/grpc",
			NewSplitter: newSplitter(func() spanwriter.Decoder { return new(protoDecoder) }),
			Body:        func(telemetry.Signal, gateway.Answer) []byte { return nil }, // a PostSpansResponse has no fields
		}},
	}}
}

func newSplitter(decoder func() spanwriter.Decoder) func(otlp.Limits, func(int64) error) gateway.Splitter {
	return func(limits otlp.Limits, claim func(int64) error) gateway.Splitter {
		return spanwriter.New(limits, claim, decoder())
	}
}

// isThrift reports whether a Content-Type is one that clients send Thrift as.
// Which protocol it is in, the body itself tells.
func isThrift(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "", "application/x-thrift", "application/vnd.apache.thrift.binary", "application/vnd.apache.thrift.compact":
		return true
	}
	return false
}
