package weblog

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
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

// hit is a row of web_hits as far as the test looks at it.
type hit struct {
	at                                     int64 // seconds since the start
	site, client, country, path, route     string
	method, referrer, host, bot            string
	visitor                                uint64
	status                                 uint16
	sent, duration                         int64
	asset                                  bool
	latitude, longitude                    float64
	browser, system, user, protocol, cache string
}

var start = time.Date(2026, 9, 21, 10, 0, 0, 0, time.UTC)

func randomHits(n int) []hit {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	places := map[string][2]float64{"AT": {47.5, 14.5}, "DE": {51, 9}, "": {}}
	var all []hit
	for range n {
		h := hit{
			at: r.Int64N(7200), site: pick("shop.example", "www.example"), client: fmt.Sprintf("192.0.2.%d", r.IntN(40)), country: pick("AT", "DE", ""),
			path: pick("/", "/a", "/b/1", "/b/2", "/x.css"), method: pick("GET", "GET", "POST", ""), referrer: pick("", "https://r.example/x", "https://shop.example/"),
			bot: pick("", "", "", "Googlebot"), status: []uint16{200, 200, 304, 404, 500, 403}[r.IntN(6)], sent: r.Int64N(1000) - 1, duration: -1,
			browser: pick("Firefox", "Chrome", ""), system: pick("Linux", "Windows"), user: pick("", "", "eve"), protocol: pick("HTTP/1.1", "HTTP/2.0"), cache: pick("", "HIT", "MISS"),
		}
		h.host = map[string]string{"": "", "https://r.example/x": "r.example", "https://shop.example/": "shop.example"}[h.referrer]
		h.route = strings.NewReplacer("/b/1", "/b/{id}", "/b/2", "/b/{id}").Replace(h.path)
		h.asset = h.path == "/x.css"
		h.visitor = uint64(len(h.client)) + uint64(h.client[len(h.client)-1]) + uint64(r.IntN(2))
		h.latitude, h.longitude = places[h.country][0], places[h.country][1]
		if r.IntN(2) == 0 {
			h.duration = r.Int64N(1e9)
		}
		all = append(all, h)
	}
	return all
}

func insert(t *testing.T, s *querytest.Store, tenant string, hits []hit) {
	t.Helper()
	for chunk := range slices.Chunk(hits, 200) {
		var values []string
		var args []any
		for _, h := range chunk {
			values = append(values, "(?, fromUnixTimestamp64Nano(?), toStartOfInterval(fromUnixTimestamp(?), toIntervalMinute(30)), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 3650)")
			at := start.Add(time.Duration(h.at) * time.Second)
			args = append(args, tenant, at.UnixNano(), at.Unix(), h.site, h.client, h.country, h.path, h.route, h.method, h.referrer, h.host, h.bot, h.visitor,
				h.status, h.sent, h.duration, h.asset, h.latitude, h.longitude, h.browser, h.system, h.user, h.protocol, h.cache)
		}
		s.Exec(t, `INSERT INTO goshawk.web_hits (tenant, time, bucket, site, client, country, path, route, method, referrer, referrer_host, bot, visitor, status, sent, duration_ns,
			asset, latitude, longitude, browser, system, user, protocol, cache, retention_days) VALUES `+strings.Join(values, ", "), args...)
	}
}

// front is the API as a tenant sees it.
type front struct {
	*API
	t *testing.T
}

func (f front) get(tenant, url string) (int, string) {
	w := httptest.NewRecorder()
	f.Serve(w, httptest.NewRequest(http.MethodGet, url, nil), tenant)
	body, _ := io.ReadAll(w.Body)
	return w.Code, string(body)
}

func (f front) read(tenant, url string, to any) {
	f.t.Helper()
	status, text := f.get(tenant, url)
	if err := json.Unmarshal([]byte(text), to); err != nil || status != 200 {
		f.t.Fatalf("%s: %d %s", url, status, text)
	}
}

