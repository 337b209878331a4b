package gateway

import (
	"errors"

	"google.golang.org/grpc/codes"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// Route is one path that takes telemetry by POST. The gateway authenticates,
// limits and decompresses; what is left to a protocol is to convert its format
// to OTLP and to word the answer.
//
// A protocol beside OTLP is a folder with a function that returns its routes,
// which is passed to [New].
type Route struct {
	Path    string
	Signal  telemetry.Signal
	Formats []Format
}

// Format is one content type of a route.
type Format struct {
	// ContentType is the media type of request and answer, without parameters.
	ContentType string
	// Convert appends the request as an OTLP Export request in protobuf to dst.
	// It never grows dst beyond its capacity but returns [ErrNoRoom], and is
	// called again with a larger one. Any other error is told to the sender. It
	// is nil where the body is that protobuf already.
	Convert func(dst, body []byte) ([]byte, error)
	// Body words the answer. It may be nil, which answers with a status alone.
	Body func(signal telemetry.Signal, a Answer) []byte

	header []string // the Content-Type of answers
}

// Answer is what a sender is told.
type Answer struct {
	// Status is the HTTP status and Code the gRPC code of the same meaning.
	Status int
	Code   codes.Code
	// Rejected counts the events of a successful request that were refused.
	Rejected int64
	// Message says what is wrong; it is empty where nothing is.
	Message string
}

// ErrNoRoom is returned by a conversion that needs a larger buffer.
var ErrNoRoom = errors.New("the buffer is too small")

// otlpRoutes are the paths of OTLP/HTTP.
func otlpRoutes(maxDepth int) []Route {
	formats := func(s telemetry.Signal) []Format { return otlpFormats(s, maxDepth) }
	return []Route{
		{Path: "/v1/logs", Signal: telemetry.Logs, Formats: formats(telemetry.Logs)},
		{Path: "/v1/traces", Signal: telemetry.Spans, Formats: formats(telemetry.Spans)},
		{Path: "/v1/metrics", Signal: telemetry.Metrics, Formats: formats(telemetry.Metrics)},
	}
}
