package gateway

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Route is one path that takes telemetry by POST. The gateway authenticates,
// limits and decompresses; what is left to a protocol is to turn its format into
// OTLP and to word the answer. It does the former in one of two ways: it converts
// a body, which is then checked and cut as any other, or it brings a [Splitter],
// which does everything in one walk.
//
// A protocol beside OTLP is a folder with a function that returns its routes,
// which is passed to [New].
type Route struct {
	// Path is that of an HTTP request, or of a method of gRPC: /service/method. An
	// element {name} stands for any one element of a request's path, which is then
	// its PathValue of that name.
	Path   string
	Signal telemetry.Signal
	// Also are further signals that a [MixedSplitter] of the route makes.
	Also    []telemetry.Signal
	Formats []Format
	// Other, if set, answers requests that are no POST. They are not authenticated.
	Other http.Handler
	// Token returns what a request presents in the place of the Authorization
	// header, in its form, such as "Bearer TOKEN". It may be nil.
	Token func(r *http.Request) string
	// GRPC is set for a method of the gRPC port. It has one format, whose Body is
	// the message that success is answered with.
	GRPC bool
	// About says in a few words what the path takes, for people.
	About string

	elements []string // of Path, where it has an element {name}
}

// Format is one content type of a route.
type Format struct {
	// ContentType is the media type of requests, without parameters, and of
	// answers where AnswerType is empty.
	ContentType, AnswerType string
	// Matches reports whether a Content-Type header names the format. It may be
	// nil, which compares the media type with ContentType.
	Matches func(contentType string) bool
	// Encoding is the one Content-Encoding that is taken, and the one that is
	// meant where a request names none. It is empty where every encoding that the
	// gateway knows may be used.
	Encoding string
	// Convert appends the request as an OTLP Export request in protobuf to dst.
	// It never grows dst beyond its capacity but returns [ErrNoRoom], and is
	// called again with a larger one. Any other error is told to the sender. It
	// is nil where the body is that protobuf already.
	Convert func(dst, body []byte) ([]byte, error)
	// NewSplitter returns what checks and cuts bodies where these are not OTLP;
	// Convert is then nil. A splitter asks claim for memory, and returns the error
	// of that as it is.
	NewSplitter func(limits otlp.Limits, claim func(bytes int64) error) Splitter
	// Whole is set where success means that everything was taken: 204 answers a
	// request that was, and 400 one of which something was refused, though the
	// rest was kept. Otherwise both are answered with 200, as OTLP has it.
	Whole bool
	// Queued is set where 202 answers a request that was taken, in whole or in
	// part.
	Queued bool
	// Header are fields of every answer to a request in this format. A splitter
	// can replace them.
	Header http.Header
	// ErrorHeader, if set, names the field of an answer that says why a request was
	// refused.
	ErrorHeader string
	// Body words the answer. It may be nil, which answers with a status alone.
	Body func(signal telemetry.Signal, a Answer) []byte

	header []string // the Content-Type of answers
	works  *works   // nil without NewSplitter
	only   encoding // what Encoding names
}

// Splitter checks the requests of one format and cuts them into parts, each an
// OTLP Export request. It is used by one goroutine at a time, for one request
// after another. What it found is valid until the next Split or Reset.
type Splitter interface {
	// Split takes a body that was received at the given time, Unix nanoseconds. It
	// keeps the body until Reset. It returns an error only where nothing of the
	// request is accepted, and its sender is told. The parts of a request that is
	// sent again are the same.
	Split(signal telemetry.Signal, body []byte, partitions int, received int64) error
	// Parts are what has to be produced.
	Parts() []otlp.Part
	// Accepted and Rejected are numbers of events, RejectedBy the latter by reason.
	Accepted() int64
	Rejected() int64
	RejectedBy() iter.Seq2[string, int64]
	// Message says what is wrong; it is empty where nothing is.
	Message() string
	// Reset lets go of the body.
	Reset()
}

// HeaderSplitter is a splitter that says in the header of an answer what Kafka
// acknowledged.
type HeaderSplitter interface {
	Splitter
	// Header returns fields that belong to the caller.
	Header() http.Header
}