// add counts a hit.
func (c *counts) add(h *hit, seen map[string]map[uint64]bool, name string) {
	c.Requests++
	c.Bytes += uint64(max(h.sent, 0))
	if h.status >= 400 {
		c.Failed++
	}
	if seen[name] == nil {
		seen[name] = map[uint64]bool{}
	}
	seen[name][h.visitor] = true
	c.Visitors = uint64(len(seen[name]))
}

// naive counts hits by a name; ok leaves some out.
func naive(hits []hit, name func(*hit) (string, bool)) map[string]counts {
	all, seen := map[string]counts{}, map[string]map[uint64]bool{}
	for i := range hits {
		if n, ok := name(&hits[i]); ok {
			c := all[n]
			c.add(&hits[i], seen, n)
			all[n] = c
		}
	}
	return all
}

func TestStatistics(t *testing.T) {
	s := querytest.Start(t)
	hits := randomHits(2000)
	insert(t, s, "acme", hits)
	insert(t, s, "zeta", randomHits(100))
	f := front{New(DefaultConfig(), s.Conn, "goshawk", prometheus.NewRegistry(), slog.New(slog.DiscardHandler)), t}
	when := fmt.Sprintf("start=%d&end=%d", start.Unix(), start.Add(2*time.Hour).Unix())

	for query, keep := range map[string]func(*hit) bool{
		"":                            func(*hit) bool { return true },
		"&site=shop.example":          func(h *hit) bool { return h.site == "shop.example" },
		"&bots=exclude&method=GET":    func(h *hit) bool { return h.bot == "" && h.method == "GET" },
		"&status=4xx&status=500":      func(h *hit) bool { return h.status/100 == 4 || h.status == 500 },
		"&asset=true&country=AT":      func(h *hit) bool { return h.asset && h.country == "AT" },
		"&path=/b/1&path=/&bots=only": func(h *hit) bool { return (h.path == "/b/1" || h.path == "/") && h.bot != "" },
		"&client=192.0.2.7&step=60":   func(h *hit) bool { return h.client == "192.0.2.7" },
		"&client=%27%20OR%201%3D1--":  func(*hit) bool { return false },
		"&route=%2Fb%2F%7Bid%7D":      func(h *hit) bool { return h.route == "/b/{id}" },
	} {
		kept := slices.DeleteFunc(slices.Clone(hits), func(h hit) bool { return !keep(&h) })
		var got statistics
		f.read("acme", pathStatistics+"?limit=100&home=AT&"+when+query, &got)
		f.checkTotals(query, &got, kept)
		for name, by := range map[string]func(*hit) (string, bool){
			"clients":         func(h *hit) (string, bool) { return h.client, true },
			"not_found":       func(h *hit) (string, bool) { return h.path, h.status == 404 },
			"status":          func(h *hit) (string, bool) { return fmt.Sprint(h.status), true },
			"status_classes":  func(h *hit) (string, bool) { return fmt.Sprintf("%dxx", h.status/100), true },
			"referring_sites": func(h *hit) (string, bool) { return h.host, h.host != "" && h.host != h.site },
			"referring_urls":  func(h *hit) (string, bool) { return h.referrer, h.host != "" && h.host != h.site },
			"countries":       func(h *hit) (string, bool) { return h.country, h.country != "" },
			"methods":         func(h *hit) (string, bool) { return h.method, true },
			"protocols":       func(h *hit) (string, bool) { return h.protocol, true },
			"cache":           func(h *hit) (string, bool) { return h.cache, h.cache != "" },
			"paths":           func(h *hit) (string, bool) { return h.path, true },
			"routes":          func(h *hit) (string, bool) { return h.route, true },
			"slowest":         func(h *hit) (string, bool) { return h.route, h.duration >= 0 },
			"assets":          func(h *hit) (string, bool) { return map[bool]string{true: "static", false: "dynamic"}[h.asset], true },
			"browsers":        func(h *hit) (string, bool) { return h.browser, h.browser != "" },
			"systems":         func(h *hit) (string, bool) { return h.system, true },
			"bots":            func(h *hit) (string, bool) { return h.bot, h.bot != "" },
			"sites":           func(h *hit) (string, bool) { return h.site, true },
			"users":           func(h *hit) (string, bool) { return h.user, h.user != "" },
			"hours":           func(h *hit) (string, bool) { return fmt.Sprintf("%02d", 10+h.at/3600), true },
			"weekdays":        func(*hit) (string, bool) { return "1", true },
		} {
			found := map[string]counts{}
			for _, row := range got.Panels[name] {
				found[row.Name] = row.counts
				if name == "countries" && (row.Latitude == nil || *row.Latitude != map[string]float64{"AT": 47.5, "DE": 51}[row.Name]) {
					t.Errorf("%s: the place of %s is %v", query, row.Name, row.Latitude)
				}
			}
			if diff := cmp.Diff(naive(kept, by), found); diff != "" {
				t.Errorf("%s: %s: -want +got:\n%.1000s", query, name, diff)
			}
			if !slices.IsSortedFunc(got.Panels[name], func(a, b row) int { return int(b.Requests) - int(a.Requests) }) && name != "hours" && name != "slowest" {
				t.Errorf("%s: %s is not in order", query, name)
			}
		}
	}
	f.refuses(when)
	testDocumented(f, s)
	testFindings(f, s)
	testSessions(f, s)
}

