package kafkatest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// startTimeout is generous: it only keeps a broker that hangs from hanging
	// the tests.
	startTimeout = 3 * time.Minute
	// stopTimeout bounds a clean stop, after which the broker is killed.
	stopTimeout = time.Minute
)

// process is one run of deploy/kafka/run: the script and the broker under it,
// in a process group of their own. It has no goroutine, so that tests may look
// for leaks.
type process struct {
	cmd *exec.Cmd
	// stdin is held open; the script stops the broker when it closes, also when
	// the test binary dies.
	stdin  io.Closer
	stdout *os.File
}

// launch runs the script and returns when the broker serves.
func launch(args ...string) (*process, error) {
	script, err := script()
	if err != nil {
		return nil, err
	}
	stdout, stdoutChild, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = stdoutChild.Close() }()

	cmd := exec.Command(script, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdout, cmd.Stderr = stdoutChild, stdoutChild
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_ = stdoutChild.Close()
	p := &process{cmd: cmd, stdin: stdin, stdout: stdout}
	if err := p.awaitReady(); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// awaitReady reads the script's output up to the line that says that the broker
// serves.
func (p *process) awaitReady() error {
	if err := p.stdout.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return err
	}
	var said strings.Builder
	lines := bufio.NewScanner(p.stdout)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "kafka: ready on ") {
			return p.stdout.SetReadDeadline(time.Time{})
		}
		said.WriteString(lines.Text() + "\n")
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("waiting for Kafka: %w; it said:\n%s", err, said.String())
	}
	return fmt.Errorf("Kafka ended while it started; it said:\n%s", said.String()) //nolint:staticcheck // Kafka is a name.
}

// kill ends the whole process group at once and reaps the script. The broker
// itself may live for a moment longer: it is no child of ours.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Wait()
	p.close()
}

// stop asks the broker to end and waits until it has.
func (p *process) stop() error {
	defer p.close()
	if err := p.stdin.Close(); err != nil {
		return err
	}
	if err := p.stdout.SetReadDeadline(time.Now().Add(stopTimeout)); err != nil {
		return err
	}
	// The pipe ends when the last process of the group that writes to it is gone.
	said, err := io.ReadAll(p.stdout)
	if err != nil {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		return errors.Join(fmt.Errorf("waiting for a clean stop: %w", err), p.cmd.Wait())
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(said)))
	}
	return nil
}

func (p *process) close() {
	_ = p.stdin.Close()
	_ = p.stdout.Close()
}
