// Package kafkatest gives tests a real Apache Kafka: the broker that
// deploy/kafka pins, started on free ports of the loopback interface.
//
// Tests skip where Java or the broker's jars cannot be had, and say so on a line
// that starts with "SKIP real Kafka:". Environment variables change that:
//
//   - GOSHAWK_KAFKA=skip skips always, GOSHAWK_KAFKA=require fails instead of
//     skipping;
//   - GOSHAWK_TEST_KAFKA=host:port names a broker that runs already, which
//     [Start] then returns. Faults need a broker of their own, so [New] starts
//     one all the same;
//   - GOSHAWK_KAFKA_RAN=file collects a line from every test binary that used a
//     real broker, so that a run can tell whether any did.
//
// The package must not know a Kafka client: it only runs the process.
package kafkatest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// dialTimeout bounds the look at a broker that the environment names.
const dialTimeout = 10 * time.Second

// Start returns the bootstrap address of the broker that all tests of this test
// binary share. Give topics and groups names of their own: other tests see them.
// The broker and its data are gone when the test binary ends, however it ends.
func Start(t testing.TB) string {
	t.Helper()
	skipUnlessWanted(t)
	if address := os.Getenv("GOSHAWK_TEST_KAFKA"); address != "" {
		conn, err := net.DialTimeout("tcp", address, dialTimeout)
		if err != nil {
			t.Fatalf("reaching the broker of GOSHAWK_TEST_KAFKA: %v", err)
		}
		_ = conn.Close()
		note(t)
		return address
	}
	requireBroker(t)
	b, err := shared()
	if err != nil {
		t.Fatalf("starting the shared Kafka: %v", err)
	}
	note(t)
	return b.address
}

// note leaves the line that says that this test binary used a real broker.
func note(t testing.TB) {
	t.Helper()
	name := os.Getenv("GOSHAWK_KAFKA_RAN")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatalf("noting that Kafka ran: %v", err)
	}
	_, err = fmt.Fprintln(f, strings.TrimSuffix(filepath.Base(os.Args[0]), ".test"))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatalf("noting that Kafka ran: %v", err)
	}
}

// shared starts the one broker of a test binary. What it returns stays
// referenced, and with it the pipe on which the broker's life hangs.
var shared = sync.OnceValues(func() (*Broker, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	p, err := launch("--attached", "--temporary", portArg(ports[0]), controllerArg(ports[1]))
	if err != nil {
		return nil, err
	}
	return &Broker{address: loopback(ports[0]), process: p}, nil
})

// skipUnlessWanted skips the test when the environment asks for it.
func skipUnlessWanted(t testing.TB) {
	t.Helper()
	if os.Getenv("GOSHAWK_KAFKA") == "skip" {
		t.Skip("SKIP real Kafka: GOSHAWK_KAFKA=skip")
	}
}

// requireBroker skips the test, or fails it if the environment asks for that,
// when there is no Java or the jars can neither be found nor fetched.
func requireBroker(t testing.TB) {
	t.Helper()
	err := prerequisites()
	switch {
	case err == nil:
	case os.Getenv("GOSHAWK_KAFKA") == "require":
		t.Fatalf("real Kafka is required by GOSHAWK_KAFKA: %v", err)
	default:
		t.Skipf("SKIP real Kafka: %v", err)
	}
}

// prerequisites looks for Java and the jars, and fetches the jars, once for a
// test binary.
var prerequisites = sync.OnceValue(func() error {
	script, err := script()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	cmd := exec.Command(script, "--check")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(out.String()))
	}
	return nil
})

// script finds deploy/kafka/run in a folder above the one in which the test runs.
func script() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		candidate := filepath.Join(dir, "deploy", "kafka", "run")
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() {
			return candidate, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no folder above the test has deploy/kafka/run")
		}
		dir = parent
	}
}

// freePorts finds n TCP ports of the loopback interface that nobody uses now.
func freePorts(n int) (ports []int, err error) {
	var listeners []net.Listener
	// All stay open until the last is found, so that all ports differ.
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		listeners = append(listeners, l)
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func loopback(port int) string      { return fmt.Sprintf("127.0.0.1:%d", port) }
func portArg(port int) string       { return fmt.Sprintf("--port=%d", port) }
func controllerArg(port int) string { return fmt.Sprintf("--controller-port=%d", port) }
