package clickhouse

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

var classes = []string{"unspecified", "trace", "debug", "info", "warn", "error", "fatal"}

// events draws rows that processors make of logs and visits. Each has its number
// in a field.
func (g *gen) events() {
	b := g.b
	small := rapid.Float32Range(-180, 180)
	for i := range g.n(8) {
		b.WebHits = append(b.WebHits, telemetry.WebHit{
			Time: g.time(), TraceID: g.traceID(), Resource: g.index(len(b.Resources)), Site: g.text(), Client: g.text(), Visitor: uint64(i),
			Country: g.text(), City: g.text(), Latitude: small.Draw(g.T, "latitude"), Longitude: small.Draw(g.T, "longitude"), User: g.text(),
			Method: g.text(), Path: g.text(), Query: g.text(), Route: g.text(), Protocol: g.text(), Status: uint16(g.n(999)),
			Sent: g.nanoseconds(), Duration: g.nanoseconds(), Asset: g.bool(), Referrer: g.text(), ReferrerHost: g.text(), Keywords: g.text(),
			UserAgent: g.text(), Browser: g.text(), System: g.text(), Bot: g.text(), TLS: g.text(), Cache: g.text(),
		})
		b.WebSessions = append(b.WebSessions, telemetry.WebSession{
			Tenant: g.tenant(), Site: g.text(), Visitor: uint64(i), Start: g.time(), End: g.time(), Client: g.text(), Country: g.text(), User: g.text(),
			Browser: g.text(), System: g.text(), Bot: g.text(), ReferrerHost: g.text(), Entry: g.text(), Exit: g.text(),
			Hits: g.count(), Pages: g.count(), Failures: g.count(), Errors: g.count(), Sent: g.nanoseconds(),
		})
		f := telemetry.Finding{
			Tenant: g.tenant(), ID: uint64(i), Kind: g.text(), Actor: g.text(), Target: g.text(), Subject: g.text(), First: g.time(), Last: g.time(),
			Hits: g.uint64(), Clients: g.uint64(), Confidence: rapid.Float64Range(0, 1).Draw(g.T, "confidence"), Harmless: g.uint64(), Reason: g.text(), Over: g.bool(),
			Evidence: telemetry.Range{Start: uint32(len(b.Words))},
		}
		for range g.n(3) {
			b.Words = append(b.Words, g.text())
		}
		f.Evidence.End = uint32(len(b.Words))
		b.Findings = append(b.Findings, f)
		b.Patterns = append(b.Patterns, telemetry.PatternCount{
			Tenant: g.tenant(), Service: g.text(), Time: g.time(), Class: uint8(g.n(6)), ID: g.uint64(), Text: g.text(), Lines: uint64(i),
		})
		b.Failures = append(b.Failures, telemetry.Failure{
			Time: g.time(), Resource: g.index(len(b.Resources)), TraceID: g.traceID(), SpanID: g.spanID(), Group: uint64(i), Fingerprint: g.text(),
			Type: g.text(), Message: g.text(), Culprit: g.text(), Stack: g.text(), Class: uint8(g.n(6)), Handled: g.bool(),
			Release: g.text(), Environment: g.text(), User: g.text(), Transaction: g.text(), Event: g.text(),
		})
		b.Changes = append(b.Changes, telemetry.Change{
			Tenant: g.tenant(), Time: g.time(), ID: fmt.Sprintf("%03d", i), Kind: g.text(), Status: g.text(), Service: g.text(), Version: g.text(),
			Host: g.text(), Environment: g.text(), Author: g.text(), Source: g.text(), Link: g.text(), Title: g.text(),
		})
	}
}

