package engine_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
		kills   = 6
		writers = 3
		rows    = 500
	)
	e := enginetest.Start(t)
	conn := open(t, e, e.User, e.Password)
	execute(t, conn, "CREATE TABLE t (w UInt8, n UInt64, i UInt64) ENGINE = MergeTree ORDER BY (w, n) SETTINGS non_replicated_deduplication_window = 10000")
	execute(t, conn, "CREATE TABLE sums (w UInt8, c UInt64) ENGINE = SummingMergeTree ORDER BY w SETTINGS non_replicated_deduplication_window = 10000")
	execute(t, conn, "CREATE MATERIALIZED VIEW view TO sums AS SELECT w, count() AS c FROM t GROUP BY w")

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
	execute(t, conn, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
	execute(t, conn, "INSERT INTO t VALUES (1)")

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
	rounds := 400
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
