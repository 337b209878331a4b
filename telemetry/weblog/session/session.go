// Package session makes sessions of hits: the requests of a visitor to a site
// without a long pause between them.
//
// A session is made of the hits that are in it, whatever their order: where they
// come from several servers, some late, it is the same as long as none comes later
// than what is waited for.
//
// The package must not know where hits come from or what becomes of sessions.
package session

import (
	"fmt"
	"math"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// Config says when a session is over and how much is kept until then.
type Config struct {
	// Idle is the pause that ends a session.
	Idle time.Duration `yaml:"idle"`
	// Delay is how much longer a session is open for hits that come late: servers
	// send their logs at different times.
	Delay time.Duration `yaml:"delay"`
	// MaxDuration is how long a session is; requests after that begin another.
	MaxDuration time.Duration `yaml:"max_duration"`
	// MaxOpen bounds the open sessions of a partition and MaxBytes their memory.
	// Beyond either those that wait longest are closed early.
	MaxOpen  int   `yaml:"max_open"`
	MaxBytes int64 `yaml:"max_bytes"`
}

// DefaultConfig ends a session after half an hour, as is usual.
func DefaultConfig() Config {
	return Config{Idle: 30 * time.Minute, Delay: 5 * time.Minute, MaxDuration: 24 * time.Hour, MaxOpen: 1_000_000, MaxBytes: 512 << 20}
}

// Bounds of the settings.
const (
	leastIdle    = time.Second
	mostDelay    = 24 * time.Hour
	mostDuration = 30 * 24 * time.Hour
	mostOpen     = 50_000_000
	leastBytes   = 1 << 20
	mostBytes    = 64 << 30
)

// Validate says what is wrong with the values.
func (c Config) Validate() error {
	switch {
	case c.Idle < leastIdle:
		return fmt.Errorf("idle: %s is less than %s", c.Idle, leastIdle)
	case c.Delay < 0 || c.Delay > mostDelay:
		return fmt.Errorf("delay: %s is not between 0s and %s", c.Delay, mostDelay)
	case c.MaxDuration < c.Idle || c.MaxDuration > mostDuration:
		return fmt.Errorf("max_duration: %s is not between idle, %s, and %s", c.MaxDuration, c.Idle, mostDuration)
	case c.MaxOpen < 1 || c.MaxOpen > mostOpen:
		return fmt.Errorf("max_open: %d is not between 1 and %d", c.MaxOpen, mostOpen)
	case c.MaxBytes < leastBytes || c.MaxBytes > mostBytes:
		return fmt.Errorf("max_bytes: %d is not between %d and %d", c.MaxBytes, leastBytes, int64(mostBytes))
	}
	return nil
}

// IsPage reports whether a hit shows a page: a request with GET or POST that is
// answered with one, for what is no part of another. Redirects lead to pages and
// are none; what has not changed is seen again.
func IsPage(h *telemetry.WebHit) bool {
	if h.Asset || h.Method != "GET" && h.Method != "POST" {
		return false
	}
	return h.Status == 0 || h.Status >= 200 && h.Status < 300 || h.Status == 304
}

// none is the index of no session.
const none = math.MaxUint32

// Tracker has the sessions that are open. It is used by one goroutine.
type Tracker struct {
	cfg    Config
	slab   slab
	heads  map[uint64]uint32 // by visitor: the first of its sessions
	sites  table             // tenant and site
	agents table             // country, browser, system and bot
	// oldest and newest are the ends of the list of all sessions by when something
	// last came for them.
	oldest, newest uint32
	text           int64 // bytes of the texts of all sessions
}

// New returns a tracker without sessions.
func New(cfg Config) (*Tracker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	t := &Tracker{cfg: cfg}
	t.Reset()
	return t, nil
}

// Reset forgets all sessions.
func (t *Tracker) Reset() {
	*t = Tracker{cfg: t.cfg, heads: make(map[uint64]uint32), oldest: none, newest: none}
}

// Len is the number of open sessions.
func (t *Tracker) Len() int { return t.slab.used }

// sessionBytes is about what a session takes beside its texts: itself and its
// place in heads.
const sessionBytes = 152

// Bytes is about how much memory the open sessions take.
func (t *Tracker) Bytes() int64 {
	return int64(t.slab.used)*sessionBytes + t.text + t.sites.bytes() + t.agents.bytes()
}

// Add adds a hit of a tenant. Now is the time up to which hits have come, in Unix
// nanoseconds; it must not be less than that of a call before.
func (t *Tracker) Add(tenant string, h *telemetry.WebHit, now int64) {
	where, when := words{tenant, h.Site}, min(max(h.Time, 0), latest)
	head, ok := t.heads[h.Visitor]
	if !ok {
		head = none
	}
	var found, oldest uint32 = none, none
	length := 0
	for at := head; at != none; {
		s := t.slab.at(at)
		next := s.chain
		switch {
		case !t.covers(s, when) || *t.sites.at(s.site) != where:
			if s.touched > expired {
				oldest = at
				length++
			}
		case found == none:
			s.start, s.last = min(s.start, when), max(s.last, when)
			t.count(s, when, h)
			t.touch(at, now)
			found = at
		default:
			// What came closes the gap between two sessions.
			first := t.slab.at(found)
			if max(first.last, s.last)-min(first.start, s.start) < int64(t.cfg.MaxDuration) {
				t.merge(first, s)
				t.remove(at)
			}
		}
		at = next
	}
	if found != none {
		return
	}
	if length >= longestChain {
		t.expire(oldest)
	}
	t.open(where, when, h, now)
}

// latest is the last time that is counted as what it is: differences with it fit.
const latest = math.MaxInt64 / 4

// expired is when something last came for what is to be closed.
const expired = -latest

// longestChain bounds the open sessions of a visitor, which are looked through one
// after the other. Only logs of long ago among those of now make many.
const longestChain = 64

// covers reports whether a hit at a time belongs to a session.
func (t *Tracker) covers(s *session, at int64) bool {
	idle := int64(t.cfg.Idle)
	if at < s.start {
		return s.start-at < idle && s.last-at < int64(t.cfg.MaxDuration)
	}
	return at <= s.last || at-s.last < idle && at-s.start < int64(t.cfg.MaxDuration)
}

// open begins a session.
func (t *Tracker) open(where words, when int64, h *telemetry.WebHit, now int64) {
	at := t.slab.take()
	s := t.slab.at(at)
	*s = session{
		visitor: h.Visitor, start: when, last: when, prev: none, next: none, chain: none,
		site:  t.sites.take(where),
		agent: t.agents.take(words{h.Country, h.Browser, h.System, h.Bot}),
	}
	if head, ok := t.heads[h.Visitor]; ok {
		s.chain = head
	}
	t.heads[h.Visitor] = at
	t.set(s, texts{client: shortened(h.Client, longestName)})
	t.count(s, when, h)
	t.append(at, now)
}

// Close closes the sessions for which nothing came for so long that they are over
// at a time, and those that are too many; those that wait longest come first.
// What emit gets is valid until it returns, its strings stay.
func (t *Tracker) Close(now int64, emit func(*telemetry.WebSession)) {
	for t.oldest != none {
		s := t.slab.at(t.oldest)
		over := now-s.touched >= int64(t.cfg.Idle+t.cfg.Delay)
		if !over && t.slab.used <= t.cfg.MaxOpen && t.Bytes() <= t.cfg.MaxBytes {
			return
		}
		t.emit(t.oldest, emit)
	}
}

// CloseAll closes all sessions.
func (t *Tracker) CloseAll(emit func(*telemetry.WebSession)) {
	for t.oldest != none {
		t.emit(t.oldest, emit)
	}
}

// emit closes a session.
func (t *Tracker) emit(at uint32, emit func(*telemetry.WebSession)) {
	s := t.slab.at(at)
	where, who, said := t.sites.at(s.site), t.agents.at(s.agent), s.texts()
	row := telemetry.WebSession{
		Tenant: where[0], Site: where[1], Visitor: s.visitor, Start: s.start, End: s.last,
		Client: said.client, Country: who[0], User: said.user, Browser: who[1], System: who[2], Bot: who[3],
		ReferrerHost: said.referrer, Entry: said.entry, Exit: said.exit,
		Hits: s.hits, Pages: s.pages, Failures: s.failures, Errors: s.errors, Sent: s.sent,
	}
	t.remove(at)
	emit(&row)
}

// remove forgets a session.
func (t *Tracker) remove(at uint32) {
	s := t.slab.at(at)
	t.unlink(at)
	if head := t.heads[s.visitor]; head == at {
		if s.chain == none {
			delete(t.heads, s.visitor)
		} else {
			t.heads[s.visitor] = s.chain
		}
	} else {
		for before := t.slab.at(head); ; before = t.slab.at(before.chain) {
			if before.chain == at {
				before.chain = s.chain
				break
			}
		}
	}
	t.sites.drop(s.site)
	t.agents.drop(s.agent)
	t.text -= int64(len(s.text))
	t.slab.give(at)
	if t.slab.used == 0 {
		t.Reset() // maps keep the memory of a crowd
	}
}

// touch notes that something came for a session.
func (t *Tracker) touch(at uint32, now int64) {
	if t.newest == at {
		t.slab.at(at).touched = now
		return
	}
	t.unlink(at)
	t.append(at, now)
}

// expire makes a session the next one to be closed.
func (t *Tracker) expire(at uint32) {
	t.unlink(at)
	s := t.slab.at(at)
	s.touched, s.prev, s.next = expired, none, t.oldest
	if t.oldest == none {
		t.newest = at
	} else {
		t.slab.at(t.oldest).prev = at
	}
	t.oldest = at
}

// append puts a session at the end of the list.
func (t *Tracker) append(at uint32, now int64) {
	s := t.slab.at(at)
	s.touched, s.prev, s.next = now, t.newest, none
	if t.newest == none {
		t.oldest = at
	} else {
		t.slab.at(t.newest).next = at
	}
	t.newest = at
}

// unlink takes a session out of the list.
func (t *Tracker) unlink(at uint32) {
	s := t.slab.at(at)
	if s.prev == none {
		t.oldest = s.next
	} else {
		t.slab.at(s.prev).next = s.next
	}
	if s.next == none {
		t.newest = s.prev
	} else {
		t.slab.at(s.next).prev = s.prev
	}
}
