package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// TestFiles appends numbered lines to a log that is rotated by both methods,
// while the agent that reads it is killed, and the broker: every line is stored
// once.
func TestFiles(t *testing.T) {
	t.Parallel()
	const agentKills, brokerKills = 15, 2
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	c := cluster.Start(t, cluster.Options{AgentInputs: fmt.Sprintf("files: {inputs: [{include: [%q], from: beginning}]}", path+"*")})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := &rotatingWriter{path: path, random: rand.New(rand.NewPCG(seed, 0))}
	c.Launch("agent")
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() { stopped <- w.run(stop) }()
	random := rand.New(rand.NewPCG(seed, 1))
	for n := range agentKills {
		time.Sleep(time.Duration(200+random.IntN(600)) * time.Millisecond)
		c.Kill("agent")
		if n%(agentKills/brokerKills) == 3 {
			c.Kill("broker")
			time.Sleep(500 * time.Millisecond)
			c.Launch("broker")
		}
		c.Launch("agent")
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%d\t%d", w.lines, w.lines)
	var have string
	err := cluster.Eventually(time.Minute, func() error {
		var err error
		have, err = c.SQL("SELECT count(), uniqExact(body) FROM logs WHERE body LIKE 'line % of the log'")
		if err == nil && have != want {
			err = fmt.Errorf("(rows, distinct) are %q, want %q", have, want)
		}
		return err
	})
	if err != nil {
		t.Errorf("%v\n%s", err, c.Logs())
	}
	t.Logf("%d lines, %d renames, %d copies", w.lines, w.renames, w.copies)
	if w.renames == 0 || w.copies == 0 {
		t.Error("the log was not rotated by both methods")
	}
}

// rotatingWriter appends lines to a log and rotates it, at random moments, by
// renaming it or by copying and truncating it.
type rotatingWriter struct {
	path                            string
	random                          *rand.Rand
	lines, rotated, renames, copies int
}

func (w *rotatingWriter) run(stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := w.write(1 + w.random.IntN(200)); err != nil {
			return err
		}
		time.Sleep(time.Duration(w.random.IntN(20)) * time.Millisecond)
		if w.random.IntN(40) == 0 {
			if err := w.rotate(); err != nil {
				return err
			}
		}
	}
}

func (w *rotatingWriter) write(n int) error {
	file, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	for range n {
		if _, err := fmt.Fprintf(file, "line %d of the log\n", w.lines); err != nil {
			return err
		}
		w.lines++
	}
	return nil
}

func (w *rotatingWriter) rotate() error {
	w.rotated++
	next := fmt.Sprintf("%s.%d", w.path, w.rotated)
	if w.random.IntN(2) == 0 {
		w.renames++
		return os.Rename(w.path, next)
	}
	w.copies++
	text, err := os.ReadFile(w.path)
	if err == nil {
		err = os.WriteFile(next, text, 0o600)
	}
	if err == nil {
		err = os.Truncate(w.path, 0)
	}
	return err
}
