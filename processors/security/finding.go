package security

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/processors/security/distinct"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// many is the actor of what a crowd does.
const many = "many"

// finding is a finding that is not over.
type finding struct {
	kind                         kind
	tenant, actor, site, subject string
	// key is a hash of all of these, group of the tenant, the kind and the site, and id
	// of the key and the time.
	key, group, id uint64
	// client is the key of the client, 0 for others.
	client uint64

	first, last    int64
	hits, harmless uint64
	// answered counts the hits by the class of their status: others, 2xx and 3xx, 4xx,
	// 5xx.
	answered [4]uint64
	// clients is nil for one client. Usual is how many requests in ten seconds are no
	// part of what a crowd does, and active for how long it did it.
	clients *distinct.Many
	usual   float64
	active  int64
	doubt   float64
	// unit is the number of hits that it opened with.
	unit     uint64
	detail   string // begins the reason
	evidence []line

	// told is the time of the clock of the last row and toldHits what that said;
	// fresh is set until there is one.
	told     int64
	toldHits uint64
	fresh    bool
}

// newID returns what all rows about a finding that opens at a time have. Partitions
// that see parts of the same crowd begin with it in the same minute, as a rule.
func newID(key uint64, actor string, at int64) uint64 {
	if actor == many {
		at -= at % int64(time.Minute)
	}
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], key)
	binary.LittleEndian.PutUint64(b[8:], uint64(at)) //nolint:gosec // the same bits
	return xxh3.Hash(b[:])
}

// hit counts a request that is part of the finding.
func (p *Processor) hit(f *finding, v *visit, weight uint8) {
	if f.hits == f.toldHits {
		p.due = min(p.due, f.told+int64(p.cfg.Interval))
	}
	f.hits++
	f.active += min(max(v.at-f.last, 0), int64(time.Second))
	f.first, f.last = min(f.first, v.at), max(f.last, v.at)
	switch s := v.hit.Status; {
	case s >= 200 && s < 400:
		f.answered[1]++
	case s >= 400 && s < 500:
		f.answered[2]++
	case s >= 500 && s < 600:
		f.answered[3]++
	default:
		f.answered[0]++
	}
	if f.clients != nil {
		f.clients.Add(v.client)
	}
	if v.hit.Status >= 200 && v.hit.Status < 300 || v.hit.Status >= 500 {
		weight++ // it got through, or broke something
	}
	p.prove(f, v.hit, weight)
}

// prove adds a request to the evidence: the first ones, and then those that tell
// more than others.
func (p *Processor) prove(f *finding, h *telemetry.WebHit, weight uint8) {
	if len(f.evidence) < maxEvidence {
		f.evidence = append(f.evidence, line{combined(h), weight})
		return
	}
	least := firstLines
	for i := firstLines + 1; i < len(f.evidence); i++ {
		if f.evidence[i].weight < f.evidence[least].weight {
			least = i
		}
	}
	if weight > f.evidence[least].weight {
		f.evidence[least] = line{combined(h), weight}
	}
}

// keys returns the key and the group of a finding.
func keys(k kind, v *visit, actor, subject string) (key, group uint64) {
	group = xxh3.HashStringSeed(names[k], v.site) // a site is one of a tenant
	return xxh3.HashStringSeed(subject, xxh3.HashStringSeed(actor, group)), group
}

// full reports whether so many of a group are open that others become part of what
// many do: a finding for each address of an attack by a million helps nobody.
func (p *Processor) full(group uint64) bool { return p.groups[group] >= max(p.cfg.MaxFindings/10, 1) }

// maxName bounds the texts of a finding.
const maxName = 256

func kept(s string) string {
	if len(s) > maxName {
		s = s[:maxName]
	}
	return strings.ToValidUTF8(strings.Clone(s), "\uFFFD")
}

// open begins a finding. Where there are too many, the one that was last seen
// longest ago is told as it is and forgotten, one about many clients only if there
// is no other.
func (p *Processor) open(b *telemetry.Batch, k kind, v *visit, actor, subject string, key, group uint64) *finding {
	if len(p.findings) >= p.cfg.MaxFindings {
		oldest := 0
		for i, f := range p.findings {
			if o := p.findings[oldest]; (o.actor == many) != (f.actor == many) && o.actor == many || f.last < o.last && (f.actor != many || o.actor == many) {
				oldest = i
			}
		}
		p.close(b, oldest)
	}
	f := &finding{
		kind: k, tenant: kept(v.tenant), actor: kept(actor), site: kept(v.hit.Site), subject: kept(subject), key: key, group: group, id: newID(key, actor, v.at),
		first: v.at, last: v.at, doubt: doubts[k], unit: 1, fresh: true, told: p.clock.Now,
	}
	p.findings = append(p.findings, f)
	p.byKey[key] = f
	p.groups[group]++
	p.fresh++
	p.due = min(p.due, p.clock.Now)
	return f
}

