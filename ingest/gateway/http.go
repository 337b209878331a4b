package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// httpService answers everything on the HTTP port.
type httpService struct {
	intake  *intake
	tokens  *tokens
	bodies  *bodies
	metrics *metrics
	origins origins
	routes  map[string]*Route
	named   []*Route // whose paths have elements with names
	// pages are the paths that are no telemetry: health, metrics, a greeting.
	pages map[string]http.Handler

	drains sync.Pool // of *[drainChunk]byte
}

func (s *httpService) addRoute(r Route) error {
	if _, ok := s.routes[r.Path]; ok {
		return fmt.Errorf("path %s is routed twice", r.Path)
	}
	r.Formats = slices.Clone(r.Formats)
	if err := r.prepare(s.intake); err != nil {
		return err
	}
	s.routes[r.Path] = &r
	if r.elements != nil {
		s.named = append(s.named, &r)
	}
	return nil
}

func (s *httpService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if route := s.routeOf(r); route != nil {
		s.serveRoute(w, r, route)
		return
	}
	page, ok := s.pages[r.URL.Path]
	switch {
	case !ok:
		s.answer(w, &plainFormat, telemetry.Logs, result{outcome: notFound, message: "no such path; see /"})
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		s.answer(w, &plainFormat, telemetry.Logs, result{outcome: wrongMethod, message: "this path answers GET and HEAD"})
	default:
		page.ServeHTTP(w, r)
	}
}

// routeOf returns the route of a request, nil where there is none.
func (s *httpService) routeOf(r *http.Request) *Route {
	if route, ok := s.routes[r.URL.Path]; ok && route.elements == nil {
		return route
	}
	for _, route := range s.named {
		if route.covers(r) {
			return route
		}
	}
	return nil
}

// plainFormat words answers where the request named no format of ours.
var plainFormat = Format{ContentType: contentJSON, Body: jsonAnswer, header: []string{contentJSON}}

func (s *httpService) serveRoute(w http.ResponseWriter, r *http.Request, route *Route) {
	start := time.Now()
	if r.Method == http.MethodOptions && s.origins.preflight(w, r) {
		return
	}
	if route.Other != nil && r.Method != http.MethodPost {
		route.Other.ServeHTTP(w, r)
		return
	}
	format, problem := route.formatOf(r)
	var res result
	switch {
	case len(route.Formats) == 0:
		w.Header().Set("Allow", "GET, HEAD")
		res = result{outcome: wrongMethod, message: "this path answers GET and HEAD"}
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST")
		res = result{outcome: wrongMethod, message: "this path answers POST"}
	case !s.origins.allow(w, r):
		res = result{outcome: forbidden, message: "the Origin of the page is not in cors.allowed_origins"}
	case problem != nil:
		res = result{outcome: problem.outcome, message: problem.message}
	default:
		res = s.receive(r, route, format)
	}
	switch {
	case format.Whole:
		res.outcome = res.outcome.whole()
	case format.Queued:
		res.outcome = res.outcome.queue()
	}
	if kind := &answers[res.outcome]; kind.status >= 300 {
		s.drain(r)
	}
	if res.outcome == unsupported {
		w.Header().Set("Accept-Encoding", format.accepts())
	}
	s.metrics.requests[overHTTP][route.Signal][res.outcome].Inc()
	s.metrics.durations[overHTTP][route.Signal].Observe(time.Since(start).Seconds())
	s.answer(w, format, route.Signal, res)
}

// drainBytes bounds what is read of a body that was refused.
const drainBytes = 128 << 20

// drain reads the rest of a refused body. A sender that is still writing when
// the connection is closed often loses the answer, and with it the reason and
// the hint when to come back.
func (s *httpService) drain(r *http.Request) {
	if r.ProtoMajor != 1 || r.ContentLength > drainBytes || r.Header.Get("Expect") != "" {
		return // HTTP/2 can refuse the rest; who asked first was not told to send
	}
	b, ok := s.drains.Get().(*[drainChunk]byte)
	if !ok {
		b = new([drainChunk]byte)
	}
	defer s.drains.Put(b)
	for read := 0; read < drainBytes; {
		n, err := r.Body.Read(b[:])
		if read += n; err != nil {
			return
		}
	}
}

const drainChunk = 64 << 10

