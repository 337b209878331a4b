package syslog

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/ingest/topic/topictest"
	"github.com/goshawk-observability/goshawk/internal/transport"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the present of tests.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func testTarget(p logbatch.Producer) logbatch.Target {
	return logbatch.Target{
		Producer: p, Topic: "logs", Tenant: "default", MaxRecord: 900 << 10,
		Resource: []logwriter.Attribute{{Key: "host.name", Value: "collector"}}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

func newServer(t testing.TB, p logbatch.Producer, change func(*Config)) *Server {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Location, cfg.BatchWait = "UTC", 10*time.Millisecond
	if change != nil {
		change(&cfg)
	}
	s, err := New(Options{Config: cfg, Target: testTarget(p), Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs the server until the test ends, or stop is called.
func run(t testing.TB, s *Server) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.Run(ctx, func() { close(ready) }) }()
	done := false
	stop = func() {
		if done {
			return
		}
		done = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	select {
	case <-ready:
	case err := <-ended:
		done = true
		t.Fatal(err)
	}
	return stop
}

// describe writes what a message became, one attribute a line.
func describe(t testing.TB, s *shard, text string, cut bool) string {
	t.Helper()
	var m message
	var r logwriter.Record
	s.parser.parse([]byte(text), &m, noon)
	list := m.record(&r, nil, noon.UnixNano(), cut)
	r.Attributes = list
	resource := logbatch.Resource(logwriter.Attribute{Key: "host.name", Value: string(m.host)}, logwriter.Attribute{Key: "service.name", Value: string(m.app)})
	request := plogotlp.NewExportRequest()
	if err := request.UnmarshalProto(logwriter.AppendLogs(nil, resource, scopeName, logwriter.AppendRecord(nil, &r))); err != nil {
		t.Fatal(err)
	}
	rl := request.Logs().ResourceLogs().At(0)
	l := rl.ScopeLogs().At(0).LogRecords().At(0)
	var b strings.Builder
	fmt.Fprintf(&b, "  severity %d %s\n", l.SeverityNumber(), l.SeverityText())
	if l.Timestamp() != 0 {
		fmt.Fprintf(&b, "  time %s\n", l.Timestamp().AsTime().Format(time.RFC3339Nano))
	}
	for _, of := range []struct {
		name string
		pcommon.Map
	}{{"resource", rl.Resource().Attributes()}, {"attribute", l.Attributes()}} {
		of.Range(func(k string, v pcommon.Value) bool {
			fmt.Fprintf(&b, "  %s %s=%s\n", of.name, k, strconv.Quote(v.AsString()))
			return true
		})
	}
	fmt.Fprintf(&b, "  body %s\n", strconv.Quote(l.Body().AsString()))
	return b.String()
}

// TestGolden holds what messages become to a file: a quoted message a line, and
// what became of it below.
func TestGolden(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "messages.txt")
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, topictest.NewRecorder(), nil)
	var out strings.Builder
	for line := range strings.Lines(string(have)) {
		switch {
		case strings.HasPrefix(line, "#"):
			out.WriteString(line)
		case strings.HasPrefix(line, "\""):
			text, err := strconv.Unquote(strings.TrimSpace(line))
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			out.WriteString("\n" + line + describe(t, s.shards[0], text, false))
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(have), out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestYear gives dates without a year the year beside them.
func TestYear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ now, text, want string }{
		{"2026-11-21T12:00:00Z", "Nov 21 11:59:59 ", "2026-11-21T11:59:59Z"},
		{"2027-01-01T00:00:10Z", "Dec 31 23:59:59 ", "2026-12-31T23:59:59Z"},
		{"2026-12-31T23:59:50Z", "Jan  1 00:00:01 ", "2027-01-01T00:00:01Z"},
		{"2028-03-01T00:00:00Z", "Feb 29 10:00:00 ", "2028-02-29T10:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		got, n := stamp([]byte(c.text), &clock{location: time.UTC}, now)
		if s := time.Unix(0, got).UTC().Format(time.RFC3339); s != c.want || n != len(c.text)-1 {
			t.Errorf("%s at %s is %s (%d), want %s", c.text, c.now, s, n, c.want)
		}
	}
}

// FuzzTimes holds the times that are read to those that package time reads.
func FuzzTimes(f *testing.F) {
	for _, s := range []string{"2026-11-21T12:34:56Z", "2026-02-28T23:59:59.123456+05:30", "2000-02-29t00:00:00.1-00:01", "1970-01-01T00:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, err := time.Parse(time.RFC3339Nano, text)
		if err != nil || want.Year() < 1971 || want.Year() > 2260 || strings.Contains(text, ",") {
			return
		}
		if got, n := isoTime([]byte(text), &clock{location: time.UTC}); n == len(text) && got != want.UnixNano() {
			t.Errorf("%s is %d, want %d", text, got, want.UnixNano())
		}
	})
}

// FuzzParse checks that every input is a message that can be written, and one
// that is in the format of RFC 5424 keeps its parts.
func FuzzParse(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "messages.txt"))
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(golden)) {
		if text, err := strconv.Unquote(strings.TrimSpace(line)); err == nil {
			f.Add([]byte(text))
		}
	}
	s := newServer(f, topictest.NewRecorder(), nil)
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		described := describe(t, s.shards[0], string(text), true)
		if !bytes.Equal(before, text) || !strings.Contains(described, "attribute syslog.facility=") {
			t.Errorf("%q becomes %s", text, described)
		}
	})
}

