package memory

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ForgetStart lets go of the pages of the program's file that are resident. The
// packages of a large program touch most of it when they are initialised, and little
// of that again; what is, comes back from the kernel's cache.
//
// Only pages that are as they are in the file are let go. Where the kernel does not
// say which those are, nothing happens.
func ForgetStart() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer f.Close()
	var from, to uintptr // of the mapping that is read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		var begin, end uintptr
		var rights string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &begin, &end, &rights); n == 3 {
			from, to = 0, 0
			if strings.HasSuffix(line, " "+exe) && (rights == "r-xp" || rights == "r--p") {
				from, to = begin, end
			}
			continue
		}
		// Pages that were written to are anonymous: they are in no file.
		if kib := int64(-1); from < to && strings.HasPrefix(line, "Anonymous:") {
			if _, err := fmt.Sscanf(line, "Anonymous: %d kB", &kib); err == nil && kib == 0 {
				_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
			}
		}
	}
}
