package supervisetest_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/internal/supervise/supervisetest"
)

// greeter greets whoever connects.
type greeter struct{ Listen, Word string }

func part() supervisetest.Part[greeter] {
	return supervisetest.Part[greeter]{Name: "greeter", Environment: []string{"GREETER_MARK=!"}, Run: greet}
}

func greet(ctx context.Context, cfg greeter, log *slog.Logger, ready func(map[string]string)) error {
	if cfg.Word == "" {
		return errors.New("nothing to say")
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	log.Info("greeting", "word", cfg.Word)
	ready(map[string]string{"greeter": l.Addr().String()})
	for {
		conn, err := l.Accept()
		if err != nil {
			return nil
		}
		_, _ = io.WriteString(conn, cfg.Word+os.Getenv("GREETER_MARK"))
		_ = conn.Close()
	}
}

func TestMain(m *testing.M) {
	part().Child()
	os.Exit(m.Run())
}

func hear(t *testing.T, address string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestChild(t *testing.T) {
	p, addresses, err := part().Start(greeter{"127.0.0.1:0", "hello"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if text := hear(t, addresses["greeter"]); text != "hello!" {
		t.Errorf("heard %q", text)
	}
	first := p.Pid()
	if first == os.Getpid() {
		t.Error("the part runs in the test's process")
	}
	p.Kill9()
	select {
	case <-p.Done():
	default:
		t.Error("a killed part is not done")
	}
	again, err := p.Again(greeter{addresses["greeter"], "again"})
	if err != nil {
		t.Fatal(err)
	}
	if text := hear(t, again["greeter"]); text != "again!" || again["greeter"] != addresses["greeter"] || p.Pid() == first {
		t.Errorf("heard %q at %s from %d", text, again["greeter"], p.Pid())
	}
	p.Stop()
	if output := p.Output(); !strings.Contains(output, "word=hello") || !strings.Contains(output, "word=again") {
		t.Errorf("output of the part:\n%s", output)
	}
	p.Watch(t)
}

func TestChildThatDoesNotStart(t *testing.T) {
	_, _, err := part().Start(greeter{})
	if err == nil || !strings.Contains(err.Error(), "starting a test greeter") || !strings.Contains(err.Error(), "greeter: nothing to say") {
		t.Errorf("error is %v", err)
	}
}
