package report

import (
	"net/http"
	"sync/atomic"
)

// visit is what a request tells about visitors.
type visit struct {
	// visitor is the pipeline's hash of the site, the client and its agent, person
	// one of client and agent. Both are the same in every run.
	visitor, person uint64
	time            int64
	site            uint64 // its hash
	hour            int32
	status          uint16
	isPage          bool
	targetHash      uint64
	client          *node[client]
	agent           *node[agent]
	page            *node[page]
	target          *target
	referringHost   *node[tally]
	keywords, user  *node[tally] // which are rare
}

// visits counts who visited, in the order of the log: visitors of days and hours,
// and sessions. It is made of shards, each of which has its visitors, so that
// workers can do this at the same time. There are as many of them whatever the
// number of workers, which is why that changes no result.
//
// A visitor of a day is a client with an agent on one day, as GoAccess counts them.
type visits struct {
	order  [shards]inOrder
	shards [shards]shard
}

const shards = 8

// shardOf returns the shard of a person.
func shardOf(person uint64) int { return int(person >> 61) }

func newVisits(o *Options) *visits {
	v := new(visits)
	for i := range v.shards {
		v.shards[i].init(o)
	}
	return v
}

// take takes a block whose lines were counted, and perhaps others. Done is called
// once for each shard and block, when that shard does not need it any more.
func (v *visits) take(b *block, done func(*block)) {
	for at := range shards {
		// Workers begin with different shards, so that they seldom meet.
		i := (at + b.number) % shards
		v.order[i].take(b, func(b *block) {
			v.shards[i].addAll(b.visits[i])
			done(b)
		})
	}
}

// merge makes one shard of all.
func (v *visits) merge() *shard {
	all := &v.shards[0]
	all.sessions.finish()
	all.visitorCount, all.daily, all.dailyWithout4xx = all.visitors.count(), all.people.count(), all.people.withoutClientErrors()
	for i := 1; i < shards; i++ {
		s := &v.shards[i]
		s.sessions.finish()
		all.merge(s)
		*s = shard{}
	}
	return all
}

// shard has the visitors whose hashes begin alike. It is used by one goroutine at
// a time.
type shard struct {
	visitors distinct
	people   people
	pairs    distinct
	// days and hours have the visitors of each, statuses those of statuses.
	days, hours map[int32]uint64
	statuses    [maxStatus + 1]uint64
	classes     [classes]uint64
	day         int32
	dayHash     uint64
	// site is the hash of the site of the first visit, hosts are those of the hosts
	// that have a bit.
	site     uint64
	hosts    []uint64
	sessions *sessions
	touched  uint64 // without a meaning

	// The sums of all shards.
	visitorCount, daily, dailyWithout4xx uint64
	estimated, full                      bool
}

func (s *shard) init(o *Options) {
	s.days, s.hours, s.day = make(map[int32]uint64), make(map[int32]uint64), noHour
	limit := max(1, o.MaxVisitors/shards)
	s.people = newPeople(limit)
	s.visitors, s.pairs = newDistinct(limit), newDistinct(2*limit)
	s.sessions = newSessions(o)
}

func (s *shard) merge(o *shard) {
	s.visitorCount += o.visitors.count()
	s.daily += o.people.count()
	s.dailyWithout4xx += o.people.withoutClientErrors()
	s.estimated = s.estimated || !o.visitors.exact()
	s.full = s.full || o.people.full || !o.pairs.exact()
	for day, n := range o.days {
		s.days[day] += n
	}
	for hour, n := range o.hours {
		s.hours[hour] += n
	}
	for i, n := range o.statuses {
		s.statuses[i] += n
	}
	for i, n := range o.classes {
		s.classes[i] += n
	}
	s.sessions.merge(o.sessions)
}

// addAll adds visits in their order. Before that it reads where all of them are
// looked for.
func (s *shard) addAll(visits []visit) {
	for i := range visits {
		v := &visits[i]
		person := s.personOf(v)
		s.touched += s.people.set.touch(person) + s.visitors.set.touch(v.visitor) + s.pairs.set.touch(mix(person, v.targetHash)) +
			s.sessions.touch(v.visitor)
	}
	for i := range visits {
		s.sessions.add(&visits[i])
		s.add(&visits[i])
	}
}