// formatOf chooses the format by the Content-Type. It always returns a format
// in which a problem can be worded.
func (route *Route) formatOf(r *http.Request) (*Format, *refusal) {
	contentType := r.Header.Get("Content-Type")
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	for i := range route.Formats {
		if route.Formats[i].matches(contentType, media) {
			return &route.Formats[i], nil
		}
	}
	names := make([]string, len(route.Formats))
	for i := range route.Formats {
		names[i] = route.Formats[i].ContentType
	}
	message := fmt.Sprintf("Content-Type is %q; want %s", contentType, strings.Join(names, " or "))
	if strings.HasPrefix(media, "application/grpc") {
		message += " (OTLP over gRPC has a port of its own, 4317 by default)"
	}
	return &plainFormat, &refusal{unsupported, message}
}

// receive reads, decompresses and converts a request's body and delivers it.
func (s *httpService) receive(r *http.Request, route *Route, format *Format) result {
	authorization := r.Header.Get("Authorization")
	if route.Token != nil {
		authorization = route.Token(r)
	}
	tenant, problem := s.tokens.tenant(authorization, route.Signal)
	for _, also := range route.Also {
		if problem == nil {
			_, problem = s.tokens.tenant(authorization, also)
		}
	}
	if problem != nil {
		return result{outcome: problem.outcome, message: problem.message}
	}
	body, err := s.body(r, route, format)
	if err != nil {
		return refused(err)
	}
	defer body.release()
	if format.works != nil {
		return s.intake.deliverBy(r.Context(), format.works, delivery{route: route, request: r, signal: route.Signal, tenant: tenant, body: body.bytes})
	}
	return s.intake.deliver(r.Context(), route.Signal, tenant, body.bytes)
}

// body returns the request's body as OTLP protobuf, or as the format's splitter
// takes it.
func (s *httpService) body(r *http.Request, route *Route, format *Format) (*buffer, error) {
	enc, problem := format.encodingOf(r.Header)
	if problem != nil {
		return nil, problem
	}
	body, err := s.bodies.read(r.Body, r.ContentLength, enc, overHTTP, route.Signal, "the body")
	if err != nil {
		return nil, err
	}
	if format.Convert != nil {
		converted, err := s.convert(format, body.bytes)
		body.release()
		return converted, err
	}
	return body, nil
}

// convert runs a format's conversion with as much room as it needs.
func (s *httpService) convert(format *Format, body []byte) (*buffer, error) {
	limit := int(s.bodies.decoders.limit)
	room := min(len(body), limit)
	for {
		b, err := s.bodies.memory.get(room)
		if err != nil {
			return nil, err
		}
		out, err := format.Convert(b.bytes, body)
		if err == nil {
			b.bytes = out
			return b, nil
		}
		tried := cap(b.bytes)
		b.release()
		switch {
		case !errors.Is(err, ErrNoRoom):
			return nil, refuse(malformed, "%v", err)
		case tried >= limit:
			return nil, refuse(tooLarge, "the body has more than %d bytes when it is converted, which is the most that is taken", limit)
		}
		room = min(2*tried, limit)
	}
}

// refused is the result of a request that was refused before it was delivered.
func refused(err error) result {
	var r *refusal
	if errors.As(err, &r) {
		return result{outcome: r.outcome, message: r.message}
	}
	return result{outcome: internalError, message: err.Error()}
}

// answer writes the response. Header values are shared slices: net/http only
// reads them.
func (s *httpService) answer(w http.ResponseWriter, format *Format, signal telemetry.Signal, res result) {
	kind := &answers[res.outcome]
	h := w.Header()
	if kind.delay > 0 {
		h.Set("Retry-After", strconv.Itoa(int(kind.delay/time.Second)))
	}
	if res.outcome == unauthenticated {
		h.Set("WWW-Authenticate", "Bearer")
	}
	for name, values := range format.Header {
		h[name] = values
	}
	if format.ErrorHeader != "" && kind.status >= 300 {
		h.Set(format.ErrorHeader, strings.ToValidUTF8(strings.ReplaceAll(res.message, "\n", " "), ""))
	}
	for name, values := range res.header {
		h[name] = values
	}
	var body []byte
	switch {
	case res.body != nil:
		body = res.body
		h["Content-Type"] = format.header
	case format.Body != nil:
		body = format.Body(signal, Answer{Status: kind.status, Code: kind.code, Rejected: res.rejected, Message: res.message})
		h["Content-Type"] = format.header
	}
	switch {
	case kind.status == http.StatusNoContent: // has no length and no type
		h.Del("Content-Type")
	case len(body) == 0:
		h["Content-Length"] = zeroLength
	default:
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(kind.status)
	if len(body) > 0 {
		_, _ = w.Write(body) // nobody is left to tell that the sender went away
	}
}

var zeroLength = []string{"0"}
