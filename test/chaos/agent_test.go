package chaos

import (
	"fmt"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// TestFreshMachine starts everything without any configuration of what to
// collect, and asks how this machine is. The agent is killed on the way.
func TestFreshMachine(t *testing.T) {
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
