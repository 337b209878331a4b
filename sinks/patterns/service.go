package patterns

import (
	"cmp"
	"maps"
	"slices"

	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/telemetry/logpattern"
)

// sight is when a pattern was seen: first and last of the minutes that were looked
// at, and the most severe class of its lines.
type sight struct {
	text        string
	first, last watch.Minute
	class       uint8
}

// member is what is known of a pattern as it is counted. Those of a service that
// are merged are members of one merged pattern, which has the id of the first.
type member struct {
	text   string
	merged uint64
	class  uint8
	// Known has when the pattern was seen. Its state and the event of that are of
	// the merged pattern that has the id of this member, as is at how many looks
	// that had come.
	watch.Known
	looks uint32

	revision uint64
}

// service is what is known of one service.
type service struct {
	members map[uint64]*member
	// texts are the merged patterns, by id.
	texts map[uint64]string
	// born and newest are the first and last minute in which a line came.
	born, newest watch.Minute
	// unmerged is set while there are members that no merged pattern was found for.
	unmerged bool
}

func newService() *service {
	return &service{members: map[uint64]*member{}, texts: map[uint64]string{}}
}

// merge finds the merged patterns of all members. What was merged stays so, and
// keeps its id: that of the first member, by when it was seen and then by id.
func (s *service) merge() {
	ids := slices.Sorted(maps.Keys(s.members))
	known := slices.Sorted(maps.Keys(s.texts))
	texts := make([]string, 0, len(ids)+len(known))
	for _, id := range ids {
		texts = append(texts, s.members[id].text)
	}
	for _, id := range known { // what is known to vary stays so when members are forgotten
		texts = append(texts, s.texts[id])
	}
	found := logpattern.Merge(texts)
	sets := newSets(len(found.Texts))
	home := map[uint64]int{} // of what is known, its place in found.Texts
	for i, id := range known {
		home[id] = found.Pattern[len(ids)+i]
	}
	for i, id := range ids {
		if m := s.members[id]; m.merged != 0 {
			sets.join(found.Pattern[i], home[m.merged])
		}
	}
	first := map[int]uint64{} // of each set
	for i, id := range ids {
		set := sets.of(found.Pattern[i])
		if best, ok := first[set]; !ok || s.before(id, best) {
			first[set] = id
		}
	}
	s.texts = map[uint64]string{}
	for i, id := range ids {
		m := s.members[id]
		merged := first[sets.of(found.Pattern[i])]
		at, ok := home[merged]
		if !ok {
			at = found.Pattern[slices.Index(ids, merged)]
			home[merged] = at
		}
		s.texts[merged] = found.Texts[at]
		if m.merged != merged {
			s.move(id, m, merged)
		}
	}
	s.unmerged = false
}

// before reports whether one of two members gives a merged pattern its id: one
// that does already, then the one that was seen first.
func (s *service) before(a, b uint64) bool {
	x, y := s.members[a], s.members[b]
	if leads := x.merged == a; leads != (y.merged == b) {
		return leads
	}
	return cmp.Or(cmp.Compare(x.First, y.First), cmp.Compare(a, b)) < 0
}

// move makes a member one of another merged pattern.
func (s *service) move(id uint64, m *member, merged uint64) {
	if m.merged == id { // its own is no more
		leader := s.members[merged]
		leader.looks = max(leader.looks, m.looks)
		m.Gone, m.Announced = false, true
	}
	m.merged, m.Written = merged, -1
}

// sets are disjoint sets of numbers.
type sets []int

func newSets(n int) sets {
	s := make(sets, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// of returns the number that stands for the set of one.
func (s sets) of(i int) int {
	for s[i] != i {
		s[i] = s[s[i]]
		i = s[i]
	}
	return i
}

func (s sets) join(a, b int) {
	a, b = s.of(a), s.of(b)
	s[max(a, b)] = min(a, b)
}
