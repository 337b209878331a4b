package interop

import (
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// measured is what is stored of a metric of StatsD, all points together: the
// agent may spread what it received over two intervals.
type measured struct {
	Metric, Service, Kind, Temporality string
	Attributes                         map[string]string
	Count                              string // of measurements, which counters and gauges do not know
	Sum                                float64
	Buckets                            string // of a histogram with bounds, the counts
}

// testStatsD sends each type of metric in one packet.
func testStatsD(t *testing.T, c *cluster.Cluster, r receivers, service string) {
	sendPacket(t, r.statsd, []byte(strings.Join([]string{
		service + ".orders:3|c|#region:eu,shop:north",
		service + ".orders:2|c|@0.5|#region:eu,shop:north", // every other one
		service + ".orders:5|c|#region:us",
		service + ".depth:42.5|g",
		service + ".latency:320|ms",
		service + ".latency:100|ms",
		service + ".age:7|h",
		service + ".size:5|d",
		service + ".size:50|d",
		service + ".size:500|d",
	}, "\n")))
	none := map[string]string{}
	want := []measured{
		{"age", service, "exponential_histogram", "delta", none, "1", 7, "[]"},
		{"depth", service, "gauge", "unspecified", none, "0", 42.5, "[]"},
		{"latency", service, "summary", "unspecified", none, "2", 420, "[]"},
		{"orders", service, "sum", "delta", map[string]string{"region": "eu", "shop": "north"}, "0", 7, "[]"},
		{"orders", service, "sum", "delta", map[string]string{"region": "us"}, "0", 5, "[]"},
		{"size", service, "histogram", "delta", none, "3", 555, "[0,1,1,1]"},
	}
	var got []measured
	err := cluster.Eventually(settle, func() (err error) {
		var points []string
		for table, columns := range map[string]string{
			"samples":                "0, value, CAST([] AS Array(UInt64))",
			"histograms":             "count, sum, counts",
			"exponential_histograms": "count, sum, CAST([] AS Array(UInt64))",
			"summaries":              "count, sum, CAST([] AS Array(UInt64))",
		} {
			points = append(points, "SELECT fingerprint, "+columns+" FROM "+table)
		}
		got, err = rows[measured](c, fmt.Sprintf(`WITH points (fingerprint, n, s, b) AS (%[3]s)
SELECT substring(metric, %[1]d) AS Metric, any(service) AS Service, any(kind) AS Kind, any(temporality) AS Temporality,
	any(attributes) AS Attributes, toString(sum(n)) AS Count, sum(s) AS Sum, toString(sumForEach(b)) AS Buckets
FROM series FINAL JOIN points USING fingerprint WHERE startsWith(metric, '%[2]s.') GROUP BY metric, fingerprint ORDER BY Metric, Sum DESC`,
			len(service)+2, service, strings.Join(points, " UNION ALL ")))
		if err == nil && !reflect.DeepEqual(got, want) {
			err = fmt.Errorf("the metrics are\n%s\nwant\n%s", lines(got), lines(want))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func sendPacket(t *testing.T, address string, packet []byte) {
	t.Helper()
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(packet); err != nil {
		t.Fatal(err)
	}
}
