package chaos

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// The settings of TestTracesAreTheSame: traces are closed within the test, what
// is made of them is told every second, and state is saved every few blocks.
const tracesConfig = `
pipelines:
  spans:
    source: {max_wait: 100ms, session_timeout: 2s, heartbeat_interval: 300ms}
    processors:
      - traces: {idle: 1s, max_duration: 6s}
      - servicegraph: {delay: 2s, metrics: {interval: 1s}}
      - red: {delay: 1s, metrics: {interval: 1s}}
`

// TestTracesAreTheSame kills the process at random moments while spans come, late
// ones and repeated ones among them. Another consumer group then reads the same
// records in peace: both have the very same rows of traces, of what is counted by
// the minute, and of the metrics that are derived, each once.
func TestTracesAreTheSame(t *testing.T) {
	t.Parallel()
	kills := 25
	dir := t.TempDir()
	c := cluster.Start(t, cluster.Options{Config: tracesConfig, Dir: dir, Only: []string{"broker", "clickhouse", "gateway"}})
	process(t, c, "state: {interval_bytes: 32KiB, interval_ratio: 0, idle_after: 500ms}")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	load := newTraceLoad(t, c, seed)
	for n := range kills {
		time.Sleep(time.Duration(100+random.IntN(4000)) * time.Millisecond)
		c.Kill("process")
		if n%10 == 9 {
			c.Kill("broker")
			c.Launch("broker")
			c.WaitReady("broker")
		}
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		c.Launch("process")
	}
	load.stop()
	t.Logf("%d traces of %d spans were sent", load.traces, load.spans)
	// The traces of the load are over when something comes later.
	time.Sleep(1500 * time.Millisecond)
	for range 12 {
		load.send(load.flush())
	}
	calmly(t, c)
	caughtUp := func() error {
		var last string
		for _, database := range []string{"goshawk", "calm"} {
			ends, err := c.Admin(fmt.Sprintf("SELECT arraySort(groupArray((p, t))) FROM (SELECT kafka_partition AS p, max(to_offset) AS t FROM %s.ledger WHERE topic = 'otlp_spans' GROUP BY p)", database))
			switch {
			case err != nil:
				return err
			case last != "" && ends != last:
				return fmt.Errorf("offsets are %s and %s", last, ends)
			}
			last = ends
		}
		n, err := c.Admin("SELECT count() FROM calm.spans WHERE name = 'flush'")
		if err == nil && n != "12" {
			err = fmt.Errorf("%s of 12 last spans", n)
		}
		return err
	}
	if err := cluster.Eventually(patience, caughtUp); err != nil {
		t.Fatalf("%v\n%s", err, c.Logs())
	}
	sameRows(t, c)
	one := func(query string) string {
		t.Helper()
		text, err := c.Admin(query)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	counts := "SELECT count(), sum(spans), countIf(spans > 1) FROM %s.traces WHERE root_service != 'flush'"
	disturbed, calm := one(fmt.Sprintf(counts, "goshawk")), one(fmt.Sprintf(counts, "calm"))
	fragments := one("SELECT countIf(n > 1) FROM (SELECT count() AS n FROM goshawk.traces GROUP BY trace_id)")
	t.Logf("rows, spans, rows of several spans: %s; traces of several rows: %s", disturbed, fragments)
	if disturbed != calm || fragments == "0" {
		t.Errorf("%s rows and spans, in peace %s; %s traces of several rows", disturbed, calm, fragments)
	}
	wrong := one(`SELECT hex(trace_id), s.n, w.n FROM (SELECT trace_id, uniqExact(span_id) AS n FROM goshawk.spans GROUP BY trace_id) AS s
		LEFT JOIN (SELECT trace_id, sum(spans) AS n FROM goshawk.traces GROUP BY trace_id) AS w USING trace_id
		WHERE s.n != w.n AND trace_id NOT IN (SELECT trace_id FROM goshawk.spans WHERE name = 'flush') LIMIT 10`)
	if wrong != "" {
		t.Errorf("traces whose spans are not in their rows (trace, spans, spans in rows):\n%s", wrong)
	}
	text, err := os.ReadFile(filepath.Join(dir, "process.log"))
	if err != nil {
		t.Fatal(err)
	}
	log := string(text)
	starts := map[string]int{}
	for _, how := range []string{"fresh", "snapshot", "gap", "replay", "empty"} {
		starts[how] = strings.Count(log, "how="+how+" ")
	}
	t.Logf("partitions were begun with: %v; %d replays of nothing", starts, strings.Count(log, "replayed=0\n"))
	if starts["snapshot"] == 0 || starts["gap"]+starts["replay"]+starts["empty"] > 0 || strings.Contains(log, "cannot be used") {
		t.Error("state was lost, or never needed")
	}
}

// process starts the process, with more settings of its own than a cluster gives it.
func process(t *testing.T, c *cluster.Cluster, settings string) {
	t.Helper()
	const begin = "\nprocess: {"
	text, err := os.ReadFile(c.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), begin) != 1 {
		t.Fatalf("the configuration has no single process:\n%s", text)
	}
	if err := os.WriteFile(c.ConfigPath(), []byte(strings.Replace(string(text), begin, begin+settings+", ", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Launch("process")
}

// calmly starts a process that nobody disturbs, with a group, tables and a topic of
// derived metrics of its own.
func calmly(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "calm.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Getenv(cluster.BinaryEnv), "process", "--config", c.ConfigPath())
	cmd.Env = append(os.Environ(), "GOSHAWK_PROCESS_GROUP=calm", "GOSHAWK_CLICKHOUSE_DATABASE=calm", "GOSHAWK_TOPICS_METRICS=calm_metrics")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("--- calm.log\n%.6000s", text)
		}
	})
}

