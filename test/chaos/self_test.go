package chaos

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// TestOwnTelemetry lets goshawk send its own logs, metrics and spans to its own
// gateway, and asks for them.
func TestOwnTelemetry(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c := cluster.Start(t, cluster.Options{Up: true, HTTP: address, Config: fmt.Sprintf("observe: {telemetry: {endpoint: %q, interval: 1s}}\n", "http://"+address)})
	for _, query := range []string{
		"SELECT count() FROM logs WHERE service = 'goshawk' AND body = 'workers are up'",
		"SELECT count() FROM spans WHERE service = 'goshawk' AND name = 'write block to clickhouse'",
		"SELECT count() FROM samples WHERE metric = 'goshawk_build_info'",
	} {
		if err := c.WaitRow(time.Minute, query); err != nil {
			t.Error(err)
		}
	}
}
