package timerslack

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// report prints the number of the process before it allowed slack, its arguments, what
// is left of the variable, and the slack of every thread.
func report(before int) {
	fmt.Println("before", before)
	fmt.Println("arguments", strings.Join(os.Args[1:], " "))
	fmt.Println("variable", os.Getenv(variable))
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	for _, t := range threads {
		slack, err := os.ReadFile("/proc/" + t.Name() + "/timerslack_ns")
		if err != nil {
			fmt.Println("thread", err)
			continue
		}
		fmt.Println("thread", strings.TrimSpace(string(slack)))
	}
}

// run runs the helper and returns what it prints of its threads. It fails unless the
// helper is the same process as before, with its arguments and without the variable.
func run(t *testing.T, env ...string) (threads []string) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(executable, "one", "two words")
	command.Env = append(append(os.Environ(), helper+"=1"), env...)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	want := []string{fmt.Sprintf("before %d", command.Process.Pid), "arguments one two words", "variable "}
	if diff := cmp.Diff(want, lines[:min(len(want), len(lines))]); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
	threads = lines[len(want):]
	if strings.Contains(string(out), "operation not permitted") {
		t.Skip("the system does not let a process read the slack of its other threads")
	}
	return threads
}

func TestEveryThreadHasTheSlack(t *testing.T) {
	threads := run(t)
	if len(threads) < 2 {
		t.Fatalf("%q: the runtime has a thread of its own", threads)
	}
	for _, thread := range threads {
		if thread != "thread 1000000" {
			t.Errorf("%s ns, want a millisecond", thread)
		}
	}
}

func TestStartsAgainOnlyOnce(t *testing.T) {
	for _, thread := range run(t, variable+"=1ms") {
		if thread == "thread 1000000" {
			t.Error("the process was started again although the variable says that it was")
		}
	}
}

func TestKeepsWhatTheProcessHas(t *testing.T) {
	if os.Getenv(variable) != "" {
		t.Fatal("the tests were started again")
	}
	has, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := Allow(time.Duration(has)); err != nil {
		t.Error(err)
	}
	if got, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || got != has {
		t.Errorf("the slack is %d ns, %v; it was %d ns", got, err, has)
	}
}
