package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
)

// parentVariable makes this test binary the parent of an engine.
const parentVariable = "GOSHAWK_ENGINE_TEST_PARENT"

func TestMain(m *testing.M) {
	enginetest.Child()
	if dir := os.Getenv(parentVariable); dir != "" {
		e, err := enginetest.New(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(e.Pid())
		select {}
	}
	os.Exit(m.Run())
}

func open(t *testing.T, e *enginetest.Engine, user, password string) clickhouse.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{e.Native},
		Auth: clickhouse.Auth{Database: e.Database, Username: user, Password: password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func execute(t *testing.T, conn clickhouse.Conn, query string) {
	t.Helper()
	if err := conn.Exec(context.Background(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func count(t *testing.T, conn clickhouse.Conn, query string) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(context.Background(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func code(err error) int32 {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return exception.Code
	}
	return 0
}

func TestServesAndKeepsDataOverRestart(t *testing.T) {
	e := enginetest.Start(t)
	conn := open(t, e, e.User, e.Password)
	execute(t, conn, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
	execute(t, conn, "INSERT INTO t SELECT number FROM numbers(1000)")
	e.Restart(t)
	if n := count(t, conn, "SELECT count() FROM t"); n != 1000 {
		t.Fatalf("%d rows after a restart, want 1000", n)
	}
}

func TestKilledParentLeavesNoOrphan(t *testing.T) {
	if _, err := engine.FindLibrary(""); err != nil {
		t.Skip("SKIPPED, needs the ClickHouse engine: ", err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentVariable+"="+t.TempDir())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	again(t, func() error {
		if syscall.Kill(pid, 0) == nil {
			return fmt.Errorf("the engine, process %d, still runs after its parent was killed", pid)
		}
		return nil
	})
}

func TestStopsInTimeWithClientsConnected(t *testing.T) {
	e := enginetest.Start(t)
	conn := open(t, e, e.User, e.Password)
	execute(t, conn, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
	execute(t, conn, "INSERT INTO t VALUES (1)")
	e.Stop()
	if strings.Contains(e.Output(), "panic") || strings.Contains(e.Output(), "SIG") {
		t.Errorf("the engine did not end in order:\n%s", e.Output())
	}
	e.Restart(t)
	if n := count(t, conn, "SELECT count() FROM t"); n != 1 {
		t.Errorf("%d rows after a stop, want 1", n)
	}
}

func TestNoLogTablesUnlessAskedFor(t *testing.T) {
	for _, queryLog := range []bool{false, true} {
		e := enginetest.Start(t, func(c *engine.Config) { c.QueryLog = queryLog })
		conn := open(t, e, e.User, e.Password)
		execute(t, conn, "SELECT 1")
		execute(t, conn, "SYSTEM FLUSH LOGS")
		want := map[bool]uint64{true: 1}[queryLog]
		if n := count(t, conn, "SELECT count() FROM system.tables WHERE database = 'system' AND name LIKE '%\\_log'"); n != want {
			t.Errorf("query_log %v: %d log tables, want %d", queryLog, n, want)
		}
	}
}

func TestFindLibrary(t *testing.T) {
	dir := t.TempDir()
	library := filepath.Join(dir, "libchdb.so")
	if err := os.WriteFile(library, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := engine.FindLibrary(library); err != nil || got != library {
		t.Errorf("configured: %q, %v", got, err)
	}
	t.Setenv(engine.LibraryVariable, filepath.Join(dir, "absent"))
	if _, err := engine.FindLibrary(""); err == nil || !strings.Contains(err.Error(), engine.LibraryVariable) {
		t.Errorf("a variable that names no file: %v", err)
	}
	t.Setenv(engine.LibraryVariable, library)
	if got, err := engine.FindLibrary(""); err != nil || got != library {
		t.Errorf("from the environment: %q, %v", got, err)
	}
	t.Setenv(engine.LibraryVariable, "")
	t.Chdir(dir)
	_, err := engine.FindLibrary("")
	var missing *engine.MissingLibraryError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "make engine") || !strings.Contains(err.Error(), "clickhouse.addresses") {
		t.Errorf("nowhere: %v", err)
	}
}

func TestPasswordIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	passwords := make(chan string, 8)
	for range cap(passwords) {
		go func() {
			p, err := engine.Password(dir)
			if err != nil {
				t.Error(err)
			}
			passwords <- p
		}()
	}
	first := <-passwords
	if len(first) < 32 {
		t.Errorf("password of %d characters", len(first))
	}
	for range cap(passwords) - 1 {
		if p := <-passwords; p != first {
			t.Error("two processes made two passwords")
		}
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	if err := func() error { c := engine.DefaultConfig(); return c.Validate() }(); err != nil {
		t.Fatalf("the defaults are invalid: %v", err)
	}
	for want, change := range map[string]func(*engine.Config){
		"embedded.clickhouse.listen":                        func(c *engine.Config) { c.Listen = "0.0.0.0" },
		"embedded.clickhouse.native_port":                   func(c *engine.Config) { c.NativePort = 70000 },
		"embedded.clickhouse.http_port":                     func(c *engine.Config) { c.HTTPPort = c.NativePort },
		"embedded.clickhouse.max_memory":                    func(c *engine.Config) { c.MaxMemory = 1 << 20 },
		"embedded.clickhouse.reader.max_execution_time":     func(c *engine.Config) { c.Reader.MaxExecutionTime = 0 },
		"embedded.clickhouse.reader.max_memory":             func(c *engine.Config) { c.Reader.MaxMemory = 1 << 40 },
		"embedded.clickhouse.reader: max_result_rows":       func(c *engine.Config) { c.Reader.MaxResultRows = 0 },
		"embedded.clickhouse.reader.max_concurrent_queries": func(c *engine.Config) { c.Reader.MaxConcurrentQueries = 0 },
		"embedded.clickhouse.max_log_bytes":                 func(c *engine.Config) { c.MaxLogBytes = 0 },
		"embedded.clickhouse.stop_grace":                    func(c *engine.Config) { c.StopGrace = 0 },
	} {
		c := engine.DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestFilesAreForTheOwnerAlone(t *testing.T) {
	e := enginetest.Start(t)
	for _, name := range []string{"goshawk.password", "users.xml", "config.xml", "engine.log", "goshawk.lock"} {
		info, err := os.Stat(filepath.Join(e.DataDir, name))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o, want 600", name, info.Mode().Perm())
		}
	}
	for _, name := range []string{"config.xml", "users.xml"} {
		if text, err := os.ReadFile(filepath.Join(e.DataDir, name)); err != nil || bytes.Contains(text, []byte(e.Password)) {
			t.Errorf("%s holds the password itself, or %v", name, err)
		}
	}
}
