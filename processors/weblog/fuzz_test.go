package weblog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/processors/weblog"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// FuzzProcess reads two lines of anything, and attributes of anything, twice: with
// state that is carried on and with state that is restored.
func FuzzProcess(f *testing.F) {
	f.Add(`198.51.100.7 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 2326`, "x", "GET", "/a", "192.0.2.1", "\n\x0c\n\x0aMozilla/5.0", uint64(200))
	f.Add("#Fields: c-ip date time cs-method cs-uri-stem sc-status", "192.0.2.3 2024-05-01 12:00:02 GET /default.aspx 404", "", "", "", "", uint64(0))
	cfg := weblog.DefaultConfig()
	cfg.Geo.Enabled = false
	f.Fuzz(func(t *testing.T, first, second, method, url, client, agents string, status uint64) {
		run := func(restore bool) (hits []telemetry.WebHit) {
			p, err := weblog.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range []string{first, second} {
				b := &telemetry.Batch{
					Records: []telemetry.Record{{Tenant: "acme"}}, Resources: []telemetry.Resource{{Service: "web"}},
					Attrs: []telemetry.Attr{
						{Key: "http.request.method", Value: telemetry.StringValue(method)},
						{Key: "url.full", Value: telemetry.StringValue(url)},
						{Key: "client.address", Value: telemetry.StringValue(client)},
						{Key: "http.response.status_code", Value: telemetry.IntValue(int64(status))},
						{Key: "user_agent.original", Value: telemetry.Value{Kind: telemetry.KindArray, Str: agents}},
					},
				}
				b.Logs = []telemetry.Log{{Body: telemetry.StringValue(line), Attrs: telemetry.Range{End: uint32(len(b.Attrs))}}}
				if err := p.Process(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				if len(b.WebHits) > 1 || len(b.Derived) != len(b.WebHits) {
					t.Fatalf("%d hits and %d records of one line", len(b.WebHits), len(b.Derived))
				}
				hits = append(hits, b.WebHits...)
				if restore {
					state := p.Snapshot(nil)
					if p, err = weblog.New(cfg); err != nil {
						t.Fatal(err)
					}
					if err := p.Restore(state); err != nil {
						t.Fatal(err)
					}
				}
			}
			return hits
		}
		if diff := cmp.Diff(run(false), run(true)); diff != "" {
			t.Fatal(diff)
		}
	})
}
