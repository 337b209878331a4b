package logs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/metric"
)

// naive is a line of the random test with its labels, as plain maps.
type naive struct {
	at     time.Duration
	body   string
	stream map[string]string
	meta   map[string]string
}

func (n *naive) get(name string) string {
	if v, ok := n.stream[name]; ok {
		return v
	}
	return n.meta[name]
}

// condition is a piece of a random query and what it says of a line.
type condition struct {
	text  string
	holds func(*naive) bool
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// testRandom asks random queries about random lines, three ways: with ClickHouse
// doing what it can, with everything done here, and by plain loops over what was
// sent. All must answer the same.
func testRandom(t *testing.T, f *fixture) {
	r := rand.New(rand.NewPCG(3, 5))
	var records []record
	var lines []naive
	services, hosts, routes := []string{"cart", "mail", ""}, []string{"web-1", "web-2", ""}, []string{"/cart", "/pay", "a b", "é", ""}
	words := []string{"deadlock", "order-17", "took 5ms", "ERROR", "é", "a.b", "x\ny", "the end", "' OR 1", "\\d", "%", "_", "24cf9509e18b7cd0", "24cf9509"}
	for range 400 {
		n := naive{at: time.Duration(r.IntN(7200)) * 500 * time.Millisecond, stream: map[string]string{}, meta: map[string]string{}}
		rec := record{at: n.at, resource: map[string]any{}, attrs: map[string]any{}}
		severity := r.IntN(7)
		rec.severity = plog.SeverityNumber(max(0, severity*4-3))
		n.stream["level"] = []string{"unknown", "trace", "debug", "info", "warn", "error", "fatal"}[severity]
		n.stream["service_name"] = "unknown_service"
		if v := pick(r, services...); v != "" {
			rec.resource["service.name"], n.stream["service_name"] = v, v
		}
		if v := pick(r, hosts...); v != "" {
			rec.resource["host.name"], n.stream["host_name"] = v, v
		} else if r.IntN(2) == 0 {
			rec.attrs["host-name"], n.meta["host_name"] = "from-record", "from-record"
		}
		if r.IntN(8) == 0 {
			rec.resource["level"], n.stream["level"] = "info", "info"
		}
		n.meta["detected_level"] = n.stream["level"]
		if v := pick(r, routes...); v != "" {
			rec.attrs["http.route"], n.meta["http_route"] = v, v
		}
		if r.IntN(3) == 0 {
			code := fmt.Sprint(200 + r.IntN(3)*100)
			rec.attrs["code"], n.meta["code"] = code, code
		}
		for range 1 + r.IntN(4) {
			n.body += pick(r, words...) + pick(r, " ", "", "-")
		}
		rec.body = n.body
		records, lines = append(records, rec), append(lines, n)
	}
	f.send(t, "random", records...)
	store := f.store(nil)
	asked := 0
	for range 60 {
		conditions := randomConditions(r, words)
		var selector, rest []string
		for _, c := range conditions {
			if c.text[0] == '{' {
				selector = append(selector, c.text[1:])
			} else {
				rest = append(rest, c.text)
			}
		}
		query := "{" + strings.Join(selector, ", ") + "} " + strings.Join(rest, " ")
		var meet []naive
		for i := range lines {
			if !slices.ContainsFunc(conditions, func(c condition) bool { return !c.holds(&lines[i]) }) {
				meet = append(meet, lines[i])
			}
		}
		if len(meet) > 0 {
			asked++
		}
		streamed := store.For("random")
		streamed.Streamed = true
		for how, reader := range map[string]*logs.Reader{"ClickHouse": store.For("random"), "here": streamed} {
			checkLines(t, how, reader, query, meet, 1+r.IntN(40), r.IntN(2) == 0)
			checkCounts(t, how, reader, query, meet, r)
		}
		if t.Failed() {
			return
		}
	}
	if asked < 20 {
		t.Errorf("only %d queries found lines", asked)
	}
}

func randomConditions(r *rand.Rand, words []string) []condition {
	matcher := func(name string, values ...string) condition {
		v := pick(r, values...)
		re := regexp.MustCompile("^(?s:" + v + ")$")
		return pick(r,
			condition{fmt.Sprintf("%s=%q", name, v), func(n *naive) bool { return n.get(name) == v }},
			condition{fmt.Sprintf("%s!=%q", name, v), func(n *naive) bool { return n.get(name) != v }},
			condition{fmt.Sprintf("%s=~%q", name, v), func(n *naive) bool { return re.MatchString(n.get(name)) }},
			condition{fmt.Sprintf("%s!~%q", name, v), func(n *naive) bool { return !re.MatchString(n.get(name)) }},
		)
	}
	// Labels of records are none in a selector.
	inSelector := func(c condition) condition {
		return condition{"{" + c.text, func(n *naive) bool { return c.holds(&naive{stream: n.stream}) }}
	}
	all := []condition{{`{service_name=~".+"`, func(*naive) bool { return true }}}
	if r.IntN(2) == 0 {
		all = append(all, inSelector(matcher("service_name", "cart", "mail|cart", "unknown_service", "", "c.*", "nobody")))
	}
	if r.IntN(3) == 0 {
		all = append(all, inSelector(matcher("level", "info", "error|warn", "unknown", "", ".+")))
	}
	if r.IntN(3) == 0 {
		all = append(all, inSelector(matcher("host_name", "web-1", "web-.*", "", "from-record")))
	}
	for range r.IntN(3) {
		switch r.IntN(4) {
		case 0, 1:
			w := pick(r, append(words, "", "took", "17 ", "-", "cf9509e18b7cd", " 24cf9509e18b7cd0", "24cf9509e18b7cd024cf9509")...)
			re := regexp.MustCompile(regexp.QuoteMeta(w) + ".")
			all = append(all, pick(r,
				condition{fmt.Sprintf("|= %q", w), func(n *naive) bool { return strings.Contains(n.body, w) }},
				condition{fmt.Sprintf("!= %q", w), func(n *naive) bool { return !strings.Contains(n.body, w) }},
				condition{fmt.Sprintf("|= %q or \"end\"", w), func(n *naive) bool { return strings.Contains(n.body, w) || strings.Contains(n.body, "end") }},
				condition{fmt.Sprintf("|~ %q", re), func(n *naive) bool { return re.MatchString(n.body) }},
				condition{fmt.Sprintf("!~ %q", re), func(n *naive) bool { return !re.MatchString(n.body) }},
			))
		case 2:
			a, b := matcher("http_route", "/cart", "/.*", "", "a b", "é"), matcher(pick(r, "host_name", "code", "detected_level", "level", "service_name", "none"), "web-1", "from-record", "300", "info", "", "cart")
			all = append(all, pick(r,
				condition{"| " + a.text + " or " + b.text, func(n *naive) bool { return a.holds(n) || b.holds(n) }},
				condition{"| " + a.text + " and " + b.text, func(n *naive) bool { return a.holds(n) && b.holds(n) }},
				condition{"| " + b.text, b.holds},
			))
		case 3:
			all = append(all, condition{"| code >= 300", func(n *naive) bool { return n.meta["code"] >= "300" }})
		}
	}
	return all
}

func checkLines(t *testing.T, how string, reader *logs.Reader, query string, meet []naive, limit int, forward bool) {
	t.Helper()
	e, err := logql.Parse(query)
	if err != nil {
		t.Fatal(query, err)
	}
	found, err := reader.Find(context.Background(), logs.Search{
		Query: e.(*logql.LogExpr), In: logs.Range{From: noon.UnixNano(), To: noon.Add(time.Hour).UnixNano()}, Limit: limit, Forward: forward,
	})
	if err != nil {
		t.Errorf("%s: %s: %v", how, query, err)
		return
	}
	slices.SortStableFunc(meet, func(a, b naive) int {
		if forward {
			return int(a.at - b.at)
		}
		return int(b.at - a.at)
	})
	if len(found) != min(limit, len(meet)) {
		t.Errorf("%s: %s: %d lines, want %d of %d", how, query, len(found), limit, len(meet))
		return
	}
	for i := range found {
		if found[i].Time != noon.Add(meet[i].at).UnixNano() {
			t.Errorf("%s: %s: line %d is of another time", how, query, i)
			return
		}
	}
}

func checkCounts(t *testing.T, how string, reader *logs.Reader, query string, meet []naive, r *rand.Rand) {
	t.Helper()
	by := pick(r, []string{"level"}, []string{"service_name", "host_name"}, []string{"http_route", "detected_level"}, nil, []string{"none"})
	window, step := pick(r, time.Minute, 90*time.Second, 7*time.Minute), pick(r, time.Minute, 5*time.Minute)
	offset := pick(r, 0, 30*time.Second)
	text := fmt.Sprintf("sum by (%s) (count_over_time(%s [%s] offset %s))", strings.Join(by, ", "), query, window, offset)
	e, err := logql.Parse(text)
	if err != nil {
		t.Fatal(text, err)
	}
	steps := metric.Steps{Start: noon.Add(-time.Minute).UnixNano(), Step: int64(step), N: 15}
	v, err := reader.Evaluate(context.Background(), e, steps)
	if err != nil {
		t.Errorf("%s: %s: %v", how, text, err)
		return
	}
	want := map[string]float64{}
	for i := range meet {
		key := ""
		for _, name := range slices.Sorted(slices.Values(by)) {
			if v := meet[i].get(name); v != "" {
				key += name + "=" + v + ","
			}
		}
		for n := range steps.N {
			end := time.Duration(steps.At(n)-noon.UnixNano()) - offset
			if meet[i].at > end-window && meet[i].at <= end {
				want[fmt.Sprint(key, "@", n)]++
			}
		}
	}
	for _, s := range v.Series {
		key := ""
		for _, l := range s.Labels {
			key += l.Name + "=" + l.Value + ","
		}
		for n := range steps.N {
			if !s.Present[n] {
				continue
			}
			at := fmt.Sprint(key, "@", n)
			if want[at] != s.Values[n] {
				t.Errorf("%s: %s: %s is %v, want %v", how, text, at, s.Values[n], want[at])
			}
			delete(want, at)
		}
	}
	if len(want) > 0 {
		t.Errorf("%s: %s: missing %v", how, text, want)
	}
}