func (f front) checkTotals(query string, got *statistics, kept []hit) {
	f.t.Helper()
	seen, want := map[string]map[uint64]bool{}, counts{}
	abroad, clients := counts{}, map[string]bool{}
	classes, notFound, bots := map[uint16]uint64{}, uint64(0), uint64(0)
	steps := map[int64]counts{}
	for i := range kept {
		h := &kept[i]
		want.add(h, seen, "all")
		if h.country == "DE" {
			abroad.add(h, seen, "abroad")
		}
		clients[h.client] = true
		classes[h.status/100]++
		if h.status == 404 {
			notFound++
		}
		if h.bot != "" {
			bots++
		}
		at := start.Unix() + h.at/got.StepSeconds*got.StepSeconds
		c := steps[at]
		c.add(h, seen, fmt.Sprint(at))
		steps[at] = c
	}
	t := &got.Totals
	if t.counts != want || t.Abroad == nil || *t.Abroad != abroad || t.Clients != uint64(len(clients)) || t.ClientErrors != classes[4] || t.ServerErrors != classes[5] ||
		t.NotFound != notFound || t.Bots != bots || t.Successful != want.Requests-want.Failed || (t.DurationSeconds == nil) != (len(kept) == 0) {
		f.t.Errorf("%s: totals are %+v (abroad %+v), want %+v, abroad %+v, clients %d, %v, %d not found, %d bots", query, t, t.Abroad, want, abroad, len(clients), classes, notFound, bots)
	}
	if len(got.OverTime) != int(7200/got.StepSeconds) {
		f.t.Errorf("%s: %d steps of %d s", query, len(got.OverTime), got.StepSeconds)
	}
	for _, m := range got.OverTime {
		if m.counts != steps[m.Time.Unix()] {
			f.t.Errorf("%s: at %s %+v, want %+v", query, m.Time, m.counts, steps[m.Time.Unix()])
		}
	}
}

func (f front) refuses(when string) {
	quoted := url.QueryEscape("' OR 1=1 --\\\x00\"`{p0:String}?")
	for query, status := range map[string]int{
		"nonsense=1": 400, "limit=0": 400, "limit=99999999": 400, "panels=x": 400, "panels=none": 200, "panels=status,bots": 200, "home=A": 400, "home=at,de": 200, "bots=maybe": 400,
		"status=x": 400, "status=40x": 400, "status=-1": 400, "step=0s": 400, "step=1ns": 400, "asset=perhaps": 400, "site=" + quoted: 200, "path=" + quoted: 200, "start=x": 400,
		"start=1h&end=2h": 400, "site=" + strings.Repeat("x", 100_000): 200, "home=" + quoted: 400, "panels=" + quoted: 400,
	} {
		if got, text := f.get("acme", pathStatistics+"?panels=none&"+query); got != status && !strings.Contains(query, "panels") || got >= 500 {
			f.t.Errorf("%.100s: %d %.300s", query, got, text)
		}
	}
	for query, status := range map[string]int{
		"id=x": 400, "id=" + quoted: 400, "min_confidence=2": 400, "kind=" + quoted: 200, "actor=" + quoted: 200, "limit=-1": 400, "nonsense=1": 400, "": 200,
	} {
		if got, text := f.get("acme", pathFindings+"?"+query); got != status {
			f.t.Errorf("%s: %d %s", query, got, text)
		}
	}
	var none statistics
	if f.read("nobody", pathStatistics+"?"+when, &none); none.Totals.Requests != 0 || len(none.Panels["clients"]) != 0 {
		f.t.Errorf("a tenant without rows sees %+v", none.Totals)
	}
}

