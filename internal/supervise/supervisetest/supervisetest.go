// Package supervisetest runs parts of goshawk for tests, each in a child
// process that is the test binary itself and can be killed.
//
// A package that runs one calls the part's Child at the start of TestMain.
package supervisetest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/internal/supervise"
)

// Part is what runs in the child. C is its configuration, which goes to the
// child as JSON.
type Part[C any] struct {
	// Name is one word. It is in errors, and by it the child knows its part.
	Name string
	// Environment is added to the child's.
	Environment []string
	// Run runs the part until ctx ends. It calls ready once, with what listens
	// where.
	Run func(ctx context.Context, cfg C, log *slog.Logger, ready func(addresses map[string]string)) error
}

// variable holds the configuration in the child's environment.
func (p Part[C]) variable() string { return "GOSHAWK_TEST_CHILD_" + strings.ToUpper(p.Name) }

// Child runs the part and exits when this process was started for it;
// otherwise it returns at once.
func (p Part[C]) Child() {
	text := os.Getenv(p.variable())
	if text == "" {
		return
	}
	_ = os.Unsetenv(p.variable())
	if err := p.child(text); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (p Part[C]) child(text string) error {
	var cfg C
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	ctx, parent, err := supervise.Attach(context.Background())
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	return p.Run(ctx, cfg, log, func(addresses map[string]string) {
		if err := parent.Ready(addresses); err != nil {
			log.Error("reporting to the test", "error", err)
		}
	})
}

// startTimeout bounds how long a part may take until it serves.
const startTimeout = time.Minute

// Start runs the part in a child of its own. The caller calls Stop.
func (p Part[C]) Start(cfg C) (*Process[C], map[string]string, error) {
	process := &Process[C]{part: p}
	addresses, err := process.Again(cfg)
	if err != nil {
		return nil, nil, err
	}
	return process, addresses, nil
}

// Process is a part in a child process, or several, one after the other.
type Process[C any] struct {
	part    Part[C]
	process *supervise.Process
	output  observetest.Log
}

// Again runs the part once more, after Stop or Kill9, and returns what listens
// where.
func (p *Process[C]) Again(cfg C) (map[string]string, error) {
	text, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	environment := append([]string{p.part.variable() + "=" + string(text)}, p.part.Environment...)
	process, err := supervise.Start(executable, nil, environment, &p.output)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	addresses, err := process.WaitReady(ctx)
	if err != nil {
		_ = process.Stop(time.Second)
		return nil, fmt.Errorf("starting a test %s: %w (does TestMain call its Main or Child?)\n%s", p.part.Name, err, p.Output())
	}
	p.process = process
	return addresses, nil
}

// Watch makes the test fail where the part has a data race, and prints the
// part's output where the test fails. Call it when the part has ended.
func (p *Process[C]) Watch(t testing.TB) {
	t.Helper()
	if strings.Contains(p.Output(), "DATA RACE") {
		t.Errorf("the %s has a data race", p.part.Name)
	}
	if t.Failed() {
		t.Logf("output of the %s:\n%s", p.part.Name, p.Output())
	}
}

// Stop ends the part as an operator would, and waits for it.
func (p *Process[C]) Stop() { _ = p.process.Stop(10 * time.Second) }

// Kill9 kills the part at once and waits until it is gone.
func (p *Process[C]) Kill9() {
	p.process.Signal(syscall.SIGKILL)
	<-p.process.Done()
}

// Pid is the part's process id.
func (p *Process[C]) Pid() int { return p.process.Pid() }

// Done is closed when the part's process has ended.
func (p *Process[C]) Done() <-chan struct{} { return p.process.Done() }

// Output is what the part wrote to its standard output and error.
func (p *Process[C]) Output() string { return p.output.String() }
