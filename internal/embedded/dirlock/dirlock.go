// Package dirlock keeps two processes off one data directory.
package dirlock

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long Lock waits for a holder that is just ending: after a
// kill -9 of `goshawk up`, its children end a moment later, and the next start
// must not fail for that.
const patience = 5 * time.Second

// Lock locks dir, which it makes where it is missing, for as long as the
// returned file is open. The kernel drops the lock with the process, however it
// ends. Owner says in errors whose directory it is: "the broker's".
func Lock(ctx context.Context, dir, owner string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making %s directory: %w", owner, err)
	}
	path := filepath.Join(dir, "goshawk.lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking %s directory: %w", owner, err)
	}
	deadline := time.Now().Add(patience)
	for syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		if time.Now().After(deadline) || ctx.Err() != nil {
			holder, _ := os.ReadFile(path)
			_ = file.Close()
			return nil, fmt.Errorf("%s directory %s is in use by process %s", owner, dir, strings.TrimSpace(string(holder)))
		}
		time.Sleep(20 * time.Millisecond)
	}
	// The number is for the message above alone; on a full disk there is none.
	_ = file.Truncate(0)
	_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return file, nil
}
