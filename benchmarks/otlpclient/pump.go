package otlpclient

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Source yields requests, one after the other, to one goroutine.
type Source interface {
	// Next returns the next request; where it builds the body, it appends to
	// buf[:0], which is memory of an earlier body that is no longer needed. It
	// returns io.EOF when there are no more, and may wait for the moment at
	// which a request is due, but returns when ctx ends.
	Next(ctx context.Context, buf []byte) (Request, error)
}

// PumpOptions bound a Pump.
type PumpOptions struct {
	// Rate is the number of events a second, 0 for as fast as the gateway answers.
	Rate float64
	// Drain is how long requests in flight may still be repeated after the
	// source ended, Grace the same after ctx ended.
	Drain, Grace time.Duration
	// Settled is called with each request and what became of it, by several
	// goroutines; nil to ignore. The request is valid during the call.
	Settled func(Request, Outcome, error)
}

// Pump sends what the source yields, with at most Config.InFlight requests in
// flight, until the source ends, ctx ends, or the source fails. Refused and
// given up requests are counted in the client's report and do not stop it. The
// error is the source's.
//
// The rate is held in events: a request is begun once the events before it,
// at that rate, should have been sent. A pump that was held up catches up for
// at most a second, so that a gateway that returns is not flooded.
func (c *Client) Pump(ctx context.Context, source Source, o PumpOptions) error {
	workers := c.config.InFlight()
	requests := make(chan Request)
	buffers := make(chan []byte, workers+1)
	for range workers + 1 {
		buffers <- nil
	}
	// Requests that are in flight when ctx ends get Grace to be acknowledged.
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			for r := range requests {
				outcome, err := c.Send(sending, r)
				if o.Settled != nil {
					o.Settled(r, outcome, err)
				}
				buffers <- r.Body
			}
			return nil
		})
	}
	err := c.feed(ctx, source, o.Rate, requests, buffers)
	close(requests)
	drain := time.AfterFunc(o.Drain, cancel)
	defer drain.Stop()
	stop := context.AfterFunc(ctx, func() { drain.Reset(min(o.Grace, o.Drain)) })
	defer stop()
	_ = group.Wait() // workers do not fail
	return err
}

// feed moves requests from the source to the workers, at the rate.
func (c *Client) feed(ctx context.Context, source Source, rate float64, requests chan<- Request, buffers <-chan []byte) error {
	limiter := newLimiter(rate, time.Now())
	for {
		var buffer []byte
		select {
		case buffer = <-buffers:
		case <-ctx.Done():
			return nil
		}
		r, err := source.Next(ctx, buffer[:0])
		if err != nil {
			if isEnd(err) || ctx.Err() != nil {
				return nil
			}
			return err
		}
		if !sleep(ctx, limiter.reserve(r.Events, time.Now())) {
			return nil
		}
		select {
		case requests <- r:
		case <-ctx.Done():
			return nil
		}
	}
}

// limiter spaces events evenly.
type limiter struct {
	rate float64   // events a second; 0 does not limit
	next time.Time // when the next event is due
}

func newLimiter(rate float64, now time.Time) *limiter { return &limiter{rate: rate, next: now} }

// reserve returns how long to wait before events may be sent.
func (l *limiter) reserve(events int, now time.Time) time.Duration {
	if l.rate <= 0 {
		return 0
	}
	if earliest := now.Add(-time.Second); l.next.Before(earliest) {
		l.next = earliest
	}
	wait := l.next.Sub(now)
	l.next = l.next.Add(time.Duration(float64(events) / l.rate * float64(time.Second)))
	return max(wait, 0)
}

// sleep waits and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// IsGivenUp reports whether err, as passed to PumpOptions.Settled, says that
// the request's fate is unknown.
func IsGivenUp(err error) bool { return err != nil && !errors.Is(err, ErrRefused) }