func testFindings(f front, s *querytest.Store) {
	row := func(partition int, id, kind string, at, hits int, sure float64, over bool) {
		s.Exec(f.t, `INSERT INTO goshawk.findings (tenant, time, id, kind, actor, site, subject, first_time, hits, clients, confidence, harmless, reason, evidence, over, retention_days, kafka_partition)
			VALUES ('acme', ?, ?, ?, '192.0.2.1', 'shop.example', '/login', ?, ?, 1, ?, 3, ?, ?, ?, 3650, ?)`,
			start.Add(time.Duration(at)*time.Second), id, kind, start, hits, sure, fmt.Sprint(hits, " requests"), []string{fmt.Sprint("line ", hits)}, over, partition)
	}
	row(0, "1", "request_flood", 10, 5, .6, false)
	row(0, "1", "request_flood", 70, 50, .9, false)
	row(1, "1", "request_flood", 80, 7, .7, true)
	row(0, "2", "sql_injection", 5, 2, .99, true)
	when := fmt.Sprintf("start=%d&end=%d", start.Unix(), start.Add(time.Hour).Unix())
	var got findings
	f.read("acme", pathFindings+"?"+when, &got)
	want := []finding{{
		ID: "0000000000000001", Kind: "request_flood", Actor: "192.0.2.1", Site: "shop.example", Subject: "/login", First: start, Last: start.Add(80 * time.Second), Over: false,
		Hits: 57, Clients: 2, Confidence: .9, Harmless: 6, Reason: "50 requests", Evidence: []string{"line 50"},
	}, {
		ID: "0000000000000002", Kind: "sql_injection", Actor: "192.0.2.1", Site: "shop.example", Subject: "/login", First: start, Last: start.Add(5 * time.Second), Over: true,
		Hits: 2, Clients: 1, Confidence: .99, Harmless: 3, Reason: "2 requests", Evidence: []string{"line 2"},
	}}
	if diff := cmp.Diff(want, got.Findings); diff != "" {
		f.t.Errorf("findings: -want +got:\n%s", diff)
	}
	for query, n := range map[string]int{"&kind=sql_injection": 1, "&min_confidence=0.95": 1, "&id=1": 1, "&actor=x": 0, "&limit=1": 1} {
		if f.read("acme", pathFindings+"?"+when+query, &got); len(got.Findings) != n {
			f.t.Errorf("%s: %d findings", query, len(got.Findings))
		}
	}
	if f.read("zeta", pathFindings+"?"+when, &got); len(got.Findings) != 0 {
		f.t.Errorf("another tenant sees %+v", got.Findings)
	}
}

func testSessions(f front, s *querytest.Store) {
	for i, pages := range []int{0, 1, 5, 2} {
		at := start.Add(time.Duration(i) * time.Minute)
		s.Exec(f.t, `INSERT INTO goshawk.web_sessions (tenant, bucket, site, time, end_time, visitor, pages, hits, country, retention_days) VALUES ('acme', ?, 'shop.example', ?, ?, ?, ?, 9, 'AT', 3650)`,
			start.Truncate(30*time.Minute), at, at.Add(30*time.Second), i, pages)
	}
	when := fmt.Sprintf("start=%d&end=%d", start.Unix(), start.Add(time.Hour).Unix())
	var got statistics
	f.read("acme", pathStatistics+"?panels=none&site=shop.example&status=404&"+when, &got)
	if v := got.Sessions; v.Sessions != 4 || v.Bounces != 2 || v.BounceRate == nil || *v.BounceRate != .5 || v.Pages != 8 || v.MeanSeconds != 30 || !v.Partial {
		f.t.Errorf("%+v", v)
	}
	got = statistics{}
	if f.read("acme", pathStatistics+"?panels=none&country=DE&"+when, &got); got.Sessions.Sessions != 0 || got.Sessions.Partial {
		f.t.Errorf("%+v", got.Sessions)
	}
}

