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
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine"
	"github.com/goshawk-observability/goshawk/internal/supervise/supervisetest"
)

// part runs an engine in a child process.
func part() supervisetest.Part[engine.Config] {
	return supervisetest.Part[engine.Config]{
		Name: "engine",
		Run: func(ctx context.Context, cfg engine.Config, log *slog.Logger, ready func(map[string]string)) error {
			return engine.Run(ctx, cfg, log, func(a engine.Addresses) {
				ready(map[string]string{"native": a.Native, "http": a.HTTP})
			})
		},
	}
}

// Main runs the tests, or the engine when this process is a child of Start.
func Main(m *testing.M) {
	Child()
	os.Exit(m.Run())
}

// MainTidy is Main for tests that must leave no goroutine behind.
func MainTidy(m *testing.M) {
	Child()
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// Child runs the engine and exits when this process is a child of Start;
// otherwise it returns at once.
func Child() { part().Child() }

// Engine is a running engine.
type Engine struct {
	*supervisetest.Process[engine.Config]
	engine.Addresses
	// Database is empty of tables at first.
	Database string
	User     string
	Password string
	// Reader is the user that only selects; it has no password.
	Reader string
	// DataDir is kept over Restart.
	DataDir string

	cfg engine.Config
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
		e.Watch(t)
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
		DataDir: cfg.DataDir, cfg: cfg,
	}
	if e.Password, err = engine.Password(cfg.DataDir); err != nil {
		return nil, err
	}
	process, addresses, err := part().Start(cfg)
	if err != nil {
		return nil, err
	}
	e.Process = process
	if err := e.found(addresses); err != nil {
		e.Kill9()
		return nil, err
	}
	return e, nil
}

// found takes note of where the engine listens: a restart must be found where
// clients look for it.
func (e *Engine) found(addresses map[string]string) error {
	e.Native, e.HTTP = addresses["native"], addresses["http"]
	for _, p := range []struct {
		address string
		port    *int
	}{{e.Native, &e.cfg.NativePort}, {e.HTTP, &e.cfg.HTTPPort}} {
		_, port, err := net.SplitHostPort(p.address)
		if err != nil {
			return err
		}
		if *p.port, err = strconv.Atoi(port); err != nil {
			return err
		}
	}
	return nil
}

// Restart starts the engine again on the same ports and data, after Stop or
// Kill9.
func (e *Engine) Restart(t testing.TB) {
	t.Helper()
	e.Stop()
	addresses, err := e.Again(e.cfg)
	if err == nil {
		err = e.found(addresses)
	}
	if err != nil {
		t.Fatal(err)
	}
}
