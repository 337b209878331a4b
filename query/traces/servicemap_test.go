package traces_test

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/query/traces/goshawk"
)

type latencyJSON struct {
	Count uint64  `json:"count"`
	Sum   int64   `json:"sum_ns"`
	P50   float64 `json:"p50_ns"`
	P95   float64 `json:"p95_ns"`
	P99   float64 `json:"p99_ns"`
}

type figuresJSON struct {
	Calls      uint64  `json:"calls"`
	Errors     uint64  `json:"errors"`
	Rate       float64 `json:"calls_per_second"`
	ErrorRatio float64 `json:"error_ratio"`
	Slow       string  `json:"slow_trace_id"`
	SlowNS     int64   `json:"slow_ns"`
	Failed     string  `json:"error_trace_id"`
}

type stateJSON struct {
	State      string       `json:"state"`
	Before     *figuresJSON `json:"before"`
	Difference *struct {
		Rate float64  `json:"calls_per_second"`
		P95  *float64 `json:"p95_ns"`
	} `json:"difference"`
}

type nodeJSON struct {
	ID, Kind, Name string
	figuresJSON
	Duration *latencyJSON
	Apdex    *float64
	Versions []struct {
		Version string
		Calls   uint64
	}
	stateJSON
}

type edgeJSON struct {
	From, To, Kind string
	figuresJSON
	Client, Server, Network *latencyJSON
	stateJSON
}

type mapJSON struct {
	Start, End time.Time
	Compared   *struct{ Start, End time.Time }
	Note       string
	Nodes      []nodeJSON
	Edges      []edgeJSON
}

func (m *mapJSON) node(id string) *nodeJSON {
	if i := slices.IndexFunc(m.Nodes, func(n nodeJSON) bool { return n.ID == id }); i >= 0 {
		return &m.Nodes[i]
	}
	return &nodeJSON{Duration: &latencyJSON{}}
}

func (m *mapJSON) edge(from, to string) *edgeJSON {
	if i := slices.IndexFunc(m.Edges, func(e edgeJSON) bool { return e.From == from && e.To == to }); i >= 0 {
		return &m.Edges[i]
	}
	return &edgeJSON{Client: &latencyJSON{}, Server: &latencyJSON{}, Network: &latencyJSON{}}
}

// names are the nodes and edges with their states.
func (m *mapJSON) names() string {
	var all []string
	for _, n := range m.Nodes {
		all = append(all, strings.TrimSuffix(n.ID+" "+n.State, " "))
	}
	for _, e := range m.Edges {
		all = append(all, strings.TrimSuffix(fmt.Sprintf("%s>%s %s", e.From, e.To, e.State), " "))
	}
	return strings.Join(all, "\n")
}

func near(got float64, want time.Duration) bool {
	return math.Abs(got-float64(want)) <= 0.011*float64(want)
}

// shop writes the calls of a shop at a time: web calls cart and, over a queue,
// mail; cart asks a database and a host; a queue has a message that nobody took.
func (f *fixture) shop(t *testing.T, tenant string, at time.Duration) {
	t.Helper()
	const ms = time.Millisecond
	f.edges(
		t, tenant,
		counted{at: at, callee: "web", kind: "entry", operation: "GET /", calls: 100, server: times(100, 50*ms)},
		// The same edge in several rows: of another minute, operation and insert.
		counted{at: at, caller: "web", callee: "cart", kind: "service", operation: "get", calls: 60, errors: 2, client: times(60, 20*ms), server: times(60, 16*ms), network: times(60, 4*ms), slow: 701, failed: 702},
		counted{at: at, caller: "web", callee: "cart", kind: "service", operation: "get", calls: 30, client: times(30, 20*ms), server: times(30, 16*ms), network: times(30, 4*ms)},
		counted{at: at + time.Minute, caller: "web", callee: "cart", kind: "service", operation: "put", calls: 10, errors: 1, client: times(10, 900*ms), server: times(10, 700*ms), network: times(10, 200*ms), slow: 703},
		counted{at: at, caller: "web", callee: "mail", kind: "messaging", operation: "send", calls: 5, client: times(5, ms), server: times(5, 2*ms)},
		counted{at: at, caller: "web", callee: "audit-topic", kind: "messaging", operation: "send", calls: 6, client: times(6, ms)},
		counted{at: at, caller: "audit-topic", callee: "mail", kind: "messaging", operation: "receive", calls: 4, server: times(4, 2*ms)},
		counted{at: at, caller: "cart", callee: "web", kind: "external", operation: "GET", calls: 3, client: times(3, ms)},
		counted{at: at, caller: "cart", callee: "postgresql", kind: "database", operation: "SELECT", calls: 200, errors: 20, client: times(200, 5*ms), failed: 704},
		counted{at: at, caller: "cart", callee: "api.example.org", kind: "external", operation: "GET", calls: 7, client: times(7, 80*ms)},
	)
	f.rates(
		t, tenant,
		counted{at: at, service: "web", version: "1", operation: "GET /", kind: "server", calls: 100, well: 80, tolerated: 10, server: times(100, 50*ms)},
		counted{at: at, service: "web", version: "1", operation: "call", kind: "client", calls: 1000, well: 1000, server: times(1000, ms)},
		counted{at: at, service: "cart", version: "1", operation: "get", kind: "server", calls: 60, errors: 2, well: 50, tolerated: 8, server: times(60, 16*ms), slow: 701},
		counted{at: at, service: "cart", version: "2", operation: "get", kind: "server", calls: 40, well: 40, server: times(40, 700*ms), failed: 705},
		counted{at: at, service: "mail", operation: "receive", kind: "consumer", calls: 5, well: 5, server: times(5, 2*ms)},
		counted{at: at, service: "cron", operation: "tick", kind: "internal", calls: 60, well: 60, server: times(60, ms)},
	)
}

