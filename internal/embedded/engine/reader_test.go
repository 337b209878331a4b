package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
)

// ask sends a query over HTTP and returns the status and the beginning of the
// answer.
func ask(t *testing.T, e *enginetest.Engine, user, password, query string, settings url.Values) (int, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, "http://"+e.HTTP+"/?"+settings.Encode(), bytes.NewBufferString(query))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-ClickHouse-User", user)
	request.Header.Set("X-ClickHouse-Key", password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 2000))
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(text))
}

func TestReaderOnlyReads(t *testing.T) {
	e := enginetest.Start(t, func(c *engine.Config) {
		c.Reader.MaxExecutionTime = 2 * time.Second
		c.Reader.MaxResultRows = 1000
		c.Reader.MaxRowsToRead = 5_000_000
		c.Reader.MaxMemory = 64 << 20
	})
	owner := open(t, e, e.User, e.Password)
	execute(t, owner, "CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
	execute(t, owner, "INSERT INTO t SELECT number, toString(number) FROM numbers(100000)")
	execute(t, owner, "CREATE DATABASE private")
	execute(t, owner, "CREATE TABLE private.t (a UInt64) ENGINE = MergeTree ORDER BY a")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("the secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	for query, want := range map[string]string{
		"SELECT count() FROM t":                                                         "100000",
		"SELECT max(a) FROM goshawk.t":                                                  "99999",
		"SELECT name FROM system.tables WHERE database = 'goshawk'":                     "t",
		"SELECT count() FROM system.columns WHERE database = 'goshawk'":                 "2",
		"SELECT table_name FROM information_schema.tables WHERE table_schema='goshawk'": "t",
		"SHOW TABLES": "t",
		"SELECT 1 SETTINGS max_execution_time = 1": "1",
		"SELECT count() FROM numbers(10)":          "10",
	} {
		if status, text := ask(t, e, e.Reader, "", query, nil); status != 200 || text != want {
			t.Errorf("%s: %d %q, want %q", query, status, text, want)
		}
	}
	file, self := "file('"+secret+"', 'LineAsString')", "'"+e.Native+"'"
	for query, want := range map[string]string{
		"SELECT * FROM " + file:                                            "ACCESS_DENIED",
		"SELECT * FROM file('/etc/passwd', 'LineAsString')":                "ACCESS_DENIED",
		"SELECT file('" + secret + "')":                                    "",
		"INSERT INTO FUNCTION " + file + " SELECT 'x'":                     "ACCESS_DENIED",
		"SELECT * FROM url('http://" + e.HTTP + "/ping', 'LineAsString')":  "ACCESS_DENIED",
		"SELECT * FROM remote(" + self + ", 'private', 't', 'goshawk')":    "ACCESS_DENIED",
		"SELECT * FROM s3('http://" + e.HTTP + "/bucket/x.csv')":           "ACCESS_DENIED",
		"SELECT * FROM executable('id', 'TSV', 'a String')":                "",
		"SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')":           "ACCESS_DENIED",
		"SELECT * FROM private.t":                                          "ACCESS_DENIED",
		"SELECT * FROM merge('private', 't')":                              "",
		"SELECT * FROM system.users":                                       "ACCESS_DENIED",
		"SELECT * FROM system.processes":                                   "ACCESS_DENIED",
		"SELECT * FROM system.server_settings":                             "ACCESS_DENIED",
		"INSERT INTO t VALUES (1, 'x')":                                    "ACCESS_DENIED",
		"CREATE TABLE goshawk.u (a UInt8) ENGINE = Memory":                 "",
		"CREATE TEMPORARY TABLE u (a UInt8)":                               "",
		"CREATE DATABASE d":                                                "",
		"DROP TABLE t":                                                     "",
		"TRUNCATE TABLE t":                                                 "",
		"ALTER TABLE t DELETE WHERE 1":                                     "",
		"OPTIMIZE TABLE t FINAL":                                           "",
		"SYSTEM SHUTDOWN":                                                  "",
		"SYSTEM STOP LISTEN TCP":                                           "",
		"KILL QUERY WHERE 1":                                               "",
		"SET max_execution_time = 0":                                       "",
		"SET readonly = 0":                                                 "",
		"SELECT 1 SETTINGS readonly = 0":                                   "",
		"SELECT 1 SETTINGS max_execution_time = 100":                       "SETTING_CONSTRAINT_VIOLATION",
		"SELECT 1 SETTINGS max_memory_usage = 0":                           "SETTING_CONSTRAINT_VIOLATION",
		"SELECT 1 SETTINGS max_rows_to_read = 0":                           "SETTING_CONSTRAINT_VIOLATION",
		"SELECT 1 SETTINGS max_concurrent_queries_for_user = 100":          "",
		"SELECT number FROM numbers(2000)":                                 "TOO_MANY_ROWS_OR_BYTES",
		"SELECT count() FROM numbers(100000000) WHERE NOT ignore(number)":  "TOO_MANY_ROWS",
		"SELECT sleep(3)":                                                  "",
		"SELECT count() FROM t AS x, t AS y WHERE sipHash64(x.a, y.a) = 7": "TIMEOUT_EXCEEDED",
		"SELECT groupArray(repeat(toString(a), 500)) FROM t FORMAT Null":   "MEMORY_LIMIT_EXCEEDED",
		"SELECT a FROM t INTO OUTFILE '" + secret + ".out'":                "",
		"SELECT * FROM t INTO OUTFILE '" + secret + ".out' FORMAT TSV":     "",
	} {
		status, text := ask(t, e, e.Reader, "", query, nil)
		if status == 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %q, want an error %s", query, status, text, want)
		}
		if strings.Contains(text, "the secret") {
			t.Errorf("%s reads the secret", query)
		}
	}
	if _, err := os.Stat(secret + ".out"); err == nil {
		t.Error("reader wrote a file")
	}
	if n := count(t, owner, "SELECT count() FROM t"); n != 100_000 {
		t.Errorf("%d rows are left of 100000", n)
	}

	// The limits hold over the native protocol as well, and so do the users.
	reader := open(t, e, e.Reader, "")
	if n := count(t, reader, "SELECT count() FROM t"); n != 100_000 {
		t.Errorf("reader counts %d rows", n)
	}
	if err := reader.Exec(context.Background(), "INSERT INTO t VALUES (1, 'x')"); err == nil {
		t.Error("reader inserted over the native protocol")
	}
	for _, login := range []struct{ user, password string }{{e.User, ""}, {e.User, "wrong"}, {"default", ""}, {"nobody", ""}, {"", ""}} {
		if status, text := ask(t, e, login.user, login.password, "SELECT 1", nil); status == 200 {
			t.Errorf("user %q with password %q was let in: %s", login.user, login.password, text)
		}
		conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{e.Native}, Auth: clickhouse.Auth{Username: login.user, Password: login.password}})
		if err == nil {
			if login.user != "" && conn.Ping(context.Background()) == nil {
				t.Errorf("user %q with password %q was let in over the native protocol", login.user, login.password)
			}
			_ = conn.Close()
		}
	}
	// Nor may our own user reach files and other servers.
	for _, query := range []string{"SELECT * FROM " + file, "SELECT * FROM url('http://" + e.HTTP + "/ping', 'LineAsString')"} {
		if status, text := ask(t, e, e.User, e.Password, query, nil); status == 200 {
			t.Errorf("%s as %s: %s", query, e.User, text)
		}
	}
}

