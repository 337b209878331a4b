// Package otlpclient sends encoded OTLP requests over HTTP or gRPC with as
// little CPU as possible, and repeats each one, byte for byte, until it is
// acknowledged. That is the half of "nothing lost, nothing doubled" that a
// client has to hold; the gateway recognises the repeats by their bytes.
//
// It does not know what is in a request beyond its signal and the number of
// its events.
package otlpclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// Request is one encoded Export{Logs,Trace,Metrics}ServiceRequest.
type Request struct {
	Signal telemetry.Signal
	// Body is the protobuf encoding.
	Body []byte
	// Events is the number of log records, spans or points in Body.
	Events int
	// Time is the latest event time in Body, Unix nanoseconds: when a live
	// sender would send it.
	Time int64
}

// Outcome is what became of a request.
type Outcome struct {
	// Acknowledged and Rejected are the events that the gateway accepted and
	// those that it named as rejected in a partial success. Both are zero for a
	// request that was refused or never answered.
	Acknowledged, Rejected int64
	// Tries counts how often the request was sent.
	Tries int
	// Message is what the gateway said about a partial success.
	Message string
	// Duration is the time from the first try to the acknowledgement.
	Duration time.Duration
}

// ErrRefused marks a request that the gateway refused for good: sending it
// again cannot help.
var ErrRefused = errors.New("request refused")

// temporaryError is the failure of one try that may pass.
type temporaryError struct {
	err error
	// after is the delay that the gateway asked for, 0 if it named none.
	after time.Duration
}

func (e *temporaryError) Error() string { return e.err.Error() }
func (e *temporaryError) Unwrap() error { return e.err }

// answer is what the gateway says in a success.
type answer struct {
	rejected int64
	message  string
}

// transport sends a request once. A try that may be repeated fails with a
// *temporaryError, one that must not with an error that wraps ErrRefused. It is
// used by many goroutines.
type transport interface {
	try(ctx context.Context, r Request) (answer, error)
	close()
}

// Client sends requests to one gateway. It is safe for many goroutines; each
// call of Send occupies one connection (HTTP) or stream (gRPC).
type Client struct {
	config    Config
	transport transport
	stats     stats
}

// New returns a client. It connects when the first request is sent.
func New(config Config) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	token, err := config.Token.Value()
	if err != nil {
		return nil, fmt.Errorf("reading the token: %w", err)
	}
	c := &Client{config: config}
	if config.Protocol == GRPC {
		c.transport, err = newGRPC(config, token)
	} else {
		c.transport, err = newHTTP(config, token)
	}
	if err != nil {
		return nil, err
	}
	c.stats.begun = time.Now()
	return c, nil
}

// Close closes the connections. No Send may be running.
func (c *Client) Close() { c.transport.close() }

// Send sends the request until it is acknowledged, refused, or ctx ends. It
// keeps nothing of the request after it returns.
//
// The error wraps ErrRefused for a request that cannot succeed, and the
// context's error for one whose fate is unknown: the gateway may have taken it.
func (c *Client) Send(ctx context.Context, r Request) (Outcome, error) {
	begun := time.Now()
	c.stats.sending(r)
	backoff := c.config.MinBackoff
	for tries := 1; ; tries++ {
		a, err := c.transport.try(ctx, r)
		if err == nil {
			rejected := min(a.rejected, int64(r.Events))
			o := Outcome{
				Acknowledged: int64(r.Events) - rejected,
				Rejected:     rejected,
				Tries:        tries,
				Message:      a.message,
				Duration:     time.Since(begun),
			}
			c.stats.acknowledged(r, o)
			return o, nil
		}
		if errors.Is(err, ErrRefused) {
			c.stats.refused(r, err)
			return Outcome{Tries: tries}, err
		}
		c.stats.tryFailed(r, err)

		wait := backoff/2 + rand.N(backoff/2+1)
		backoff = min(2*backoff, c.config.MaxBackoff)
		var temporary *temporaryError
		if errors.As(err, &temporary) && temporary.after > 0 {
			wait = min(temporary.after, c.config.MaxRetryAfter)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			c.stats.unanswered(r)
			return Outcome{Tries: tries}, fmt.Errorf("sending %s until acknowledged, %d tries, last: %w (%w)", r.Signal, tries, err, ctx.Err())
		case <-timer.C:
		}
		c.stats.retrying(r)
	}
}
