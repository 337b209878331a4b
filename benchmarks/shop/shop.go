// Package shop is a model of a web shop: twelve services behind two web servers
// on six hosts, with a database, a cache and a queue. From a seed and a start
// time it produces the telemetry that such a shop would send, as encoded OTLP
// requests: traces, application logs, access logs, host and runtime metrics,
// with a rhythm of day and week and with incidents whose truth is known.
//
// The model is deterministic: the same Config yields the same bytes. It reads
// no clock and starts no goroutine; Run, which sends what the model produces,
// is the only part that knows real time.
//
// It must not know goshawk: whatever it produces could come from any shop that
// uses OpenTelemetry.
package shop

import (
	"time"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Request is one encoded OTLP request.
type Request = otlpclient.Request

const (
	logsSignal    = int(telemetry.Logs)
	spansSignal   = int(telemetry.Spans)
	metricsSignal = int(telemetry.Metrics)
)

// Shop is the model. It is used by one goroutine.
type Shop struct {
	config Config
	random *random

	hosts     []*host
	services  []*service
	instances []*instance
	sources   []*source

	operations      []*operation
	routes          []*route
	routePopularity *popularity

	// What incidents act upon.
	paymentDatabase, diskWrites  []*operation
	recommend, placeOrder, email *operation
	scanRefused, scanBroken      *route
	injector                     client

	clients           []client
	clientPopularity  *popularity
	products          []product
	productPopularity *popularity
	assets            []asset
	assetPopularity   *popularity

	incidents *schedule
	effects   effects // of the current tick

	start, now, tick int64
	horizon          int64 // end of the tick that is modelled
	metricInterval   int64

	base    float64 // rhythm at the start
	noise   float64
	traffic float64 // demand as a factor, of the current tick
	budget  float64 // events that are due, minus those produced
	events  [len(telemetry.Signals)]int64

	outboxes []*outbox // by host and signal
	ready    []Request
	taken    int      // of ready
	free     [][]byte // bodies of requests that were taken

	queue   []delivery
	offsets int64

	// Memory that is used again and again.
	visit visit
	text  []byte
	clf   clfClock
}

// New returns a shop at its first moment.
func New(config Config) (*Shop, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	s := &Shop{
		config: config,
		random: newRandom(config.Seed, 0x5e0b),
		start:  config.Start.UnixNano(),
		now:    config.Start.UnixNano(),
		base:   rhythm(config.Start),
	}
	s.tick = int64(min(max(200/config.Rate, .001), .1) * float64(time.Second))
	s.metricInterval = int64(config.metricInterval())
	s.buildTopology()
	s.buildOperations()
	s.buildVisitors()
	s.buildEffects()
	s.buildMetrics()
	s.buildOutboxes()
	s.incidents = newSchedule(config.Incidents, config.Seed, s.start)
	return s, nil
}

// Next returns the next request that is due before the given moment, Unix
// nanoseconds; false when there is none left. The body is valid until the next
// call.
func (s *Shop) Next(until int64) (Request, bool) {
	for s.taken == len(s.ready) {
		for _, r := range s.ready {
			s.free = append(s.free, r.Body)
		}
		s.ready, s.taken = s.ready[:0], 0
		if s.now+s.tick > until {
			return Request{}, false
		}
		s.step()
	}
	r := s.ready[s.taken]
	s.taken++
	return r, true
}

// Now returns the moment that the model has reached, Unix nanoseconds.
func (s *Shop) Now() int64 { return s.now }

// Skip moves the model to a later moment without producing what happened until
// then.
func (s *Shop) Skip(to int64) {
	if to > s.now {
		s.now += (to - s.now) / s.tick * s.tick
	}
}

// Events returns how many events of a signal were produced so far. Events that
// wait for their request to be flushed are among them.
func (s *Shop) Events(signal telemetry.Signal) int64 { return s.events[signal] }

// Flush makes requests of everything that waits, whether full or not, so that
// Next returns it. It is meant for the end.
func (s *Shop) Flush() {
	for _, o := range s.outboxes {
		s.flush(o)
	}
}

// step models one tick.
func (s *Shop) step() {
	end := s.now + s.tick
	s.horizon = end
	s.applyIncidents(s.now)
	s.traffic = s.demand(end) * s.effects.traffic
	s.budget += s.config.Rate * s.traffic * float64(s.tick) / float64(time.Second)
	before := s.produced()
	s.collect(end)
	s.deliver(end)
	for s.budget > float64(s.produced()-before) {
		s.visitor(s.now + int64(s.random.float()*float64(s.tick)))
	}
	s.budget -= float64(s.produced() - before)
	s.now = end
	for _, o := range s.outboxes {
		if o.events > 0 && end-o.oldest >= int64(s.config.FlushInterval) {
			s.flush(o)
		}
	}
}

func (s *Shop) produced() int64 {
	return s.events[logsSignal] + s.events[spansSignal] + s.events[metricsSignal]
}

// demand is the demand at a moment, as a factor of the demand at the start.
func (s *Shop) demand(at int64) float64 {
	if s.config.Flat {
		return 1
	}
	// The noise forgets half of itself in about seven seconds.
	keep := 1 - float64(s.tick)/float64(10*time.Second)
	s.noise = keep*s.noise + (1-keep)*s.random.normal()*4
	return max(.2, 1+.08*s.noise) * rhythm(time.Unix(0, at)) / s.base
}
