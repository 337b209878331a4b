package topology

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// minute is a time in minutes since 1970.
type minute int64

func (m minute) time() time.Time { return time.Unix(int64(m)*60, 0).UTC() }

func minuteOf(t time.Time) minute { return minute(t.Unix() / 60) }

// kind is what kind of thing may come and go.
type kind uint8

// The kinds, in the order of the numbers in the table topology.
const (
	service kind = iota
	version
	edge
)

var kinds = [...]string{service: "service", version: "version", edge: "edge"}

func (k kind) String() string { return kinds[k] }

// The states, as the table topology has them.
const (
	present  = "present"
	vanished = "vanished"
)

// thing is what may come and go.
type thing struct {
	kind kind
	// service is the service, of an edge the caller.
	service, version, callee string
	edge                     telemetry.EdgeKind
}

func (th thing) compare(other thing) int {
	return cmp.Or(cmp.Compare(th.kind, other.kind), cmp.Compare(th.service, other.service), cmp.Compare(th.version, other.version),
		cmp.Compare(th.callee, other.callee), cmp.Compare(th.edge, other.edge))
}

// sight is when a thing was seen: first and last of the minutes that were looked
// at, and a trace of the last.
type sight struct {
	first, last minute
	trace       telemetry.TraceID
}

// known is what is known of a thing.
type known struct {
	// first and last are when it was seen at all, and changed is since when it is
	// in its state.
	first, last, changed minute
	gone                 bool // whether it has vanished
	// announced is set once Kafka has the event of the last change.
	announced bool
	trace     telemetry.TraceID
	// written is what last was when the books were written, -1 where they have
	// to be.
	written minute
}

func (k *known) state() string {
	if k.gone {
		return vanished
	}
	return present
}

// revision grows with every change of what is known, whoever makes it: a job that
// was paused while another took over puts nothing back.
func (k *known) revision() uint64 {
	r := uint64(k.changed) << 32 //nolint:gosec // not negative
	if k.announced {
		r |= 1 << 31
	}
	return r | uint64(k.last) //nolint:gosec // not negative
}

// activity is what a tenant's tables have of late.
type activity struct {
	newest minute
	rows   uint64
}

// tenant is what is known of one tenant.
type tenant struct {
	name   string
	things map[thing]*known
	// seen is what there was at the last look, zero before the first and as long
	// as that is not dealt with. It is here to find out what came since.
	seen activity
	// refused is how many things are seen and not known because of the limit.
	refused int
}

// refresh is by how many minutes the books may be behind in when something was
// seen last.
const refresh = minute(10)

// from returns the minute after which something may have changed that is not
// known. What was before all that is known was not learned, and is no news.
func (t *tenant) from(newest minute, cfg *Config) minute {
	last, first := newest-cfg.vanishAfter(), newest
	for _, k := range t.things {
		first = min(first, k.first)
		if !k.gone {
			last = min(last, k.last)
		}
	}
	from := last - cfg.lateness() - refresh
	if t.seen.newest != 0 {
		from = t.seen.newest - cfg.lateness()
	}
	return max(from, first-1, newest-cfg.forgetAfter())
}

// learn takes for known what was seen.
func (t *tenant) learn(sights map[thing]sight, newest minute, cfg *Config) {
	for _, th := range sorted(sights) {
		if len(t.things) >= cfg.MaxThings {
			t.refused++
			continue
		}
		s := sights[th]
		t.things[th] = &known{first: s.first, last: s.last, changed: newest, announced: true, trace: s.trace, written: -1}
	}
}

// compare brings what is known up to date and returns what has changed, as far as
// events may be made of it; rest is set where there is more.
func (t *tenant) compare(sights map[thing]sight, newest minute, cfg *Config) (changed []thing, rest bool) {
	t.refused = 0
	since := newest - cfg.vanishAfter()
	for th, k := range t.things {
		s, ok := sights[th]
		switch {
		case k.gone && newest-k.changed > cfg.forgetAfter():
			delete(t.things, th)
		case !ok || k.gone && s.last > since: // it comes back below
		default:
			k.first = min(k.first, s.first)
			if s.last > k.last {
				k.last, k.trace = s.last, s.trace
			}
		}
	}
	change := func(th thing) bool {
		if rest = rest || len(changed) >= cfg.MaxEvents; rest {
			return false
		}
		changed = append(changed, th)
		return true
	}
	for _, th := range sorted(t.things) {
		k := t.things[th]
		s, ok := sights[th]
		switch {
		case k.gone && ok && s.last > since && s.last > k.last && change(th):
			at := s.first
			if at <= k.last {
				at = s.last
			}
			*k = known{first: k.first, last: s.last, changed: max(at, k.changed+1), trace: s.trace, written: -1}
		case !k.gone && k.last <= since && change(th):
			k.changed, k.gone, k.announced, k.written = max(newest, k.changed+1), true, false, -1
		}
	}
	for _, th := range sorted(sights) {
		if t.things[th] != nil {
			continue
		}
		if len(t.things) >= cfg.MaxThings {
			t.refused++
			continue
		}
		if s := sights[th]; change(th) {
			t.things[th] = &known{first: s.first, last: s.last, changed: s.first, trace: s.trace, written: -1}
		}
	}
	return changed, rest
}

// unwritten returns the things that the books have to be written of.
func (t *tenant) unwritten() []thing {
	return t.filter(func(k *known) bool { return k.written < 0 || k.last >= k.written+refresh })
}

// pending returns the things whose events may not be in Kafka.
func (t *tenant) pending() []thing { return t.filter(func(k *known) bool { return !k.announced }) }

func (t *tenant) filter(of func(*known) bool) []thing {
	var all []thing
	for th, k := range t.things {
		if of(k) {
			all = append(all, th)
		}
	}
	slices.SortFunc(all, thing.compare)
	return all
}

func sorted[V any](things map[thing]V) []thing {
	return slices.SortedFunc(maps.Keys(things), thing.compare)
}
