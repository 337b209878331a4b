package supervise

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Process is one run of a child. Its methods may be called from any goroutine.
type Process struct {
	cmd   *exec.Cmd
	alive *os.File
	ready *os.File
	done  chan struct{}
	err   error
	once  sync.Once
}

// Start starts a child. Output receives its standard output and error and may
// be nil. Kill -9 of this process ends the child as well: it reads the end of
// a pipe, see Attach, and on Linux the kernel signals it.
//
// The child leads a process group of its own, so that a Ctrl-C in the terminal
// reaches only this process.
func Start(name string, args, env []string, output io.Writer) (*Process, error) {
	readyRead, readyWrite, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	aliveRead, aliveWrite, err := os.Pipe()
	if err != nil {
		_ = readyRead.Close()
		_ = readyWrite.Close()
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Env = append(cmd.Env, readyVariable+"="+strconv.Itoa(3), parentVariable+"="+strconv.Itoa(4))
	cmd.ExtraFiles = []*os.File{readyWrite, aliveRead}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = childAttributes()
	// A grandchild that holds the output open must not keep Wait from ending.
	cmd.WaitDelay = time.Second
	p := &Process{cmd: cmd, alive: aliveWrite, ready: readyRead, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(started)
	err = <-started
	_ = readyWrite.Close()
	_ = aliveRead.Close()
	if err != nil {
		_ = readyRead.Close()
		_ = aliveWrite.Close()
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// WaitReady returns what the child reported with Ready, once every address
// answers. It fails when the child ends before or ctx does.
func (p *Process) WaitReady(ctx context.Context) (map[string]string, error) {
	type report struct {
		addresses map[string]string
		err       error
	}
	reported := make(chan report, 1)
	go func() {
		defer p.ready.Close()
		var r report
		line, err := bufio.NewReader(io.LimitReader(p.ready, 64<<10)).ReadBytes('\n')
		if err != nil {
			r.err = errors.New("it reported no addresses")
		} else {
			r.err = json.Unmarshal(line, &r.addresses)
		}
		reported <- r
	}()
	var r report
	select {
	case r = <-reported:
	case <-ctx.Done():
		_ = p.ready.SetReadDeadline(time.Now())
		<-reported
		return nil, fmt.Errorf("waiting for readiness: %w", context.Cause(ctx))
	}
	if r.err != nil {
		return nil, fmt.Errorf("waiting for readiness: %w", r.err)
	}
	for name, address := range r.addresses {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("waiting for readiness: connecting to %s: %w", name, err)
		}
		_ = conn.Close()
	}
	return r.addresses, nil
}

// Done is closed when the child has ended and was waited for.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the child ended; nil means with exit code 0. It must be called
// after Done is closed.
func (p *Process) Err() error { return p.err }

// Pid is the child's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal to the child; one that has ended is no error.
func (p *Process) Signal(signal syscall.Signal) {
	_ = p.cmd.Process.Signal(signal)
}

// Stop ends the child: SIGTERM, and SIGKILL when it is still there after
// grace, which is an error. It returns when the child was waited for; Err says
// how it ended.
func (p *Process) Stop(grace time.Duration) error {
	p.Signal(syscall.SIGTERM)
	p.once.Do(func() { _ = p.alive.Close() })
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	p.Signal(syscall.SIGKILL)
	<-p.done
	return fmt.Errorf("it did not end within %s and was killed", grace)
}
