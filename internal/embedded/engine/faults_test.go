package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sys/unix"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
)

// again calls f until it succeeds.
func again(t testing.TB, f func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Batches are repeated with their token until they are acknowledged, as the
// sink does; the view counts every batch that was stored once.
func TestKillsUnderInsertsLoseAndDoubleNothing(t *testing.T) {
	const (
		kills   = 8
		writers = 3
		rows    = 500
	)
	e := enginetest.Start(t)
	conn := open(t, e, e.User, e.Password)
	exec(t, conn, "CREATE TABLE t (w UInt8, n UInt64, i UInt64) ENGINE = MergeTree ORDER BY (w, n) SETTINGS non_replicated_deduplication_window = 10000")
	exec(t, conn, "CREATE TABLE sums (w UInt8, c UInt64) ENGINE = SummingMergeTree ORDER BY w SETTINGS non_replicated_deduplication_window = 10000")
	exec(t, conn, "CREATE MATERIALIZED VIEW view TO sums AS SELECT w, count() AS c FROM t GROUP BY w")

	ctx, stop := context.WithCancel(context.Background())
	var batches [writers]atomic.Int64
	var total atomic.Int64
	var group sync.WaitGroup
	for w := range writers {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := int64(0); ctx.Err() == nil; n++ {
				insert := fmt.Sprintf("INSERT INTO t SELECT %d, %d, number FROM numbers(%d) SETTINGS insert_deduplication_token = 'w%d-%d', deduplicate_blocks_in_dependent_materialized_views = 1", w, n, rows, w, n)
				for conn.Exec(context.Background(), insert) != nil {
					time.Sleep(5 * time.Millisecond)
				}
				batches[w].Add(1)
				total.Add(1)
			}
		}()
	}
	for range kills {
		enough := total.Load() + 20
		again(t, func() error {
			if total.Load() < enough {
				return fmt.Errorf("%d batches were acknowledged, want %d before the next kill", total.Load(), enough)
			}
			return nil
		})
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		e.Kill9()
		e.Restart(t)
	}
	stop()
	group.Wait()
	for w := range writers {
		want := uint64(batches[w].Load()) * rows
		if got := count(t, conn, fmt.Sprintf("SELECT count() FROM t WHERE w = %d", w)); got != want {
			t.Errorf("writer %d: %d rows are stored, %d were acknowledged", w, got, want)
		}
		if got := count(t, conn, fmt.Sprintf("SELECT sum(c) FROM sums WHERE w = %d", w)); got != want {
			t.Errorf("writer %d: the view counts %d rows, %d were acknowledged", w, got, want)
		}
	}
	t.Logf("%d batches over %d kills", total.Load(), kills)
}

