package session

import (
	"math"
	"unsafe"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// session is what is kept of one that is open.
type session struct {
	visitor uint64
	// site and agent are in the tables of the tracker.
	site, agent uint32
	// prev and next are in the list of all sessions, chain leads to the next one of
	// the visitor.
	prev, next, chain uint32
	// The lengths of the parts of text, in this order; the path of the last page is
	// what follows them.
	client, user, entry, referrer uint16

	start, last, touched int64
	// firstPage and lastPage are when the first and the last page were asked for.
	firstPage, lastPage           int64
	hits, pages, failures, errors uint32
	sent                          int64
	text                          []byte
}

// texts are those of a session. The last page's is not kept where it is that of the
// first.
type texts struct{ client, user, entry, referrer, exit string }

// The bounds of texts; the rest of longer ones is left out.
const (
	longestName = 255
	longestPath = 512
)

// texts returns views of the texts of a session.
func (s *session) texts() texts {
	rest := unsafe.String(unsafe.SliceData(s.text), len(s.text))
	cut := func(n uint16) (part string) {
		part, rest = rest[:n], rest[n:]
		return part
	}
	x := texts{client: cut(s.client), user: cut(s.user), entry: cut(s.entry), referrer: cut(s.referrer), exit: rest}
	if x.exit == "" {
		x.exit = x.entry
	}
	return x
}

// set replaces the texts of a session, which are short enough.
func (t *Tracker) set(s *session, x texts) {
	if x.exit == x.entry {
		x.exit = ""
	}
	b := make([]byte, 0, len(x.client)+len(x.user)+len(x.entry)+len(x.referrer)+len(x.exit))
	b = append(append(append(append(append(b, x.client...), x.user...), x.entry...), x.referrer...), x.exit...)
	t.text += int64(len(b) - len(s.text))
	s.client, s.user, s.entry, s.referrer = uint16(len(x.client)), uint16(len(x.user)), uint16(len(x.entry)), uint16(len(x.referrer)) //nolint:gosec // bounded
	s.text = b
}

// setExit replaces the path of the last page, which is short enough.
func (t *Tracker) setExit(s *session, path string) {
	if path == s.texts().entry {
		path = ""
	}
	at := int(s.client) + int(s.user) + int(s.entry) + int(s.referrer)
	if string(s.text[at:]) == path {
		return
	}
	t.text += int64(at + len(path) - len(s.text))
	if at+len(path) <= cap(s.text) {
		s.text = append(s.text[:at], path...)
		return
	}
	b := make([]byte, 0, at+len(path))
	s.text = append(append(b, s.text[:at]...), path...)
}

// shortened returns a text of at most so many bytes, without half a character.
func shortened(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for i := most; i > most-4; i-- {
		if s[i]&0xC0 != 0x80 {
			return s[:i]
		}
	}
	return s[:most]
}

// count adds a hit of a time to a session.
func (t *Tracker) count(s *session, when int64, h *telemetry.WebHit) {
	s.hits = plus(s.hits, 1)
	switch {
	case h.Status >= 500:
		s.errors = plus(s.errors, 1)
	case h.Status >= 400:
		s.failures = plus(s.failures, 1)
	}
	s.sent = plusBytes(s.sent, h.Sent)
	if h.User != "" {
		user := shortened(h.User, longestName)
		if x := s.texts(); x.user == "" || user < x.user {
			x.user = user
			t.set(s, x)
		}
	}
	if IsPage(h) {
		path := shortened(h.Path, longestPath)
		if path == "" {
			path = "/"
		}
		t.page(s, page{when, path, shortened(h.ReferrerHost, longestName)}, page{when, path, ""}, 1)
	}
}

// page is a page that was seen.
type page struct {
	time           int64
	path, referrer string
}

// before orders pages by time. Servers log whole seconds: of the pages of one
// moment the one nearer to the root is taken to be the first.
func (p page) before(q page) bool {
	switch {
	case p.time != q.time:
		return p.time < q.time
	case len(p.path) != len(q.path):
		return len(p.path) < len(q.path)
	case p.path != q.path:
		return p.path < q.path
	}
	return p.referrer < q.referrer
}

// page counts pages of which first and last are the first and the last.
func (t *Tracker) page(s *session, first, last page, pages uint32) {
	x := s.texts()
	if s.pages == 0 || first.before(page{s.firstPage, x.entry, x.referrer}) {
		s.firstPage = first.time
		x.entry, x.referrer = first.path, first.referrer
		t.set(s, x)
		x = s.texts()
	}
	if s.pages == 0 || (page{s.lastPage, x.exit, ""}).before(last) {
		s.lastPage = last.time
		t.setExit(s, last.path)
	}
	s.pages = plus(s.pages, pages)
}

// merge adds a session to another one of the same visitor.
func (t *Tracker) merge(into, s *session) {
	into.start, into.last = min(into.start, s.start), max(into.last, s.last)
	into.hits, into.failures, into.errors = plus(into.hits, s.hits), plus(into.failures, s.failures), plus(into.errors, s.errors)
	into.sent = plusBytes(into.sent, s.sent)
	x := s.texts()
	if y := into.texts(); x.user != "" && (y.user == "" || x.user < y.user) {
		y.user = x.user
		t.set(into, y)
	}
	if s.pages > 0 {
		t.page(into, page{s.firstPage, x.entry, x.referrer}, page{s.lastPage, x.exit, ""}, s.pages)
	}
}

// plus adds without running over.
func plus(a, b uint32) uint32 {
	if sum := uint64(a) + uint64(b); sum <= math.MaxUint32 {
		return uint32(sum)
	}
	return math.MaxUint32
}

// plusBytes adds a size that may be unknown.
func plusBytes(a, b int64) int64 {
	if b > 0 {
		if a > math.MaxInt64-b {
			return math.MaxInt64
		}
		a += b
	}
	return a
}
