package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// receiver keeps the bodies that were posted to it, by path.
type receiver struct {
	mu     sync.Mutex
	bodies map[string][]string
	*httptest.Server
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{bodies: map[string][]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies[req.URL.Path] = append(r.bodies[req.URL.Path], string(body))
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) at(path string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.bodies[path], "\n")
}

func TestSentry(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	cfg := DefaultConfig()
	cfg.Sentry.DSN = config.Secret(strings.Replace(r.URL, "http://", "http://public@", 1) + "/7")
	var out bytes.Buffer
	o, err := Start(context.Background(), cfg, "gateway", "1.2.3", &out)
	if err != nil {
		t.Fatal(err)
	}
	o.Report(fmt.Errorf("writing block: %w", errors.New("disk is gone")))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not go on")
			}
		}()
		defer o.Repanic()
		panic("index out of bounds of a made-up kind")
	}()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	sent := r.at("/api/7/envelope/")
	for _, want := range []string{"disk is gone", "index out of bounds of a made-up kind", "goshawk@1.2.3", `"role":"gateway"`} {
		if !strings.Contains(sent, want) {
			t.Errorf("no %q in the envelopes:\n%s", want, sent)
		}
	}
}

func TestSentryOffByDefault(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	o, err := Start(context.Background(), DefaultConfig(), "gateway", "1", &out)
	if err != nil {
		t.Fatal(err)
	}
	o.Report(errors.New("nobody hears this"))
	o.Log.Info("hello", "n", 1)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "msg=hello role=gateway n=1") {
		t.Errorf("log: %s", out.String())
	}
}

func TestTelemetry(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	cfg := DefaultConfig()
	cfg.Telemetry.Endpoint = r.URL
	o, err := Start(context.Background(), cfg, "process", "1", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	o.Log.Warn("partition lost for the test")
	o.Log.Debug("below the level")
	_, span := o.Tracer.Start(context.Background(), "write block")
	span.End()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/v1/logs":    "partition lost for the test",
		"/v1/traces":  "write block",
		"/v1/metrics": "goshawk_build_info",
	} {
		if !strings.Contains(r.at(path), want) {
			t.Errorf("no %q at %s", want, path)
		}
	}
	if strings.Contains(r.at("/v1/logs"), "below the level") {
		t.Error("a line below the level was sent")
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"level":    func(c *Config) { c.LogLevel = "loud" },
		"format":   func(c *Config) { c.LogFormat = "xml" },
		"endpoint": func(c *Config) { c.Telemetry.Endpoint = "localhost:4318" },
		"interval": func(c *Config) { c.Telemetry.Endpoint = "http://x"; c.Telemetry.Interval = time.Millisecond },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "observe.") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