// Without its pseudo-terminal the engine dies of the first of these.
func TestAbuseOfThePortsEndsNothing(t *testing.T) {
	e := enginetest.Start(t)
	conn := open(t, e, e.User, e.Password)
	exec(t, conn, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
	exec(t, conn, "INSERT INTO t VALUES (1)")

	hello := "\x00\x04test\x01\x01\xb8\xa9\x03\x00\x06reader\x00"
	reset := func(addr, text string, wait time.Duration) {
		c, err := net.DialTimeout("tcp", addr, 5*time.Second)
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, text)
		time.Sleep(wait)
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	noise := func(r *rand.Rand) string {
		b := make([]byte, 1+r.IntN(600))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return string(b)
	}
	abuses := map[string]func(r *rand.Rand){
		"connect and reset":     func(*rand.Rand) { reset(e.Native, "", 0) },
		"half a hello, reset":   func(r *rand.Rand) { reset(e.Native, hello[:1+r.IntN(len(hello)-1)], 0) },
		"hello, reset":          func(*rand.Rand) { reset(e.Native, hello, time.Millisecond) },
		"hello, noise, reset":   func(r *rand.Rand) { reset(e.Native, hello+noise(r), time.Millisecond) },
		"noise to native":       func(r *rand.Rand) { reset(e.Native, noise(r), 0) },
		"HTTP to native":        func(*rand.Rand) { reset(e.Native, "GET / HTTP/1.1\r\n\r\n", 0) },
		"noise to HTTP":         func(r *rand.Rand) { reset(e.HTTP, noise(r), 0) },
		"half a request, reset": func(*rand.Rand) { reset(e.HTTP, "POST /?query=select HTTP/1.1\r\nContent-Le", 0) },
		"a body that never comes": func(*rand.Rand) {
			reset(e.HTTP, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nSELECT", 0)
		},
		"a query, reset": func(*rand.Rand) {
			reset(e.HTTP, "GET /?user=reader&query=SELECT+count()+FROM+numbers(1e7) HTTP/1.1\r\nHost: x\r\n\r\n", 0)
		},
		"chunks that are none": func(r *rand.Rand) {
			reset(e.HTTP, "POST /?user=reader HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+noise(r), 0)
		},
		"an unknown user": func(*rand.Rand) {
			reset(e.HTTP, "GET /?user=nobody&query=SELECT+1 HTTP/1.1\r\nHost: x\r\n\r\n", time.Millisecond)
		},
		"a query that cannot be right": func(r *rand.Rand) {
			reset(e.HTTP, "GET /?user=reader&query=SELECT+"+url.QueryEscape(noise(r))+" HTTP/1.1\r\nHost: x\r\n\r\n", time.Millisecond)
		},
	}
	rounds := 250
	for name, abuse := range abuses {
		t.Run(name, func(t *testing.T) {
			var group sync.WaitGroup
			for worker := range 4 {
				group.Add(1)
				go func() {
					defer group.Done()
					r := rand.New(rand.NewPCG(uint64(worker), 2))
					for range rounds / 4 {
						abuse(r)
					}
				}()
			}
			group.Wait()
			select {
			case <-e.Done():
				t.Fatalf("the engine died\n%s", e.Output())
			default:
			}
		})
	}
	if n := count(t, open(t, e, e.User, e.Password), "SELECT count() FROM t"); n != 1 {
		t.Errorf("%d rows after the abuse, want 1", n)
	}
	if info, err := os.Stat(filepath.Join(e.DataDir, "engine.log")); err != nil || info.Size() > 4<<20 {
		t.Errorf("the engine's log is %v, %v; want it below 4 MiB", info, err)
	}
}

func TestDiskFullRefusesAndRecovers(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("SKIPPED, needs the right to mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	e := enginetest.Start(t, func(c *engine.Config) { c.DataDir = filepath.Join(disk, "clickhouse") })
	conn := open(t, e, e.User, e.Password)
	exec(t, conn, "CREATE TABLE t (n UInt64, s String CODEC(NONE)) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 1000")
	insert := func(n int) error {
		return conn.Exec(context.Background(), fmt.Sprintf(
			"INSERT INTO t SELECT %d, randomString(1000) FROM numbers(2000) SETTINGS insert_deduplication_token = 'b%d'", n, n))
	}
	stored := 0
	var refusal error
	for ; stored < 200; stored++ {
		if refusal = insert(stored); refusal != nil {
			break
		}
	}
	if refusal == nil {
		t.Fatal("400 MB were stored on a disk of 96 MiB")
	}
	if c := code(refusal); c != 243 && !strings.Contains(refusal.Error(), "No space left") {
		t.Errorf("refused with %v, want one that names the disk", refusal)
	}
	if n := count(t, conn, "SELECT count() FROM t"); n != uint64(stored)*2000 {
		t.Errorf("%d rows are readable on the full disk, %d were acknowledged", n, stored*2000)
	}
	exec(t, conn, "ALTER TABLE t DROP PARTITION tuple()")
	again(t, func() error { return insert(stored) })
	if n := count(t, conn, "SELECT count() FROM t"); n != 2000 {
		t.Errorf("%d rows after there was room again, want the 2000 of the refused batch", n)
	}
}

func TestSecondEngineOnTheSameDirectoryIsRefused(t *testing.T) {
	e := enginetest.Start(t)
	_, err := enginetest.New(e.DataDir)
	if want := fmt.Sprintf("in use by process %d", e.Pid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("a second engine on the directory: %v, want %q", err, want)
	}
	_, port, _ := net.SplitHostPort(e.HTTP)
	_, err = enginetest.New(t.TempDir(), func(c *engine.Config) { _, _ = fmt.Sscan(port, &c.HTTPPort) })
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Fatalf("a second engine on the port: %v", err)
	}
}

func TestMemoryLimitRefusesAndEndsNothing(t *testing.T) {
	e := enginetest.Start(t, func(c *engine.Config) {
		c.MaxMemory = 256 << 20
		c.Reader.MaxMemory = 128 << 20
	})
	conn := open(t, e, e.User, e.Password)
	greedy := "SELECT groupArray(toString(number) || repeat('x', 100)) FROM numbers(20000000)"
	for range 3 {
		rows, err := conn.Query(context.Background(), greedy)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			_ = rows.Close()
		}
		if c := code(err); c != 241 {
			t.Fatalf("a query above the limit: %v, want MEMORY_LIMIT_EXCEEDED", err)
		}
	}
	if n := count(t, conn, "SELECT count() FROM numbers(10)"); n != 10 {
		t.Error("the engine answers no more")
	}
}

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
	exec(t, owner, "CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
	exec(t, owner, "INSERT INTO t SELECT number, toString(number) FROM numbers(100000)")
	exec(t, owner, "CREATE DATABASE private")
	exec(t, owner, "CREATE TABLE private.t (a UInt64) ENGINE = MergeTree ORDER BY a")
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
		"SELECT * FROM " + file:                                                         "ACCESS_DENIED",
		"SELECT * FROM file('/etc/passwd', 'LineAsString')":                             "ACCESS_DENIED",
		"SELECT file('" + secret + "')":                                                 "",
		"INSERT INTO FUNCTION " + file + " SELECT 'x'":                                  "ACCESS_DENIED",
		"SELECT * FROM url('http://" + e.HTTP + "/ping', 'LineAsString')":               "ACCESS_DENIED",
		"SELECT * FROM remote(" + self + ", 'private', 't', 'goshawk')":                 "ACCESS_DENIED",
		"SELECT * FROM s3('http://" + e.HTTP + "/bucket/x.csv')":                        "ACCESS_DENIED",
		"SELECT * FROM executable('id', 'TSV', 'a String')":                             "",
		"SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')":                        "ACCESS_DENIED",
		"SELECT * FROM private.t":                                                       "ACCESS_DENIED",
		"SELECT * FROM merge('private', 't')":                                           "",
		"SELECT * FROM system.users":                                                    "ACCESS_DENIED",
		"SELECT * FROM system.processes":                                                "ACCESS_DENIED",
		"SELECT * FROM system.server_settings":                                          "ACCESS_DENIED",
		"INSERT INTO t VALUES (1, 'x')":                                                 "ACCESS_DENIED",
		"CREATE TABLE goshawk.u (a UInt8) ENGINE = Memory":                              "",
		"CREATE TEMPORARY TABLE u (a UInt8)":                                            "",
		"CREATE DATABASE d":                                                             "",
		"DROP TABLE t":                                                                  "",
		"TRUNCATE TABLE t":                                                              "",
		"ALTER TABLE t DELETE WHERE 1":                                                  "",
		"OPTIMIZE TABLE t FINAL":                                                        "",
		"SYSTEM SHUTDOWN":                                                               "",
		"SYSTEM STOP LISTEN TCP":                                                        "",
		"KILL QUERY WHERE 1":                                                            "",
		"SET max_execution_time = 0":                                                    "",
		"SET readonly = 0":                                                              "",
		"SELECT 1 SETTINGS readonly = 0":                                                "",
		"SELECT 1 SETTINGS max_execution_time = 100":                                    "SETTING_CONSTRAINT_VIOLATION",
		"SELECT 1 SETTINGS max_memory_usage = 0":                                        "SETTING_CONSTRAINT_VIOLATION",
		"SELECT 1 SETTINGS max_rows_to_read = 0":                                        "SETTING_CONSTRAINT_VIOLATION",
		"SELECT 1 SETTINGS max_concurrent_queries_for_user = 100":                       "",
		"SELECT number FROM numbers(2000)":                                              "TOO_MANY_ROWS_OR_BYTES",
		"SELECT count() FROM numbers(100000000) WHERE NOT ignore(number)":               "TOO_MANY_ROWS",
		"SELECT sleep(3)":                                                               "",
		"SELECT sum(sleepEachRow(0.01)) FROM numbers(1000) SETTINGS max_block_size = 1": "TIMEOUT_EXCEEDED",
		"SELECT groupArray(repeat(toString(a), 500)) FROM t FORMAT Null":                "MEMORY_LIMIT_EXCEEDED",
		"SELECT a FROM t INTO OUTFILE '" + secret + ".out'":                             "",
		"SELECT * FROM t INTO OUTFILE '" + secret + ".out' FORMAT TSV":                  "",
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
		strings.NewReader("SELECT sum(sleepEachRow(0.001)) FROM numbers(20000) SETTINGS max_threads = 1"))
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
