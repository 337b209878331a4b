package topology

import (
	"cmp"
	"maps"
	"slices"

	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/telemetry"
)

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
	first, last watch.Minute
	trace       telemetry.TraceID
}

// known is what is known of a thing.
type known struct {
	watch.Known
	trace telemetry.TraceID
}

// revision grows with every change of what is known, whoever makes it: a job that
// was paused while another took over puts nothing back.
func (k *known) revision() uint64 {
	r := uint64(k.Changed) << 32 //nolint:gosec // not negative
	if k.Announced {
		r |= 1 << 31
	}
	return r | uint64(k.Last) //nolint:gosec // not negative
}

// tenant is what is known of one tenant.
type tenant struct {
	name   string
	things map[thing]*known
	// seen is what there was at the last look, zero before the first and as long
	// as that is not dealt with. It is here to find out what came since.
	seen watch.Activity
	// refused is how many things are seen and not known because of the limit.
	refused int
}

// refresh is by how many minutes the books may be behind in when something was
// seen last.
const refresh = watch.Minute(10)

// from returns the minute after which something may have changed that is not
// known. What was before all that is known was not learned, and is no news.
func (t *tenant) from(newest watch.Minute, cfg *Config) watch.Minute {
	last, first := newest-cfg.vanishAfter(), newest
	for _, k := range t.things {
		first = min(first, k.First)
		if !k.Gone {
			last = min(last, k.Last)
		}
	}
	from := last - cfg.lateness() - refresh
	if t.seen.Newest != 0 {
		from = t.seen.Newest - cfg.lateness()
	}
	return max(from, first-1, newest-cfg.forgetAfter())
}

// learn takes for known what was seen.
func (t *tenant) learn(sights map[thing]sight, newest watch.Minute, cfg *Config) {
	for _, th := range sorted(sights) {
		if len(t.things) >= cfg.MaxThings {
			t.refused++
			continue
		}
		s := sights[th]
		t.things[th] = &known{Known: watch.Known{First: s.first, Last: s.last, Changed: newest, Announced: true, Written: -1}, trace: s.trace}
	}
}

// compare brings what is known up to date and returns what has changed, as far as
// events may be made of it; rest is set where there is more.
func (t *tenant) compare(sights map[thing]sight, newest watch.Minute, cfg *Config) (changed []thing, rest bool) {
	t.refused = 0
	since := newest - cfg.vanishAfter()
	for th, k := range t.things {
		s, ok := sights[th]
		switch {
		case k.Gone && newest-k.Changed > cfg.forgetAfter():
			delete(t.things, th)
		case !ok || k.Gone && s.last > since: // it comes back below
		default:
			k.First = min(k.First, s.first)
			if s.last > k.Last {
				k.Last, k.trace = s.last, s.trace
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
		case k.Gone && ok && s.last > since && s.last > k.Last && change(th):
			at := s.first
			if at <= k.Last {
				at = s.last
			}
			*k = known{Known: watch.Known{First: k.First, Last: s.last, Changed: max(at, k.Changed+1), Written: -1}, trace: s.trace}
		case !k.Gone && k.Last <= since && change(th):
			k.Changed, k.Gone, k.Announced, k.Written = max(newest, k.Changed+1), true, false, -1
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
			t.things[th] = &known{Known: watch.Known{First: s.first, Last: s.last, Changed: s.first, Written: -1}, trace: s.trace}
		}
	}
	return changed, rest
}

// unwritten returns the things that the books have to be written of.
func (t *tenant) unwritten() []thing {
	return t.filter(func(k *known) bool { return k.Unwritten(refresh) })
}

// pending returns the things whose events may not be in Kafka.
func (t *tenant) pending() []thing { return t.filter(func(k *known) bool { return !k.Announced }) }

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
