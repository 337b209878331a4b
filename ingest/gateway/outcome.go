package gateway

import (
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
)

// outcome is how a request ended. It is the one place where a cause becomes an
// HTTP status and a gRPC code; the OTLP specification tells clients which of
// them to retry.
type outcome uint8

const (
	accepted outcome = iota
	partial
	wholly // accepted, and partly, are partial, where success means everything
	partly
	queued // accepted or partial, where success is called so
	malformed
	unauthenticated
	forbidden
	notFound
	wrongMethod
	tooSlow
	tooLarge
	unsupported
	overloaded
	clientGone
	internalError
	unavailable
	outcomes // the number of outcomes
)

// A client that is told to come back does so after these times: an overload
// ends as soon as requests in flight do, a broker takes longer to return.
const (
	overloadedDelay  = time.Second
	unavailableDelay = 5 * time.Second
)

// statusClientGone is the status that is counted where nobody is left to read one.
const statusClientGone = 499

var answers = [outcomes]struct {
	status int
	code   codes.Code
	// delay is when to retry; zero where a retry cannot help.
	delay time.Duration
}{
	accepted:        {http.StatusOK, codes.OK, 0},
	partial:         {http.StatusOK, codes.OK, 0},
	wholly:          {http.StatusNoContent, codes.OK, 0},
	partly:          {http.StatusBadRequest, codes.InvalidArgument, 0},
	queued:          {http.StatusAccepted, codes.OK, 0},
	malformed:       {http.StatusBadRequest, codes.InvalidArgument, 0},
	unauthenticated: {http.StatusUnauthorized, codes.Unauthenticated, 0},
	forbidden:       {http.StatusForbidden, codes.PermissionDenied, 0},
	notFound:        {http.StatusNotFound, codes.Unimplemented, 0},
	wrongMethod:     {http.StatusMethodNotAllowed, codes.Unimplemented, 0},
	tooSlow:         {http.StatusRequestTimeout, codes.DeadlineExceeded, 0},
	tooLarge:        {http.StatusRequestEntityTooLarge, codes.ResourceExhausted, 0},
	unsupported:     {http.StatusUnsupportedMediaType, codes.InvalidArgument, 0},
	overloaded:      {http.StatusTooManyRequests, codes.ResourceExhausted, overloadedDelay},
	clientGone:      {statusClientGone, codes.Canceled, 0},
	internalError:   {http.StatusInternalServerError, codes.Internal, 0},
	unavailable:     {http.StatusServiceUnavailable, codes.Unavailable, unavailableDelay},
}

// whole returns the outcome where success means that everything was taken.
func (o outcome) whole() outcome {
	switch o {
	case accepted:
		return wholly
	case partial:
		return partly
	}
	return o
}

// queue returns the outcome where success is called so.
func (o outcome) queue() outcome {
	if o == accepted || o == partial {
		return queued
	}
	return o
}

// refusal is an error that the sender is told about.
type refusal struct {
	outcome outcome
	// message says what is wrong and, where that helps, what would be right.
	message string
}

func (r *refusal) Error() string { return r.message }

func refuse(o outcome, format string, args ...any) *refusal {
	return &refusal{outcome: o, message: fmt.Sprintf(format, args...)}
}
