package errors

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/query/querytest"
)

func TestMain(m *testing.M) { enginetest.MainTidy(m) }

// noon is the time that most rows are at.
var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// failure is a row of errors, as far as tests look at it.
type failure struct {
	at                                     time.Duration // after noon
	group                                  uint64
	service, kind, message, culprit, stack string
	release, environment, user, event      string
	handled                                bool
	trace                                  byte
}

func insert(t *testing.T, s *querytest.Store, tenant string, all ...failure) {
	t.Helper()
	var values []string
	var args []any
	for _, f := range all {
		values = append(values, "(?, fromUnixTimestamp64Nano(?), toStartOfInterval(fromUnixTimestamp(?), toIntervalMinute(30)), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'error', toFixedString(unhex(?), 16), 'POST /pay', 3650)")
		at, trace := noon.Add(f.at), ""
		if f.trace != 0 {
			trace = fmt.Sprintf("%032x", f.trace)
		}
		args = append(args, tenant, at.UnixNano(), at.Unix(), f.group, f.service, f.kind, f.message, f.culprit, f.stack, f.release, f.environment, f.user, f.event, f.handled, trace)
	}
	s.Exec(t, `INSERT INTO goshawk.errors (tenant, time, bucket, error_group, service, type, message, culprit, stack, release, environment, user, event_id, handled, severity_class, trace_id,
		transaction, retention_days) VALUES `+strings.Join(values, ", "), args...)
}

// report is a row of changes.
type report struct {
	at                                 time.Duration
	id, kind, status, service, version string
	environment, author, title, link   string
	host                               string
}

func insertChanges(t *testing.T, s *querytest.Store, tenant string, all ...report) {
	t.Helper()
	for _, r := range all {
		s.Exec(t, `INSERT INTO goshawk.changes (tenant, time, id, kind, status, service, version, environment, author, title, link, host_name, source, retention_days)
			SELECT ?, fromUnixTimestamp64Nano(?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'github', 3650`,
			tenant, noon.Add(r.at).UnixNano(), r.id, r.kind, r.status, r.service, r.version, r.environment, r.author, r.title, r.link, r.host)
	}
}

