package chaos

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// TestFreshMachine starts everything without any configuration of what to
// collect, and asks how this machine is. The agent is killed on the way.
func TestFreshMachine(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{Up: true, Agent: true})
	// In LIKE the underscore stands for any one character, the dots of OpenTelemetry's names, too.
	present := func(since time.Time) {
		t.Helper()
		for _, metric := range []string{
			"system_cpu_%", "system_memory_%", "system_disk_%", "system_filesystem_%", "system_network_%", "system_paging_%",
			"system_processes_%", "probe_success",
		} {
			query := fmt.Sprintf("SELECT count() FROM samples WHERE metric LIKE '%s' AND time > fromUnixTimestamp64Nano(%d)", metric, since.UnixNano())
			if err := c.WaitRow(time.Minute, query); err != nil {
				t.Error(err)
			}
		}
	}
	present(time.Unix(0, 0))
	killChild(t, c, "agent")
	present(time.Now())
}

// TestUpInputs has the agent of `goshawk up` read a file and receive syslog.
func TestUpInputs(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(file, []byte("a line of a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := cluster.FreePorts(t, 1)[0]
	c := cluster.Start(t, cluster.Options{Up: true, Agent: true, AgentInputs: fmt.Sprintf(
		"files: {inputs: [{include: [%q], from: beginning, resource: {service.name: shop}}]}, syslog: {tcp: %q}", file, address)})
	if err := cluster.Eventually(time.Minute, func() error {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = fmt.Fprintln(conn, "<11>1 - web-1 checkout 7 - - a message")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"SELECT count() FROM logs WHERE service = 'shop' AND body = 'a line of a file'",
		"SELECT count() FROM logs WHERE service = 'checkout' AND body = 'a message' AND severity = 17",
	} {
		if err := c.WaitRow(time.Minute, query); err != nil {
			t.Error(err)
		}
	}
}
