package engine

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// output keeps what the engine writes to its standard output in a file of
// bounded size, with one file before it.
type output struct {
	mu    sync.Mutex
	path  string
	limit int64
	file  *os.File
	size  int64
	pipe  *os.File
}

// captureOutput sends file descriptor 1 of this process to the file at path.
// Standard error stays what it is: goshawk's own log and a crash go there.
func captureOutput(path string, limit int64) (*output, error) {
	o := &output{path: path, limit: limit / 2}
	if err := o.open(); err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("capturing the engine's output: %w", err)
	}
	defer write.Close()
	if err := unix.Dup2(int(write.Fd()), 1); err != nil {
		return nil, fmt.Errorf("capturing the engine's output: %w", err)
	}
	o.pipe = read
	return o, nil
}

func (o *output) open() error {
	file, err := os.OpenFile(o.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the engine's log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("opening the engine's log: %w", err)
	}
	o.file, o.size = file, info.Size()
	return nil
}

// drain copies until the pipe is closed. What cannot be written, for want of
// room, is dropped: the engine must never block on its log.
func (o *output) drain() {
	buffer := make([]byte, 16<<10)
	for {
		n, err := o.pipe.Read(buffer)
		if n > 0 {
			o.write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

func (o *output) write(text []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.size+int64(len(text)) > o.limit {
		_ = o.file.Close()
		_ = os.Rename(o.path, o.path+".1")
		if err := o.open(); err != nil {
			return
		}
	}
	n, _ := o.file.Write(text)
	o.size += int64(n)
}