func TestNothingIsAllocated(t *testing.T) {
	s := newServer(t, topictest.NewRecorder(), nil)
	h := s.shards[0]
	texts := [][]byte{
		[]byte(`<165>1 2026-11-21T11:59:59.003Z web-1 nginx 4711 ID47 [exampleSDID@32473 iut="3" eventSource="App\]lication"] the message`),
		[]byte(`<34>Nov 21 11:59:59 web-1 sshd[42]: Accepted publickey for root`),
	}
	ctx, peer := t.Context(), []byte("10.0.0.1")
	add := func() {
		for _, text := range texts {
			h.add(ctx, text, peer, false, noon)
		}
	}
	for range 1000 {
		add() // so that the memory has its size
	}
	if n := testing.AllocsPerRun(500, add); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestFraming cuts streams, whole and byte by byte.
func TestFraming(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 700)
	for name, c := range map[string]struct {
		text   string
		want   []string
		broken bool
	}{
		"lines":                   {text: "<1>a\n<1>b\r\n\n<1>c", want: []string{"<1>a", "<1>b\r", "", "<1>c"}},
		"counts":                  {text: "4 <1>a5 <1>\nb", want: []string{"<1>a", "<1>\nb"}},
		"counts and line ends":    {text: "4 <1>a\n4 <1>b\n", want: []string{"<1>a", "<1>b"}},
		"a long line":             {text: "<1>a\n" + long + "\n<1>b\n", want: []string{"<1>a", "~" + long[:500], "<1>b"}},
		"a long line at the end":  {text: long, want: []string{"~" + long[:500]}},
		"a long count":            {text: "700 " + long + "4 <1>b", want: []string{"~" + long[:500], "<1>b"}},
		"the longest":             {text: "500 " + long[:500] + "4 <1>b", want: []string{long[:500], "<1>b"}},
		"no length":               {text: "4 <1>a<1>b", want: []string{"<1>a"}, broken: true},
		"no space":                {text: "4<1>a", broken: true},
		"a length of zero":        {text: "4 <1>a0 ", want: []string{"<1>a"}, broken: true},
		"an enormous length":      {text: "99999999999999999999 x", broken: true},
		"half a message":          {text: "40 <1>a"},
		"lines with digits after": {text: "<1>a\n12 apples\n", want: []string{"<1>a", "12 apples"}},
	} {
		for _, step := range []int{1, 7, 1 << 20} {
			f := newStream(500)
			var got []string
			var broken error
			for rest := c.text; rest != "" && broken == nil; {
				n := copy(f.room(), rest[:min(step, len(rest))])
				f.end += n
				rest = rest[n:]
				for {
					text, cut, err := f.next()
					if broken = err; text == nil || err != nil {
						break
					}
					mark := ""
					if cut {
						mark = "~"
					}
					got = append(got, mark+string(text))
				}
			}
			if last := f.last(); len(last) > 0 && broken == nil {
				got = append(got, string(last))
			}
			if !slices.Equal(got, c.want) || (broken != nil) != c.broken {
				t.Errorf("%s, %d at a time: %.100q (%v), want %.100q", name, step, got, broken, c.want)
			}
		}
	}
}

// bodies returns what is in the parts: resource, body.
func bodies(t testing.TB, parts []topic.Part) (all []string) {
	t.Helper()
	for _, p := range parts {
		request := plogotlp.NewExportRequest()
		if err := request.UnmarshalProto(p.Value); err != nil {
			t.Error(err)
		}
		events := int64(0)
		for _, r := range request.Logs().ResourceLogs().All() {
			resource := logbatch.Resource(attributesOf(r.Resource().Attributes())...)
			if want := otlp.PartitionOfResource(resource, 4); int(p.Partition) != want {
				t.Errorf("resource %v is in partition %d, want %d", r.Resource().Attributes().AsRaw(), p.Partition, want)
			}
			host, _ := r.Resource().Attributes().Get("host.name")
			app, _ := r.Resource().Attributes().Get("service.name")
			for _, scope := range r.ScopeLogs().All() {
				for _, l := range scope.LogRecords().All() {
					events++
					all = append(all, host.Str()+" "+app.Str()+" "+l.Body().Str())
				}
			}
		}
		if events != p.Events {
			t.Errorf("%d events are declared, %d are there", p.Events, events)
		}
	}
	return all
}

