package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// TestLastTrace sends one trace and nothing else: its row is there all the same,
// because the partition is told that nothing comes any more, and not for longer
// than somebody waits for it.
func TestLastTrace(t *testing.T) {
	t.Setenv("GOSHAWK_PROCESS_STATE_IDLE_AFTER", "200ms")
	c := cluster.Start(t, cluster.Options{Up: true, Config: `
pipelines:
  spans:
    source: {max_wait: 100ms}
    processors: [{traces: {idle: 1s}}]
`})
	l := newTraceSender(t, c)
	for round := range 2 {
		l.send(l.flush())
		if err := c.WaitRow(patience, fmt.Sprintf("SELECT count() = %d FROM traces WHERE root_service = 'flush'", round+1)); err != nil {
			t.Fatalf("%v\n%s", err, c.Logs())
		}
	}
	// What comes after the blocks that closed the traces would be noise.
	time.Sleep(2 * time.Second)
	noise, err := c.SQL(`SELECT count(), countIf(from_offset > last) FROM ledger
		JOIN (SELECT kafka_partition, max(kafka_offset) AS last FROM traces GROUP BY kafka_partition) AS t USING kafka_partition WHERE topic = 'otlp_spans'`)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("blocks, blocks after the last: %s", noise)
	if _, after, _ := strings.Cut(noise, "\t"); after != "0" {
		t.Errorf("%s blocks after those that closed the traces", after)
	}
	if got, err := c.SQL("SELECT sum(accepted), sum(stored), countIf(tenant = '') > 0 FROM ledger WHERE topic = 'otlp_spans'"); err != nil || got != "2\t2\t1" {
		t.Errorf("the ledger says %q: %v", got, err)
	}
	if out, err := c.Run(context.Background(), "audit"); err != nil {
		t.Errorf("audit: %v\n%s", err, out)
	}
}
