package prometheus

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// seed makes the data and the questions.
var seed = flag.Uint64("seed", 20240229, "make data and questions of this `number`")

// leastOld is how many questions are compared with 2.42 at least.
const leastOld = 500

// bench holds servers with the same samples.
type bench struct {
	goshawk   *cluster.Cluster
	url       string // of goshawk's query service
	reference string
	old       string // Prometheus of the Debian package; empty where there is none
}

// TestSame sends the same samples by remote-write to goshawk, to the Prometheus
// that goshawk is built with and to the one of the Debian package, and asks them
// the same.
func TestSame(t *testing.T) {
	b := &bench{goshawk: startGoshawk(t, ""), reference: startReference(t)}
	b.url = "http://" + b.goshawk.Query
	if _, err := exec.LookPath("prometheus"); err == nil {
		b.old = Start(t, "global: {}\n").URL
	} else {
		t.Logf("SKIP: there is no prometheus in PATH (Debian package %s): compared with the reference only", Package)
	}
	b.fill(t)
	t.Run("questions", b.questions)
	t.Run("errors", b.errors)
	t.Run("grafana", b.grafana)
	t.Run("hostile", b.hostile)
}

// fill sends the data and waits until goshawk has them.
func (b *bench) fill(t *testing.T) {
	t.Helper()
	d := newDataset(*seed)
	bodies, samples, err := d.requests()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for _, body := range bodies {
		write(t, b.reference+"/api/v1/write", body)
		write(t, "http://"+b.goshawk.HTTP+"/api/v1/write", body)
		if b.old != "" {
			write(t, b.old+"/api/v1/write", body)
		}
	}
	// Stale markers and repeats are no samples to PromQL.
	var counts []string
	for _, s := range d.series {
		if name := s.labels[slices.IndexFunc(s.labels, func(l prompb.Label) bool { return l.Name == "__name__" })].Value; !slices.Contains(counts, name) {
			counts = append(counts, name)
		}
	}
	for i, name := range counts {
		counts[i] = fmt.Sprintf("sum(count_over_time({__name__=%q}[5h]))", name)
	}
	everything := question{query: strings.Join(counts, " + "), at: dataStart.Add(dataLength).UnixMilli() + 60_000}
	want, err := ask(t.Context(), b.reference, http.MethodGet, everything.path(), everything.form())
	if err != nil {
		t.Fatal(err)
	}
	if want.Status != "success" {
		t.Fatalf("the reference answers %s", want.text)
	}
	if err := cluster.Eventually(2*time.Minute, func() error {
		got, err := ask(t.Context(), b.url, http.MethodGet, everything.path(), everything.form())
		if err != nil {
			return err
		}
		if text := (comparison{}).differ(got, want); text != "" {
			return errors.New(text)
		}
		return nil
	}); err != nil {
		t.Fatalf("goshawk does not have all samples: %v", err)
	}
	t.Logf("%d series, %d samples in %d requests, after %s", len(d.series), samples, len(bodies), time.Since(began).Round(time.Millisecond))
}

// questions asks all of them, by different methods in turn.
func (b *bench) questions(t *testing.T) {
	all := questions(*seed)
	seen := newCoverage()
	compared, left, failed := 0, map[string]int{}, 0
	for i, q := range all {
		method := []string{http.MethodGet, http.MethodPost, http.MethodPost + "+"}[i%3]
		got, want := b.ask(t, b.url, method, q), b.ask(t, b.reference, method, q)
		seen.add(q.query, want)
		// The result of "or" has no order, on which the last bits of sums depend.
		if text := (comparison{tolerance: 1e-12, wording: true, order: ordering(q.query)}).differ(got, want); text != "" {
			failed++
			t.Errorf("the reference differs: %s\n%s\ngoshawk:   %s\nreference: %s", text, q, short(got.text), short(want.text))
		}
		if b.old == "" {
			continue
		}
		if reason := differsInOld(q.query); reason != "" {
			left[reason]++
			continue
		}
		compared++
		old := q
		old.query = inOld(q.query)
		want = b.ask(t, b.old, method, old)
		if text := (comparison{tolerance: 1e-9, order: ordering(q.query)}).differ(got, want); text != "" {
			failed++
			t.Errorf("Prometheus %s differs: %s\n%s\ngoshawk:    %s\nPrometheus: %s", Version, text, q, short(got.text), short(want.text))
		}
		if failed > 60 {
			t.Fatal("that is enough")
		}
	}
	seen.check(t)
	t.Logf("%d questions are answered as the reference does (%d with series, %d with errors), %d of them compared with Prometheus %s",
		len(all), seen.filled, seen.errors, compared, Version)
	for reason, n := range left {
		t.Logf("%4d not compared with Prometheus %s: %s", n, Version, reason)
	}
	if b.old != "" && compared < leastOld {
		t.Errorf("%d questions are compared with Prometheus %s, want %d", compared, Version, leastOld)
	}
}

func (b *bench) ask(t *testing.T, server, method string, q question) *answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	a, err := ask(ctx, server, method, q.path(), q.form())
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return a
}

// ordering reports whether a query says in which order its answer is.
func ordering(query string) bool {
	e, err := parser.NewParser(options).ParseExpr(query)
	if err != nil {
		return false
	}
	call, ok := e.(*parser.Call)
	return ok && (call.Func.Name == "sort" || call.Func.Name == "sort_desc" || call.Func.Name == "sort_by_label" || call.Func.Name == "sort_by_label_desc")
}

func short(text string) string {
	if len(text) > 1500 {
		return fmt.Sprintf("%s ... (%d bytes)", text[:1500], len(text))
	}
	return text
}

// coverage notes what was asked with an answer that has series.
type coverage struct {
	filled, errors int
	parts          map[string]bool
}

func newCoverage() *coverage {
	c := &coverage{parts: map[string]bool{}}
	for name := range parser.Functions {
		c.parts["function "+name] = false
	}
	for _, name := range aggregators() {
		c.parts["aggregation "+name] = false
	}
	for _, name := range operators {
		c.parts["operator "+name] = false
	}
	return c
}

func (c *coverage) add(query string, a *answer) {
	if a.Status != "success" {
		c.errors++
		return
	}
	if len(a.Data) < len(`{"resultType":"vector","result":[]}`)+10 {
		return
	}
	c.filled++
	e, err := parser.NewParser(options).ParseExpr(query)
	if err != nil {
		return
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.Call:
			c.parts["function "+n.Func.Name] = true
		case *parser.AggregateExpr:
			c.parts["aggregation "+n.Op.String()] = true
		case *parser.BinaryExpr:
			c.parts["operator "+n.Op.String()] = true
		}
		return nil
	})
}

// check fails the test for what was never asked, or only with empty answers.
func (c *coverage) check(t *testing.T) {
	t.Helper()
	for part, asked := range c.parts {
		// Requests of version 1.0 do not say when a counter began.
		if !asked && part != "function start_timestamp" {
			t.Errorf("no question with a filled answer uses the %s", part)
		}
	}
}
