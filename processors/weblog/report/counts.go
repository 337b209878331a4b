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

// What is known of a text. What follows from it is looked up when it is seen
// first, and counted when the report is made.
type (
	// client is an address.
	client struct {
		tally
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
		browser, system, bot *node[tally]
	}
	// referrer is a URL that others link from.
	referrer struct {
		tally
		host *node[tally]
	}
	// target is what was asked for, query included. Requests that got a 404 are
	// counted apart. There are many targets, so what most of them have none of is
	// elsewhere.
	target struct {
		requests uint64
		bytes    int64
		visitors uint64
		rare     *rare // nil if there is none
	}
	rare struct {
		clientErrors, serverErrors uint64
		timing
		notFound missing
	}
	missing struct {
		requests, visitors uint64
		bytes              int64
	}
	// page is a path, as asked for without a query. Rest has those of its queries
	// that had no room, nil if there are none; entries and exits are sessions, and
	// are counted as visitors are.
	page struct {
		target
		rest           *target
		route          *node[route]
		entries, exits uint64
		asset          bool
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
	if (h.Status >= 400 || h.Duration >= 0) && t.rare == nil {
		t.rare = new(rare)
	}
	if h.Duration >= 0 {
		t.rare.timing.add(h.Duration)
	}
	if h.Status == http.StatusNotFound {
		t.rare.notFound.requests++
		t.rare.notFound.bytes += max(0, h.Sent)
		return
	}
	t.requests++
	t.bytes += max(0, h.Sent)
	switch {
	case h.Status >= 500:
		t.rare.serverErrors++
	case h.Status >= 400:
		t.rare.clientErrors++
	}
}

// tally has the requests but those that got a 404.
func (t *target) tally() tally {
	counts := tally{requests: t.requests, bytes: t.bytes, visitors: t.visitors}
	if t.rare != nil {
		counts.clientErrors, counts.serverErrors = t.rare.clientErrors, t.rare.serverErrors
	}
	return counts
}

// whole has all requests, those that got a 404 included.
func (t *target) whole() tally {
	all := t.tally()
	if t.rare != nil {
		missing := t.rare.notFound
		all.requests += missing.requests
		all.clientErrors += missing.requests
		all.bytes += missing.bytes
	}
	return all
}
