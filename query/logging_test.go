package query_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/goshawk-observability/goshawk/query"
	"github.com/goshawk-observability/goshawk/query/querytest"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// TestLogsTenants asks for logs as several clients, also by WebSocket: each sees
// one tenant, and only an operator chooses which.
func TestLogsTenants(t *testing.T) {
	s := start(t, func(c *query.Config, _ *query.Deps) {
		c.Tokens = []query.TokenConfig{{Token: "of-acme", Tenant: "acme"}, {Token: "of-all", Operator: true}}
	})
	for _, tenant := range []string{"acme", "zeta", "default"} {
		s.store.WriteRows(t, querytest.Block{Tenant: tenant, Time: time.Now().Add(-time.Minute)}, tables.Logs, 2)
	}
	selector := url.QueryEscape(`{service_name="checkout"}`)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, c := range []struct{ token, header, sees string }{
		{"of-acme", "", "acme"}, {"of-acme", "zeta", "acme"}, {"of-all", "zeta", "zeta"}, {"of-all", "", "default"},
	} {
		headers := []string{"Authorization", "Bearer " + c.token, "X-Scope-OrgID", c.header}
		status, _, body := s.get(t, "/loki/api/v1/query_range?query="+selector, headers...)
		if status != http.StatusOK || strings.Count(body, "secret of ") != 2 || !strings.Contains(body, "secret of "+c.sees+" 1") {
			t.Errorf("%+v: %d %s", c, status, body)
		}
		//nolint:bodyclose // the library closes it
		conn, _, err := websocket.Dial(ctx, s.url+"/loki/api/v1/tail?query="+selector, &websocket.DialOptions{HTTPHeader: http.Header{
			"Authorization": {"Bearer " + c.token}, "X-Scope-Orgid": {c.header},
		}})
		if err != nil {
			t.Fatal(err)
		}
		_, message, err := conn.Read(ctx)
		if err != nil || strings.Count(string(message), "secret of ") != 2 || !strings.Contains(string(message), "secret of "+c.sees+" 0") {
			t.Errorf("%+v: %v %s", c, err, message)
		}
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}
	for _, path := range []string{"/loki/api/v1/labels", "/loki/api/v1/tail?query=" + selector, "/api/v1/logs/context", "/api/v1/traces/1/logs", "/ready"} {
		if status, _, _ := s.get(t, path); status != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", path, status)
		}
	}
	// A page of another site cannot follow either.
	//nolint:bodyclose // the library closes it
	if _, response, err := websocket.Dial(ctx, s.url+"/loki/api/v1/tail?query="+selector, &websocket.DialOptions{HTTPHeader: http.Header{
		"Authorization": {"Bearer of-acme"}, "Origin": {"https://evil.example.org"},
	}}); err == nil || response == nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another site: %v", err)
	}
}
