package query_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/query"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// writeGauge writes a series of a tenant, with a sample and an exemplar a second
// ago. The value tells tenants apart.
func (s *service) writeGauge(t *testing.T, tenant string, fingerprint, value int) {
	t.Helper()
	table := func(name string) string { return tables.Dialect{Database: s.store.Database}.Table(name) }
	s.store.Exec(t, `INSERT INTO `+table(tables.Series)+` (tenant, metric, fingerprint, prometheus_name, labels, protocol, day, kind, description, retention_days)
SELECT ?, 'load', ?, 'load', map('owner', ?), 'otlp', arrayJoin([toDate(now('UTC')) - 1, toDate(now('UTC'))]), 'gauge', ?, 30`, tenant, fingerprint, tenant, "of "+tenant)
	for _, more := range []string{tables.Samples + " (value, ", tables.Exemplars + " (exemplar_time, value, "} {
		name, columns, _ := strings.Cut(more, " (")
		values := "?, "
		if name == tables.Exemplars {
			values = "now64(9) - 1, ?, "
		}
		s.store.Exec(t, `INSERT INTO `+table(name)+` (`+columns+`tenant, metric, fingerprint, bucket, time, retention_days)
SELECT `+values+`?, 'load', ?, toStartOfInterval(now() - 1, INTERVAL 30 MINUTE), now64(9) - 1, 30`, value, tenant, fingerprint)
	}
}

// TestPromQLTenants asks for metrics as several clients: each sees one tenant,
// and only an operator chooses which.
func TestPromQLTenants(t *testing.T) {
	s := start(t, func(c *query.Config, _ *query.Deps) {
		c.Tokens = []query.TokenConfig{{Token: "of-acme", Tenant: "acme"}, {Token: "of-all", Operator: true}}
	})
	s.writeGauge(t, "acme", 1, 11)
	s.writeGauge(t, "zeta", 2, 22)
	s.writeGauge(t, "default", 3, 33)
	bounds := fmt.Sprintf("start=%d&end=%d", time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix())
	paths := []string{
		"/api/v1/query?query=load", "/api/v1/query_range?query=load&step=60&" + bounds, "/api/v1/series?match[]=load&" + bounds,
		"/api/v1/label/owner/values?" + bounds, "/api/v1/query_exemplars?query=load&" + bounds, "/api/v1/metadata", "/api/v1/cardinality", "/api/v1/status/tsdb",
		"/api/v1/query?query=" + url.QueryEscape(`{owner=~".+"}`), "/api/v1/query?query=" + url.QueryEscape(`{tenant="zeta"} or load{owner!="x"}`),
	}
	for _, c := range []struct {
		token, header, sees string
	}{
		{"of-acme", "", "acme"},
		{"of-acme", "zeta", "acme"}, // a token's tenant cannot be changed
		{"of-acme", "default", "acme"},
		{"of-all", "zeta", "zeta"},
		{"of-all", "acme", "acme"},
		{"of-all", "", "default"},
		{"of-all", "nobody", ""},
		{"of-all", "acme' OR 1=1 --", ""},
		{"of-all", "acme|zeta", ""},
	} {
		for _, path := range paths {
			headers := []string{"Authorization", "Bearer " + c.token}
			if c.header != "" {
				headers = append(headers, "X-Scope-OrgID", c.header)
			}
			status, _, body := s.get(t, path, headers...)
			if status != http.StatusOK {
				t.Errorf("%s for %+v: %d %s", path, c, status, body)
			}
			for _, tenant := range []string{"acme", "zeta", "default"} {
				if strings.Contains(body, tenant) != (tenant == c.sees) {
					t.Errorf("%s for %+v: %s", path, c, body)
				}
			}
		}
	}
	for _, path := range append(paths, "/api/v1/labels", "/api/v1/targets", "/api/v1/rules", "/api/v1/read", "/api/v1/status/flags") {
		if status, _, _ := s.get(t, path, "X-Scope-OrgID", "acme"); status != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", path, status)
		}
	}
}