func TestEventsRoundTrip(t *testing.T) {
	s := newStore(t)
	sink := s.sink()
	from := int64(0)
	batches := rapid.Custom(func(t *rapid.T) *telemetry.Batch {
		b := new(telemetry.Batch)
		g := gen{t, b}
		g.block(telemetry.Logs, from)
		g.events()
		return b
	})
	for i := range 25 {
		from += 10
		b := *batches.Example(i)
		if err := sink.Write(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		row := func(tenant string, at time.Time, more stored) stored {
			more["tenant"], more["time"] = tenant, at
			more["retention_days"], more["kafka_partition"], more["kafka_offset"] = DefaultConfig().Retention.Logs, uint32(b.Partition), uint64(b.From)
			return more
		}
		var hits, sessions, findings, patterns, failures, changes []stored
		for i := range b.WebHits {
			h := &b.WebHits[i]
			r := &b.Resources[h.Resource]
			hits = append(hits, row(b.TenantOf(h.Resource), at(h.Time), stored{
				"bucket": bucketTime(h.Time), "site": h.Site, "service": r.Service, "host_name": telemetry.TextOf(b.AttrsOf(r.Attrs), "host.name"), "client": h.Client,
				"visitor": h.Visitor, "country": h.Country, "city": h.City, "latitude": h.Latitude, "longitude": h.Longitude, "user": h.User,
				"method": h.Method, "path": h.Path, "query": h.Query, "route": h.Route, "protocol": h.Protocol, "status": h.Status,
				"sent": h.Sent, "duration_ns": h.Duration, "asset": h.Asset, "referrer": h.Referrer, "referrer_host": h.ReferrerHost, "keywords": h.Keywords,
				"user_agent": h.UserAgent, "browser": h.Browser, "system": h.System, "bot": h.Bot, "tls": h.TLS, "cache": h.Cache, "trace_id": string(h.TraceID[:]),
			}))
			v := &b.WebSessions[i]
			sessions = append(sessions, row(v.Tenant, at(v.Start), stored{
				"bucket": bucketTime(v.Start), "site": v.Site, "end_time": at(v.End), "visitor": v.Visitor, "client": v.Client, "country": v.Country, "user": v.User,
				"browser": v.Browser, "system": v.System, "bot": v.Bot, "referrer_host": v.ReferrerHost, "entry": v.Entry, "exit": v.Exit,
				"hits": v.Hits, "pages": v.Pages, "failures": v.Failures, "errors": v.Errors, "sent": v.Sent,
			}))
			f := &b.Findings[i]
			findings = append(findings, row(f.Tenant, at(f.Last), stored{
				"id": f.ID, "kind": f.Kind, "actor": f.Actor, "site": f.Target, "subject": f.Subject, "first_time": at(f.First), "hits": f.Hits, "clients": f.Clients,
				"confidence": math.Float64bits(f.Confidence), "harmless": f.Harmless, "reason": f.Reason, "over": f.Over,
				"evidence": append([]string{}, b.Words[f.Evidence.Start:f.Evidence.End]...),
			}))
			p := &b.Patterns[i]
			patterns = append(patterns, row(p.Tenant, time.Unix(p.Time/1e9, 0).UTC(), stored{
				"service": p.Service, "severity_class": classes[p.Class], "pattern_id": p.ID, "pattern": p.Text, "lines": p.Lines,
			}))
			x := &b.Failures[i]
			failures = append(failures, row(b.TenantOf(x.Resource), at(x.Time), stored{
				"bucket": bucketTime(x.Time), "service": b.Resources[x.Resource].Service, "error_group": x.Group, "fingerprint": x.Fingerprint, "type": x.Type,
				"message": x.Message, "culprit": x.Culprit, "stack": x.Stack, "severity_class": classes[x.Class], "handled": x.Handled,
				"release": x.Release, "environment": x.Environment, "user": x.User, "transaction": x.Transaction, "event_id": x.Event,
				"trace_id": string(x.TraceID[:]), "span_id": string(x.SpanID[:]),
			}))
			c := &b.Changes[i]
			changes = append(changes, row(c.Tenant, at(c.Time), stored{
				"id": c.ID, "kind": c.Kind, "status": c.Status, "service": c.Service, "version": c.Version, "host_name": c.Host, "environment": c.Environment,
				"author": c.Author, "source": c.Source, "link": c.Link, "title": c.Title,
			}))
		}
		check(t, "hits", s.read(t, tables.WebHits, &b, "visitor"), hits)
		check(t, "sessions", s.read(t, tables.WebSessions, &b, "visitor"), sessions)
		check(t, "findings", s.read(t, tables.Findings, &b, "id"), findings)
		check(t, "patterns", s.read(t, tables.LogPatterns1m, &b, "lines"), patterns)
		check(t, "errors", s.read(t, tables.Errors, &b, "error_group"), failures)
		check(t, "changes", s.read(t, tables.Changes, &b, "id"), changes)
	}
}
