package timerslack

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// helper says that the test binary is a program that allows slack.
const helper = "TIMERSLACK_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helper) == "" {
		os.Exit(m.Run())
	}
	before := os.Getpid()
	if err := Allow(time.Millisecond); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	report(before)
	os.Exit(0)
}

// report prints the slack of every thread, arguments, and whether the process is
// told apart from one that was never started again.
func report(pid int) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	fmt.Println("pid", pid)
	fmt.Println("args", strings.Join(os.Args[1:], " "))
	fmt.Println("variable", os.Getenv(variable))
	for _, t := range threads {
		slack, err := os.ReadFile("/proc/" + t.Name() + "/timerslack_ns")
		if err != nil {
			fmt.Println("thread", err)
			continue
		}
		fmt.Println("thread", strings.TrimSpace(string(slack)))
	}
}

func run(t *testing.T, env ...string) (pid int, lines []string) {
	t.Helper()
	executable, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(executable, "one", "two words")
	cmd.Env = append(append(os.Environ(), helper+"=1"), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return cmd.Process.Pid, strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestEveryThreadHasTheSlack(t *testing.T) {
	pid, lines := run(t)
	require.Equal(t, []string{fmt.Sprintf("pid %d", pid), "args one two words", "variable "}, lines[:3])
	require.Greater(t, len(lines), 4, "the runtime has more threads than this one")
	for _, line := range lines[3:] {
		if strings.Contains(line, "permission") {
			t.Skip("reading the slack of other threads is not allowed here")
		}
		require.Equal(t, "thread 1000000", line)
	}
}

func TestStartsAgainOnceWhereTheSlackIsForgotten(t *testing.T) {
	pid, lines := run(t, variable+"=1ms")
	require.Equal(t, []string{fmt.Sprintf("pid %d", pid), "args one two words", "variable "}, lines[:3])
	require.Contains(t, lines[3:], "thread 50000")
}

func TestKeepsWhatTheProcessHas(t *testing.T) {
	has, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	require.NoError(t, err)
	require.NoError(t, Allow(time.Duration(has)), "a second start would end the test")
}
