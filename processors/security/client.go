package security

import (
	"fmt"
	"math"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/processors/security/distinct"
	"github.com/goshawk-observability/goshawk/processors/security/injection"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// client is what is kept of one client of a site.
type client struct {
	// last is the time of its last request, since that of the first one that counts.
	last, since int64
	// accused are the kinds of findings that it is part of, by its own or in a crowd.
	accused set
	// trusted is whether it must not be accused, once that was asked.
	trusted trust
	// load counts quarters of requests in ten seconds.
	load ring
	// path is a hash of the path that it asks for most, if it asks for one more often
	// than for all others, and votes is by how much.
	path  uint64
	votes int32

	// What it read in the ten minutes since crawlSince: pages, assets, pages that
	// a referrer led to, hashes of paths; the gaps between pages in seconds.
	crawlSince, lastPage    int64
	pages, assets, referred uint32
	paths                   distinct.Few
	gaps                    uint32
	gapSum, gapSquares      float64

	scanning *scanning
	logging  *logging
	// pending are kinds for which it is not accused, but might be.
	pending  []pending
	findings []*finding // that are open, its own
}

type trust uint8

const (
	notAsked trust = iota
	no
	yes
)

// pending is what a client did that is not enough yet.
type pending struct {
	kind        kind
	hits        uint32
	first, last int64
	// line is the second request as evidence: most clients never send it.
	line string
}

// scanning is what a client asked for that is not there.
type scanning struct {
	since           int64
	probes, missing distinct.Few
	// requests counts those for pages, probed and lost those of them that were for such
	// paths.
	requests, probed, lost uint32
}

// logging is how a client tried to log in.
type logging struct {
	since int64
	// attempts counts hundredths of failed attempts in a minute.
	attempts      ring
	users, failed distinct.Few
}

// acquit ends what a client is accused of: it must do it all again.
func (c *client) acquit(k kind) {
	c.accused &^= 1 << k
	switch k {
	case scan:
		c.scanning = nil
	case stuffing, accounts:
		if !c.accused.has(stuffing) && !c.accused.has(accounts) {
			c.logging = nil
		}
	case scraping:
		c.crawlSince = 0
	case flood:
		c.load = ring{}
	}
}

// wait counts a request that might become part of a finding, and returns what there
// is of it.
func (c *client) wait(k kind, v *visit) *pending {
	for i := range c.pending {
		if w := &c.pending[i]; w.kind == k {
			if v.at-w.last > memory {
				*w = pending{kind: k, first: v.at}
			}
			if w.hits++; w.line == "" && w.hits > 1 {
				w.line = combined(v.hit)
			}
			w.first, w.last = min(w.first, v.at), max(w.last, v.at)
			return w
		}
	}
	c.pending = append(c.pending, pending{kind: k, hits: 1, first: v.at, last: v.at})
	return &c.pending[len(c.pending)-1]
}

// take returns what was pending of a kind, and forgets it.
func (c *client) take(k kind) (w pending) {
	for i := range c.pending {
		if c.pending[i].kind == k {
			w = c.pending[i]
			c.pending = append(c.pending[:i], c.pending[i+1:]...)
			if len(c.pending) == 0 {
				c.pending = nil
			}
			return w
		}
	}
	return w
}

// accuse counts a request as part of a finding about a client, which is opened if
// there is none: its own, or that about many where too many have their own. Subject
// and detail are for a finding that is opened, weight says how telling the request
// is. It returns the finding, nil for a client that is trusted.
func (p *Processor) accuse(b *telemetry.Batch, c *client, v *visit, k kind, part *set, weight uint8, subject, detail string) *finding {
	if c.trusted == notAsked {
		c.trusted = no
		if p.trusts(v.hit.Client) {
			c.trusted = yes
		}
	}
	if c.trusted == yes {
		return nil
	}
	*part |= 1 << k
	c.accused |= 1 << k
	for _, f := range c.findings {
		if f.kind == k {
			p.hit(f, v, weight)
			return f
		}
	}
	key, group := keys(k, v, v.hit.Client, subject)
	f := p.byKey[key]
	switch {
	case f != nil: // the client was forgotten meanwhile
	case p.full(group):
		if f = p.crowdOf(b, k, v, subject); f.detail == "" {
			f.detail = crowdDetails[k]
		}
		c.take(k)
		p.hit(f, v, weight)
		return f
	default:
		f = p.open(b, k, v, v.hit.Client, subject, key, group)
		f.detail = detail
		f.client = v.client
		if v.agent.tool != "" {
			f.doubt *= byTool
		}
		if w := c.take(k); w.hits > 0 {
			f.hits, f.first = uint64(w.hits)-1, w.first // this request is counted below
			if w.hits > 2 {
				f.evidence = append(f.evidence, line{w.line, 0})
			}
		}
		f.unit = f.hits + 1
	}
	f.client = v.client
	c.findings = append(c.findings, f)
	p.hit(f, v, weight)
	return f
}

// crowdDetails say what many do where each of them would be a finding.
var crowdDetails = [kinds]string{
	injection.SQL: "SQL in requests of many clients", injection.Script: "scripts in requests of many clients", injection.Traversal: "paths out of their folder in requests of many clients",
	injection.Command: "commands in requests of many clients", injection.Expression: "expressions in requests of many clients",
	scan: "many clients look for weaknesses", stuffing: "many clients try to log in and fail", accounts: "many clients try several accounts each",
	flood: "many clients send more requests than people do", scraping: "many clients read the site as programs do",
}

// details say what somebody does, by kind of injection.
var details = [injection.Kinds]string{
	injection.SQL: "SQL where a value belongs", injection.Script: "scripts where a value belongs", injection.Traversal: "paths that lead out of their folder, or to files of the system",
	injection.Command: "commands of a shell or an interpreter", injection.Expression: "expressions that a template or a logger would evaluate",
}

// weak is how many requests that may be attacks are one.
const weak = 3

// injections accuses a client of what was found in a request.
func (p *Processor) injections(b *telemetry.Batch, c *client, v *visit, found verdict, part *set) {
	for i, strength := range found {
		k := kind(i) //nolint:gosec // one of kinds
		switch {
		case strength == injection.None:
			continue
		case strength == injection.Strong, c.accused.has(k):
		case c.wait(k, v).hits < weak:
			continue
		}
		if strength == injection.Strong && !c.accused.has(k) && len(c.pending) > 0 {
			// It counts with those that were not enough.
			for j := range c.pending {
				if c.pending[j].kind == k {
					c.pending[j].hits++
				}
			}
		}
		before := len(p.findings)
		f := p.accuse(b, c, v, k, part, uint8(2*strength), "", details[i]) //nolint:gosec // small
		if f != nil && len(p.findings) > before && strength == injection.Weak {
			f.doubt = min(2*f.doubt, 0.6)
		}
	}
}

// scans accuses a client that looks for weaknesses: by its agent, or by what it
// asks for.
func (p *Processor) scans(b *telemetry.Batch, c *client, v *visit, probing, failed bool, part *set) {
	missing := failed && !v.hit.Asset && (v.hit.Status == 404 || v.hit.Status == 403 || v.hit.Status == 410 || v.hit.Status == 400)
	if !probing && !missing && c.scanning == nil && v.agent.tool == "" {
		return
	}
	if c.scanning == nil || v.at-c.scanning.since > memory && !c.accused.has(scan) {
		c.scanning = &scanning{since: v.at}
	}
	s := c.scanning
	if !v.hit.Asset {
		s.requests++
	}
	if probing {
		s.probes.Add(xxh3.HashString(v.hit.Path))
		s.probed++
	}
	if missing && !v.agent.search {
		s.missing.Add(xxh3.HashString(v.hit.Path))
		s.lost++
	}
	if !probing && !missing && v.agent.tool == "" {
		return
	}
	if !c.accused.has(scan) {
		c.wait(scan, v)
		probes, lost := s.probes.Count(), s.missing.Count()
		// Who has a browser asks for other things, too, and mostly.
		byPath := probes >= p.cfg.Scan.Probes && 4*s.probed >= s.requests || lost >= p.cfg.Scan.Missing && 2*s.lost >= s.requests
		if !byPath && v.agent.tool == "" {
			return
		}
		detail := fmt.Sprintf("asked for %d paths that only scanners ask for and %d that are not there", probes, lost)
		if v.agent.tool != "" {
			detail = "says that it is " + v.agent.tool
		}
		p.accuse(b, c, v, scan, part, 2, v.agent.tool, detail)
		return
	}
	p.accuse(b, c, v, scan, part, 1, v.agent.tool, "")
}

// scrapes accuses a client that reads a site as a program does: many paths, no
// assets, at a steady pace or without end.
func (p *Processor) scrapes(b *telemetry.Batch, c *client, v *visit, part *set) {
	h := v.hit
	if v.at-c.crawlSince > memory || c.crawlSince == 0 {
		if !c.accused.has(scraping) || v.at-c.lastPage > memory {
			c.crawlSince, c.lastPage = v.at, 0
			c.pages, c.assets, c.referred, c.paths, c.gaps, c.gapSum, c.gapSquares = 0, 0, 0, distinct.Few{}, 0, 0, 0
		}
	}
	if h.Asset {
		c.assets++
		return
	}
	if h.Status >= 400 || h.Method != "GET" && h.Method != "HEAD" || v.agent.search && !p.cfg.Scraping.Crawlers {
		return
	}
	c.pages++
	if h.Referrer != "" && h.Referrer != "-" {
		c.referred++
	}
	c.paths.Add(xxh3.HashStringSeed(h.Path, xxh3.HashString(h.Query)))
	if c.lastPage > 0 && v.at >= c.lastPage {
		gap := float64(v.at-c.lastPage) / 1e9
		c.gaps++
		c.gapSum += gap
		c.gapSquares += gap * gap
	}
	c.lastPage = max(c.lastPage, v.at)
	if c.accused.has(scraping) {
		p.accuse(b, c, v, scraping, part, 0, "", "")
		return
	}
	if int(c.pages) < p.cfg.Scraping.Paths || c.pages%10 != 0 {
		return
	}
	read := c.paths.Count()
	if read < p.cfg.Scraping.Paths || 20*c.assets > c.pages {
		return
	}
	pace := c.pace()
	steady := pace < steadyPace && 5*c.referred <= c.pages
	if !steady && read < 4*p.cfg.Scraping.Paths {
		return
	}
	since := c.crawlSince
	detail := fmt.Sprintf("read %d different pages in %d s and %d assets, the gaps between them vary by %.0f %% of their mean", read, (v.at-since)/1e9, c.assets, 100*pace)
	f := p.accuse(b, c, v, scraping, part, 0, "", detail)
	if f != nil && f.client == v.client && f.hits == 1 {
		f.hits, f.first, f.unit = uint64(c.pages), since, uint64(c.pages)
		if pace < steadyPace/2 {
			f.doubt *= 0.6
		}
	}
}

// steadyPace is up to where the spread of gaps, as a share of their mean, is steady.
// That of people is above 1.
const steadyPace = 0.7

// pace returns the spread of the gaps between pages as a share of their mean.
func (c *client) pace() float64 {
	if c.gaps < 2 || c.gapSum <= 0 {
		return 0
	}
	n := float64(c.gaps)
	mean := c.gapSum / n
	return math.Sqrt(max(c.gapSquares/n-mean*mean, 0)) / mean
}

// floods accuses a client that sends more than a person would, and reports whether
// the request is part of that.
func (p *Processor) floods(b *telemetry.Batch, s *site, c *client, v *visit, part *set) bool {
	if v.checks {
		return false
	}
	weight := uint32(4)
	if v.hit.Asset {
		weight = 1
	}
	c.load.add(v.at, windowSlice, weight)
	path := xxh3.HashString(v.hit.Path)
	switch {
	case c.path == path:
		c.votes = min(c.votes+1, 1<<20)
	case c.votes > 0:
		c.votes--
	default:
		c.path, c.votes = path, 1
	}
	sum, most := c.load.sum(), 4*p.cfg.Flood.Client
	if sum < most && (!c.accused.has(flood) || 2*sum < most) {
		return false
	}
	if c.accused.has(flood) {
		return p.accuse(b, c, v, flood, part, 0, "", "") != nil
	}
	if !s.notable(sum, most) {
		return false
	}
	subject := ""
	if c.path == path && 8*uint32(c.votes) >= most { //nolint:gosec // not negative
		subject = strings.Clone(v.hit.Path)
	}
	f := p.accuse(b, c, v, flood, part, 0, subject, fmt.Sprintf("%d requests in 10 s", (sum+3)/4))
	if f == nil {
		return false
	}
	if f.client == v.client && f.hits == 1 {
		f.hits, f.first, f.unit = uint64((sum+3)/4), max(c.load.since(windowSlice), c.since), uint64((sum+3)/4)
	}
	return true
}