func testServiceMap(t *testing.T, f *fixture) {
	f.shop(t, "map", 10*time.Minute)
	f.shop(t, "other", 10*time.Minute)
	f.edges(t, "other", counted{at: 10 * time.Minute, caller: "secret", callee: "web", kind: "service", calls: 1})
	s := f.serve(t, nil)
	var m mapJSON
	s.read(t, "map", "/api/v1/service-map?"+hourAfterNoon, &m)
	const whole = `database:postgresql
entry:
host:api.example.org
queue:audit-topic
service:cart
service:cron
service:mail
service:web
entry:>service:web
queue:audit-topic>service:mail
service:cart>database:postgresql
service:cart>host:api.example.org
service:cart>service:web
service:web>queue:audit-topic
service:web>service:cart
service:web>service:mail`
	if m.names() != whole || m.Compared != nil || m.Note != "" {
		t.Errorf("%s\n%+v", m.names(), m)
	}
	if !m.Start.Equal(noon) || !m.End.Equal(noon.Add(time.Hour)) {
		t.Errorf("from %s to %s", m.Start, m.End)
	}
	slow, failed := hexOf(traceID(703)), hexOf(traceID(702))
	e := m.edge("service:web", "service:cart")
	if e.Kind != "service" || e.Calls != 100 || e.Errors != 3 || e.ErrorRatio != 0.03 || math.Abs(e.Rate-100./3600) > 1e-12 || e.Slow != slow || e.SlowNS != int64(900*time.Millisecond) || e.Failed != failed {
		t.Errorf("%+v", e)
	}
	if c := e.Client; c.Count != 100 || c.Sum != int64(90*20*time.Millisecond+10*900*time.Millisecond) || !near(c.P50, 20*time.Millisecond) || !near(c.P95, 900*time.Millisecond) || !near(c.P99, 900*time.Millisecond) {
		t.Errorf("client %+v", c)
	}
	if !near(e.Server.P50, 16*time.Millisecond) || !near(e.Network.P95, 200*time.Millisecond) || e.Network.Sum != int64(90*4*time.Millisecond+2*time.Second) {
		t.Errorf("server %+v, network %+v", e.Server, e.Network)
	}
	if e = m.edge("service:cart", "database:postgresql"); e.Server != nil || e.Network != nil || e.Calls != 200 || e.Slow != "" {
		t.Errorf("%+v", e)
	}
	cart := m.node("service:cart")
	if cart.Calls != 100 || cart.Errors != 2 || math.Abs(*cart.Apdex-0.94) > 1e-9 || !near(cart.Duration.P50, 16*time.Millisecond) || !near(cart.Duration.P99, 700*time.Millisecond) ||
		len(cart.Versions) != 2 || cart.Versions[1].Version != "2" || cart.Versions[1].Calls != 40 || cart.Slow != hexOf(traceID(701)) || cart.Failed != hexOf(traceID(705)) {
		t.Errorf("%+v", cart)
	}
	// Client spans are not what a service was asked.
	if web := m.node("service:web"); web.Calls != 100 || math.Abs(*web.Apdex-0.85) > 1e-9 || web.Duration.Count != 100 {
		t.Errorf("%+v", web)
	}
	if cron := m.node("service:cron"); cron.Calls != 0 || cron.Duration != nil || cron.Apdex != nil || len(cron.Versions) != 1 {
		t.Errorf("%+v", cron)
	}
	if database := m.node("database:postgresql"); database.Calls != 200 || database.Errors != 20 || database.Apdex != nil || !near(database.Duration.P50, 5*time.Millisecond) {
		t.Errorf("%+v", database)
	}
	if entry := m.node("entry:"); entry.Calls != 100 || !near(entry.Duration.P50, 50*time.Millisecond) {
		t.Errorf("%+v", entry)
	}

	for query, want := range map[string]string{
		"service=mail":           "queue:audit-topic\nservice:mail\nservice:web\nqueue:audit-topic>service:mail\nservice:web>queue:audit-topic\nservice:web>service:mail",
		"service=mail&depth=0":   "service:mail",
		"service=postgresql":     "",
		"service=cron":           "service:cron",
		"service=nobody&depth=9": "",
		"service=mail&depth=2":   "entry:\nqueue:audit-topic\nservice:cart\nservice:mail\nservice:web\nentry:>service:web\nqueue:audit-topic>service:mail\nservice:cart>service:web\nservice:web>queue:audit-topic\nservice:web>service:cart\nservice:web>service:mail",
		"service=web&depth=20":   strings.Replace(whole, "service:cron\n", "", 1),
	} {
		var part mapJSON
		if s.read(t, "map", "/api/v1/service-map?"+hourAfterNoon+"&"+query, &part); part.names() != want {
			t.Errorf("%s:\n%s", query, part.names())
		}
	}
	// Nothing of it is in another hour, or another tenant.
	for _, tenant := range []string{"map' OR 1=1 --", "", "nobody"} {
		var none mapJSON
		if a := s.read(t, tenant, "/api/v1/service-map?"+hourAfterNoon, &none); len(none.Nodes) != 0 || !strings.Contains(a.body, `"nodes":[],"edges":[]`) {
			t.Errorf("%q: %s", tenant, a.body)
		}
	}
	var now mapJSON
	if s.read(t, "map", "/api/v1/service-map", &now); len(now.Nodes) != 0 || now.End.Sub(now.Start) < time.Hour || now.End.Sub(now.Start) > time.Hour+2*time.Minute {
		t.Errorf("%+v", now)
	}
	testCompare(t, f, s)
	testMapLimits(t, f)
}