// traceLoad sends traces, each in several requests.
type traceLoad struct {
	t             *testing.T
	url           string
	client        *http.Client
	end           chan struct{}
	wait          sync.WaitGroup
	traces, spans int
}

// newTraceSender returns a load that sends nothing by itself.
func newTraceSender(t *testing.T, c *cluster.Cluster) *traceLoad {
	return &traceLoad{t: t, url: "http://" + c.HTTP + "/v1/traces", client: &http.Client{Timeout: 10 * time.Second}, end: make(chan struct{})}
}

func newTraceLoad(t *testing.T, c *cluster.Cluster, seed uint64) *traceLoad {
	l := newTraceSender(t, c)
	random := mathrand.New(mathrand.NewPCG(seed, 1))
	l.wait.Go(func() {
		for {
			select {
			case <-l.end:
				return
			case <-time.After(time.Duration(5+random.IntN(15)) * time.Millisecond):
			}
			l.trace(random)
		}
	})
	return l
}

func (l *traceLoad) stop() {
	close(l.end)
	l.wait.Wait()
}

// trace sends the spans of one trace, those of each service in a request of its
// own: mostly soon, sometimes long after the others, sometimes twice.
func (l *traceLoad) trace(random *mathrand.Rand) {
	var id pcommon.TraceID
	rand.Read(id[:])
	now, parent := time.Now(), pcommon.SpanID{}
	l.traces++
	for service := range 1 + random.IntN(4) {
		request := ptrace.NewTraces()
		rs := request.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", fmt.Sprintf("service-%d", service))
		rs.Resource().Attributes().PutStr("host.name", fmt.Sprintf("node-%d", service))
		spans := rs.ScopeSpans().AppendEmpty().Spans()
		var server, last pcommon.SpanID
		for i := range 1 + random.IntN(4) {
			s := spans.AppendEmpty()
			var own pcommon.SpanID
			rand.Read(own[:])
			s.SetTraceID(id)
			s.SetSpanID(own)
			// What the service was asked for, and the calls that it makes for that. The
			// last of these asks the next service.
			s.SetParentSpanID(parent)
			s.SetKind(ptrace.SpanKindClient)
			if i == 0 {
				s.SetKind(ptrace.SpanKindServer)
				server = own
			} else {
				s.SetParentSpanID(server)
			}
			last = own
			s.SetName(fmt.Sprintf("operation %d", i))
			s.SetStartTimestamp(pcommon.NewTimestampFromTime(now.Add(-time.Duration(random.IntN(100)) * time.Millisecond)))
			s.SetEndTimestamp(pcommon.NewTimestampFromTime(now.Add(-time.Duration(random.IntN(50)) * time.Millisecond)))
			if random.IntN(10) == 0 {
				s.Status().SetCode(ptrace.StatusCodeError)
			}
			l.spans++
		}
		parent = last
		delay := time.Duration(random.IntN(200)) * time.Millisecond
		if random.IntN(20) == 0 {
			delay = time.Duration(1500+random.IntN(2000)) * time.Millisecond
		}
		if random.IntN(20) == 0 {
			// The same spans twice in a request: a repeat that came when the trace is
			// over would count again.
			rs.CopyTo(request.ResourceSpans().AppendEmpty())
		}
		l.wait.Go(func() {
			time.Sleep(delay)
			l.send(request)
		})
	}
}

// flush is a trace of one span, now.
func (l *traceLoad) flush() ptrace.Traces {
	request := ptrace.NewTraces()
	rs := request.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "flush")
	s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	var id pcommon.TraceID
	rand.Read(id[:])
	s.SetTraceID(id)
	s.SetSpanID(pcommon.SpanID{1})
	s.SetName("flush")
	now := pcommon.NewTimestampFromTime(time.Now())
	s.SetStartTimestamp(now)
	s.SetEndTimestamp(now)
	return request
}

// send repeats a request until it is acknowledged.
func (l *traceLoad) send(request ptrace.Traces) {
	body, err := ptraceotlp.NewExportRequestFromTraces(request).MarshalProto()
	if err != nil {
		l.t.Error(err)
		return
	}
	err = cluster.Eventually(patience, func() error {
		response, err := l.client.Post(l.url, "application/x-protobuf", bytes.NewReader(body))
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	})
	if err != nil {
		l.t.Errorf("a request was never acknowledged: %v", err)
	}
}
