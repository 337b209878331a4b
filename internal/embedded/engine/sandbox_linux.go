package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errNoSandbox says that the kernel cannot confine the engine.
var errNoSandbox = errors.New("the kernel has no Landlock of version 2 or later")

// Rights on files, as far as version 2 of Landlock knows them.
const (
	rightsRead  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	rightsWrite = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_REFER
	rightsOther = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK
	// rightsOfFiles are those that make sense for a path that is no directory.
	rightsOfFiles = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE
)

// systemFiles are what the engine reads of the system: its time zones, its
// memory and processors, the names of hosts. Of /proc, only files that say
// nothing of other processes and nothing of the environment of this one.
var systemFiles = []string{
	"/usr/share/zoneinfo", "/etc/localtime", "/etc/timezone", "/etc/hosts", "/etc/resolv.conf",
	"/etc/nsswitch.conf", "/etc/host.conf", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache",
	"/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/sys",
	"/proc/self/stat", "/proc/self/statm", "/proc/self/status", "/proc/self/maps", "/proc/self/cgroup", "/proc/self/limits",
	"/sys/fs/cgroup", "/sys/devices/system", "/sys/kernel/mm/transparent_hugepage", "/dev/urandom", "/dev/random",
}

// sandboxable reports whether confine will work.
func sandboxable() bool {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	// Version 1 forbids to move a file between directories, as the engine does.
	return errno == 0 && version >= 2
}

// confine takes from the calling thread, and from every thread that is started
// from it, all access to files but the engine's store and a few of the system.
// Grants alone do not do it: in this kind of engine the function file() reads
// any file for any user. The thread must never return to the scheduler.
func confine(dataDir string) error {
	if !sandboxable() {
		return errNoSandbox
	}
	attributes := unix.LandlockRulesetAttr{Handled_access_fs: rightsRead | rightsWrite | rightsOther}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET,
		uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes.Handled_access_fs), 0)
	if errno != 0 {
		return fmt.Errorf("confining the engine: %w", errno)
	}
	defer unix.Close(int(fd))
	dataDir, err := filepath.Abs(dataDir)
	if err != nil {
		return fmt.Errorf("confining the engine: %w", err)
	}
	if err := allow(int(fd), filepath.Join(dataDir, "store"), rightsRead|rightsWrite); err != nil {
		return err
	}
	for _, name := range []string{"config.xml", "users.xml"} {
		if err := allow(int(fd), filepath.Join(dataDir, name), rightsRead); err != nil {
			return err
		}
	}
	if err := allow(int(fd), "/dev/null", rightsOfFiles); err != nil {
		return err
	}
	for _, path := range systemFiles {
		if err := allow(int(fd), path, rightsRead); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("confining the engine: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("confining the engine: %w", errno)
	}
	return nil
}

func allow(ruleset int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("confining the engine to %s: %w", path, err)
	}
	defer unix.Close(fd)
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return fmt.Errorf("confining the engine to %s: %w", path, err)
	}
	if info.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= rightsOfFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset),
		unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("confining the engine to %s: %w", path, errno)
	}
	return nil
}