// personOf is the hash of the person of the day of a visit. It sets day.
func (s *shard) personOf(v *visit) uint64 {
	day := int32(noHour)
	if v.hour >= 0 {
		day = v.hour / 24
	}
	if day != s.day {
		s.day, s.dayHash = day, mix(0x5eed, uint64(uint32(day))) //nolint:gosec // the same bits
	}
	return mix(v.person, s.dayHash)
}

func (s *shard) add(v *visit) {
	key := s.personOf(v)
	entry, isNew := s.people.get(key)
	if entry == nil {
		s.visitors.add(v.visitor)
		return
	}
	state := stateOf(entry)
	s.count(v, key, &state, isNew)
	setState(entry, state)
}

// count counts a visit of a person of a day, whose state it changes.
func (s *shard) count(v *visit, key uint64, state *uint64, isNew bool) {
	if s.site == 0 {
		s.site = v.site
	}
	if v.site != s.site || note(state, atFirstSite) {
		s.visitors.add(v.visitor)
	}
	if isNew {
		s.days[s.day]++
		// Other shards count the same addresses and agents.
		atomic.AddUint64(&v.client.value.visitors, 1)
		atomic.AddUint64(&v.agent.value.visitors, 1)
	}
	if v.hour >= 0 && note(state, 1<<(v.hour%24)) {
		s.hours[v.hour]++
	}
	if s.saw(state, key, statusBit(v.status), uint64(v.status)) {
		s.statuses[v.status]++
	}
	if class := v.status / 100; class < classes && note(state, firstClass<<class) {
		s.classes[class]++
	}
	if v.status/100 != 4 {
		*state |= notClientError
	}
	if v.status == http.StatusNotFound {
		if s.pair(key, ^v.targetHash) {
			atomic.AddUint64(&v.target.rare.notFound.visitors, 1)
		}
	} else if s.pair(key, v.targetHash) {
		atomic.AddUint64(&v.target.visitors, 1)
	}
	if host := v.referringHost; host != nil {
		if s.saw(state, key, s.hostBit(host.hash), host.hash) {
			atomic.AddUint64(&host.value.visitors, 1)
		}
	}
	for _, n := range [...]*node[tally]{v.keywords, v.user} {
		if n != nil && s.pair(key, n.hash) {
			atomic.AddUint64(&n.value.visitors, 1)
		}
	}
}

// note sets a bit of a state and reports whether it was not set.
func note(state *uint64, bit uint64) bool {
	isNew := *state&bit == 0
	*state |= bit
	return isNew
}

// saw notes that a person of a day had to do with something, which may have a bit,
// and reports whether that is new.
func (s *shard) saw(state *uint64, person, bit, thing uint64) bool {
	if bit != 0 {
		return note(state, bit)
	}
	return s.pair(person, thing)
}

// pair reports whether a person of a day had not been seen with something before.
// It is false once there is no room.
func (s *shard) pair(person, thing uint64) bool {
	return s.pairs.exact() && s.pairs.add(mix(person, thing))
}

// hostBit returns the bit of a host, of which the first ones have one.
func (s *shard) hostBit(hash uint64) uint64 {
	for i, h := range s.hosts {
		if h == hash {
			return firstHost << i
		}
	}
	if len(s.hosts) < hostBits {
		s.hosts = append(s.hosts, hash)
		return firstHost << (len(s.hosts) - 1)
	}
	return 0
}

// The bits of what a person of a day did: 24 hours, 22 statuses, 6 classes of
// statuses, 10 hosts that sent them, whether they were at the first site, and whether they got something else
// than a 4xx.
const (
	firstStatus    = 1 << 24
	firstClass     = 1 << (24 + 22)
	firstHost      = 1 << (24 + 22 + 6)
	hostBits       = 10
	atFirstSite    = 1 << 62
	notClientError = 1 << 63
)

var statusBits = func() (bits [maxStatus + 1]uint64) {
	for i, s := range [...]uint16{200, 304, 301, 302, 404, 206, 204, 403, 500, 401, 400, 499, 502, 503, 504, 201, 405, 303, 307, 308, 429, 416} {
		bits[s] = firstStatus << i
	}
	return bits
}()

// statusBit returns the bit of a status, 0 for those that are rare.
func statusBit(status uint16) uint64 { return statusBits[status] }
