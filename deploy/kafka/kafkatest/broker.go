package kafkatest

import (
	"net"
	"testing"
	"time"
)

// Broker is a real Apache Kafka that one test has for itself, to be killed and
// started again. Its methods are for one goroutine.
type Broker struct {
	args    []string
	address string
	process *process
}

// New starts a broker of the test's own, with its data in a temporary folder,
// and stops it when the test ends. Settings are broker settings, for example
// "log.retention.bytes=1048576".
func New(t testing.TB, settings ...string) *Broker {
	t.Helper()
	skipUnlessWanted(t)
	requireBroker(t)
	ports, err := freePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	b := &Broker{
		address: loopback(ports[0]),
		args: append([]string{
			"--attached", "--data=" + t.TempDir(), portArg(ports[0]), controllerArg(ports[1]),
		}, settings...),
	}
	// Registered after TempDir's own clean-up, so it runs before it.
	t.Cleanup(func() {
		if b.process != nil {
			b.Stop(t)
		}
	})
	b.Restart(t)
	note(t)
	return b
}

// Address returns the bootstrap address, which stays the same over restarts.
func (b *Broker) Address() string { return b.address }

// Kill9 ends the broker as a power switch would, except that the page cache
// stays.
func (b *Broker) Kill9(t testing.TB) {
	t.Helper()
	if b.process == nil {
		t.Fatal("killing Kafka: it does not run")
	}
	b.process.kill()
	b.process = nil
	// The kernel closes the sockets of a killed process in its own time.
	deadline := time.Now().Add(stopTimeout)
	for {
		conn, err := net.Dial("tcp", b.address)
		if err != nil {
			return
		}
		_ = conn.Close()
		if time.Now().After(deadline) {
			t.Fatalf("a killed Kafka still accepts connections on %s", b.address)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Stop ends the broker cleanly. Stopping one that does not run does nothing.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	if b.process == nil {
		return
	}
	err := b.process.stop()
	b.process = nil
	if err != nil {
		t.Errorf("stopping Kafka: %v", err)
	}
}

// Restart starts the broker on the data that it left, after Kill9 or Stop, and
// returns when it serves.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	if b.process != nil {
		t.Fatal("starting Kafka: it runs already")
	}
	p, err := launch(b.args...)
	if err != nil {
		t.Fatalf("starting Kafka: %v", err)
	}
	b.process = p
}
