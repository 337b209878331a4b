package supervise

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// The variables by which a parent tells its child the numbers of the file
// descriptors that it passed.
const (
	readyVariable  = "GOSHAWK_SUPERVISE_READY_FD"
	parentVariable = "GOSHAWK_SUPERVISE_PARENT_FD"
)

// orphanGrace is how long a child may take to end after its supervisor is gone.
const orphanGrace = 10 * time.Second

// Parent is the child's end of its supervision. In a process without a
// supervisor it does nothing.
type Parent struct {
	ready *os.File
	alive *os.File
}

// Attach connects this process to the supervisor that started it, if one did.
// The returned context ends with ctx, on SIGTERM or SIGINT, and when the
// supervisor is gone, however it went.
func Attach(ctx context.Context) (context.Context, *Parent, error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	p := &Parent{}
	var err error
	if p.ready, err = inherited(readyVariable); err != nil {
		stop()
		return nil, nil, err
	}
	if p.alive, err = inherited(parentVariable); err != nil {
		stop()
		return nil, nil, err
	}
	if p.alive == nil {
		return ctx, p, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		// The parent never writes. The read returns when the last write end
		// is closed, which the kernel does for a process that was killed.
		_, _ = p.alive.Read(make([]byte, 1))
		cancel()
		stop()
		// Nobody is left to kill this process should it hang.
		time.AfterFunc(orphanGrace, func() { os.Exit(1) })
	}()
	return ctx, p, nil
}

// inherited takes over the descriptor that the variable names, so that neither
// it nor the variable reaches a process started from here.
func inherited(variable string) (*os.File, error) {
	text := os.Getenv(variable)
	if text == "" {
		return nil, nil
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s: %q is no file descriptor", variable, text)
	}
	_ = os.Unsetenv(variable)
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("%s: %d: %w", variable, fd, err)
	}
	return os.NewFile(uintptr(fd), variable), nil
}

// Ready tells the supervisor that this process serves, and under which names
// at which addresses.
func (p *Parent) Ready(addresses map[string]string) error {
	if p.ready == nil {
		return nil
	}
	line, err := json.Marshal(addresses)
	if err != nil {
		return fmt.Errorf("reporting addresses to the supervisor: %w", err)
	}
	if _, err := p.ready.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("reporting addresses to the supervisor: %w", err)
	}
	err = p.ready.Close()
	p.ready = nil
	return err
}
