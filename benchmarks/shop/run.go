package shop

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient"
	"github.com/goshawk-observability/goshawk/internal/config"
)

// Options say what Run sends, and where.
type Options struct {
	// Endpoint, Protocol, Compression, Token, TLS and Connections are as in
	// otlpclient.Config; zero values mean its defaults.
	Endpoint, Protocol, Compression string
	Token                           config.Secret
	TLS                             *tls.Config
	Connections                     int

	// Rate is the number of events a second of real time, at the start; 0 is as
	// fast as the gateway takes them.
	Rate float64
	// Duration and Events end the run, whichever comes first; 0 is no end. What
	// has begun is completed, so a run sends some hundred events more than Events.
	Duration time.Duration
	Events   int64
	Seed     uint64
	// Start is the model's first moment; the zero value is now.
	Start time.Time
	// Speed is how much faster than real time the model runs; 0 means 1.
	// Without Rate the model runs as fast as it is sent and Speed is ignored.
	Speed float64
	// Flat turns the rhythm of day and week off.
	Flat bool
	// EventsPerRequest bounds requests; 0 is the default.
	EventsPerRequest int
	// Incidents is a plan as ParseIncidents reads it.
	Incidents string
	// Truth is the file that gets a line for each incident when it begins; ""
	// writes none.
	Truth string
	// Progress is where progress and the summary go, nil or Quiet for nowhere.
	Progress io.Writer
	Quiet    bool
	// Grace is how long requests in flight may be repeated after ctx ended,
	// Drain after the run reached its end; 0 means one second and one minute.
	Grace, Drain time.Duration
}

// Report is what a run did.
type Report struct {
	otlpclient.Report
	// Incidents is the number of incidents that began.
	Incidents int `json:"incidents"`
	// Skipped is the model time that was left out because the gateway was away
	// for longer than the run could catch up with.
	Skipped time.Duration `json:"skipped"`
}

// fastRate is the model's rate where the run has none: high enough that the
// model's time does not run ahead of real time.
const fastRate = 200e3

// maxBehind is how far a run catches up with real time after the gateway was
// away; beyond it the model jumps to the present.
const maxBehind = 5 * time.Minute

// Run sends the shop's telemetry until its duration or number of events is
// reached or ctx ends, and returns what it did. Temporary failures are retried;
// the error is nil when everything that was sent was answered, apart from what
// was in flight when ctx ended.
func Run(ctx context.Context, o Options) (Report, error) {
	client, err := otlpclient.New(o.client())
	if err != nil {
		return Report{}, err
	}
	defer client.Close()
	source, err := newLive(o, time.Now())
	if err != nil {
		return Report{}, err
	}
	defer source.close()

	progress := o.Progress
	if o.Quiet || progress == nil {
		progress = io.Discard
	}
	background, stop := context.WithCancel(ctx)
	defer stop()
	var group errgroup.Group
	if progress != io.Discard {
		group.Go(func() error {
			client.Progress(background, progress)
			return nil
		})
	}
	err = client.Pump(ctx, source, otlpclient.PumpOptions{Drain: orElse(o.Drain, time.Minute), Grace: orElse(o.Grace, time.Second)})
	stop()
	_ = group.Wait() // progress does not fail

	report := Report{Report: client.Report(), Incidents: len(source.shop.incidents.past), Skipped: source.skipped}
	report.WriteSummary(progress)
	if report.Incidents > 0 {
		fmt.Fprintf(progress, "%d incidents began\n", report.Incidents)
	}
	total := report.Total()
	switch {
	case err != nil:
		return report, err
	case total.Refused > 0:
		return report, fmt.Errorf("sending to %s: %d events were refused: %s", o.client().Endpoint, total.Refused, report.LastError)
	case total.Unanswered > 0 && ctx.Err() == nil:
		return report, fmt.Errorf("sending to %s: %d events were not acknowledged: %s", o.client().Endpoint, total.Unanswered, report.LastError)
	}
	return report, nil
}

