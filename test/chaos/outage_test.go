package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// outageEnv names the variable that sets how long an outage lasts.
const outageEnv = "GOSHAWK_CHAOS_OUTAGE"

func outage(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(outageEnv)
	if text == "" {
		return 12 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", outageEnv, err)
	}
	return d
}

// TestEngineOutage takes ClickHouse away under load: Kafka holds what arrives,
// and it is all there afterwards.
func TestEngineOutage(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	underLoad(t, c, func() {
		time.Sleep(2 * time.Second)
		c.Kill("clickhouse")
		time.Sleep(outage(t))
		if err := post(c, "/v1/logs", nil); err != nil {
			t.Errorf("the gateway does not take requests while ClickHouse is away: %v", err)
		}
		c.Launch("clickhouse")
		c.WaitReady("clickhouse")
	})
}

// TestBrokerOutage takes the broker away under load: clients are told to come
// back (the senders check for Retry-After), and nothing is lost.
func TestBrokerOutage(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	l := underLoad(t, c, func() {
		time.Sleep(2 * time.Second)
		c.Kill("broker")
		time.Sleep(outage(t))
		if err := cluster.Eventually(patience, func() error {
			response, err := http.Get("http://" + c.HTTP + "/readyz")
			if err != nil {
				return err
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusServiceUnavailable {
				return fmt.Errorf("/readyz answers %s while the broker is away", response.Status)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		c.Launch("broker")
		c.WaitReady("broker")
	})
	if l.Retries() == 0 {
		t.Error("no request had to be repeated, so the outage was none")
	}
}

// TestDiskFull fills the disk under the broker and then under the engine, to
// less room than both keep free: they refuse, and go on by themselves when
// there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"kafka", "clickhouse"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			target := filepath.Join(dir, "data", part)
			if err := os.MkdirAll(target, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount("tmpfs", target, "tmpfs", 0, "size=600m,mode=0700"); err != nil {
				t.Skipf("SKIP: mounting a small file system needs more rights than this run has: %v", err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(target, syscall.MNT_DETACH); err != nil {
					t.Errorf("unmounting %s: %v", target, err)
				}
			})
			c := cluster.Start(t, cluster.Options{Dir: dir})
			underLoad(t, c, func() {
				time.Sleep(2 * time.Second)
				filler := filepath.Join(target, "filler")
				fill(t, filler)
				time.Sleep(6 * time.Second)
				if err := os.Remove(filler); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// fill writes a file until so little room is left that only what was begun
// before fits.
func fill(t *testing.T, path string) {
	t.Helper()
	const left = 32 << 20
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	block := make([]byte, 1<<20)
	for {
		var disk syscall.Statfs_t
		if err := syscall.Fstatfs(int(file.Fd()), &disk); err != nil {
			t.Fatal(err)
		}
		if int64(disk.Bavail)*disk.Bsize < left {
			return
		}
		if _, err := file.Write(block); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAuditNotices damages the tables of a running system and asks the audit.
func TestAuditNotices(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"a removed batch": "ALTER TABLE logs DELETE WHERE (kafka_partition, kafka_offset) = (SELECT kafka_partition, from_offset FROM ledger WHERE topic = 'otlp_logs' AND stored > 0 ORDER BY from_offset LIMIT 1)",
		"a doubled batch": "INSERT INTO logs SELECT * FROM logs WHERE (kafka_partition, kafka_offset) = (SELECT kafka_partition, from_offset FROM ledger WHERE topic = 'otlp_logs' AND stored > 0 ORDER BY from_offset LIMIT 1)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cluster.Start(t, cluster.Options{})
			underLoad(t, c, func() { time.Sleep(2 * time.Second) })
			if out, err := c.Admin(damage); err != nil {
				t.Fatalf("damaging: %v: %s", err, out)
			}
			out, err := c.Run(context.Background(), "audit")
			if err == nil {
				t.Fatalf("the audit noticed nothing:\n%s", out)
			}
			if !strings.Contains(out, "otlp_logs") {
				t.Errorf("the audit does not name the topic:\n%s", out)
			}
			t.Log(out)
		})
	}
}

// TestUp runs everything in one command, kills both embedded parts under it,
// and stops it with SIGTERM: within ten seconds, and nothing stays behind.
func TestUp(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{Up: true})
	underLoad(t, c, func() {
		for range 3 {
			for _, part := range []string{"broker", "clickhouse"} {
				time.Sleep(1500 * time.Millisecond)
				killChild(t, c, part)
			}
		}
		time.Sleep(time.Second)
	})
	children := childrenOf(t, c.Pid("up"))
	took, err := c.Terminate("up", 10*time.Second)
	if err != nil {
		t.Fatalf("goshawk up after SIGTERM: %v after %s\n%s", err, took, c.Logs())
	}
	for _, pid := range children {
		if err := cluster.Eventually(5*time.Second, func() error {
			if syscall.Kill(pid, 0) == nil {
				return fmt.Errorf("process %d is still there", pid)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

// TestUpKilled kills `goshawk up` itself: its children must not stay behind,
// or the next start would find the ports and directories taken.
func TestUpKilled(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{Up: true})
	underLoad(t, c, func() {
		for range 2 {
			time.Sleep(time.Second)
			c.Kill("up")
			c.Launch("up")
			c.WaitReady("gateway")
			c.WaitReady("query")
		}
	})
}

func killChild(t *testing.T, c *cluster.Cluster, part string) {
	t.Helper()
	for _, pid := range childrenOf(t, c.Pid("up")) {
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(string(command), "\x00"+part) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Errorf("goshawk up has no child that runs the %s", part)
}

func childrenOf(t *testing.T, parent int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var children []int
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		var pid, ppid int
		var state string
		if _, err := fmt.Sscanf(string(text), "%d ", &pid); err != nil {
			continue
		}
		rest := string(text[strings.LastIndexByte(string(text), ')')+1:])
		if _, err := fmt.Sscanf(rest, " %s %d", &state, &ppid); err == nil && ppid == parent {
			children = append(children, pid)
		}
	}
	return children
}

func post(c *cluster.Cluster, path string, body []byte) error {
	response, err := http.Post("http://"+c.HTTP+path, "application/x-protobuf", strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return nil
}