// testDocumented asks what docs/web-statistics.md asks, and is answered what it says.
func testDocumented(f front, s *querytest.Store) {
	day := time.Date(2026, 9, 22, 8, 0, 0, 0, time.UTC)
	saved := start
	start = day
	insert(f.t, s, "docs", []hit{
		{at: 10, site: "shop.example", client: "192.0.2.7", country: "AT", path: "/cart", route: "/cart", method: "GET", visitor: 1, status: 200, sent: 5120, duration: 40e6, latitude: 47.5, longitude: 14.5, browser: "Firefox", system: "Linux", protocol: "HTTP/2.0"},
		{at: 20, site: "shop.example", client: "192.0.2.7", country: "AT", path: "/gone", route: "/gone", method: "GET", visitor: 1, status: 404, sent: 512, duration: 40e6, latitude: 47.5, longitude: 14.5, browser: "Firefox", system: "Linux", protocol: "HTTP/2.0"},
		{at: 70, site: "shop.example", client: "198.51.100.9", country: "DE", path: "/cart", route: "/cart", method: "POST", visitor: 2, status: 500, sent: 128, duration: 40e6, latitude: 51, longitude: 9, browser: "Chrome", system: "Windows", protocol: "HTTP/1.1", host: "search.example", referrer: "https://search.example/?q=shoes"},
	})
	start = saved
	s.Exec(f.t, `INSERT INTO goshawk.web_sessions (tenant, bucket, site, time, end_time, visitor, pages, hits, country, retention_days) VALUES
		('docs', ?, 'shop.example', ?, ?, 1, 2, 2, 'AT', 3650), ('docs', ?, 'shop.example', ?, ?, 2, 1, 1, 'DE', 3650)`,
		day, day.Add(10*time.Second), day.Add(20*time.Second), day, day.Add(70*time.Second), day.Add(70*time.Second))
	s.Exec(f.t, `INSERT INTO goshawk.findings (tenant, time, id, kind, actor, site, subject, first_time, hits, clients, confidence, harmless, reason, evidence, over, retention_days)
		VALUES ('docs', ?, 81985529216486895, 'sql_injection', '203.0.113.5', 'shop.example', '', ?, 12, 1, 0.98, 1, ?, ?, true, 3650)`,
		day.Add(90*time.Second), day.Add(60*time.Second), "SQL where a value belongs; answers since it was found: 12 2xx and 3xx", []string{`203.0.113.5 - - [22/Sep/2026:08:01:00 +0000] "GET /products?id=1'+OR+1=1-- HTTP/1.1" 200 512 "-" "sqlmap/1.8"`})
	text, err := os.ReadFile("../../docs/web-statistics.md")
	if err != nil {
		f.t.Fatal(err)
	}
	examples := strings.Split(string(text), "```http\nGET ")[1:]
	if len(examples) != 2 {
		f.t.Fatalf("there are %d examples", len(examples))
	}
	for _, example := range examples {
		path, rest, _ := strings.Cut(example, "\n")
		_, rest, _ = strings.Cut(rest, "```json\n")
		document, _, _ := strings.Cut(rest, "```")
		status, body := f.get("docs", path)
		var want, got any
		if err := json.Unmarshal([]byte(document), &want); err != nil {
			f.t.Errorf("%s: %v", path, err)
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
			f.t.Errorf("%s: %d %v", path, status, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			f.t.Errorf("%s: documented (-) and answered (+)\n%s\n%s", path, diff, body)
		}
	}
}