// testCompare changes some of the shop a day later.
func testCompare(t *testing.T, f *fixture, s *server) {
	const day = 24 * time.Hour
	f.shop(t, "compare", 10*time.Minute)
	f.shop(t, "compare", day+10*time.Minute)
	f.edges(
		t, "compare",
		counted{at: 10 * time.Minute, caller: "web", callee: "legacy", kind: "service", calls: 40, client: times(40, time.Millisecond)},
		counted{at: day + 10*time.Minute, caller: "web", callee: "search", kind: "service", calls: 40, client: times(40, time.Millisecond)},
		counted{at: day + 10*time.Minute, caller: "cart", callee: "postgresql", kind: "database", calls: 200, errors: 20, client: times(200, 50*time.Millisecond)},
	)
	f.rates(
		t, "compare",
		counted{at: 10 * time.Minute, service: "legacy", operation: "x", kind: "server", calls: 40, server: times(40, time.Millisecond)},
		counted{at: day + 10*time.Minute, service: "search", operation: "x", kind: "server", calls: 40, server: times(40, time.Millisecond)},
		counted{at: day + 10*time.Minute, service: "mail", version: "9", operation: "receive", kind: "consumer", calls: 1, server: times(1, 2*time.Millisecond)},
	)
	const want = `database:postgresql changed
entry: same
host:api.example.org same
queue:audit-topic same
service:cart same
service:cron same
service:legacy vanished
service:mail changed
service:search new
service:web same
entry:>service:web same
queue:audit-topic>service:mail same
service:cart>database:postgresql changed
service:cart>host:api.example.org same
service:cart>service:web same
service:web>queue:audit-topic same
service:web>service:cart same
service:web>service:legacy vanished
service:web>service:mail same
service:web>service:search new`
	for _, compare := range []string{"24h", "2024-05-06T12:05:00Z,2024-05-06T13:05:00Z", "1714997100,1715000700"} {
		var m mapJSON
		s.read(t, "compare", "/api/v1/service-map?start=2024-05-07T12:05:00Z&end=2024-05-07T13:05:00Z&compare="+url.QueryEscape(compare), &m)
		if m.names() != want {
			t.Errorf("%s:\n%s", compare, m.names())
		}
		if !m.Compared.Start.Equal(noon) || !m.Compared.End.Equal(noon.Add(time.Hour)) {
			t.Errorf("%+v", m.Compared)
		}
		e := m.edge("service:cart", "database:postgresql")
		if e.Calls != 400 || e.Before.Calls != 200 || math.Abs(e.Difference.Rate-200./3600) > 1e-9 || !near(*e.Difference.P95, 45*time.Millisecond) {
			t.Errorf("%+v", e)
		}
		if gone := m.edge("service:web", "service:legacy"); gone.Calls != 0 || gone.Before.Calls != 40 || gone.Difference != nil {
			t.Errorf("%+v", gone)
		}
		if added := m.node("service:search"); added.Calls != 40 || added.Before != nil {
			t.Errorf("%+v", added)
		}
	}
	// What vanished is found beside its neighbours, too.
	var m mapJSON
	if s.read(t, "compare", "/api/v1/service-map?start=2024-05-07T12:05:00Z&end=2024-05-07T13:05:00Z&compare=24h&service=legacy", &m); m.names() != "service:legacy vanished\nservice:web same\nservice:web>service:legacy vanished" {
		t.Errorf("%s", m.names())
	}
	// A time of which nothing is known.
	var first mapJSON
	if a := s.read(t, "compare", "/api/v1/service-map?"+hourAfterNoon+"&compare=1h", &first); !strings.Contains(first.Note, "nothing is known") || a.header.Get("X-Goshawk-Note") != first.Note || first.node("service:web").State != "new" {
		t.Errorf("%q %v", first.Note, a.header)
	}
}

