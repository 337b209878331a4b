//go:build unix && !linux

package broker

import (
	"os"

	"golang.org/x/sys/unix"
)

// freeBytes is the room that an unprivileged process has on the file system.
func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// syncFiles writes everything to the disk, for want of a narrower call.
func syncFiles(*os.File) error { return unix.Sync() }
