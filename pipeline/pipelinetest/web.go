package pipelinetest

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// visitFields are those of the line of a visit.
func (p *parser) visitFields(h *telemetry.WebHit) map[string]func(string) error {
	return map[string]func(string) error{
		"time": timeField(&h.Time), "site": p.stringField(&h.Site), "client": p.stringField(&h.Client),
		"visitor": func(v string) (err error) { h.Visitor, err = strconv.ParseUint(v, 10, 64); return err },
		"country": p.stringField(&h.Country), "user": p.stringField(&h.User), "method": p.stringField(&h.Method),
		"path": p.stringField(&h.Path), "query": p.stringField(&h.Query), "route": p.stringField(&h.Route), "protocol": p.stringField(&h.Protocol),
		"status": func(v string) error {
			n, err := strconv.ParseUint(v, 10, 16)
			h.Status = uint16(n)
			return err
		},
		"sent": intField(&h.Sent), "duration": timeField(&h.Duration),
		"asset":    func(v string) (err error) { h.Asset, err = strconv.ParseBool(v); return err },
		"referrer": p.stringField(&h.Referrer), "referrer_host": p.stringField(&h.ReferrerHost), "agent": p.stringField(&h.UserAgent),
		"browser": p.stringField(&h.Browser), "system": p.stringField(&h.System), "bot": p.stringField(&h.Bot),
		"trace": hexField(h.TraceID[:]),
	}
}

// formatEvents writes the lines of what processors read out of logs and visits.
func formatEvents(s *strings.Builder, b *telemetry.Batch) {
	none := telemetry.Range{}
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	for i := range b.WebHits {
		h := &b.WebHits[i]
		known := func(n int64) string {
			if n < 0 {
				return "unknown"
			}
			return fmt.Sprint(n)
		}
		place := ""
		if h.Latitude != 0 || h.Longitude != 0 {
			place = fmt.Sprintf("%.2f,%.2f", h.Latitude, h.Longitude)
		}
		line(s, b, "hit", none, "time", fmt.Sprint(h.Time), "tenant", b.TenantOf(h.Resource), "site", h.Site, "client", h.Client,
			"visitor", fmt.Sprintf("%016x", h.Visitor), "country", h.Country, "city", h.City, "place", place, "user", h.User,
			"method", h.Method, "path", h.Path, "query", h.Query, "route", h.Route, "protocol", h.Protocol, "status", fmt.Sprint(h.Status),
			"sent", known(h.Sent), "duration", known(h.Duration), "asset", mark(h.Asset), "referrer", h.Referrer, "referrer_host", h.ReferrerHost,
			"keywords", h.Keywords, "agent", h.UserAgent, "browser", h.Browser, "system", h.System, "bot", h.Bot, "tls", h.TLS, "cache", h.Cache,
			"trace", id(h.TraceID[:]))
	}
	for i := range b.WebSessions {
		v := &b.WebSessions[i]
		line(s, b, "session", none, "tenant", v.Tenant, "site", v.Site, "visitor", number(v.Visitor), "start", since1970(v.Start), "end", since1970(v.End),
			"client", v.Client, "country", v.Country, "user", v.User, "browser", v.Browser, "system", v.System, "bot", v.Bot,
			"referrer_host", v.ReferrerHost, "entry", v.Entry, "exit", v.Exit, "hits", fmt.Sprint(v.Hits), "pages", fmt.Sprint(v.Pages),
			"failures", fmt.Sprint(v.Failures), "errors", fmt.Sprint(v.Errors), "sent", fmt.Sprint(v.Sent))
	}
	for i := range b.Findings {
		f := &b.Findings[i]
		line(s, b, "finding", none, "tenant", f.Tenant, "id", fmt.Sprintf("%016x", f.ID), "kind", f.Kind, "actor", f.Actor, "target", f.Target,
			"subject", f.Subject, "first", since1970(f.First), "last", since1970(f.Last), "hits", number(f.Hits), "clients", number(f.Clients),
			"confidence", strconv.FormatFloat(f.Confidence, 'g', 4, 64), "harmless", number(f.Harmless), "reason", f.Reason, "over", mark(f.Over),
			"evidence", strings.Join(b.Words[f.Evidence.Start:f.Evidence.End], "\n"))
	}
	for i := range b.Patterns {
		p := &b.Patterns[i]
		line(s, b, "pattern", none, "tenant", p.Tenant, "service", p.Service, "time", since1970(p.Time), "class", fmt.Sprint(p.Class),
			"id", fmt.Sprintf("%016x", p.ID), "text", p.Text, "lines", number(p.Lines))
	}
	for i := range b.Failures {
		f := &b.Failures[i]
		line(s, b, "failure", none, "tenant", b.TenantOf(f.Resource), "service", b.Resources[f.Resource].Service, "time", fmt.Sprint(f.Time),
			"group", fmt.Sprintf("%016x", f.Group), "fingerprint", f.Fingerprint, "type", f.Type, "message", f.Message, "culprit", f.Culprit,
			"stack", f.Stack, "class", fmt.Sprint(f.Class), "handled", mark(f.Handled), "release", f.Release, "environment", f.Environment,
			"user", f.User, "transaction", f.Transaction, "event", f.Event, "trace", id(f.TraceID[:]), "span", id(f.SpanID[:]))
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		line(s, b, "change", none, "tenant", c.Tenant, "time", fmt.Sprint(c.Time), "id", c.ID, "kind", c.Kind, "status", c.Status, "service", c.Service,
			"version", c.Version, "host", c.Host, "environment", c.Environment, "author", c.Author, "source", c.Source, "link", c.Link, "title", c.Title)
	}
}

// formatGrouped writes a line for each event of a derived record of hits: how they
// are put into records depends on blocks, and does not matter.
func formatGrouped(s *strings.Builder, b *telemetry.Batch, d *telemetry.Derived) {
	inside := d.Value
	for range 2 { // the resource's logs, the scope's logs
		_, _, n := protowire.ConsumeTag(inside)
		inside, _ = protowire.ConsumeBytes(inside[n:])
	}
	for len(inside) > 0 {
		_, _, n := protowire.ConsumeTag(inside)
		event, size := protowire.ConsumeBytes(inside[n:])
		if n < 0 || size < 0 {
			fmt.Fprintf(s, "broken record for %s\n", d.Key)
			return
		}
		hash := fnv.New32a()
		hash.Write(event)
		line(s, b, "grouped", telemetry.Range{}, "tenant", d.Tenant, "key", d.Key, "hash", fmt.Sprintf("%08x", hash.Sum32()))
		inside = inside[n+size:]
	}
}

// addUp merges the lines of patterns that differ in their number of lines only:
// how a minute is cut into rows depends on blocks, and does not matter.
func addUp(lines []string) []string {
	sums := map[string]uint64{}
	lines = slices.DeleteFunc(lines, func(text string) bool {
		head, n, ok := strings.Cut(strings.TrimSuffix(text, "\n"), " lines=")
		count, err := strconv.ParseUint(n, 10, 64)
		if !ok || err != nil || !strings.HasPrefix(text, "pattern ") {
			return false
		}
		sums[head] += count
		return true
	})
	for head, count := range sums {
		lines = append(lines, fmt.Sprintf("%s lines=%d\n", head, count))
	}
	return lines
}
