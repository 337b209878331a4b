// Package supervise runs parts of goshawk as child processes: it starts them,
// learns when and where they serve, starts them again when they end by
// themselves, and ends them with this process, however that one ends.
//
// It knows nothing of what the children do. A child is this program with
// another command; its end of the supervision is Attach.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Child describes a process to run.
type Child struct {
	// Name is what logs and metrics call it.
	Name string
	// Path is the program; empty means this program.
	Path string
	Args []string
	// Env is added to the environment of this process.
	Env []string
	// ReadyTimeout bounds the time from the start to the call of Ready. A
	// child that takes longer is ended and started again.
	ReadyTimeout time.Duration
	// Grace is the time between SIGTERM and SIGKILL when it is stopped.
	Grace time.Duration
}

// Status is what is known of a child at one moment.
type Status struct {
	// Pid is 0 while no process runs.
	Pid int
	// Ready says that the child serves.
	Ready bool
	// Addresses are what the child reported, by name; the last ones stay known
	// while it is started again.
	Addresses map[string]string
	// Restarts counts the starts after the first.
	Restarts int
	// Err says how the process before this one ended.
	Err error
}

// Supervisor runs children. Add what there is, then call Run once.
type Supervisor struct {
	log      *slog.Logger
	metrics  *metrics
	children []*supervised
}

// The waits before a child is started again: none at all would spin when a
// child cannot start, and a child that ran for stableAfter starts from the
// first again.
const (
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 5 * time.Second
	stableAfter  = 30 * time.Second
)

// Defaults of Child.
const (
	defaultReadyTimeout = time.Minute
	defaultGrace        = 8 * time.Second
)

// New returns a supervisor whose metrics are registered with reg.
func New(log *slog.Logger, reg prometheus.Registerer) *Supervisor {
	return &Supervisor{log: log, metrics: newMetrics(reg)}
}

// Add appends a child. Children are started together and stopped one after the
// other, the last added first.
func (s *Supervisor) Add(c Child) error {
	if c.Path == "" {
		path, err := os.Executable()
		if err != nil {
			return fmt.Errorf("finding the program of child %s: %w", c.Name, err)
		}
		c.Path = path
	}
	if c.ReadyTimeout <= 0 {
		c.ReadyTimeout = defaultReadyTimeout
	}
	if c.Grace <= 0 {
		c.Grace = defaultGrace
	}
	for _, other := range s.children {
		if other.child.Name == c.Name {
			return fmt.Errorf("child %s was added before", c.Name)
		}
	}
	s.children = append(s.children, &supervised{
		child: c, log: s.log.With("child", c.Name), metrics: s.metrics.of(c.Name), changed: make(chan struct{}),
	})
	return nil
}

