package timerslack

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// variable is set in the environment of a program that was started again.
const variable = "GOSHAWK_TIMER_SLACK"

// Allow lets every timer of the process be late by up to d, and those of the
// processes that it starts.
//
// The runtime's own thread began before any of the program's code could run, and a
// thread takes over what the one that began it has. So the program starts itself
// again, once, with the same arguments and as the same process: call it before
// anything else is done. It returns nil in the process that runs with the slack.
// After an error nothing has changed but that the timers of the threads that are
// begun from now on may be late.
func Allow(d time.Duration) error {
	if os.Getenv(variable) != "" {
		return os.Unsetenv(variable)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if has, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err == nil && int64(has) >= d.Nanoseconds() {
		return nil // from the process that started this one
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(d.Nanoseconds()), 0, 0, 0); err != nil {
		return fmt.Errorf("setting the slack of timers: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("looking for the program: %w", err)
	}
	// The variable keeps a system that forgets the slack from doing this for ever.
	return fmt.Errorf("starting %s again: %w", program, unix.Exec(program, os.Args, append(os.Environ(), variable+"="+d.String())))
}
