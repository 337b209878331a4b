// Package chaos kills the processes of a running cluster under load and checks
// that every acknowledged event is stored exactly once, in every table and view.
package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
	"github.com/goshawk-observability/goshawk/test/load"
)

// killsEnv names the variable that sets the number of kills of TestKill.
const killsEnv = "GOSHAWK_CHAOS_KILLS"

// patience is how long recovery may take on a slow, shared machine. It bounds
// a failing run; no test asserts a speed.
const patience = 3 * time.Minute

// TestKill kills the gateway, a worker process, the broker and the engine at
// random moments while senders of all signals go on.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 60
	if text := os.Getenv(killsEnv); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v", killsEnv, err)
		}
		kills = n
	}
	c := cluster.Start(t, cluster.Options{})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d kills", seed, kills)
	random := rand.New(rand.NewPCG(seed, 0))
	killed := map[string]int{}
	underLoad(t, c, func() {
		roles := []string{"gateway", "process", "broker", "clickhouse"}
		for n := range kills {
			// Every role gets its share; the moments are random.
			role := roles[n%len(roles)]
			time.Sleep(time.Duration(random.IntN(700)) * time.Millisecond)
			c.Kill(role)
			time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
			c.Launch(role)
			killed[role]++
			if n%20 == 19 {
				for _, role := range roles {
					c.WaitReady(role)
				}
				t.Logf("%d kills", n+1)
			}
		}
		for _, role := range roles {
			c.WaitReady(role)
		}
	})
	t.Logf("killed: %v", killed)
}

// underLoad runs disturb while senders run, waits until everything that was
// acknowledged is stored, and checks every table, every view and the audit.
func underLoad(t *testing.T, c *cluster.Cluster, disturb func()) *load.Load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := &load.Load{Base: "http://" + c.HTTP, Senders: 2, Events: 40, Pause: 20 * time.Millisecond}
	more := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx, more) }()
	disturb()
	close(more)
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("load: %v\n%s", err, c.Logs())
		}
	case <-time.After(patience):
		t.Fatalf("requests are still not acknowledged\n%s", c.Logs())
	}
	verify(t, c, l)
	return l
}

func verify(t *testing.T, c *cluster.Cluster, l *load.Load) {
	t.Helper()
	for _, path := range load.Paths {
		events := l.Acknowledged(path)
		if events == 0 {
			t.Fatalf("%s: nothing was acknowledged\n%s", path, c.Logs())
		}
		for _, table := range load.Tables[path] {
			want := table.Share(events)
			var last string
			err := cluster.Eventually(patience, func() error {
				var err error
				last, err = c.SQL(fmt.Sprintf("SELECT count(), uniqExact(%s) FROM %s WHERE %s", table.Identity, table.Name, table.Where))
				if err != nil {
					return err
				}
				if rows, _, _ := strings.Cut(last, "\t"); rows != strconv.FormatInt(want, 10) {
					return fmt.Errorf("%s rows, want %d", rows, want)
				}
				return nil
			})
			if exact := fmt.Sprintf("%d\t%d", want, want); err != nil || last != exact {
				t.Errorf("%s has (rows, distinct) %q, want %q: %v", table.Name, last, exact, err)
			}
		}
		t.Logf("%s: %d events acknowledged", path, events)
	}
	t.Logf("%d requests were repeated", l.Retries())
	var out string
	err := cluster.Eventually(patience, func() error {
		var err error
		out, err = c.Run(context.Background(), "audit")
		return err
	})
	if err != nil {
		t.Errorf("audit: %v\n%s", err, out)
	}
	if t.Failed() {
		t.Log(c.Logs())
	}
}
