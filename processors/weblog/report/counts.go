package report

import (
	"net/http"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

// tally counts requests. Visitors belongs to the visits of the report, which
// count them in another goroutine than the one that counts the rest.
type tally struct {
	requests, clientErrors, serverErrors uint64
	bytes                                int64
	visitors                             uint64
}

func (t *tally) add(h *telemetry.WebHit) {
	t.requests++
	if h.Sent > 0 {
		t.bytes += h.Sent
	}
	if h.Status >= 400 {
		if h.Status < 500 {
			t.clientErrors++
		} else {
			t.serverErrors++
		}
	}
}

func (t *tally) merge(o *tally) {
	t.requests += o.requests
	t.clientErrors += o.clientErrors
	t.serverErrors += o.serverErrors
	t.bytes += o.bytes
	t.visitors += o.visitors
}

// timing is how long requests took, in nanoseconds.
type timing struct {
	requests uint64
	sum, max int64
}

func (t *timing) add(duration int64) {
	t.requests++
	t.sum += duration
	t.max = max(t.max, duration)
}

func (t *timing) merge(o *timing) {
	t.requests += o.requests
	t.sum += o.sum
	t.max = max(t.max, o.max)
}

// What is known of a text. What follows from it is looked up when it is seen
// first, and counted when the report is made.
type (
	// client is an address.
	client struct {
		tally
		// person is a hash that is the same in every run.
		person        uint64
		country, city *node[place]
	}
	// place is a country or a city.
	place struct {
		tally
		country             string
		latitude, longitude float32
	}
	// agent is a user agent.
	agent struct {
		tally
		person               uint64
		browser, system, bot *node[tally]
	}
	// referrer is a URL that others link from.
	referrer struct {
		tally
		host *node[tally]
	}
	// target is what was asked for, query included. Requests that got a 404 are
	// counted apart.
	target struct {
		tally
		timing
		notFound missing
	}
	missing struct {
		requests, visitors uint64
		bytes              int64
	}
	// page is a path, as asked for without a query. Rest has those of its queries
	// that had no room.
	page struct {
		target
		rest  target
		route *node[route]
		asset bool
	}
	// query is a query of a path.
	query struct {
		target
		page *node[page]
	}
	// route is a template of paths.
	route struct {
		tally
		latency sketch.Sketch
		max     int64
	}
)

func (t *target) add(h *telemetry.WebHit) {
	if h.Status == http.StatusNotFound {
		t.notFound.requests++
		t.notFound.bytes += max(0, h.Sent)
	} else {
		t.tally.add(h)
	}
	if h.Duration >= 0 {
		t.timing.add(h.Duration)
	}
}

func (t *target) merge(o *target) {
	t.tally.merge(&o.tally)
	t.timing.merge(&o.timing)
	t.notFound.requests += o.notFound.requests
	t.notFound.visitors += o.notFound.visitors
	t.notFound.bytes += o.notFound.bytes
}

// whole counts all requests, those that got a 404 included.
func (t *target) whole() tally {
	all := t.tally
	all.requests += t.notFound.requests
	all.clientErrors += t.notFound.requests
	all.bytes += t.notFound.bytes
	return all
}
