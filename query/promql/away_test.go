package promql

import (
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
)

// TestAway stops ClickHouse: every question is answered with 503.
func TestAway(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.SeriesCache = 0 })
	f.sendMany(t, "a", 1, 1)
	s := f.serve(t, nil)
	ask := func(want int) {
		t.Helper()
		for _, path := range []string{
			"/api/v1/query?query=many", "/api/v1/query_range?query=many&start=1&end=2&step=1", "/api/v1/labels", "/api/v1/label/n/values",
			"/api/v1/series?match[]=many", "/api/v1/query_exemplars?query=many&start=1&end=2", "/api/v1/metadata", "/api/v1/targets",
			"/api/v1/status/tsdb", "/api/v1/cardinality",
		} {
			if status, body := s.do(t, "GET", "a", path, ""); status != want {
				t.Errorf("%s: %d %s, want %d", path, status, body, want)
			}
		}
	}
	ask(200)
	f.engine.Stop()
	ask(503)
	if status, body := s.do(t, "GET", "a", "/api/v1/query?query=1", ""); status != 200 {
		t.Errorf("what needs no samples: %d %s", status, body)
	}
	f.engine.Restart(t)
	ask(200)
}

// proxy passes connections on to ClickHouse, until so many bytes of answers have
// passed: then it ends all connections, and those that are made later.
type proxy struct {
	address  string // of ClickHouse
	listener net.Listener
	running  sync.WaitGroup

	mu   sync.Mutex
	left int // bytes of answers that may still pass
	cut  bool
	open map[net.Conn]struct{}
}

func startProxy(t *testing.T, address string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: address, listener: l, open: map[net.Conn]struct{}{}}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.pass(0)
		p.end()
		p.running.Wait()
	})
	return p
}

// pass lets so many bytes of answers pass from now on.
func (p *proxy) pass(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.cut = n, false
}

// state returns how many bytes may still pass, and whether some did not.
func (p *proxy) state() (left int, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left, p.cut
}

// end closes the connections.
func (p *proxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
	clear(p.open)
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.address)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.open[client], p.open[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.running.Go(func() { p.copy(server, client, func(n int) int { return n }) })
		p.running.Go(func() { p.copy(client, server, p.take) })
	}
}

// take returns how many of n bytes of an answer may pass.
func (p *proxy) take(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	passed := min(n, p.left)
	p.left -= passed
	p.cut = p.cut || passed < n
	return passed
}

// copy copies until a side is closed or less may pass than there is.
func (p *proxy) copy(to, from net.Conn, take func(int) int) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buffer := make([]byte, 1024)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		passed := take(n)
		if _, err := to.Write(buffer[:passed]); err != nil {
			return
		}
		if passed < n {
			p.end()
			return
		}
	}
}

// TestCutAnswers ends the connections to ClickHouse in the middle of its answers:
// whatever was asked is answered with 503, and with 200 once they hold again.
func TestCutAnswers(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.SeriesCache = 0 })
	f.sendMany(t, "a", 40, 10) // 1600 samples of each metric
	p := startProxy(t, f.engine.Native)
	through := *f.engine
	through.Native = p.listener.Addr().String()
	f.store = NewStore(f.store.cfg, clickhousetest.OpenColumns(t, &through), f.engine.Database)
	whole, batches := f.serve(t, nil), f.serve(t, func(c *Config) { c.MaxSamples = 500 })
	const plenty = 1 << 30
	span := "&start=" + unix(0) + "&end=" + unix(600)
	for _, c := range []struct {
		name, path string
		from       *served
	}{
		{"instant", "/api/v1/query?query=sum(many)&time=" + unix(300), whole},
		{"range", "/api/v1/query_range?query=many&step=60" + span, whole},
		{"shortcut", "/api/v1/query_range?query=rate(counted_total[2m])&step=60" + span, whole},
		{"batches", "/api/v1/query_range?query=" + url.QueryEscape("sum(many)") + "&step=60" + span, batches},
		{"buckets", "/api/v1/query_range?query=spread_bucket&step=60" + span, whole},
		{"delta", "/api/v1/query_range?query=added_total&step=60" + span, whole},
		{"series", "/api/v1/series?match[]=many" + span, whole},
		{"labels", "/api/v1/labels?" + span[1:], whole},
		{"metadata", "/api/v1/metadata", whole},
		{"cardinality", "/api/v1/cardinality", whole},
	} {
		cuts := 0
		for tenth := range 10 {
			// The second answer is what passes over connections that are there.
			for range 2 {
				p.pass(plenty)
				if status, body := c.from.do(t, "GET", "a", c.path, ""); status != 200 {
					t.Fatalf("%s: %d %.300s", c.name, status, body)
				}
			}
			left, _ := p.state()
			p.pass((plenty - left) * tenth / 10)
			status, body := c.from.do(t, "GET", "a", c.path, "")
			if _, cut := p.state(); !cut {
				continue // ClickHouse said less than before
			}
			cuts++
			if status != 503 || !strings.Contains(body, "ClickHouse is away") {
				t.Errorf("%s, cut after %d tenths: %d %.300s", c.name, tenth, status, body)
			}
		}
		if cuts < 5 {
			t.Errorf("%s: %d answers were cut", c.name, cuts)
		}
	}
}