// RequestSplitter is a splitter to which more of a request matters than its body.
type RequestSplitter interface {
	Splitter
	// Describe is called before Split. What it keeps of the request it lets go of at
	// Reset. A request that is sent again has the same identity, and two with the same
	// body that are not the same request have different ones. An error is told to
	// the sender.
	Describe(r *http.Request) (identity string, err error)
}

// MixedSplitter is a splitter whose parts are of more than one signal.
type MixedSplitter interface {
	Splitter
	// SplitMixed takes the place of Split. It has the number of partitions of every
	// signal that the route names.
	SplitMixed(body []byte, partitions [len(telemetry.Signals)]int, received int64) error
	// SignalOf returns the signal of a part, by its index.
	SignalOf(part int) telemetry.Signal
	// AcceptedOf returns how many events of a signal are in the parts.
	AcceptedOf(signal telemetry.Signal) int64
}

// WordedSplitter is a splitter that words the body of an answer to a request that
// was accepted, in whole or in part.
type WordedSplitter interface {
	Splitter
	// Answer returns a body that belongs to the caller, nil for that of the format.
	Answer() []byte
}

// IdentifiedSplitter is a splitter of requests that are not the same bytes when
// they are sent again, or that are not the same request though they are.
type IdentifiedSplitter interface {
	Splitter
	// Identity returns what takes the place of the body where a request that is sent
	// again is to be recognised. It is asked after the body was split.
	Identity() []byte
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

// prepare resolves what does not change between requests.
func (route *Route) prepare(in *intake) error {
	if strings.Contains(route.Path, "/{") {
		route.elements = strings.Split(route.Path, "/")
	}
	for i := range route.Formats {
		f := &route.Formats[i]
		if f.Encoding != "" {
			only, ok := encodingNamed(f.Encoding)
			if !ok {
				return fmt.Errorf("path %s: encoding %q is not known", route.Path, f.Encoding)
			}
			f.only = only
		}
		if f.AnswerType == "" {
			f.AnswerType = f.ContentType
		}
		f.header = []string{f.AnswerType}
		if f.NewSplitter != nil {
			f.works = newWorks(in.memory, in.maxOutput, func(b *budget) Splitter { return f.NewSplitter(in.limits, b.claim) })
		}
	}
	return nil
}

// covers reports whether the path of a request is one of the route's, whose
// elements have names, and sets the request's path values.
func (route *Route) covers(r *http.Request) bool {
	rest := r.URL.Path
	for i, element := range route.elements {
		found, after, more := strings.Cut(rest, "/")
		if more != (i < len(route.elements)-1) {
			return false
		}
		if named := strings.HasPrefix(element, "{"); named && found == "" || !named && found != element {
			return false
		}
		rest = after
	}
	rest = r.URL.Path
	for _, element := range route.elements {
		found, after, _ := strings.Cut(rest, "/")
		if strings.HasPrefix(element, "{") {
			r.SetPathValue(strings.Trim(element, "{}"), found)
		}
		rest = after
	}
	return true
}

// encodingOf returns the encoding of a request's body.
func (f *Format) encodingOf(header http.Header) (encoding, *refusal) {
	name := header.Get("Content-Encoding")
	if f.Encoding == "" {
		if enc, ok := encodingNamed(name); ok {
			return enc, nil
		}
		return identity, refuse(unsupported, "Content-Encoding is %q; want one of %s", name, acceptedEncodings)
	}
	if name != "" && !strings.EqualFold(name, f.Encoding) {
		return identity, refuse(unsupported, "Content-Encoding is %q; want %s", name, f.Encoding)
	}
	return f.only, nil
}

// accepts lists the encodings for a sender that used another one.
func (f *Format) accepts() string {
	if f.Encoding != "" {
		return f.Encoding
	}
	return acceptedEncodings
}

// matches reports whether a Content-Type header, whose media type is given too,
// names the format.
func (f *Format) matches(contentType, media string) bool {
	if f.Matches != nil {
		return f.Matches(contentType)
	}
	return strings.EqualFold(media, f.ContentType)
}
