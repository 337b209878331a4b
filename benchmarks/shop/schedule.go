package shop

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Incident is one thing that goes wrong, and the truth about it: what a
// detector is measured against.
type Incident struct {
	ID       string    `json:"id"`
	Kind     Kind      `json:"kind"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Services []string  `json:"services"`
	Hosts    []string  `json:"hosts"`
	// Client is the address of the visitor who causes it, if one does.
	Client string `json:"client,omitempty"`
	// Effect says what it does, Symptoms what can be seen of it.
	Effect   string   `json:"effect"`
	Symptoms []string `json:"symptoms"`

	stage int
}

// Plan says which incidents happen. The zero value is none.
type Plan struct {
	// Rotation lists the kinds that happen one after the other, in an order
	// that the seed shuffles anew each round.
	Rotation []Kind
	// Fixed are incidents at a time of their own.
	Fixed []Planned
}

// Planned is an incident at a fixed time.
type Planned struct {
	Kind Kind
	// After is the time from the shop's start to the incident's.
	After time.Duration
	// Length is how long it lasts, 0 to let the seed choose.
	Length time.Duration
}

// DefaultPlan has every kind of incident happen in turn: the first one 30 to 60
// seconds after the start, then one every few minutes.
func DefaultPlan() Plan { return Plan{Rotation: Kinds()} }

// ParseIncidents reads a plan: "none", "default", or a list of kinds, such as
// "slow_database,bad_deploy". A kind with a time, such as "bad_deploy@2m" or
// "bad_deploy@2m+90s", happens once, that long after the start and for that
// long; kinds without one happen in turn for ever.
func ParseIncidents(text string) (Plan, error) {
	switch text = strings.TrimSpace(text); text {
	case "none":
		return Plan{}, nil
	case "", "default":
		return DefaultPlan(), nil
	}
	var p Plan
	for item := range strings.SplitSeq(text, ",") {
		name, when, fixed := strings.Cut(strings.TrimSpace(item), "@")
		kind := Kind(name)
		if scriptOf(kind) == nil {
			return Plan{}, fmt.Errorf("incident %q: want none, default, or kinds of %s", name, kindNames())
		}
		if !fixed {
			p.Rotation = append(p.Rotation, kind)
			continue
		}
		after, length, long := strings.Cut(when, "+")
		planned := Planned{Kind: kind}
		var err error
		if planned.After, err = time.ParseDuration(after); err != nil || planned.After < 0 {
			return Plan{}, fmt.Errorf("incident %q: want a time after the start such as %s@2m, not %q", item, name, after)
		}
		if long {
			if planned.Length, err = time.ParseDuration(length); err != nil || planned.Length <= 0 {
				return Plan{}, fmt.Errorf("incident %q: want a length such as %s@2m+90s, not %q", item, name, length)
			}
		}
		p.Fixed = append(p.Fixed, planned)
	}
	return p, nil
}

// schedule yields the incidents of a plan as time goes by.
type schedule struct {
	random   *random
	rotation []Kind
	deck     []Kind // what is left of the round
	next     *Incident
	fixed    []*Incident // by start
	active   []*Incident
	past     []*Incident // begun, oldest first
	acted    bool        // the last tick had effects
	count    int
}

func newSchedule(p Plan, seed uint64, start int64) *schedule {
	c := &schedule{random: newRandom(seed, 0x1c1d), rotation: p.Rotation}
	for _, f := range p.Fixed {
		script := scriptOf(f.Kind)
		length := f.Length
		if length == 0 {
			length = c.length(script)
		}
		c.fixed = append(c.fixed, newIncident(script, start+int64(f.After), length))
	}
	slices.SortStableFunc(c.fixed, func(a, b *Incident) int { return cmp.Compare(a.Start.UnixNano(), b.Start.UnixNano()) })
	if len(p.Rotation) > 0 {
		c.draw(start + int64(30*time.Second) + int64(c.random.float()*float64(30*time.Second)))
	}
	return c
}

func newIncident(c *script, start int64, length time.Duration) *Incident {
	from := time.Unix(0, start).UTC()
	return &Incident{Kind: c.kind, Start: from, End: from.Add(length), Services: c.services, Hosts: c.hosts, Effect: c.effect, Symptoms: c.symptoms}
}

// length draws how long an incident lasts, in whole seconds.
func (c *schedule) length(s *script) time.Duration {
	seconds := int64((s.high - s.low) / time.Second)
	return s.low + time.Duration(c.random.below(int(seconds)+1))*time.Second
}

// draw decides the next incident of the rotation.
func (c *schedule) draw(start int64) {
	if len(c.deck) == 0 {
		c.deck = slices.Clone(c.rotation)
		for i := len(c.deck) - 1; i > 0; i-- {
			j := c.random.below(i + 1)
			c.deck[i], c.deck[j] = c.deck[j], c.deck[i]
		}
	}
	kind := c.deck[0]
	c.deck = c.deck[1:]
	script := scriptOf(kind)
	c.next = newIncident(script, start, c.length(script))
}

// advance moves to the tick that begins now and returns what begins and what is
// over by then.
func (c *schedule) advance(now int64) (begun, ended []*Incident) {
	active := c.active[:0]
	for _, i := range c.active {
		if i.End.UnixNano() <= now {
			ended = append(ended, i)
		} else {
			active = append(active, i)
		}
	}
	c.active = active
	begin := func(i *Incident) {
		if i.End.UnixNano() <= now {
			return // skipped over
		}
		c.count++
		i.ID = fmt.Sprintf("%04d-%s", c.count, i.Kind)
		c.active = append(c.active, i)
		c.past = append(c.past, i)
		begun = append(begun, i)
	}
	for len(c.fixed) > 0 && c.fixed[0].Start.UnixNano() <= now {
		begin(c.fixed[0])
		c.fixed = c.fixed[1:]
	}
	for c.next != nil && c.next.Start.UnixNano() <= now {
		i := c.next
		begin(i)
		c.draw(i.End.UnixNano() + int64(time.Minute) + int64(c.random.float()*float64(2*time.Minute)))
	}
	return begun, ended
}