// testMapLimits asks with limits that are reached.
func testMapLimits(t *testing.T, f *fixture) {
	s := f.serve(t, func(c *traces.Config) { c.MaxRows = 3 })
	for _, path := range []string{"/api/v1/service-map", "/api/v1/operations", "/api/v1/business-lines"} {
		if a := s.get(t, "map", path+"?"+hourAfterNoon); a.status != 422 || !strings.Contains(a.body, `{"error":{"message":"the request would read more rows than query.traces.max_rows allows (3)`) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	s = f.serve(t, func(c *traces.Config) { c.MaxNames = 2 })
	var m mapJSON
	if s.read(t, "map", "/api/v1/service-map?"+hourAfterNoon, &m); !strings.Contains(m.Note, "2 of them (query.traces.max_names)") {
		t.Errorf("%q", m.Note)
	}
}

type linesJSON struct {
	Lines []struct {
		Name     string
		Services []string
		figuresJSON
		Duration              *latencyJSON
		Dependencies, Callers []edgeJSON
	} `json:"business_lines"`
}

func testBusinessLines(t *testing.T, f *fixture) {
	f.shop(t, "lines", 10*time.Minute)
	// The resource of a span says what its service works for.
	td := order(730, 5*time.Minute)
	td.ResourceSpans().At(1).Resource().Attributes().PutStr("business.line", "basket's \"own\"")
	f.send(t, "lines", td)
	s := f.serveLines(t, goshawk.Config{BusinessAttribute: "business.line", BusinessLines: []goshawk.BusinessLine{
		{Name: "front", Services: []string{"w*b", "mail"}}, {Name: "empty", Services: []string{"none*", "a.i"}},
	}}, nil)
	var all linesJSON
	a := s.read(t, "lines", "/api/v1/business-lines?"+hourAfterNoon, &all)
	if len(all.Lines) != 3 {
		t.Fatal(a.body)
	}
	basket, empty, front := all.Lines[0], all.Lines[1], all.Lines[2]
	if basket.Name != `basket's "own"` || !slices.Equal(basket.Services, []string{"cart"}) || basket.Calls != 100 || basket.Errors != 3 || !near(basket.Duration.P50, 16*time.Millisecond) || len(basket.Callers) != 1 || len(basket.Dependencies) != 3 {
		t.Errorf("%+v", basket)
	}
	if empty.Name != "empty" || empty.Services == nil || len(empty.Services) != 0 || empty.Calls != 0 || empty.Duration != nil {
		t.Errorf("%+v", empty)
	}
	// What its services ask each other is not what the line was asked.
	if front.Name != "front" || !slices.Equal(front.Services, []string{"mail", "web"}) || front.Calls != 107 || len(front.Callers) != 3 || front.Callers[0].From != "entry:" || front.Callers[1].From != "queue:audit-topic" || len(front.Dependencies) != 2 {
		t.Errorf("%+v", front)
	}
	var m mapJSON
	if s.read(t, "lines", "/api/v1/service-map?"+hourAfterNoon+"&business="+url.QueryEscape(`basket's "own"`), &m); m.names() !=
		"database:postgresql\nhost:api.example.org\nservice:cart\nservice:web\nservice:cart>database:postgresql\nservice:cart>host:api.example.org\nservice:cart>service:web\nservice:web>service:cart" {
		t.Errorf("%s", m.names())
	}
	if s.read(t, "lines", "/api/v1/service-map?"+hourAfterNoon+"&business=front&depth=0", &m); m.names() != "service:mail\nservice:web\nservice:web>service:mail" {
		t.Errorf("%s", m.names())
	}
	if a = s.get(t, "lines", "/api/v1/service-map?"+hourAfterNoon+"&business=none"); a.status != 400 || !strings.Contains(a.body, "no business line of this name") {
		t.Errorf("%d %s", a.status, a.body)
	}
	// Another tenant has the configured lines only, and no services in them.
	var other linesJSON
	if s.read(t, "nobody", "/api/v1/business-lines?"+hourAfterNoon, &other); len(other.Lines) != 2 || len(other.Lines[1].Services) != 0 {
		t.Errorf("%+v", other)
	}
	if a = f.serveLines(t, goshawk.Config{}, nil).get(t, "lines", "/api/v1/business-lines?"+hourAfterNoon); !strings.HasSuffix(strings.TrimSpace(a.body), `"business_lines":[]}`) {
		t.Error(a.body)
	}
}

func testCountedDependencies(t *testing.T, f *fixture) {
	f.shop(t, "counted", 10*time.Minute)
	f.send(t, "counted", order(740, 0)) // other dependencies, by its spans
	f.edges(t, "counted", counted{at: 10 * time.Minute, caller: "cart", callee: "cart", kind: "service", calls: 3})
	s := f.serve(t, nil)
	ms := func(d time.Duration) string { return fmt.Sprint(noon.Add(d).UnixMilli()) }
	path := "dependencies?lookback=3600000&endTs=" + ms(time.Hour)
	if a := s.get(t, "counted", "/api/"+path); a.header.Get("X-Goshawk-Note") != "" ||
		!strings.Contains(a.body, `"data":[{"parent":"web","child":"cart","callCount":100},{"parent":"web","child":"mail","callCount":5}]`) {
		t.Errorf("%v %s", a.header, a.body)
	}
	if a := s.get(t, "counted", "/api/v2/"+path); strings.TrimSpace(a.body) != `[{"parent":"web","child":"cart","callCount":100,"errorCount":3},{"parent":"web","child":"mail","callCount":5}]` {
		t.Errorf("%s", a.body)
	}
	// Where there is nothing but spans they are counted.
	if a := s.get(t, "counted", "/api/v2/dependencies?lookback=300000&endTs="+ms(5*time.Minute)); strings.TrimSpace(a.body) != `[{"parent":"cart","child":"mail","callCount":1},{"parent":"frontend","child":"cart","callCount":1}]` ||
		a.header.Get("X-Goshawk-Note") != "calls are counted from spans: the table edges_1m has none of the time yet" {
		t.Errorf("%v %s", a.header, a.body)
	}
	// Calls of databases alone are no reason to.
	f.edges(t, "database", counted{at: time.Minute, caller: "cart", callee: "postgresql", kind: "database", calls: 3})
	f.send(t, "database", order(741, 0))
	if a := s.get(t, "database", "/api/v2/dependencies?lookback=300000&endTs="+ms(5*time.Minute)); strings.TrimSpace(a.body) != "[]" || a.header.Get("X-Goshawk-Note") != "" {
		t.Errorf("%v %s", a.header, a.body)
	}
}