// Run runs all children until ctx ends and returns when every one of them has
// ended and was waited for. It fails at once when a child ends before it was
// ready for the first time: that is a mistake in its configuration, which no
// restart mends.
func (s *Supervisor) Run(ctx context.Context) error {
	// Children must outlive ctx, to be stopped in order.
	running, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	failed := make(chan error, len(s.children))
	for _, c := range s.children {
		c.stop = make(chan struct{})
		c.ended = make(chan struct{})
		go func() {
			defer close(c.ended)
			if err := c.run(running); err != nil {
				failed <- err
			}
		}()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	for i := len(s.children) - 1; i >= 0; i-- {
		close(s.children[i].stop)
		<-s.children[i].ended
	}
	return err
}

// Status returns what is known of the child.
func (s *Supervisor) Status(name string) (Status, bool) {
	if c := s.child(name); c != nil {
		status, _ := c.get()
		return status, true
	}
	return Status{}, false
}

// WaitReady returns the child's addresses once it serves.
func (s *Supervisor) WaitReady(ctx context.Context, name string) (map[string]string, error) {
	c := s.child(name)
	if c == nil {
		return nil, fmt.Errorf("no child is called %s", name)
	}
	for {
		status, changed := c.get()
		if status.Ready {
			return status.Addresses, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for child %s: %w", name, errors.Join(context.Cause(ctx), status.Err))
		case <-changed:
		}
	}
}

func (s *Supervisor) child(name string) *supervised {
	for _, c := range s.children {
		if c.child.Name == name {
			return c
		}
	}
	return nil
}

// supervised is one child and what is known of it.
type supervised struct {
	child   Child
	log     *slog.Logger
	metrics childMetrics
	stop    chan struct{} // closed to stop it
	ended   chan struct{} // closed when it is stopped

	mu      sync.Mutex
	status  Status
	changed chan struct{} // closed at the next change
}

func (c *supervised) get() (Status, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status, c.changed
}

func (c *supervised) set(change func(*Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.status)
	close(c.changed)
	c.changed = make(chan struct{})
}

// run starts the child again and again until it is stopped.
func (c *supervised) run(ctx context.Context) error {
	backoff := time.Duration(0)
	for first := true; ; first = false {
		if !c.sleep(backoff) {
			return nil
		}
		begun := time.Now()
		wasReady, err := c.once(ctx)
		select {
		case <-c.stop:
			return nil
		default:
		}
		if err == nil {
			err = errors.New("it ended by itself")
		}
		if first && !wasReady {
			return fmt.Errorf("child %s: %w", c.child.Name, err)
		}
		switch {
		case wasReady && time.Since(begun) >= stableAfter, backoff == 0:
			backoff = firstBackoff
		default:
			backoff = min(2*backoff, maxBackoff)
		}
		c.log.Error("child process ended; starting it again", "error", err, "in", backoff)
		c.metrics.restarts.Inc()
		c.set(func(s *Status) { s.Restarts++; s.Err = err })
	}
}

// sleep waits for d and reports whether the child may still be started.
func (c *supervised) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.stop:
		return false
	case <-timer.C:
		return true
	}
}

// once runs the child from its start to its end.
func (c *supervised) once(ctx context.Context) (wasReady bool, err error) {
	lines := newLineLog(c.log)
	defer lines.flush()
	process, err := Start(c.child.Path, c.child.Args, c.child.Env, lines)
	if err != nil {
		return false, err
	}
	c.set(func(s *Status) { s.Pid = process.Pid() })
	defer func() {
		c.metrics.up.Set(0)
		c.set(func(s *Status) { s.Pid, s.Ready = 0, false })
	}()
	waiting, cancel := context.WithTimeoutCause(ctx, c.child.ReadyTimeout,
		fmt.Errorf("it was not ready after %s", c.child.ReadyTimeout))
	defer cancel()
	type result struct {
		addresses map[string]string
		err       error
	}
	ready := make(chan result, 1)
	go func() {
		addresses, err := process.WaitReady(waiting)
		ready <- result{addresses, err}
	}()
	for {
		select {
		case r := <-ready:
			if r.err != nil {
				stopErr := process.Stop(c.child.Grace)
				if stopErr != nil {
					return false, fmt.Errorf("%w; %w%s", r.err, stopErr, lines.last())
				}
				return false, fmt.Errorf("%w%s", r.err, lines.last())
			}
			wasReady = true
			c.metrics.up.Set(1)
			c.set(func(s *Status) { s.Ready, s.Addresses = true, r.addresses })
		case <-process.Done():
			if !wasReady {
				cancel()
				<-ready
			}
			lines.flush()
			if err := process.Err(); err != nil {
				return wasReady, fmt.Errorf("%w%s", err, lines.last())
			}
			return wasReady, nil
		case <-c.stop:
			err := process.Stop(c.child.Grace)
			if err != nil {
				c.log.Warn("stopping the child process", "error", err)
			}
			if !wasReady {
				cancel()
				<-ready
			}
			return wasReady, nil
		}
	}
}
