package chaos

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// TestPage opens the first page of `goshawk up --demo` in a real browser: the
// demo's events flow on it and the ledger is balanced.
func TestPage(t *testing.T) {
	t.Parallel()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIP: the page needs a browser: install chromium")
	}
	c := cluster.Start(t, cluster.Options{Up: true, Args: []string{"--demo"}})
	err = cluster.Eventually(90*time.Second, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		dom, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
			"--virtual-time-budget=6000", "--dump-dom", "http://"+c.Query+"/").Output()
		if err != nil {
			return fmt.Errorf("running the browser: %w", err)
		}
		for _, want := range []string{"events are flowing", ">balanced<", "otlp_spans", "checkout"} {
			if !strings.Contains(string(dom), want) {
				return fmt.Errorf("the page does not show %q", want)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
