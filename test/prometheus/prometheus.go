// Package prometheus holds goshawk against real Prometheus: the same samples go
// to the server of the Debian package, to the engine and storage of the version
// that goshawk is built with, and to goshawk, and the same questions must get
// the same answers.
//
// This file runs the server, for the tests and for the benchmarks; see the tests
// for what is compared.
package prometheus

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// Package is the Debian package of the server, and Version the one that the
// tests know.
const (
	Package = "prometheus"
	Version = "2.42"
)

// Server is a running Prometheus.
type Server struct {
	// URL is where it answers, without a slash at the end.
	URL string

	t   cluster.TB
	cmd *exec.Cmd
	log string
}

// Start starts a Prometheus with a configuration file and waits until it is
// ready. It receives remote-write. Cleanup stops it. It skips the test where no
// Prometheus is installed.
func Start(t cluster.TB, config string, flags ...string) *Server {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skipf("SKIP: there is no prometheus in PATH; the Debian package is %s", Package)
	}
	dir := t.TempDir()
	address := cluster.FreePorts(t, 1)[0]
	s := &Server{URL: "http://" + address, t: t, log: filepath.Join(dir, "prometheus.log")}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(binary, append([]string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + address,
		"--web.enable-remote-write-receiver", "--enable-feature=native-histograms,exemplar-storage",
	}, flags...)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("starting prometheus: %v", err)
	}
	t.Cleanup(s.stop)
	if err := cluster.Eventually(30*time.Second, func() error { return ready(s.URL + "/-/ready") }); err != nil {
		t.Fatalf("prometheus is not ready: %v\n%s", err, s.Log())
	}
	return s
}

// Pid returns the process id of the server.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Log returns what the server has logged.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (s *Server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may be gone, which Wait says
	timer := time.AfterFunc(20*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("prometheus ended with: %v\n%s", err, s.Log())
	}
}

func ready(address string) error {
	client := &http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(address)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, response.Status)
	}
	return nil
}
