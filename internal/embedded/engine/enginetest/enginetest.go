// Package enginetest starts real ClickHouse engines for tests, each in a child
// process that is the test binary itself.
//
// The test package needs
//
//	func TestMain(m *testing.M) { enginetest.Main(m) }
//
// or, beside other such helpers, a call of Child at the start of TestMain.
package enginetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine"
	"github.com/goshawk-observability/goshawk/internal/supervise"
)

// childVariable holds the engine's configuration in the child's environment.
const childVariable = "GOSHAWK_ENGINETEST_CHILD"

// Main runs the tests, or the engine when this process is a child of Start.
func Main(m *testing.M) {
	Child()
	os.Exit(m.Run())
}

// Child runs the engine and exits when this process is a child of Start;
// otherwise it returns at once.
func Child() {
	text := os.Getenv(childVariable)
	if text == "" {
		return
	}
	_ = os.Unsetenv(childVariable)
	if err := child(text); err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(text string) error {
	var cfg engine.Config
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	ctx, parent, err := supervise.Attach(context.Background())
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	return engine.Run(ctx, cfg, log, func(a engine.Addresses) {
		if err := parent.Ready(map[string]string{"native": a.Native, "http": a.HTTP}); err != nil {
			log.Error("reporting to the test", "error", err)
		}
	})
}

// Engine is a running engine.
type Engine struct {
	engine.Addresses
	// Database is empty of tables at first.
	Database string
	User     string
	Password string
	// Reader is the user that only selects; it has no password.
	Reader string
	// DataDir is kept over Restart.
	DataDir string

	cfg     engine.Config
	process *supervise.Process
	output  *buffer
}

// Start starts an engine on free ports with its data in a temporary directory
// and ends it with the test. Change, which may be nil, edits the configuration.
// Without the engine library the test is skipped.
func Start(t testing.TB, change ...func(*engine.Config)) *Engine {
	t.Helper()
	e, err := New(t.TempDir(), change...)
	var missing *engine.MissingLibraryError
	if errors.As(err, &missing) {
		t.Skip("SKIPPED, needs the ClickHouse engine: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Quicker than Stop, which waits for connections to be closed.
		e.Kill9()
		if strings.Contains(e.Output(), "DATA RACE") {
			t.Error("the engine's process has a data race")
		}
		if t.Failed() {
			t.Logf("output of the engine:\n%s", e.Output())
		}
	})
	return e
}

// New is Start outside of a test, for use in TestMain; the caller calls Stop.
func New(dir string, change ...func(*engine.Config)) (*Engine, error) {
	cfg := engine.DefaultConfig()
	cfg.DataDir = dir
	cfg.NativePort, cfg.HTTPPort = 0, 0
	for _, edit := range change {
		if edit != nil {
			edit(&cfg)
		}
	}
	library, err := engine.FindLibrary(cfg.Library)
	if err != nil {
		return nil, err
	}
	cfg.Library = library
	if cfg.DataDir, err = filepath.Abs(cfg.DataDir); err != nil {
		return nil, err
	}
	e := &Engine{
		Database: engine.Database, User: engine.User, Reader: engine.Reader,
		DataDir: cfg.DataDir, cfg: cfg, output: &buffer{},
	}
	if e.Password, err = engine.Password(cfg.DataDir); err != nil {
		return nil, err
	}
	if err := e.start(); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Engine) start() error {
	text, err := json.Marshal(e.cfg)
	if err != nil {
		return err
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	process, err := supervise.Start(executable, nil, []string{childVariable + "=" + string(text)}, e.output)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	addresses, err := process.WaitReady(ctx)
	if err != nil {
		_ = process.Stop(time.Second)
		return fmt.Errorf("starting a test engine: %w (did TestMain call enginetest.Main or Child?)\n%s", err, e.Output())
	}
	e.process = process
	e.Native, e.HTTP = addresses["native"], addresses["http"]
	// A restart must be found where clients look for it.
	if e.cfg.NativePort == 0 {
		if _, err := fmt.Sscanf(e.Native[len(e.cfg.Listen)+1:], "%d", &e.cfg.NativePort); err != nil {
			return err
		}
	}
	if e.cfg.HTTPPort == 0 {
		if _, err := fmt.Sscanf(e.HTTP[len(e.cfg.Listen)+1:], "%d", &e.cfg.HTTPPort); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends the engine as an operator would, and waits for it.
func (e *Engine) Stop() {
	_ = e.process.Stop(10 * time.Second)
}

// Kill9 kills the engine at once and waits until it is gone.
func (e *Engine) Kill9() {
	e.process.Signal(syscall.SIGKILL)
	<-e.process.Done()
}

// Restart starts the engine again on the same ports and data, after Stop or
// Kill9.
func (e *Engine) Restart(t testing.TB) {
	t.Helper()
	e.Stop()
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
}

// Pid is the engine's process id.
func (e *Engine) Pid() int { return e.process.Pid() }

// Done is closed when the engine's process has ended.
func (e *Engine) Done() <-chan struct{} { return e.process.Done() }

// Output is what the process wrote to its standard error.
func (e *Engine) Output() string { return e.output.String() }

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
