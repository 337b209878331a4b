package patterns

import (
	"cmp"
	"maps"
	"slices"

	"github.com/goshawk-observability/goshawk/sinks/watch"
)

// name names a pattern of a tenant.
type name struct {
	service string
	id      uint64
}

func (n name) compare(other name) int {
	return cmp.Or(cmp.Compare(n.service, other.service), cmp.Compare(n.id, other.id))
}

// tenant is what is known of one tenant.
type tenant struct {
	name     string
	services map[string]*service
	// total is the number of members of all services, and refused how many patterns
	// are seen and not known because of the limits.
	total, refused int
	// seen is what there was at the last look, zero before the first and as long
	// as that is not dealt with.
	seen watch.Activity
}

const (
	// refresh is by how many minutes the books may be behind in when something was
	// seen last.
	refresh = watch.Minute(30)
	// gaps is how many of its usual gaps a pattern may be silent for.
	gaps = 10
	// usual is at how many looks a pattern has to have come for its gap to be
	// known, and for it to be missed.
	usual = 3
)

// from returns the minute after which something may have come that is not known.
func (t *tenant) from(newest watch.Minute, cfg *Config) watch.Minute {
	if t.seen.Newest != 0 {
		return t.seen.Newest - cfg.lateness()
	}
	last := watch.Minute(0)
	for _, s := range t.services {
		last = max(last, s.newest)
	}
	return max(last-cfg.lateness()-refresh, newest-cfg.recent())
}

// take brings what is known up to date by what was seen. Where a tenant is learned
// nothing is news.
func (t *tenant) take(sights map[name]sight, newest watch.Minute, learning bool, cfg *Config) {
	fresh := map[name]bool{}
	came := map[name]bool{} // merged patterns
	t.refused = 0
	for _, n := range slices.SortedFunc(maps.Keys(sights), name.compare) {
		seen := sights[n]
		s := t.services[n.service]
		if s == nil {
			if t.total >= cfg.MaxTotal {
				t.refused++
				continue
			}
			s = newService()
			s.born, s.newest = seen.first, seen.last
			t.services[n.service] = s
		}
		s.born, s.newest = min(s.born, seen.first), max(s.newest, seen.last)
		m := s.members[n.id]
		switch {
		case m == nil && (len(s.members) >= cfg.MaxPatterns || t.total >= cfg.MaxTotal):
			t.refused++
		case m == nil:
			s.members[n.id] = &member{
				Known: watch.Known{First: seen.first, Last: seen.last, Changed: seen.first, Announced: true, Written: -1},
				text:  seen.text, class: seen.class, looks: 1, revision: uint64(newest) << 24, //nolint:gosec // not negative
			}
			t.total++
			fresh[n] = true
			s.unmerged = true
		default:
			if m.Announced { // an event is about what was first seen
				m.First = min(m.First, seen.first)
			}
			if seen.class > m.class {
				m.class, m.Written = seen.class, -1
			}
			if seen.last > m.Last {
				m.Last = seen.last
				came[name{n.service, m.merged}] = true
			}
		}
	}
	for _, s := range t.services {
		if !s.unmerged {
			continue
		}
		old := maps.Clone(s.texts)
		s.merge()
		for _, m := range s.members {
			if text, ok := old[m.merged]; ok && text != s.texts[m.merged] {
				m.Written = -1
			}
		}
	}
	for n := range fresh {
		if m := t.member(n); m.merged != n.id {
			came[name{n.service, m.merged}] = true
		}
	}
	for n := range came {
		if m := t.services[n.service].leader(n.id); m != nil {
			if m.looks++; m.looks <= usual {
				m.Written = -1
			}
		}
	}
	if learning {
		return
	}
	for n := range fresh {
		s := t.services[n.service]
		if m := s.members[n.id]; m.merged == n.id && m.First > s.born+cfg.learn() {
			m.Announced = false
		}
	}
}

// leader returns the member whose id a merged pattern has, nil if it is part of
// another by now.
func (s *service) leader(id uint64) *member {
	m := s.members[id]
	if m == nil || m.merged == id {
		return m
	}
	return s.members[m.merged]
}

// age finds out which merged patterns have vanished or are back, and forgets what
// has been gone for long.
func (t *tenant) age(cfg *Config) {
	for of, s := range t.services {
		last, first := map[uint64]watch.Minute{}, map[uint64]watch.Minute{}
		for _, m := range s.members {
			if at, ok := first[m.merged]; !ok || m.First < at {
				first[m.merged] = m.First
			}
			last[m.merged] = max(last[m.merged], m.Last)
		}
		for id, at := range last {
			m := s.members[id]
			since := s.newest - quiet(at-first[id], m.looks, cfg)
			change := func(gone bool, at watch.Minute) {
				m.Gone, m.Changed, m.Announced, m.Written = gone, max(at, m.Changed+1), m.looks < usual, -1
			}
			switch {
			case !m.Announced: // one thing after the other
			case !m.Gone && at <= since:
				change(true, s.newest)
			case m.Gone && at > since:
				change(false, at)
			}
		}
		t.forget(s, s.newest-cfg.forgetAfter())
		if len(s.members) == 0 {
			delete(t.services, of)
		}
	}
}

// forget forgets merged patterns that are gone since before a time, and other
// members that have not come since. What varies is known by their texts.
func (t *tenant) forget(s *service, before watch.Minute) {
	var old []uint64
	for id, m := range s.members {
		leader := s.members[m.merged]
		if leader.Gone && leader.Announced && leader.Changed < before || id != m.merged && m.Last < before {
			old = append(old, id)
		}
	}
	for _, id := range old {
		delete(s.members, id)
		delete(s.texts, id)
	}
	t.total -= len(old)
}

// quiet returns for how long a merged pattern may not come until it has vanished.
func quiet(span watch.Minute, looks uint32, cfg *Config) watch.Minute {
	after := cfg.vanishAfter()
	if looks > 1 {
		after = max(after, gaps*span/watch.Minute(looks-1))
	}
	return min(after, cfg.forgetAfter()/2)
}

// unwritten returns the members that the books have to be written of.
func (t *tenant) unwritten() []name {
	return t.filter(func(_ uint64, m *member) bool { return m.Unwritten(refresh) })
}

// pending returns the merged patterns whose events may not be in Kafka.
func (t *tenant) pending() []name {
	return t.filter(func(id uint64, m *member) bool { return m.merged == id && !m.Announced })
}

func (t *tenant) filter(of func(uint64, *member) bool) []name {
	var all []name
	for service, s := range t.services {
		for id, m := range s.members {
			if of(id, m) {
				all = append(all, name{service, id})
			}
		}
	}
	slices.SortFunc(all, name.compare)
	return all
}

func (t *tenant) member(n name) *member { return t.services[n.service].members[n.id] }
