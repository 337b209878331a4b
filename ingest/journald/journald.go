// Package journald reads the journal of systemd through journalctl and writes
// its entries to Kafka, each exactly once.
//
// Entries have cursors. Which ones a batch has is decided and remembered before
// it is produced, so that the same batch with the same id is produced after a
// crash; the cursor moves on once Kafka has acknowledged it.
package journald

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/internal/embedded/dirlock"
)

// Options say what is read and where it goes.
type Options struct {
	Config Config
	// Dir keeps the cursor. It belongs to one reader at a time.
	Dir      string
	Target   logbatch.Target
	Registry prometheus.Registerer
}

// Reader reads the journal, in one goroutine.
type Reader struct {
	cfg      Config
	dir      string
	target   logbatch.Target
	log      *slog.Logger
	metrics  *metrics
	delivery *logbatch.Delivery
	state    state
	batch    *batch
}

type metrics struct {
	records, restarts, rejected, repeated, truncated prometheus.Counter
}

// New returns a reader. It opens nothing yet.
func New(o Options) (*Reader, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, fmt.Errorf("journald: %w", err)
	}
	if o.Target.MaxRecord < minRecord {
		return nil, fmt.Errorf("journald: a kafka record of %d bytes is too small; %d are needed", o.Target.MaxRecord, minRecord)
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "goshawk_journald_" + name, Help: help})
		o.Registry.MustRegister(c)
		return c
	}
	r := &Reader{cfg: o.Config, dir: o.Dir, target: o.Target, log: o.Target.Log, metrics: &metrics{
		records:   counter("records_total", "Log records that Kafka has acknowledged."),
		restarts:  counter("restarts_total", "Times that journalctl ended by itself and was started again."),
		rejected:  counter("rejected_records_total", "Log records that Kafka will never take."),
		repeated:  counter("repeated_batches_total", "Batches that were produced again after a restart."),
		truncated: counter("truncated_fields_total", "Fields that were too long and were cut."),
	}}
	r.delivery = logbatch.NewDelivery(&r.target)
	r.batch = newBatch(&r.target)
	return r, nil
}

// runDirectory is there where systemd's journal runs.
const runDirectory = "/run/systemd/journal"

// missing says why the journal cannot be read, nil where it can.
func (c *Config) missing() error {
	if _, err := exec.LookPath(c.Command); err != nil {
		return fmt.Errorf("agent.journald.command: %w", err)
	}
	if c.Directory != "" {
		return nil
	}
	if _, err := os.Stat(runDirectory); err != nil {
		return fmt.Errorf("%s is not there: this host has no journal of systemd, or it is not mounted; set agent.journald.directory to read its files", runDirectory)
	}
	return nil
}

// Greatest and least time before journalctl is started again.
const (
	leastPause    = time.Second
	greatestPause = 30 * time.Second
)

// Run reads until ctx ends. Where there is no journal it says so and does
// nothing. Ready, which may be nil, is called when reading begins.
func (r *Reader) Run(ctx context.Context, ready func()) error {
	if ready == nil {
		ready = func() {}
	}
	if err := r.cfg.missing(); err != nil {
		r.log.Error("the journal is not read", "error", err)
		ready()
		<-ctx.Done()
		return nil
	}
	lock, err := dirlock.Lock(ctx, r.dir, "the journal input's")
	if err != nil {
		return err
	}
	defer lock.Close()
	if r.state, err = loadState(filepath.Join(r.dir, "cursor")); err != nil {
		return err
	}
	ready()
	pause := leastPause
	for {
		began := time.Now()
		err := r.read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > greatestPause {
			pause = leastPause
		}
		r.metrics.restarts.Inc()
		r.log.Warn("journalctl ended; it is started again", "in", pause, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, greatestPause)
	}
}

// arguments are those of journalctl beside where to begin.
func (r *Reader) arguments(more ...string) []string {
	all := append([]string{"--output=export", "--all", "--no-pager", "--quiet"}, more...)
	if r.cfg.Directory != "" {
		all = append(all, "--directory="+r.cfg.Directory)
	}
	for _, u := range r.cfg.Units {
		all = append(all, "--unit="+u)
	}
	return all
}

// read runs journalctl once and delivers what it prints, until it ends.
func (r *Reader) read(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.state.Cursor == "" && r.cfg.From == "end" {
		if err := r.findEnd(ctx); err != nil {
			return err
		}
	}
	where := []string{"--follow", "--no-tail"}
	if r.state.Cursor != "" {
		where = append(where, "--after-cursor="+r.state.Cursor)
	}
	cmd := exec.CommandContext(ctx, r.cfg.Command, r.arguments(where...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	words := &lastWords{}
	cmd.Stderr = words
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout = in
	err = cmd.Start()
	_ = in.Close()
	if err != nil {
		return err
	}
	// The pipe is read with deadlines, and ends with the process.
	stop := context.AfterFunc(ctx, func() { _ = out.SetReadDeadline(time.Unix(1, 0)) })
	failed := r.follow(ctx, out)
	stop()
	cancel()
	ended := cmd.Wait()
	if errors.Is(failed, errEnded) {
		failed = errors.Join(failed, ended)
	}
	return words.explain(failed)
}

// findEnd begins after the latest entry that there is.
func (r *Reader) findEnd(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, r.cfg.Command, r.arguments("--lines=1")...)
	words := &lastWords{}
	cmd.Stderr = words
	out, err := cmd.Output()
	if err != nil {
		return words.explain(err)
	}
	if cursor := firstCursor(out); cursor != "" {
		r.state.Cursor = cursor
		return r.state.save(true)
	}
	return nil // the journal is empty
}

// lastWords keeps the beginning of what a program says on standard error.
type lastWords struct{ text []byte }

func (w *lastWords) Write(p []byte) (int, error) {
	const most = 1 << 10
	w.text = append(w.text, p[:min(len(p), most-len(w.text))]...)
	return len(p), nil
}

func (w *lastWords) explain(err error) error {
	if err == nil || len(w.text) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", err, w.text)
}
