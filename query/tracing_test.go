package query_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/goshawk-observability/goshawk/query"
	"github.com/goshawk-observability/goshawk/query/traces/goshawk"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// writeSpan writes a trace of one span of a tenant, a minute ago.
func (s *service) writeSpan(t *testing.T, tenant, trace string) {
	t.Helper()
	s.store.Exec(t, `INSERT INTO `+(tables.Dialect{Database: s.store.Database}).Table(tables.Spans)+` (tenant, bucket, service, time, duration_ns, name, kind, trace_id, span_id, resource, retention_days)
SELECT ?, toStartOfInterval(now() - 60, INTERVAL 30 MINUTE), ?, now64(9) - 60, 5000000, 'GET /cart', 'server', unhex(?), unhex('00000000000000b7'), toJSONString(map('attributes', map('owner', ?))), 30`,
		tenant, "shop-"+tenant, trace, tenant)
}

// TestTracesTenants asks for traces as several clients: each sees one tenant, and
// only an operator chooses which.
func TestTracesTenants(t *testing.T) {
	s := start(t, func(c *query.Config, _ *query.Deps) {
		c.Tokens = []query.TokenConfig{{Token: "of-acme", Tenant: "acme"}, {Token: "of-all", Operator: true}}
	})
	ids := map[string]string{}
	for i, tenant := range []string{"acme", "zeta", "default"} {
		ids[tenant] = fmt.Sprintf("%032x", i+1)
		s.writeSpan(t, tenant, ids[tenant])
	}
	end := fmt.Sprintf("endTs=%d&lookback=3600000", time.Now().UnixMilli())
	paths := []string{
		"/api/services", "/api/traces", "/jaeger/api/traces?limit=5", "/api/v2/services", "/api/v2/traces?" + end, "/zipkin/api/v2/traces",
		"/tempo/api/search", "/tempo/api/search?q=%7B%7D", "/tempo/api/search/tag/service.name/values", "/tempo/api/v2/search/tag/resource.owner/values",
	}
	for _, c := range []struct {
		token, header, sees string
	}{
		{"of-acme", "", "acme"},
		{"of-acme", "zeta", "acme"}, // a token's tenant cannot be changed
		{"of-all", "zeta", "zeta"},
		{"of-all", "", "default"},
		{"of-all", "nobody", ""},
		{"of-all", "acme' OR 1=1 --", ""},
	} {
		headers := []string{"Authorization", "Bearer " + c.token}
		if c.header != "" {
			headers = append(headers, "X-Scope-OrgID", c.header)
		}
		for _, path := range paths {
			code, _, body := s.get(t, path, headers...)
			if code != http.StatusOK {
				t.Errorf("%s for %+v: %d %s", path, c, code, body)
			}
			for tenant := range ids {
				if strings.Contains(body, tenant) != (tenant == c.sees) {
					t.Errorf("%s for %+v: %s", path, c, body)
				}
			}
		}
		for tenant, id := range ids {
			want := http.StatusNotFound
			if tenant == c.sees {
				want = http.StatusOK
			}
			for _, path := range []string{"/api/traces/", "/jaeger/api/traces/", "/zipkin/api/v2/trace/", "/api/v2/trace/", "/tempo/api/traces/", "/tempo/api/v2/traces/", "/api/v1/traces/"} {
				if code, _, body := s.get(t, path+id, headers...); code != want {
					t.Errorf("%s%s for %+v: %d %s", path, id, c, code, body)
				}
			}
		}
		services, err := s.services(t, headers...)
		if want := map[string]string{"": ""}[c.sees]; err != nil || c.sees != "" && !strings.Contains(services, "shop-"+c.sees) || c.sees == "" && services != want || strings.Count(services, "shop-") > 1 {
			t.Errorf("gRPC for %+v: %q %v", c, services, err)
		}
	}
	for _, path := range append(paths, "/api/v1/traces/1", "/api/v1/service-map", "/api/v1/operations", "/api/v1/clock-offsets", "/api/v1/business-lines", "/api/traces/1", "/api/dependencies", "/tempo/api/echo") {
		if code, _, _ := s.get(t, path, "X-Scope-OrgID", "acme"); code != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", path, code)
		}
	}
	if _, err := s.services(t); status.Code(err) != codes.Unauthenticated {
		t.Errorf("gRPC without a token: %v", err)
	}
	// The path that two APIs have is Tempo's where protobuf is asked for.
	_, header, body := s.get(t, "/api/traces/"+ids["acme"], "Authorization", "Bearer of-acme", "Accept", "application/protobuf")
	if header.Get("Content-Type") != "application/protobuf" || !strings.Contains(body, "GET /cart") || strings.HasPrefix(body, "{") {
		t.Errorf("%v %q", header, body)
	}
	if _, header, body = s.get(t, "/api/traces/"+ids["acme"], "Authorization", "Bearer of-acme"); !strings.HasPrefix(body, `{"data":[`) || header.Get("X-Goshawk-Rows-Read") != "1" {
		t.Errorf("%v %q", header, body)
	}
	if _, _, body = s.get(t, "/metrics", "Authorization", "Bearer of-all"); !strings.Contains(body, `goshawk_query_requests_total{route="/tempo/api/search",status="200"}`) ||
		!strings.Contains(body, `goshawk_query_traces_rows_read_total{api="jaeger_grpc"}`) || !strings.Contains(body, `goshawk_query_traces_rows_read_total{api="goshawk"}`) || !strings.Contains(body, `route="/jaeger.api_v3.QueryService/{method}",status="200"`) {
		t.Error(body)
	}
}

