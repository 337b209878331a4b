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
	return int64(s.Bavail) * s.Bsize, nil
}

// syncFiles writes what was written below dir to the disk.
func syncFiles(dir *os.File) error { return unix.Syncfs(int(dir.Fd())) }