func orElse[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func (o *Options) client() otlpclient.Config {
	c := otlpclient.DefaultConfig()
	c.Protocol = orElse(o.Protocol, c.Protocol)
	if c.Protocol == otlpclient.GRPC {
		c.Endpoint = "http://127.0.0.1:4317"
	}
	c.Endpoint = orElse(o.Endpoint, c.Endpoint)
	c.Compression, c.Token, c.TLS = o.Compression, o.Token, o.TLS
	c.Connections = orElse(o.Connections, c.Connections)
	return c
}

// live is a source that yields the shop's requests when they are due.
type live struct {
	shop    *Shop
	rate    float64
	speed   float64
	begun   time.Time
	started int64 // model time at begun
	until   int64 // model time
	end     time.Time
	events  int64 // after how many to end
	ended   bool
	truth   *os.File
	told    int // incidents in the truth file
	skipped time.Duration
}

func newLive(o Options, now time.Time) (*live, error) {
	if o.Rate < 0 || o.Speed < 0 || o.Duration < 0 || o.Events < 0 || math.IsNaN(o.Rate) || math.IsNaN(o.Speed) {
		return nil, errors.New("rate, speed, duration and events must not be negative")
	}
	plan, err := ParseIncidents(o.Incidents)
	if err != nil {
		return nil, err
	}
	l := &live{rate: o.Rate, speed: orElse(o.Speed, 1), begun: now, until: math.MaxInt64, events: math.MaxInt64}
	c := DefaultConfig()
	c.Seed, c.Flat, c.Incidents = o.Seed, o.Flat, plan
	c.Start = orElse(o.Start, now)
	c.EventsPerRequest = orElse(o.EventsPerRequest, c.EventsPerRequest)
	c.Rate = fastRate
	if o.Rate > 0 {
		c.Rate = o.Rate / l.speed
	}
	if l.shop, err = New(c); err != nil {
		return nil, err
	}
	l.started = l.shop.Now()
	if o.Duration > 0 && o.Rate > 0 {
		l.until = l.started + int64(float64(o.Duration)*l.speed)
	} else if o.Duration > 0 {
		l.end = now.Add(o.Duration)
	}
	if o.Events > 0 {
		l.events = o.Events
	}
	if o.Truth != "" {
		if l.truth, err = os.Create(o.Truth); err != nil {
			return nil, fmt.Errorf("making the truth file: %w", err)
		}
	}
	return l, nil
}

func (l *live) close() {
	if l.truth != nil {
		_ = l.truth.Close() // every line was written, or the run failed
	}
}

// Next waits until the next request is due.
func (l *live) Next(ctx context.Context, buf []byte) (Request, error) {
	now := time.Now()
	if !l.ended {
		l.catchUp(now)
		if l.shop.produced() >= l.events || !l.end.IsZero() && !now.Before(l.end) {
			l.finish()
		}
	}
	r, ok := l.shop.Next(l.until)
	if !ok && !l.ended {
		l.finish()
		r, ok = l.shop.Next(l.until)
	}
	if !ok {
		return Request{}, io.EOF
	}
	if err := l.tell(); err != nil {
		return Request{}, err
	}
	r.Body = append(buf, r.Body...) // the shop uses its own again
	if l.rate > 0 {
		if err := wait(ctx, time.Until(l.due(r.Time))); err != nil {
			return Request{}, err
		}
	}
	return r, nil
}

// finish ends the model: what waits is sent, nothing new happens.
func (l *live) finish() {
	l.ended = true
	l.until = l.shop.Now()
	l.shop.Flush()
}

// due is when a moment of the model is, in real time.
func (l *live) due(at int64) time.Time {
	return l.begun.Add(time.Duration(float64(at-l.started) / l.speed))
}

// catchUp lets the model jump to the present when it is too far behind.
func (l *live) catchUp(now time.Time) {
	if l.rate == 0 {
		return
	}
	behind := now.Sub(l.due(l.shop.Now()))
	if behind < maxBehind {
		return
	}
	before := l.shop.Now()
	l.shop.Skip(before + int64(float64(behind)*l.speed))
	l.skipped += time.Duration(l.shop.Now() - before)
}

// tell writes the incidents that have begun since to the truth file.
func (l *live) tell() error {
	if l.truth == nil {
		return nil
	}
	for _, i := range l.shop.incidents.past[l.told:] {
		line, err := json.Marshal(i)
		if err != nil {
			return fmt.Errorf("encoding an incident: %w", err)
		}
		if _, err := l.truth.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("writing the truth file: %w", err)
		}
		l.told++
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
