package report

import (
	"sync/atomic"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/session"
)

// sessions are the visits of visitors, as telemetry/weblog/session makes them of
// requests that come in order. They are counted here because a report needs a small
// part of what is known of each.
type sessions struct {
	slots []visitorSession
	n     int
	// limit bounds the open sessions.
	limit int
	// now is the time up to which requests have come.
	now         int64
	idle, whole int64

	count, bounced, pages uint64
	length                int64 // nanoseconds
}

// visitorSession is the open session of a visitor. Entry and exit are its first
// and its last page, of the times firstPage and lastPage.
type visitorSession struct {
	visitor              uint64
	start, last, touched int64
	firstPage, lastPage  int64
	entry, exit          *node[page]
	pages                uint32
}

func newSessions(o *Options) *sessions {
	cfg := session.DefaultConfig()
	return &sessions{idle: int64(cfg.Idle), whole: int64(cfg.MaxDuration), limit: max(64, min(cfg.MaxOpen, o.MaxVisitors)/shards)}
}

// add counts a request. One that came too late for a session of its time begins
// another.
func (s *sessions) add(v *visit) {
	s.now = max(s.now, v.time)
	o := s.get(v.visitor)
	if o.visitor == 0 {
		o.begin(v)
	} else if !s.covers(o, v.time) {
		s.close(o)
		o.begin(v)
	}
	o.start, o.last, o.touched = min(o.start, v.time), max(o.last, v.time), s.now
	if !v.isPage {
		return
	}
	if o.pages == 0 || before(v.time, v.page, o.firstPage, o.entry) {
		o.firstPage, o.entry = v.time, v.page
	}
	if o.pages == 0 || before(o.lastPage, o.exit, v.time, v.page) {
		o.lastPage, o.exit = v.time, v.page
	}
	o.pages++
}

func (o *visitorSession) begin(v *visit) {
	*o = visitorSession{visitor: visitorKey(v.visitor), start: v.time, last: v.time}
}

// covers reports whether a request of a time belongs to a session.
func (s *sessions) covers(o *visitorSession, at int64) bool {
	if at < o.start {
		return o.start-at < s.idle && o.last-at < s.whole
	}
	return at <= o.last || at-o.last < s.idle && at-o.start < s.whole
}

// before orders pages by time, and those of one second by how near they are to
// the root, as telemetry/weblog/session does.
func before(at int64, p *node[page], than int64, q *node[page]) bool {
	switch {
	case at != than:
		return at < than
	case len(p.name) != len(q.name):
		return len(p.name) < len(q.name)
	}
	return p.name < q.name
}

// visitorKey is the hash of a visitor, which is not 0.
func visitorKey(visitor uint64) uint64 { return max(1, visitor) }

// touch reads where a visitor's session is looked for first, as that of a hashSet
// does.
func (s *sessions) touch(visitor uint64) uint64 {
	if len(s.slots) == 0 {
		return 0
	}
	return s.slots[placeOf(visitorKey(visitor), len(s.slots))].visitor
}

// get returns the place of a visitor's session, which is empty if none is open.
func (s *sessions) get(visitor uint64) *visitorSession {
	key := visitorKey(visitor)
	for {
		if len(s.slots) > 0 {
			i := placeOf(key, len(s.slots))
			for s.slots[i].visitor != 0 && s.slots[i].visitor != key {
				i = next(i, len(s.slots))
			}
			if s.slots[i].visitor != 0 {
				return &s.slots[i]
			}
			if !isFull(s.n, len(s.slots)) {
				s.n++
				return &s.slots[i]
			}
		}
		s.sweep()
	}
}

// sweep makes room: it closes what is over, and all if there are too many, and
// grows if that leaves much.
func (s *sessions) sweep() {
	all := s.n >= s.limit
	for i := range s.slots {
		o := &s.slots[i]
		// What is after an empty place moves there, so it is looked at again.
		for o.visitor != 0 && (all || s.now-o.touched >= s.idle) {
			s.close(o)
			s.remove(i)
		}
	}
	if 3*s.n < 2*len(s.slots) {
		return
	}
	old := s.slots
	s.slots = make([]visitorSession, grown(len(old)))
	for i := range old {
		if old[i].visitor == 0 {
			continue
		}
		at := placeOf(old[i].visitor, len(s.slots))
		for s.slots[at].visitor != 0 {
			at = next(at, len(s.slots))
		}
		s.slots[at] = old[i]
	}
}

// remove empties a place, and fills it with what would be there if it had been
// empty before.
func (s *sessions) remove(i int) {
	s.n--
	// back is how far a place is behind another.
	back := func(from, to int) int {
		if from <= to {
			return to - from
		}
		return to - from + len(s.slots)
	}
	for j := i; ; {
		s.slots[i].visitor = 0
		for {
			j = next(j, len(s.slots))
			if s.slots[j].visitor == 0 {
				return
			}
			if back(placeOf(s.slots[j].visitor, len(s.slots)), j) >= back(i, j) {
				break
			}
		}
		s.slots[i] = s.slots[j]
		i = j
	}
}

// close counts a session.
func (s *sessions) close(o *visitorSession) {
	s.count++
	if o.pages <= 1 {
		s.bounced++
	}
	s.pages += uint64(o.pages)
	s.length += o.last - o.start
	if o.pages > 0 {
		// Other shards have sessions of the same pages.
		atomic.AddUint64(&o.entry.value.entries, 1)
		atomic.AddUint64(&o.exit.value.exits, 1)
	}
}

// finish closes all sessions.
func (s *sessions) finish() {
	for i := range s.slots {
		if s.slots[i].visitor != 0 {
			s.close(&s.slots[i])
		}
	}
	s.slots, s.n = nil, 0
}

func (s *sessions) merge(o *sessions) {
	s.count += o.count
	s.bounced += o.bounced
	s.pages += o.pages
	s.length += o.length
}
