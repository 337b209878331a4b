package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// leaveStartBehind gives back the pages of the binary that only its start needed,
// which are most of what a short command has resident: every package of every role
// has been initialised. Pages that are needed again are read again, from the page
// cache. What cannot be read or given back stays.
func leaveStartBehind() {
	binary, err := os.Executable()
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		// 00400000-0040b000 r-xp 00000000 08:01 1234   /usr/bin/goshawk
		fields := strings.Fields(lines.Text())
		if len(fields) != 6 || fields[5] != binary || strings.Contains(fields[1], "w") {
			continue // what was written exists nowhere else
		}
		from, to, _ := strings.Cut(fields[0], "-")
		start, err := strconv.ParseUint(from, 16, 64)
		if err != nil {
			return
		}
		end, err := strconv.ParseUint(to, 16, 64)
		if err != nil {
			return
		}
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(start), uintptr(end-start), unix.MADV_DONTNEED)
	}
}
