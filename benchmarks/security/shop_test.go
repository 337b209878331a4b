package main

import (
	"path"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/goshawk-observability/goshawk/benchmarks/shop"
	"github.com/goshawk-observability/goshawk/processors/security"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// visits returns the requests that the access lines of a shop are about.
func visits(t *testing.T, body []byte) (all []telemetry.WebHit) {
	t.Helper()
	logs := plogotlp.NewExportRequest()
	if err := logs.UnmarshalProto(body); err != nil {
		t.Fatal(err)
	}
	text := func(m pcommon.Map, name string) string {
		if v, ok := m.Get(name); ok {
			return v.AsString()
		}
		return ""
	}
	for _, r := range logs.Logs().ResourceLogs().All() {
		for _, s := range r.ScopeLogs().All() {
			for _, l := range s.LogRecords().All() {
				a := l.Attributes()
				status, ok := a.Get("http.response.status_code")
				client := text(a, "client.address")
				if !ok || client == "" {
					continue
				}
				h := telemetry.WebHit{
					Time: int64(l.Timestamp()), Site: text(a, "server.address"), Client: client, Method: text(a, "http.request.method"), Path: text(a, "url.path"),
					Query: text(a, "url.query"), Status: uint16(status.Int()), Sent: -1, Duration: -1, UserAgent: text(a, "user_agent.original"), Referrer: text(a, "http.request.header.referer"),
				}
				h.Asset = slices.Contains([]string{".webp", ".js", ".css", ".woff2", ".png"}, path.Ext(h.Path))
				all = append(all, h)
			}
		}
	}
	return all
}

// TestShop runs the shop of the demo with its incidents: whoever causes one is
// found, with the kind that the truth says, and nobody else is accused.
func TestShop(t *testing.T) {
	// How sure a finding is at least. A client that only fails to log in could have
	// forgotten its password.
	least := map[shop.Kind]float64{
		shop.SQLInjection: .9, shop.RequestFlood: .9, shop.VulnerabilityScan: .9, shop.CredentialStuffing: .75,
	}
	for _, c := range []struct {
		rate    float64
		minutes int
	}{{500, 10}, {5000, 10}} {
		if raceDetector && c.rate > 500 {
			continue
		}
		cfg := shop.DefaultConfig()
		cfg.Start = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
		cfg.Rate = c.rate
		var err error
		if cfg.Incidents, err = shop.ParseIncidents("sql_injection@1m+1m,traffic_burst@90s+60s,request_flood@3m+90s,credential_stuffing@5m+90s,vulnerability_scan@7m+90s"); err != nil {
			t.Fatal(err)
		}
		s, err := shop.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p, err := security.New(security.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]map[string]telemetry.Finding{}
		requests := 0
		until := cfg.Start.Add(time.Duration(c.minutes) * time.Minute).UnixNano()
		for {
			r, ok := s.Next(until)
			if !ok {
				break
			}
			if r.Signal != telemetry.Logs {
				continue
			}
			hits := visits(t, r.Body)
			requests += len(hits)
			b := &telemetry.Batch{
				Records: []telemetry.Record{{Tenant: "default", ReceiveTime: s.Now()}}, Resources: []telemetry.Resource{{}}, Visits: hits,
			}
			if err := p.Process(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			for _, f := range b.Findings {
				if found[f.Actor] == nil {
					found[f.Actor] = map[string]telemetry.Finding{}
				}
				found[f.Actor][f.Kind] = f
			}
		}
		for _, i := range s.Incidents() {
			if i.Client == "" {
				continue
			}
			f, ok := found[i.Client][string(i.Kind)]
			if !ok {
				t.Errorf("rate %v: %s by %s is not found, only %v", c.rate, i.Kind, i.Client, found[i.Client])
			} else if f.Confidence < least[i.Kind] || time.Unix(0, f.First).Sub(i.Start) > 10*time.Second {
				t.Errorf("rate %v: %+v", c.rate, f)
			}
			delete(found, i.Client)
		}
		for actor, kinds := range found {
			t.Errorf("rate %v: %s is accused: %+v", c.rate, actor, kinds)
		}
		t.Logf("rate %v: %d requests", c.rate, requests)
	}
}
