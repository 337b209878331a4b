package engine

import (
	"fmt"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// terminal is the pseudo-terminal that the engine has as its standard input.
// Without one, the engine takes any exception in a connection for the end of
// its own session and ends the process: a single reset connection is enough.
type terminal struct{ master *os.File }

// openTerminal puts a pseudo-terminal on file descriptor 0 of this process.
func openTerminal() (*terminal, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("opening a pseudo-terminal for the engine: %w", err)
	}
	defer slave.Close()
	if err := unix.Dup2(int(slave.Fd()), 0); err != nil {
		return nil, fmt.Errorf("opening a pseudo-terminal for the engine: %w", err)
	}
	return &terminal{master}, nil
}

// drain reads what the engine echoes, so that the terminal never fills.
func (t *terminal) drain() {
	buffer := make([]byte, 4096)
	for {
		if _, err := t.master.Read(buffer); err != nil {
			return
		}
	}
}

// endOfInput types control-D.
func (t *terminal) endOfInput() { _, _ = t.master.Write([]byte{4}) }