func TestReaderQueryEndsWithItsClient(t *testing.T) {
	e := enginetest.Start(t)
	owner := open(t, e, e.User, e.Password)
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+e.HTTP+"/?user=reader&query_id=gone",
		strings.NewReader("SELECT count() FROM numbers(999000000) WHERE sipHash64(sipHash64(number)) = 7 SETTINGS max_threads = 1"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}()
	running := "SELECT count() FROM system.processes WHERE query_id = 'gone'"
	again(t, func() error {
		if count(t, owner, running) != 1 {
			return fmt.Errorf("the query does not run")
		}
		return nil
	})
	cancel()
	<-ended
	again(t, func() error {
		if count(t, owner, running) != 0 {
			return fmt.Errorf("the query still runs although its client has gone")
		}
		return nil
	})
}

// Without its sandbox the engine reads any file for any user, so that reader
// has to know a password.
func TestReaderNeedsAPasswordWithoutSandbox(t *testing.T) {
	for _, sandbox := range []bool{false, true} {
		dir := t.TempDir()
		e := enginetest.Start(t, func(c *engine.Config) { c.DataDir, c.Sandbox = dir, sandbox })
		password, err := engine.ReaderPassword(dir)
		if err != nil {
			t.Fatal(err)
		}
		if sandbox && password != "" {
			t.Skip("SKIPPED, needs a kernel with Landlock")
		}
		status, text := ask(t, e, e.Reader, "", "SELECT 1", nil)
		if let := status == 200; let != sandbox {
			t.Errorf("sandbox %v: reader without a password gets %d %s", sandbox, status, text)
		}
		if status, text := ask(t, e, e.Reader, password, "SELECT 1", nil); status != 200 {
			t.Errorf("sandbox %v: reader with its password gets %d %s", sandbox, status, text)
		}
		status, text = ask(t, e, e.User, e.Password, "SELECT file('/etc/hostname')", nil)
		if read := status == 200; read == sandbox {
			t.Errorf("sandbox %v: reading a file gives %d %s", sandbox, status, text)
		}
	}
}
