package chaos

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// sameRows waits until the databases goshawk and calm have the same rows: both
// processes read on, as long as the silent partitions are told the time, so they
// do whenever they have read equally far, if the rows follow from the records.
func sameRows(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	one := func(query string) (string, error) { return c.Admin(query) }
	// Every row of every column but the block, with how often it is there.
	rows := func(database, table, where string) string {
		return fmt.Sprintf("SELECT * EXCEPT (kafka_offset), count() AS times FROM %s.%s WHERE %s GROUP BY ALL", database, table, where)
	}
	const derived = "metric LIKE 'traces_%'"
	compared := []struct{ table, where string }{
		{"traces", "1"},
		{"edges_1m", "1"},
		{"operations_1m", "1"},
		{"clock_offsets", "1"},
		{"samples", derived},
		{"histograms", derived},
		{"exemplars", derived},
	}
	for _, of := range compared {
		err := cluster.Eventually(patience, func() error {
			for _, way := range [...][2]string{{"goshawk", "calm"}, {"calm", "goshawk"}} {
				text, err := one(rows(way[0], of.table, of.where) + " EXCEPT " + rows(way[1], of.table, of.where))
				if err != nil {
					return err
				}
				if text != "" {
					return fmt.Errorf("in %s and not in %s:\n%.2000s", way[0], way[1], text)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", of.table, err)
		}
		n, err := one(fmt.Sprintf("SELECT count() FROM goshawk.%s WHERE %s", of.table, of.where))
		t.Logf("%s: %s rows", of.table, n)
		if err != nil || n == "0" {
			t.Errorf("%s has %s rows: %v", of.table, n, err)
		}
	}
	// Every span is counted once, when the last minutes are over.
	err := cluster.Eventually(patience, func() error {
		text, err := one("SELECT (SELECT sum(calls) FROM goshawk.operations_1m), (SELECT count() FROM goshawk.spans)")
		if calls, spans, _ := strings.Cut(text, "\t"); err == nil && calls != spans {
			err = fmt.Errorf("%s spans are counted, %s are stored", calls, spans)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, table := range []string{"samples", "histograms"} {
		text, err := one("SELECT metric, fingerprint, time, count() AS n FROM goshawk." + table + " WHERE " + derived + " GROUP BY ALL HAVING n > 1 LIMIT 10")
		if err != nil || text != "" {
			t.Errorf("points of %s that are there more than once: %v\n%s", table, err, text)
		}
	}
	repeats, err := one("SELECT sum(repeated) FROM goshawk.ledger WHERE topic = 'otlp_metrics'")
	if err != nil {
		t.Error(err)
	}
	t.Logf("derived points that were produced again and left out: %s", repeats)
}
