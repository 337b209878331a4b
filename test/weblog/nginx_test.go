package weblog

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// attacker is the address of who means harm, and attacks how many requests it
// sends.
const (
	attacker = "127.0.7.7"
	attacks  = 30
)

// agents are what visitors call themselves. nginx escapes the quotes.
var agents = []string{
	"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	`Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 "quoted"`,
}

// TestNginx lets visitors and an attacker ask an nginx whose logs are rotated
// meanwhile. What goshawk answers, in the format that it knows and in the one
// that it was told, is what they did.
func TestNginx(t *testing.T) {
	s := startServer(t)
	c := cluster.Start(t, cluster.Options{
		Up: true, Agent: true, AgentConfig: collector,
		// The names of rotated files are in one of the patterns only.
		AgentInputs: fmt.Sprintf(`files: {inputs: [
  {include: [%q], from: beginning, resource: {service.name: nginx}},
  {include: [%q], from: beginning, resource: {service.name: shop}}]}`, s.path("access.log*"), s.path("shop.log")),
		Config: fmt.Sprintf(`pipelines:
  logs: {processors: [parse: {}, weblog: {formats: {shop: 'nginx: %s'}}]}
  web_hits: {processors: [security: {interval: 1s}]}
`, shopFormat),
	})
	d := &diary{}
	began := time.Now()
	// Files are rotated once the agent has seen them.
	first := newVisitor(s, "127.0.1.1", agents[0], d)
	if _, err := first.ask("shop.example", "GET /"); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"nginx", "shop"} {
		if err := c.WaitRow(patience, "SELECT count() FROM logs WHERE service = '"+service+"'"); err != nil {
			t.Fatal(err)
		}
	}
	if err := visit(s, d); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"nginx", "shop"} {
		err := cluster.Eventually(patience, func() error {
			n, err := c.Count("SELECT count() FROM web_hits WHERE service = '" + service + "'")
			if err == nil && n != int64(len(d.requests)) {
				err = fmt.Errorf("%d hits of %s, want %d", n, service, len(d.requests))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	t.Run("findings", func(t *testing.T) { compareFindings(t, c, began) })
	t.Run("statistics", func(t *testing.T) { compareStatistics(t, c, began, d.requests) })
	t.Run("durations", func(t *testing.T) { compareDurations(t, c, s, len(d.requests)) })
	t.Run("LogQL", func(t *testing.T) { compareLogQL(t, c, d.requests) })
}

// visit makes some hundred requests. After a third of them all logs are rotated,
// after two thirds one.
func visit(s *server, d *diary) error {
	const visitors, rounds = 8, 3
	walk := []string{
		"GET /", "GET /style.css", "HEAD /", "GET /search?q=shoes&page=2", "POST /orders", "GET /gone/404", "GET /private", "GET /moved", "GET /broken",
		"POST /style.css", "DELETE /orders?id=%22x%22", "GET /caf%C3%A9",
	}
	third := (visitors*rounds*len(walk) + attacks) / 3
	tell := func(n int, err error) error {
		switch {
		case err != nil:
			return err
		case n == third:
			return s.rotate("access.log", "shop.log")
		case n == 2*third:
			return s.rotate("access.log")
		}
		return nil
	}
	var group errgroup.Group
	for i := range visitors {
		v := newVisitor(s, fmt.Sprintf("127.0.1.%d", 1+i), agents[i%len(agents)], d)
		host := []string{"shop.example", "docs.example"}[i/2%2]
		group.Go(func() error {
			for range rounds {
				for _, what := range walk {
					if err := tell(v.ask(host, what)); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		v := newVisitor(s, attacker, agents[0], d)
		for n := range attacks {
			if err := tell(v.ask("shop.example", fmt.Sprintf("GET /search?q=%d'%%20UNION%%20SELECT%%20name,password%%20FROM%%20users--%%20", n))); err != nil {
				return err
			}
		}
		return nil
	})
	group.Go(func() error {
		return tell(newVisitor(s, "127.0.2.1", agents[0], d).ask("docs.example", "GET /export.csv"))
	})
	return group.Wait()
}

// compareFindings expects the attacker in both logs, with all of its requests,
// and nobody else.
func compareFindings(t *testing.T, c *cluster.Cluster, began time.Time) {
	var answer struct {
		Findings []struct {
			Kind, Actor, Site, Reason string
			Hits                      int
			Evidence                  []string
		}
	}
	err := cluster.Eventually(patience, func() error {
		if err := get(c, "/api/v1/findings", url.Values{"start": {began.Add(-time.Minute).Format(time.RFC3339)}}, &answer); err != nil {
			return err
		}
		hits := map[string]int{}
		for _, f := range answer.Findings {
			hits[f.Kind+" "+f.Actor+" "+f.Site] += f.Hits
		}
		want := map[string]int{"sql_injection " + attacker + " nginx": attacks, "sql_injection " + attacker + " shop.example": attacks}
		if !maps.Equal(hits, want) {
			return fmt.Errorf("found %v, want %v", hits, want)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v: %+v", err, answer)
	}
	for _, f := range answer.Findings {
		if !strings.Contains(f.Reason, "SQL") || len(f.Evidence) == 0 || !strings.Contains(f.Evidence[0], attacker+" ") || !strings.Contains(f.Evidence[0], "UNION") {
			t.Errorf("%+v is not about the attack", f)
		}
	}
}

// compareStatistics holds every list of the statistics against what was done.
func compareStatistics(t *testing.T, c *cluster.Cluster, began time.Time, requests []request) {
	host := func(r *request) string { return r.host }
	for service, site := range map[string]func(*request) string{"nginx": func(*request) string { return "nginx" }, "shop": host} {
		panels := map[string]func(*request) string{
			"sites":          site,
			"status":         func(r *request) string { return strconv.Itoa(r.status) },
			"status_classes": func(r *request) string { return strconv.Itoa(r.status/100) + "xx" },
			"methods":        func(r *request) string { return r.method },
			"protocols":      func(*request) string { return "HTTP/1.1" },
			"paths":          func(r *request) string { return r.path },
			"clients":        func(r *request) string { return r.client },
			"not_found": func(r *request) string {
				if r.status == 404 {
					return r.path
				}
				return ""
			},
			"browsers": func(r *request) string {
				if strings.Contains(r.agent, "Firefox") {
					return "Firefox"
				}
				return "Chrome"
			},
		}
		var answer struct {
			Totals struct {
				counts
				Successful   int `json:"successful"`
				ClientErrors int `json:"client_errors"`
				ServerErrors int `json:"server_errors"`
				NotFound     int `json:"not_found"`
				Clients      int `json:"clients"`
				Sites        int `json:"sites"`
				Bots         int `json:"bots"`
			} `json:"totals"`
			Panels map[string][]struct {
				Name string `json:"name"`
				counts
			} `json:"panels"`
		}
		parameters := url.Values{
			"service": {service}, "start": {began.Add(-time.Minute).Format(time.RFC3339)}, "limit": {"1000"},
			"panels": {strings.Join(slices.Collect(maps.Keys(panels)), ",")},
		}
		if err := get(c, "/api/v1/weblog", parameters, &answer); err != nil {
			t.Fatal(err)
		}
		for panel, name := range panels {
			have, want := map[string]counts{}, by(requests, site, name)
			for _, row := range answer.Panels[panel] {
				have[row.Name] = row.counts
			}
			if !maps.Equal(have, want) {
				t.Errorf("%s, %s: %+v, want %+v", service, panel, have, want)
			}
		}
		all := by(requests, site, func(*request) string { return "all" })["all"]
		classes := by(requests, site, panels["status_classes"])
		want := answer.Totals
		want.counts = all
		want.Successful, want.ClientErrors, want.ServerErrors = all.Requests-all.Failed, classes["4xx"].Requests, classes["5xx"].Requests
		want.NotFound = by(requests, site, panels["status"])["404"].Requests
		want.Clients, want.Sites, want.Bots = len(by(requests, site, panels["clients"])), len(by(requests, site, site)), 0
		if answer.Totals != want {
			t.Errorf("%s: %+v, want %+v", service, answer.Totals, want)
		}
		// What nginx escaped is what the visitors said.
		parameters.Set("user_agent", agents[1])
		parameters.Set("panels", "none")
		if err := get(c, "/api/v1/weblog", parameters, &answer); err != nil {
			t.Fatal(err)
		}
		if quoted := by(requests, site, func(r *request) string { return r.agent })[agents[1]]; answer.Totals.counts != quoted {
			t.Errorf("%s: requests with quotes in the agent are %+v, want %+v", service, answer.Totals.counts, quoted)
		}
	}
}

var requestTime = regexp.MustCompile(` (\d+)\.(\d{3}) "[^"]*"\n`)

// compareDurations expects the times that nginx wrote, to the millisecond.
func compareDurations(t *testing.T, c *cluster.Cluster, s *server, requests int) {
	logs, err := filepath.Glob(s.path("shop.log*"))
	if err != nil {
		t.Fatal(err)
	}
	found, milliseconds := 0, 0
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range requestTime.FindAllStringSubmatch(string(text), -1) {
			n, err := strconv.Atoi(m[1] + m[2])
			if err != nil {
				t.Fatal(err)
			}
			found++
			milliseconds += n
		}
	}
	have, err := c.SQL("SELECT count(), sum(duration_ns) FROM web_hits WHERE service = 'shop' AND duration_ns >= 0")
	if want := fmt.Sprintf("%d\t%d", requests, milliseconds*1_000_000); err != nil || have != want || found != requests || milliseconds == 0 {
		t.Errorf("(requests, nanoseconds) are %q, want %q; the log has %d: %v", have, want, found, err)
	}
	var answer struct {
		Panels struct{ Slowest []struct{ Name string } }
	}
	if err := get(c, "/api/v1/weblog", url.Values{"service": {"shop"}, "panels": {"slowest"}}, &answer); err != nil {
		t.Fatal(err)
	}
	if s := answer.Panels.Slowest; len(s) == 0 || s[0].Name != "/export.csv" {
		t.Errorf("the slowest are %v, want /export.csv first, which the server sends slowly", s)
	}
}

// compareLogQL counts lines by text and by the severity that they got.
func compareLogQL(t *testing.T, c *cluster.Cluster, requests []request) {
	site := func(r *request) string { return r.host }
	levels := map[string]int{}
	for class, n := range by(requests, site, func(r *request) string { return strconv.Itoa(r.status / 100) }) {
		levels[map[string]string{"2": "info", "3": "info", "4": "warn", "5": "error"}[class]] += n.Requests
	}
	notFound := by(requests, site, func(r *request) string { return strconv.Itoa(r.status) })["404"].Requests
	for _, q := range []struct {
		query, label string
		want         map[string]int
	}{
		{`sum(count_over_time({service_name="nginx"} |= "404" [5m]))`, "", map[string]int{"": notFound}},
		{`count_over_time({service_name="nginx"} |= "404" [5m])`, "level", map[string]int{"warn": notFound}},
		{`sum by (level) (count_over_time({service_name="nginx"}[5m]))`, "level", levels},
		{`sum by (level) (count_over_time({service_name="shop"}[5m]))`, "level", levels},
	} {
		if have, err := count(c, q.query, q.label); err != nil || !maps.Equal(have, q.want) {
			t.Errorf("%s: %v, want %v: %v", q.query, have, q.want, err)
		}
	}
	if notFound == 0 {
		t.Error("no request got a 404")
	}
}