func attributesOf(m pcommon.Map) (all []logwriter.Attribute) {
	for k, v := range m.All() {
		all = append(all, logwriter.Attribute{Key: k, Value: v.Str()})
	}
	return all
}

// await waits until the recorder has the bodies, in any order.
func await(t testing.TB, p *topictest.Recorder, want ...string) {
	t.Helper()
	slices.Sort(want)
	var have []string
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		have = append(have, bodies(t, p.Take())...)
		slices.Sort(have)
		if slices.Equal(have, want) {
			return
		}
		if len(have) > len(want) || time.Now().After(deadline) {
			t.Fatalf("have %q, want %q", have, want)
		}
	}
}

func write(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func dial(t testing.TB, network, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestTransports(t *testing.T) {
	p := topictest.NewRecorder()
	authority := transporttest.NewAuthority(t)
	_, certificate, key := authority.Files(t, t.TempDir(), 1, "localhost")
	s := newServer(t, p, func(c *Config) {
		c.TCP, c.UDP, c.TLS, c.Unix = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", filepath.Join(t.TempDir(), "log")
		c.Certificate = transport.ServerTLS{CertFile: certificate, KeyFile: key}
	})
	run(t, s)
	a := s.Addresses()
	now := time.Now().UTC().Format(time.RFC3339)
	write(t, dial(t, "tcp", a.TCP.String()), "<165>1 "+now+" web-1 nginx 1 - - one\n<165>1 "+now+" web-2 nginx 1 - - two\n")
	counted := "<13>" + now + " web-1 nginx: three"
	write(t, dial(t, "tcp", a.TCP.String()), fmt.Sprintf("%d %s", len(counted), counted))
	udp := dial(t, "udp", a.UDP.String())
	write(t, udp, "<13>no host: four")
	write(t, udp, "<13>"+now+" web-1 app[7]: five\n")
	write(t, dial(t, "unixgram", a.Unix.String()), "<13>Nov 21 11:00:00 cron[9]: six")
	conn, err := tls.Dial("tcp", a.TLS.String(), &tls.Config{RootCAs: authority.Pool(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	write(t, conn, "<13>"+now+" web-3 app: seven\n")
	await(t, p, "web-1 nginx one", "web-2 nginx two", "web-1 nginx three", "127.0.0.1  no host: four", "web-1 app five", "collector cron six", "web-3 app seven")
}

// TestSlowKafka holds Kafka: senders over TCP wait, and nothing is lost.
func TestSlowKafka(t *testing.T) {
	p := topictest.NewRecorder()
	release := p.Hold()
	s := newServer(t, p, func(c *Config) { c.TCP = "127.0.0.1:0" })
	stop := run(t, s)
	const messages = 60_000
	sent := make(chan error, 1)
	go func() {
		conn, err := net.Dial("tcp", s.Addresses().TCP.String())
		if err == nil {
			defer conn.Close()
			for i := range messages {
				if _, err = fmt.Fprintf(conn, "<13>1 - host app - - - %06d %s\n", i, strings.Repeat("x", 200)); err != nil {
					break
				}
			}
		}
		sent <- err
	}()
	<-p.Entered
	select {
	case err := <-sent:
		t.Errorf("everything was taken while kafka took nothing: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	release()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	var have []string
	for deadline := time.Now().Add(20 * time.Second); len(have) < messages && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		have = append(have, bodies(t, p.Take())...)
	}
	if len(have) != messages || !slices.IsSorted(have) {
		t.Errorf("%d messages are there, want %d, in order", len(have), messages)
	}
	stop()
	if got := testutil.ToFloat64(s.metrics.records); got != messages {
		t.Errorf("%v records are counted", got)
	}
}

// TestStopped ends the server: what was received is still sent, unless Kafka is
// away, and then counted.
func TestStopped(t *testing.T) {
	for _, away := range []bool{false, true} {
		p := topictest.NewRecorder()
		s := newServer(t, p, func(c *Config) { c.TCP, c.BatchWait = "127.0.0.1:0", time.Minute })
		if away {
			p.Fail(topic.ErrUnavailable, nil)
		}
		stop := run(t, s)
		conn := dial(t, "tcp", s.Addresses().TCP.String())
		write(t, conn, "<13>1 - host app - - - one\n")
		for testutil.ToFloat64(s.metrics.received.WithLabelValues("tcp")) == 0 {
			time.Sleep(time.Millisecond)
		}
		h := s.shards[1%len(s.shards)]
		h.mu.Lock()   // the message is taken under it
		h.mu.Unlock() //nolint:staticcheck // it is only waited for
		stop()
		lost := testutil.ToFloat64(s.metrics.dropped.WithLabelValues("stopped"))
		if got := len(p.Take()); away && (lost != 1 || got != 0) || !away && (lost != 0 || got != 1) {
			t.Errorf("away is %t: %v are lost, %d are there", away, lost, got)
		}
	}
}

func TestLimits(t *testing.T) {
	p := topictest.NewRecorder()
	s := newServer(t, p, func(c *Config) {
		c.TCP, c.UDP, c.MaxConnections, c.MaxMessage, c.IdleTimeout = "127.0.0.1:0", "127.0.0.1:0", 1, 480, 200*time.Millisecond
	})
	run(t, s)
	address := s.Addresses().TCP.String()
	first := dial(t, "tcp", address)
	write(t, first, "<13>1 - host app - - - one\n<13>1 - host app - - - "+strings.Repeat("x", 600)+"\n")
	await(t, p, "host app one", "host app "+strings.Repeat("x", 480-len("<13>1 - host app - - - ")))
	second := dial(t, "tcp", address)
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("a second connection was taken")
	}
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("an idle connection ends with %v", err)
	}
	for testutil.ToFloat64(s.metrics.connections) > 0 {
		time.Sleep(time.Millisecond)
	}
	third := dial(t, "tcp", address)
	write(t, third, "12x")
	if _, err := third.Read(make([]byte, 1)); err == nil {
		t.Error("a connection without framing was kept")
	}
	write(t, dial(t, "udp", s.Addresses().UDP.String()), "<13>1 - host app - - - "+strings.Repeat("y", 600))
	await(t, p, "host app "+strings.Repeat("y", 480-len("<13>1 - host app - - - ")))
	for reason, want := range map[string]float64{"limit": 1, "idle": 1, "framing": 1} {
		if got := testutil.ToFloat64(s.metrics.refused.WithLabelValues(reason)); got != want {
			t.Errorf("%v connections were closed for %s, want %v", got, reason, want)
		}
	}
	if got := testutil.ToFloat64(s.metrics.truncated); got != 2 {
		t.Errorf("%v messages were cut, want 2", got)
	}
}

// TestManyHosts sends of more resources than are remembered.
func TestManyHosts(t *testing.T) {
	p := topictest.NewRecorder()
	s := newServer(t, p, func(c *Config) { c.TCP = "127.0.0.1:0" })
	run(t, s)
	conn := dial(t, "tcp", s.Addresses().TCP.String())
	const hosts = maxGroups + 2000
	var text strings.Builder
	for i := range hosts {
		fmt.Fprintf(&text, "<13>1 - host-%d app - - - %d\n", i, i)
	}
	write(t, conn, text.String())
	count := 0
	for deadline := time.Now().Add(20 * time.Second); count < hosts && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		parts := p.Take()
		for _, part := range parts {
			if len(part.Value) > 900<<10 {
				t.Errorf("a record has %d bytes", len(part.Value))
			}
		}
		count += len(bodies(t, parts))
	}
	if count != hosts {
		t.Errorf("%d messages, want %d", count, hosts)
	}
}

// TestOverflow fills the receive buffer of a server that does not read.
func TestOverflow(t *testing.T) {
	p := topictest.NewRecorder()
	release := p.Hold()
	s := newServer(t, p, func(c *Config) { c.UDP, c.UDPBuffer = "127.0.0.1:0", 64<<10 })
	run(t, s)
	conn := dial(t, "udp", s.Addresses().UDP.String())
	const messages = 40_000
	text := "<13>1 - host app - - - " + strings.Repeat("x", 500)
	for range messages {
		write(t, conn, text)
	}
	release()
	dropped := func() float64 { return testutil.ToFloat64(s.metrics.dropped.WithLabelValues("udp_overflow")) }
	deadline := time.Now().Add(20 * time.Second)
	for have := 0; float64(have)+dropped() < messages+0; time.Sleep(20 * time.Millisecond) {
		write(t, conn, "\n") // the drops are asked for when something comes
		have += len(bodies(t, p.Take()))
		if time.Now().After(deadline) {
			t.Fatalf("%d messages are there, %v are counted as dropped, want %d together", have, dropped(), messages)
		}
	}
	if dropped() == 0 {
		t.Error("nothing was dropped, so the test shows nothing")
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	bad := Config{TCP: "x", UDP: "y", TLS: "127.0.0.1:1", Location: "Nowhere/Land"}
	err := bad.Validate()
	for _, want := range []string{"tcp:", "udp:", "tls: needs", "max_message", "max_connections", "idle_timeout", "batch_wait", "location"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one about %s", err, want)
		}
	}
	good := DefaultConfig()
	if err := good.Validate(); err != nil || good.Enabled() {
		t.Errorf("the default: %v, enabled is %t", err, good.Enabled())
	}
}
