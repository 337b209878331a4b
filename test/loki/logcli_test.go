// Package loki asks the query service through the client of Loki.
package loki

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/test/cluster"
)

// patience is how long something may take on a slow, shared machine. It bounds a
// failing run; no test asserts a speed.
const patience = time.Minute

// logcli is the client, and the service that it asks.
type logcli struct{ path, query string }

// client returns the client that test/logcli/fetch has built. The test is skipped
// where there is none.
func client(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../.cache/logcli/logcli")
	if err != nil {
		t.Fatal(err)
	}
	wanted := os.Getenv("GOSHAWK_LOGCLI")
	if _, err := os.Stat(path); wanted == "skip" || err != nil && wanted != "require" {
		t.Skip("SKIP logcli: test/logcli/fetch builds it")
	}
	return path
}

// command is a call of the client.
func (l logcli) command(args ...string) *exec.Cmd {
	cmd := exec.Command(l.path, append([]string{"--addr=http://" + l.query, "--quiet", "--timezone=UTC"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// lines are what a call says.
func (l logcli) lines(args ...string) ([]string, error) {
	cmd := l.command(args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("logcli %s: %w\n%s", strings.Join(args, " "), err, said.String())
	}
	var all []string
	for line := range strings.Lines(string(out)) {
		all = append(all, strings.TrimRight(line, "\n"))
	}
	return all, nil
}

// series is one of the series that the client prints of a number.
type series struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
	Values [][2]any          `json:"values"`
}

// numbers are the last values of the series of a query, by a label.
func (l logcli) numbers(label string, args ...string) (map[string]string, error) {
	lines, err := l.lines(args...)
	if err != nil {
		return nil, err
	}
	var all []series
	if err := json.Unmarshal([]byte(strings.Join(lines, "\n")), &all); err != nil {
		return nil, err
	}
	numbers := map[string]string{}
	for _, s := range all {
		if len(s.Values) > 0 {
			s.Value = s.Values[len(s.Values)-1]
		}
		numbers[s.Metric[label]] = fmt.Sprint(s.Value[1])
	}
	return numbers, nil
}

// order is a line of the shop: those in hundreds are of another host, every tenth
// has failed.
func order(n int) (host, level, line string) {
	host, level = fmt.Sprintf("web-%d", n/100), "info"
	status := 200
	if n%10 == 0 {
		level, status = "error", 500
	}
	return host, level, fmt.Sprintf(`{"order":%d,"status":%d,"note":"für \"%d\""}`, n, status, n)
}

// push sends lines as Loki's clients do, a second apart and the last one now.
func push(c *cluster.Cluster, from, to int) error {
	type stream struct {
		Stream map[string]string `json:"stream"`
		Values [][2]string       `json:"values"`
	}
	var streams []stream
	now := time.Now()
	for n := from; n < to; n++ {
		host, level, line := order(n)
		at := now.Add(-time.Duration(to-1-n) * time.Second)
		streams = append(streams, stream{
			map[string]string{"service_name": "logcli-shop", "host_name": host, "level": level},
			[][2]string{{fmt.Sprint(at.UnixNano()), line}},
		})
	}
	body, err := json.Marshal(map[string]any{"streams": streams})
	if err != nil {
		return err
	}
	response, err := http.Post("http://"+c.HTTP+"/loki/api/v1/push", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("push: %s", response.Status)
	}
	return nil
}

// TestLogcli pushes lines, and asks for them by every command that logcli has for
// reading.
func TestLogcli(t *testing.T) {
	path := client(t)
	c := cluster.Start(t, cluster.Options{Up: true})
	l := logcli{path, c.Query}
	if err := push(c, 0, 300); err != nil {
		t.Fatal(err)
	}
	const selector = `{service_name="logcli-shop"}`
	// Batches that are smaller than the answer make the client page through time.
	err := cluster.Eventually(patience, func() error {
		have, err := l.lines("query", "--output=raw", "--since=1h", "--limit=1000", "--batch=37", "--forward", selector)
		if err != nil {
			return err
		}
		var want []string
		for n := range 300 {
			_, _, line := order(n)
			want = append(want, line)
		}
		if !slices.Equal(have, want) {
			return fmt.Errorf("%d lines, want %d in their order:\n%s", len(have), len(want), strings.Join(have, "\n"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("names", func(t *testing.T) { testNames(t, l, selector) })
	t.Run("numbers", func(t *testing.T) { testNumbers(t, l, selector) })
	t.Run("parsers", func(t *testing.T) { testParsers(t, l, selector) })
	t.Run("errors", func(t *testing.T) { testErrors(t, l) })
	t.Run("tail", func(t *testing.T) { testTail(t, c, l, selector) })
}

// testNames asks for labels, their values, streams and fields.
func testNames(t *testing.T, l logcli, selector string) {
	for _, ask := range []struct {
		args []string
		want []string
	}{
		{[]string{"labels", "--since=1h", "host_name"}, []string{"web-0", "web-1", "web-2"}},
		{[]string{"labels", "--since=1h"}, []string{"host_name", "level", "service_name"}},
		{[]string{"series", "--since=1h", `{service_name="logcli-shop", level="error"}`}, []string{
			`{host_name="web-0", level="error", service_name="logcli-shop"}`,
			`{host_name="web-1", level="error", service_name="logcli-shop"}`,
			`{host_name="web-2", level="error", service_name="logcli-shop"}`,
		}},
		{[]string{"detected-fields", "--since=1h", selector}, []string{
			"label: detected_level\t\ttype: string\t\tcardinality: 2",
			"label: note\t\ttype: string\t\tcardinality: 300",
			"label: order\t\ttype: int\t\tcardinality: 300",
			"label: status\t\ttype: int\t\tcardinality: 2",
		}},
	} {
		have, err := l.lines(ask.args...)
		if err != nil {
			t.Error(err)
			continue
		}
		slices.Sort(have)
		for _, want := range ask.want {
			if _, found := slices.BinarySearch(have, want); !found {
				t.Errorf("%v: there is no %q in\n%s", ask.args, want, strings.Join(have, "\n"))
			}
		}
	}
}

// testNumbers asks for numbers at a time, over time, and of the streams.
func testNumbers(t *testing.T, l logcli, selector string) {
	byLevel := `sum by (level) (count_over_time(` + selector + `[1h]))`
	for _, ask := range []struct {
		label string
		args  []string
		want  string
	}{
		{"level", []string{"instant-query", byLevel}, "map[error:30 info:270]"},
		{"level", []string{"query", "--since=1h", "--step=10m", byLevel}, "map[error:30 info:270]"},
		{"host_name", []string{"instant-query", `max by (host_name) (max_over_time(` + selector + ` | json | unwrap order [1h]))`}, "map[web-0:99 web-1:199 web-2:299]"},
		{"service_name", []string{"volume", "--since=1h", selector}, "map[logcli-shop:" + fmt.Sprint(size()) + "]"},
	} {
		have, err := l.numbers(ask.label, ask.args...)
		if err != nil {
			t.Error(err)
		} else if fmt.Sprint(have) != ask.want {
			t.Errorf("%v: %v, want %s", ask.args, have, ask.want)
		}
	}
	stats, err := l.lines("stats", "--since=1h", selector)
	if err != nil {
		t.Fatal(err)
	}
	if have := strings.Join(strings.Fields(strings.Join(stats, " ")), " "); !strings.Contains(have, "streams: 6 entries: 300") {
		t.Errorf("stats: %s", have)
	}
}

// size is that of the 300 lines, in bytes.
func size() int {
	n := 0
	for i := range 300 {
		_, _, line := order(i)
		n += len(line)
	}
	return n
}

// testParsers lets lines be parsed, filtered and written anew.
func testParsers(t *testing.T, l logcli, selector string) {
	have, err := l.lines("query", "--output=raw", "--since=1h", "--limit=3", "--forward", selector+` |= "für" | json | status=500, order>200 | line_format "{{.order}} on {{.host_name}}: {{.note}}"`)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{`210 on web-2: für "210"`, `220 on web-2: für "220"`, `230 on web-2: für "230"`}; !slices.Equal(have, want) {
		t.Errorf("%q, want %q", have, want)
	}
	have, err = l.lines("query", "--output=jsonl", "--include-common-labels", "--since=1h", "--limit=1", selector+` | json | order=17`)
	if err != nil {
		t.Fatal(err)
	}
	var entry struct {
		Labels map[string]string `json:"labels"`
		Line   string            `json:"line"`
	}
	if len(have) != 1 {
		t.Fatalf("%q", have)
	}
	if err := json.Unmarshal([]byte(have[0]), &entry); err != nil {
		t.Fatal(err)
	}
	if _, _, line := order(17); entry.Line != line || entry.Labels["host_name"] != "web-0" || entry.Labels["status"] != "200" {
		t.Errorf("%+v", entry)
	}
}

// testErrors expects the place of what is wrong with a query.
func testErrors(t *testing.T, l logcli) {
	for query, want := range map[string]string{
		`{service_name="logcli-shop"} |= `:            "parse error at line 1, col 33",
		`sum(rate({service_name="logcli-shop"}[5x]))`: "parse error at line 1, col 39",
	} {
		cmd := l.command("query", "--since=1h", query)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, want %q in\n%s", query, err, want, out)
		}
	}
}

// testTail follows lines while they come.
func testTail(t *testing.T, c *cluster.Cluster, l logcli, selector string) {
	cmd := l.command("query", "--output=raw", "--tail", "--limit=1", selector)
	var out, said observetest.Log
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill() // it follows until it is ended
		_ = cmd.Wait()
	}()
	next := 300
	err := cluster.Eventually(patience, func() error {
		// The client may not listen yet: more lines come until it has one.
		if err := push(c, next, next+1); err != nil {
			return err
		}
		next++
		if !strings.Contains(out.String(), `{"order":3`) {
			return fmt.Errorf("the tail says %q and %q", out.String(), said.String())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