// crowdOf returns the finding about what many do, and opens it if it is not open.
func (p *Processor) crowdOf(b *telemetry.Batch, k kind, v *visit, subject string) *finding {
	key, group := keys(k, v, many, subject)
	f := p.byKey[key]
	if f == nil {
		f = p.open(b, k, v, many, subject, key, group)
		f.clients = new(distinct.Many)
	}
	return f
}

// tell makes a row of a finding.
func (p *Processor) tell(b *telemetry.Batch, f *finding, over bool) {
	from := uint32(len(b.Words)) //nolint:gosec // an arena of a batch
	for _, l := range f.evidence {
		b.Words = append(b.Words, l.text)
	}
	row := telemetry.Finding{
		Tenant: f.tenant, ID: f.id, Kind: names[f.kind], Actor: f.actor, Target: f.site, Subject: f.subject, First: f.first, Last: f.last,
		Hits: f.hits, Clients: 1, Confidence: f.confidence(), Harmless: f.harmless, Over: over,
		Evidence: telemetry.Range{Start: from, End: uint32(len(b.Words))}, //nolint:gosec // an arena of a batch
	}
	if f.clients != nil {
		row.Clients = max(f.clients.Count(), 1)
	}
	if f.usual > 0 {
		row.Harmless = min(uint64(f.usual*float64(f.active)/float64(window)), f.hits-1)
		row.Hits -= row.Harmless
	}
	row.Reason = f.reason()
	b.Findings = append(b.Findings, row)
	f.told, f.toldHits, f.fresh = p.clock.Now, f.hits, false
}

// confidence is what doubt leaves. Doubt shrinks as the finding grows.
func (f *finding) confidence() float64 {
	doubt := f.doubt
	for n := f.hits / max(f.unit, 1); n > 1; n /= 2 {
		doubt *= lessDoubt
	}
	return math.Round((1-max(doubt, leastSure))*100) / 100
}

func (f *finding) reason() string {
	var s strings.Builder
	s.WriteString(f.detail)
	separator := "; answers since it was found: "
	for i, class := range [...]string{"none", "2xx and 3xx", "4xx", "5xx"} {
		if f.answered[i] > 0 {
			fmt.Fprintf(&s, "%s%d %s", separator, f.answered[i], class)
			separator = ", "
		}
	}
	return s.String()
}

// tellFresh makes rows of what was found in a record.
func (p *Processor) tellFresh(b *telemetry.Batch) {
	for _, f := range p.findings {
		if f.fresh {
			p.tell(b, f, false)
		}
	}
	p.fresh = 0
}

// tellDue makes rows of what has grown for a while, and of what is over.
func (p *Processor) tellDue(b *telemetry.Batch) {
	now := p.clock.Now
	due := int64(math.MaxInt64)
	for i := 0; i < len(p.findings); {
		f := p.findings[i]
		if now-f.last >= int64(p.cfg.Quiet) {
			p.close(b, i)
			continue
		}
		if f.hits > f.toldHits {
			if now-f.told >= int64(p.cfg.Interval) {
				p.tell(b, f, false)
			} else {
				due = min(due, f.told+int64(p.cfg.Interval))
			}
		}
		due = min(due, f.last+int64(p.cfg.Quiet))
		i++
	}
	// Once a second of event time is often enough to look at all of them.
	p.due = max(due, now+int64(time.Second))
}

// close tells a finding for the last time and forgets it.
func (p *Processor) close(b *telemetry.Batch, i int) {
	f := p.findings[i]
	p.tell(b, f, true)
	p.findings = slices.Delete(p.findings, i, i+1)
	delete(p.byKey, f.key)
	if p.groups[f.group]--; p.groups[f.group] <= 0 {
		delete(p.groups, f.group)
	}
	if f.client == 0 {
		return
	}
	if c := p.clients.peek(f.client); c != nil {
		c.findings = slices.DeleteFunc(c.findings, func(other *finding) bool { return other == f })
		c.acquit(f.kind)
	}
}
