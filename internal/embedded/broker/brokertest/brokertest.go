// Package brokertest starts real embedded Kafka brokers for tests: inside the
// test's process with Start, or each in a child process, which can be killed,
// with StartProcess.
//
// For the latter the test package needs
//
//	func TestMain(m *testing.M) { brokertest.Main(m) }
//
// or, beside other such helpers, a call of Child at the start of TestMain.
package brokertest

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/embedded/broker"
	"github.com/goshawk-observability/goshawk/internal/supervise/supervisetest"
)

// part runs a broker in a child process.
func part() supervisetest.Part[broker.Config] {
	return supervisetest.Part[broker.Config]{
		Name: "broker", Environment: broker.Environment(),
		Run: func(ctx context.Context, cfg broker.Config, log *slog.Logger, ready func(map[string]string)) error {
			return broker.Run(ctx, cfg, prometheus.NewRegistry(), log, func(addr string) { ready(map[string]string{"kafka": addr}) })
		},
	}
}

// Main runs the tests, or the broker when this process is a child of
// StartProcess.
func Main(m *testing.M) {
	Child()
	os.Exit(m.Run())
}

// Child runs the broker and exits when this process is a child of
// StartProcess; otherwise it returns at once.
func Child() { part().Child() }

func testConfig(dir string, change []func(*broker.Config)) broker.Config {
	cfg := broker.DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.DataDir = dir
	cfg.MinFreeBytes = 16 << 20
	for _, edit := range change {
		if edit != nil {
			edit(&cfg)
		}
	}
	return cfg
}

// Broker is a broker inside this process.
type Broker struct {
	// Addr is where clients connect.
	Addr string
	// DataDir is kept over Restart.
	DataDir string
	// Metrics are those of the broker since it was last started.
	Metrics prometheus.Gatherer

	cfg  broker.Config
	log  *slog.Logger
	stop func()
}

// Start starts a broker in this process, on a free port and with its log in a
// temporary directory, and ends it with the test. Change, which may be nil,
// edits the configuration.
func Start(t testing.TB, change ...func(*broker.Config)) *Broker {
	t.Helper()
	cfg := testConfig(t.TempDir(), change)
	b := &Broker{DataDir: cfg.DataDir, cfg: cfg, log: testLog(t)}
	b.start(t)
	t.Cleanup(b.Stop)
	return b
}

func (b *Broker) start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan string, 1)
	ended := make(chan error, 1)
	registry := prometheus.NewRegistry()
	b.Metrics = registry
	go func() { ended <- broker.Run(ctx, b.cfg, registry, b.log, func(addr string) { ready <- addr }) }()
	var once sync.Once
	b.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				b.log.Error("stopping the test broker", "error", err)
			}
		})
	}
	select {
	case b.Addr = <-ready:
		b.cfg.Listen = b.Addr
	case err := <-ended:
		cancel()
		b.stop = func() {}
		t.Fatal("starting the test broker: ", err)
	}
}

// Stop ends the broker as an operator would.
func (b *Broker) Stop() { b.stop() }

// Restart ends the broker, if it still runs, and starts it again on the same
// address and log.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	b.stop()
	b.start(t)
}

// Process is a broker in a child process.
type Process struct {
	*supervisetest.Process[broker.Config]
	// Addr is where clients connect.
	Addr string
	// DataDir is kept over Restart.
	DataDir string

	cfg broker.Config
}

// StartProcess is Start with a child process of its own.
func StartProcess(t testing.TB, change ...func(*broker.Config)) *Process {
	t.Helper()
	p, err := NewProcess(t.TempDir(), change...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		p.Watch(t)
	})
	return p
}

// NewProcess is StartProcess outside of a test, for use in TestMain; the
// caller calls Stop.
func NewProcess(dir string, change ...func(*broker.Config)) (*Process, error) {
	cfg := testConfig(dir, change)
	process, addresses, err := part().Start(cfg)
	if err != nil {
		return nil, err
	}
	p := &Process{Process: process, DataDir: cfg.DataDir, cfg: cfg}
	p.found(addresses)
	return p, nil
}

// found takes note of where the broker listens: a restart must be found where
// clients look for it.
func (p *Process) found(addresses map[string]string) {
	p.Addr = addresses["kafka"]
	p.cfg.Listen = p.Addr
}

// Restart starts the broker again on the same address and log, after Stop or
// Kill9.
func (p *Process) Restart(t testing.TB) {
	t.Helper()
	p.Stop()
	addresses, err := p.Again(p.cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.found(addresses)
}

// testLog writes to the test's log for as long as the test runs.
func testLog(t testing.TB) *slog.Logger {
	w := &testWriter{t: t}
	t.Cleanup(w.end)
	return slog.New(slog.NewTextHandler(w, nil))
}

type testWriter struct {
	mu sync.Mutex
	t  testing.TB
}

func (w *testWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = nil
}

func (w *testWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Log(string(bytes.TrimSuffix(p, []byte("\n"))))
	}
	return len(p), nil
}