// TestBusinessLines has a line from the configuration, and one from what a service
// says.
func TestBusinessLines(t *testing.T) {
	s := start(t, func(c *query.Config, _ *query.Deps) {
		c.BusinessLines = []goshawk.BusinessLine{{Name: "checkout", Services: []string{"shop-*"}}}
		c.BusinessAttribute = "owner"
	})
	s.writeSpan(t, "default", fmt.Sprintf("%032x", 1))
	s.store.Exec(t, "INSERT INTO "+(tables.Dialect{Database: s.store.Database}).Table(tables.Operations)+
		" (tenant, time, service, operation, kind, calls, retention_days) SELECT 'default', now() - 60, 'shop-a', 'GET', 'server', 3, 30")
	code, _, body := s.get(t, "/api/v1/business-lines")
	if code != http.StatusOK || !strings.Contains(body, `{"name":"checkout","services":["shop-a"]`) || !strings.Contains(body, `{"name":"default","services":["shop-default"]`) {
		t.Errorf("%d %s", code, body)
	}
	cfg := query.DefaultConfig()
	cfg.BusinessLines = []goshawk.BusinessLine{{Name: "checkout"}}
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "query.business_lines[0]: has no services") {
		t.Error(err)
	}
}

// services asks Jaeger's gRPC service on the same port, and returns the answer as
// it is encoded.
func (s *service) services(t *testing.T, headers ...string) (string, error) {
	t.Helper()
	conn, err := grpc.NewClient(strings.TrimPrefix(s.url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var answer []byte
	err = conn.Invoke(metadata.AppendToOutgoingContext(ctx, headers...), "/jaeger.api_v3.QueryService/GetServices", nil, &answer, grpc.ForceCodec(raw{}))
	return string(answer), err
}

// raw keeps messages as they are.
type raw struct{}

func (raw) Name() string                { return "proto" }
func (raw) Marshal(any) ([]byte, error) { return nil, nil }
func (raw) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), b...)
	return nil
}

// TestTracesAway asks while ClickHouse is away: every API says so in its words.
func TestTracesAway(t *testing.T) {
	s := start(t, nil)
	s.store.Stop()
	for path, want := range map[string]string{
		"/api/services": `"errors":[{"code":503,"msg":"ClickHouse cannot be reached`, "/api/v2/services": `"message":"ClickHouse cannot be reached`, "/tempo/api/search": "ClickHouse cannot be reached", "/api/traces/1": `"code":503`,
		"/api/v1/service-map": `{"error":{"message":"ClickHouse cannot be reached`, "/api/v1/traces/1": `{"error":{"message":"ClickHouse cannot be reached`,
	} {
		if code, header, body := s.get(t, path); code != http.StatusServiceUnavailable || !strings.Contains(body, want) || header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if code, _, body := s.get(t, "/tempo/api/echo"); code != http.StatusOK || body != "echo" {
		t.Errorf("echo: %d %s", code, body)
	}
	if _, err := s.services(t); status.Code(err) != codes.Unavailable {
		t.Errorf("gRPC: %v", err)
	}
	s.store.Restart(t)
	if code, _, body := s.get(t, "/api/services"); code != http.StatusOK {
		t.Errorf("after a restart: %d %s", code, body)
	}
}
