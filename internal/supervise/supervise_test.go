package supervise_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/internal/supervise"
)

// role makes this test binary one of the processes below.
const role = "GOSHAWK_SUPERVISE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch name := os.Getenv(role); name {
	case "":
		goleak.VerifyTestMain(m)
	case "parent":
		parent()
	default:
		child(name)
	}
}

// child serves a port, or does not, as its name says.
func child(name string) {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	switch name {
	case "failing":
		fmt.Fprintln(os.Stderr, "the port is taken")
		os.Exit(3)
	case "silent":
		_ = os.Unsetenv(role)
		<-make(chan struct{})
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	}
	ctx, p, err := supervise.Attach(context.Background())
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	log.Info("up", "pid", os.Getpid())
	if err := p.Ready(map[string]string{"port": listener.Addr().String()}); err != nil {
		panic(err)
	}
	switch name {
	case "stubborn":
		<-make(chan struct{})
	case "panicking":
		time.Sleep(20 * time.Millisecond)
		panic("a bug")
	}
	<-ctx.Done()
	log.Info("down")
	if order := os.Getenv("GOSHAWK_SUPERVISE_TEST_ORDER"); order != "" {
		file, err := os.OpenFile(order, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, _ = fmt.Fprintln(file, name)
			_ = file.Close()
		}
	}
}

// parent supervises a child and prints its pid.
func parent() {
	s := supervise.New(slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err := s.Add(supervise.Child{Name: "child", Env: []string{role + "=" + os.Args[1]}}); err != nil {
		panic(err)
	}
	go func() { _ = s.Run(context.Background()) }()
	if _, err := s.WaitReady(context.Background(), "child"); err != nil {
		panic(err)
	}
	status, _ := s.Status("child")
	fmt.Println(status.Pid)
	<-make(chan struct{})
}

type fixture struct {
	*supervise.Supervisor
	reg  *prometheus.Registry
	log  *observetest.Log
	end  func() error // waits for the end of Run
	stop func() error // brings it about
}

// run supervises children of these roles until the test ends.
func run(t *testing.T, children ...supervise.Child) *fixture {
	t.Helper()
	f := &fixture{reg: prometheus.NewRegistry(), log: &observetest.Log{}}
	f.Supervisor = supervise.New(slog.New(slog.NewTextHandler(f.log, nil)), f.reg)
	for _, c := range children {
		c.Env = append(c.Env, role+"="+strings.TrimRight(c.Name, "0123456789"))
		if err := f.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	f.end = sync.OnceValue(func() error { return <-ended })
	f.stop = func() error { cancel(); return f.end() }
	t.Cleanup(func() {
		_ = f.stop()
		if t.Failed() {
			t.Log(f.log)
		}
	})
	return f
}

func ready(t *testing.T, f *fixture, name string) (addr string, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	addresses, err := f.WaitReady(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	status, _ := f.Status(name)
	return addresses["port"], status.Pid
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); {
		if time.Now().After(deadline) {
			t.Fatal("it never came true that ", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// runs says whether the process exists and is no zombie.
func runs(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

func TestKilledChildIsStartedAgain(t *testing.T) {
	f := run(t, supervise.Child{Name: "serving"})
	seen := map[int]bool{}
	for i := range 3 {
		addr, pid := ready(t, f, "serving")
		if seen[pid] {
			t.Fatalf("process %d is reported as ready after it was killed", pid)
		}
		seen[pid] = true
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the restart is counted", func() bool {
			s, _ := f.Status("serving")
			return s.Restarts == i+1 && s.Pid != pid
		})
	}
	ready(t, f, "serving")
	for name, want := range map[string]float64{"goshawk_supervise_restarts_total": 3, "goshawk_supervise_up": 1} {
		if got, err := gather(f.reg, name); err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", name, got, err, want)
		}
	}
	if n, err := testutil.GatherAndCount(f.reg); err != nil || n != 2 {
		t.Errorf("%d metrics, %v; want 2", n, err)
	}
	if err := f.stop(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"child=serving", "msg=up", "msg=down", "signal: killed"} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}

func gather(reg *prometheus.Registry, name string) (float64, error) {
	families, err := reg.Gather()
	if err != nil {
		return 0, err
	}
	for _, family := range families {
		if family.GetName() == name {
			m := family.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue(), nil
		}
	}
	return 0, errors.New("not there")
}

func TestCrashIsReportedWithItsLastWords(t *testing.T) {
	f := run(t, supervise.Child{Name: "panicking"})
	eventually(t, "it crashed twice", func() bool { s, _ := f.Status("panicking"); return s.Restarts >= 2 })
	s, _ := f.Status("panicking")
	if s.Err == nil || !strings.Contains(s.Err.Error(), "panic: a bug") {
		t.Errorf("the crash is reported as %v", s.Err)
	}
}

func TestFirstStartThatFailsIsAnError(t *testing.T) {
	for name, want := range map[string]string{"failing": "the port is taken", "silent": "not ready after 100ms"} {
		f := run(t, supervise.Child{Name: "serving"}, supervise.Child{Name: name, ReadyTimeout: 100 * time.Millisecond, Grace: 5 * time.Second})
		err := f.end()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "child "+name) {
			t.Errorf("Run returned %v, want it to say %q", err, want)
		}
	}
}

func TestStopsInReverseOrder(t *testing.T) {
	order := t.TempDir() + "/order"
	env := []string{"GOSHAWK_SUPERVISE_TEST_ORDER=" + order}
	var children []supervise.Child
	for _, name := range []string{"a", "b", "c"} {
		children = append(children, supervise.Child{Name: name, Env: slices.Clone(env)})
	}
	f := run(t, children...)
	for _, c := range children {
		ready(t, f, c.Name)
	}
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(order)
	if err != nil || string(text) != "c\nb\na\n" {
		t.Errorf("stopped in the order %q, %v; want c, b, a", text, err)
	}
}

func TestStubbornChildIsKilled(t *testing.T) {
	f := run(t, supervise.Child{Name: "stubborn", Grace: 100 * time.Millisecond})
	_, pid := ready(t, f, "stubborn")
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if runs(pid) {
		t.Error("the child still runs after Run has returned")
	}
}

func TestKilledParentLeavesNoOrphan(t *testing.T) {
	for range 3 {
		cmd := exec.Command(os.Args[0], "serving")
		cmd.Env = append(os.Environ(), role+"=parent")
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil || !runs(pid) {
			t.Fatalf("child %q: %v", line, err)
		}
		if group, err := syscall.Getpgid(pid); err != nil || group != pid {
			t.Errorf("the child is in process group %d, %v; want its own, so that Ctrl-C passes it by", group, err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		eventually(t, "the child ends after its parent was killed", func() bool { return !runs(pid) })
	}
}

func TestSameNameTwice(t *testing.T) {
	s := supervise.New(slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err := s.Add(supervise.Child{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(supervise.Child{Name: "a"}); err == nil {
		t.Error("two children of one name were taken")
	}
}

func TestWithoutSupervisorAttachDoesNothing(t *testing.T) {
	ctx, p, err := supervise.Attach(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Ready(map[string]string{"a": "b"}); err != nil {
		t.Error(err)
	}
	if ctx.Err() != nil {
		t.Error("the context ended")
	}
}
