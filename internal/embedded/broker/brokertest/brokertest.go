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
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/embedded/broker"
	"github.com/goshawk-observability/goshawk/internal/supervise"
)

const childVariable = "GOSHAWK_BROKERTEST_CHILD"

// Main runs the tests, or the broker when this process is a child of
// StartProcess.
func Main(m *testing.M) {
	Child()
	os.Exit(m.Run())
}

// Child runs the broker and exits when this process is a child of
// StartProcess; otherwise it returns at once.
func Child() {
	text := os.Getenv(childVariable)
	if text == "" {
		return
	}
	_ = os.Unsetenv(childVariable)
	if err := child(text); err != nil {
		fmt.Fprintln(os.Stderr, "broker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(text string) error {
	var cfg broker.Config
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	ctx, parent, err := supervise.Attach(context.Background())
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	return broker.Run(ctx, cfg, log, func(addr string) {
		if err := parent.Ready(map[string]string{"kafka": addr}); err != nil {
			log.Error("reporting to the test", "error", err)
		}
	})
}

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
	go func() { ended <- broker.Run(ctx, b.cfg, b.log, func(addr string) { ready <- addr }) }()
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
	// Addr is where clients connect.
	Addr string
	// DataDir is kept over Restart.
	DataDir string

	cfg     broker.Config
	process *supervise.Process
	output  *buffer
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
		if strings.Contains(p.Output(), "DATA RACE") {
			t.Error("the broker has a data race")
		}
		if t.Failed() {
			t.Logf("output of the broker:\n%s", p.Output())
		}
	})
	return p
}

// NewProcess is StartProcess outside of a test, for use in TestMain; the
// caller calls Stop.
func NewProcess(dir string, change ...func(*broker.Config)) (*Process, error) {
	cfg := testConfig(dir, change)
	p := &Process{DataDir: cfg.DataDir, cfg: cfg, output: &buffer{}}
	if err := p.start(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Process) start() error {
	text, err := json.Marshal(p.cfg)
	if err != nil {
		return err
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	process, err := supervise.Start(executable, nil, append(broker.Environment(), childVariable+"="+string(text)), p.output)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	addresses, err := process.WaitReady(ctx)
	if err != nil {
		_ = process.Stop(time.Second)
		return fmt.Errorf("starting a test broker: %w (did TestMain call brokertest.Main or Child?)\n%s", err, p.Output())
	}
	p.process = process
	p.Addr = addresses["kafka"]
	p.cfg.Listen = p.Addr
	return nil
}

// Stop ends the broker as an operator would, and waits for it.
func (p *Process) Stop() { _ = p.process.Stop(10 * time.Second) }

// Kill9 kills the broker at once and waits until it is gone.
func (p *Process) Kill9() {
	p.process.Signal(syscall.SIGKILL)
	<-p.process.Done()
}

// Restart starts the broker again on the same address and log, after Stop or
// Kill9.
func (p *Process) Restart(t testing.TB) {
	t.Helper()
	p.Stop()
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
}

// Pid is the broker's process id.
func (p *Process) Pid() int { return p.process.Pid() }

// Done is closed when the broker's process has ended.
func (p *Process) Done() <-chan struct{} { return p.process.Done() }

// Output is what the process wrote to its standard error.
func (p *Process) Output() string { return p.output.String() }

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

// buffer keeps the first part of what is written to it.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if room := 256<<10 - b.text.Len(); room > 0 {
		b.text.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