func newAPI(t *testing.T, s *querytest.Store, cfg Config) *API {
	t.Helper()
	return New(cfg, s.Conn, "goshawk", prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
}

func (a *API) get(t *testing.T, tenant, url string) (int, string) {
	t.Helper()
	mux := http.NewServeMux()
	for _, path := range a.Paths() {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { a.Serve(w, r, tenant) })
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
	return w.Code, w.Body.String()
}

func read[T any](t *testing.T, a *API, tenant, url string) (answer T) {
	t.Helper()
	status, text := a.get(t, tenant, url)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 {
		t.Fatalf("%s: %d %s", url, status, text)
	}
	return answer
}

const around = "start=2026-01-31T00:00:00Z&end=2026-02-01T00:00:00Z"

func TestErrors(t *testing.T) {
	s := querytest.Start(t)
	a := newAPI(t, s, DefaultConfig())
	insert(t, s, "acme",
		failure{at: -30 * 24 * time.Hour, group: 1, service: "cart", kind: "Closed", message: "order 1 is closed", culprit: "Cart.pay", release: "1.0", environment: "prod", user: "ann"},
		failure{at: 0, group: 1, service: "cart", kind: "Closed", message: "order 2 is closed", culprit: "Cart.pay", release: "1.1", environment: "prod", user: "ann", handled: true},
		failure{at: time.Hour, group: 1, service: "cart", kind: "Closed", message: "order 3 is closed", culprit: "Cart.pay", release: "1.2", environment: "test", user: "bob", event: "e3", stack: "the stack", trace: 7},
		failure{at: time.Hour + time.Minute, group: 1, service: "cart", kind: "Closed", message: "order 4 is closed", culprit: "Cart.pay", environment: "test"},
		failure{at: 2 * time.Hour, group: 2, service: "web", kind: "Timeout", message: "100% late", culprit: "handle", release: "9", environment: "prod", user: "eve"},
	)
	insert(t, s, "other", failure{at: 0, group: 1, service: "cart", kind: "Closed", message: "secret", release: "0.1"})
	t.Run("groups", func(t *testing.T) { testGroups(t, a) })
	t.Run("group", func(t *testing.T) { testGroup(t, a) })
	t.Run("changes", func(t *testing.T) { testChanges(t, s, a) })
	t.Run("documented", func(t *testing.T) { testDocumented(t, s, a) })
	t.Run("hostile", func(t *testing.T) { testHostile(t, a) })
	t.Run("bounds", func(t *testing.T) { testBounds(t, s) })
}

func testGroups(t *testing.T, a *API) {
	got := read[groupsAnswer](t, a, "acme", "/api/v1/errors?"+around)
	if len(got.Errors) != 2 || got.Total != 2 || got.Step != 3600 {
		t.Fatalf("%+v", got)
	}
	want := group{
		Group: "0000000000000001", Service: "cart", Type: "Closed", Message: "order 4 is closed", Culprit: "Cart.pay", Severity: "error", Handled: 1, Count: 3, Users: 2,
		First: noon, Last: noon.Add(time.Hour + time.Minute), Trend: make([]uint64, 24),
		Ever: ever{Count: 4, First: noon.Add(-30 * 24 * time.Hour), Last: noon.Add(time.Hour + time.Minute), FirstRelease: "1.0", LastRelease: "1.2"},
	}
	want.Trend[12], want.Trend[13] = 1, 2
	if diff := cmp.Diff(want, *got.Errors[0]); diff != "" {
		t.Error(diff)
	}
	if g := got.Errors[1]; g.Group != "0000000000000002" || !g.New || g.Ever.Count != 1 {
		t.Errorf("%+v", g)
	}
	for query, want := range map[string][]string{
		"service=web": {"2"}, "service=cart&service=web": {"1", "2"}, "environment=prod": {"1", "2"}, "environment=test": {"1"}, "release=1.2": {"1"}, "release=7": {},
		"q=ORDER": {"1"}, "q=100%25": {"2"}, "q=pay": {"1"}, "handled=true": {"1"}, "handled=false": {"1", "2"}, "order=last": {"2", "1"}, "order=users": {"1", "2"},
		"order=first": {"2", "1"}, "limit=1": {"1"}, "type=Timeout": {"2"}, "q=%27%20OR%201": {},
	} {
		groups := []string{}
		for _, g := range read[groupsAnswer](t, a, "acme", "/api/v1/errors?"+around+"&"+query).Errors {
			groups = append(groups, strings.TrimLeft(g.Group, "0"))
		}
		if !slices.Equal(groups, want) {
			t.Errorf("%s: %v, want %v", query, groups, want)
		}
	}
	if got := read[groupsAnswer](t, a, "acme", "/api/v1/errors"); len(got.Errors) != 0 {
		t.Errorf("now there are %+v", got.Errors)
	}
	if other := read[groupsAnswer](t, a, "other", "/api/v1/errors?"+around).Errors; len(other) != 1 || other[0].Ever.Count != 1 || other[0].Message != "secret" {
		t.Errorf("another tenant sees %+v", other)
	}
}

func testGroup(t *testing.T, a *API) {
	got := read[groupAnswer](t, a, "acme", "/api/v1/errors/0000000000000001?"+around+"&limit=2")
	if got.Error.Count != 3 || got.Error.New || len(got.Events) != 2 {
		t.Fatalf("%+v", got)
	}
	wantEvent := event{
		Time: noon.Add(time.Hour), Message: "order 3 is closed", Stack: "the stack", Severity: "error", Release: "1.2", Environment: "test", User: "bob", Transaction: "POST /pay",
		EventID: "e3", TraceID: "00000000000000000000000000000007",
	}
	if diff := cmp.Diff(wantEvent, got.Events[1]); diff != "" {
		t.Error(diff)
	}
	names := func(parts []part) (all []string) {
		for _, p := range parts {
			all = append(all, fmt.Sprint(p.Name, " ", p.Count))
		}
		return all
	}
	if diff := cmp.Diff([][]string{{"1.1 1", "1.2 1"}, {"test 2", "prod 1"}, {"ann 1", "bob 1"}, {"POST /pay 3"}},
		[][]string{names(got.Releases), names(got.Environments), names(got.Users), names(got.Transactions)}); diff != "" {
		t.Error(diff)
	}
	if only := read[groupAnswer](t, a, "acme", "/api/v1/errors/0000000000000001?"+around+"&environment=prod"); only.Error.Count != 1 || len(only.Events) != 1 {
		t.Errorf("%+v", only)
	}
	// Nothing of it came in the last day, but it is known.
	if past := read[groupAnswer](t, a, "acme", "/api/v1/errors/0000000000000001"); past.Error.Count != 0 || past.Error.Ever.Count != 4 || past.Error.Type != "Closed" || len(past.Events) != 0 {
		t.Errorf("%+v", past.Error)
	}
	for url, status := range map[string]int{"0000000000000003": 404, "1": 400, "000000000000000x": 400} {
		if got, text := a.get(t, "acme", "/api/v1/errors/"+url); got != status {
			t.Errorf("%s: %d %s", url, got, text)
		}
	}
	if got, _ := a.get(t, "other", "/api/v1/errors/0000000000000002"); got != 404 {
		t.Errorf("another tenant is answered %d", got)
	}
}

func testChanges(t *testing.T, s *querytest.Store, a *API) {
	insertChanges(t, s, "acme",
		report{at: -48 * time.Hour, id: "1", kind: "deployment", status: "succeeded", service: "cart", version: "1.0", environment: "prod"},
		report{at: -time.Hour, id: "2", kind: "deployment", status: "started", service: "cart", version: "1.1", environment: "prod", author: "ann", title: "to prod", link: "https://ci.example/2"},
		report{at: -time.Hour, id: "2", kind: "deployment", status: "succeeded", service: "cart", version: "1.1", environment: "prod"},
		report{at: 0, id: "3", kind: "restart", status: "failed", service: "web", host: "node-1"},
		report{at: time.Hour, id: "4", kind: "deployment", status: "started", service: "cart", version: "1.2", environment: "test"},
		report{at: 2 * time.Hour, id: "5", kind: "deployment", status: "started", service: "cart", version: "1.2", environment: "prod"},
	)
	insertChanges(t, s, "other", report{at: 0, id: "9", kind: "restart", status: "failed", service: "secret"})
	got := read[changesAnswer](t, a, "acme", "/api/v1/changes?"+around)
	want := change{
		ID: "2", Time: noon.Add(-time.Hour), Updated: noon.Add(-time.Hour), Kind: "deployment", Status: "succeeded", Service: "cart", Version: "1.1", Before: "1.0",
		Environment: "prod", Author: "ann", Source: "github", Link: "https://ci.example/2", Title: "to prod",
	}
	if len(got.Changes) != 4 {
		t.Fatalf("%+v", got)
	}
	if diff := cmp.Diff(want, got.Changes[3]); diff != "" {
		t.Error(diff)
	}
	if c := got.Changes[0]; c.ID != "5" || c.Before != "1.1" {
		t.Errorf("%+v", c)
	}
	if c := got.Changes[1]; c.ID != "4" || c.Before != "" {
		t.Errorf("%+v", c)
	}
	for query, want := range map[string]string{
		"service=web": "3", "kind=deployment": "5 4 2", "status=failed": "3", "status=succeeded": "2", "environment=test": "4", "host=node-1": "3", "q=PROD": "2", "limit=1": "5",
		"status=started&status=failed": "5 4 3",
	} {
		var ids []string
		for _, c := range read[changesAnswer](t, a, "acme", "/api/v1/changes?"+around+"&"+query).Changes {
			ids = append(ids, c.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// testDocumented asks what the documentation asks, and is answered what it says.
func testDocumented(t *testing.T, s *querytest.Store, a *API) {
	insert(t, s, "docs",
		failure{at: -24 * time.Hour, group: 0x8d5e049ce06754da, service: "cart", kind: "ClosedError", message: "order 4710 is closed", culprit: "Cart.pay", release: "1.4.1", environment: "prod", user: "u6", handled: true},
		failure{
			at: 5 * time.Minute, group: 0x8d5e049ce06754da, service: "cart", kind: "ClosedError", message: "order 4711 is closed", culprit: "Cart.pay", release: "1.4.2", environment: "prod", user: "u7",
			event: "fc6d8c0c43fc4630ad850ee518f1b9d0", trace: 0x5b, stack: "ClosedError: order 4711 is closed\n    at Cart.pay (/srv/cart.js:12:5)",
		},
	)
	insertChanges(t, s, "docs", report{at: -48 * time.Hour, id: "github/acme/cart/deployment/41", kind: "deployment", status: "succeeded", service: "cart", version: "1.4.1", environment: "prod"},
		report{at: 0, id: "github/acme/cart/deployment/42", kind: "deployment", status: "started", service: "cart", version: "1.4.2", environment: "prod", author: "ann", title: "cart 1.4.2", link: "https://github.example/acme/cart/deployments"},
		report{at: time.Minute, id: "github/acme/cart/deployment/42", kind: "deployment", status: "succeeded", service: "cart", version: "1.4.2", environment: "prod", author: "ann"})
	for file, examples := range map[string]int{"../../docs/errors.md": 2, "../../docs/changes.md": 1} {
		for _, query := range querytest.Documented(t, file) {
			s.Exec(t, regexp.MustCompile(`(FROM|JOIN) (errors|changes)`).ReplaceAllString(query, "$1 goshawk.$2"))
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile("(?s)```http\nGET (/api/v1/[^\n]*)\n```\n\n```json\n(.*?)```").FindAllStringSubmatch(string(text), -1)
		if len(found) != examples {
			t.Errorf("%s has %d examples", file, len(found))
		}
		for _, example := range found {
			var want, got any
			if err := json.Unmarshal([]byte(example[2]), &want); err != nil {
				t.Errorf("%s: %v", example[1], err)
			}
			status, body := a.get(t, "docs", example[1])
			if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
				t.Errorf("%s: %d %v", example[1], status, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: documented (-) and answered (+)\n%s\n%s", example[1], diff, body)
			}
		}
	}
}

// testHostile asks what nobody asks by accident.
func testHostile(t *testing.T, a *API) {
	long, quoted := strings.Repeat("x", 100_000), url.QueryEscape("' OR 1=1 --\\\x00\"`?")
	for _, path := range []string{"/api/v1/errors", "/api/v1/errors/0000000000000001", "/api/v1/changes"} {
		for query, status := range map[string]int{
			"limit=0": 400, "limit=-1": 400, "limit=1001": 400, "limit=x": 400, "start=x": 400, "start=2026-02-01T00:00:00Z&end=2026-01-01T00:00:00Z": 400, "nonsense=1": 400, "%zz": 400,
			"start=" + quoted: 400, "start=0&end=2200-01-01T00:00:00Z": 200, "environment=" + quoted: 200, "environment=" + long: 200, "": 200,
		} {
			if got, text := a.get(t, "acme", path+"?"+query); got != status {
				t.Errorf("%s?%.40s: %d, want %d: %.200s", path, query, got, status, text)
			}
		}
	}
	for query, status := range map[string]int{"order=x": 400, "handled=maybe": 400, "q=" + quoted: 200, "q=" + long: 200, "service=" + quoted: 200, "release=" + quoted: 200} {
		if got, text := a.get(t, "acme", "/api/v1/errors?"+query); got != status {
			t.Errorf("%.40s: %d, want %d: %.200s", query, got, status, text)
		}
	}
}

// testBounds asks for more than may be read.
func testBounds(t *testing.T, s *querytest.Store) {
	cfg := DefaultConfig()
	cfg.MaxRows = 1
	if status, text := newAPI(t, s, cfg).get(t, "acme", "/api/v1/errors?"+around); status != 422 || !strings.Contains(text, "query.errors.max_rows") {
		t.Errorf("%d %s", status, text)
	}
	cfg = DefaultConfig()
	cfg.Timeout = time.Nanosecond
	if status, text := newAPI(t, s, cfg).get(t, "acme", "/api/v1/errors?"+around); status != 504 && status != 503 {
		t.Errorf("%d %s", status, text)
	}
}

func TestConfig(t *testing.T) {
	cfg := DefaultConfig()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	err := (&Config{}).Validate()
	for _, key := range []string{"timeout", "lookback", "concurrency", "max_limit", "max_rows", "max_memory"} {
		if err == nil || !strings.Contains(err.Error(), "query.errors."+key) {
			t.Errorf("%v lacks %s", err, key)
		}
	}
}
