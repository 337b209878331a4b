package interop

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/goshawk-observability/goshawk/deploy/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/test/cluster"
)

// TestGoshawk runs the real binary, everything in one, on its embedded broker,
// and lets the clients of others talk to it.
func TestGoshawk(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{Up: true})
	t.Run("collector", func(t *testing.T) { testCollector(t, c) })
	t.Run("sdk", func(t *testing.T) { testSDK(t, c) })
	t.Run("telemetrygen", func(t *testing.T) { testTelemetrygen(t, c) })
	audit(t, c)
}

// TestGoshawkOnKafka is the same on a real Apache Kafka.
func TestGoshawkOnKafka(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{Up: true, Kafka: kafkatest.Start(t)})
	t.Run("collector", func(t *testing.T) { testCollector(t, c) })
	t.Run("sdk", func(t *testing.T) { testSDK(t, c) })
	audit(t, c)
}

// testCollector exchanges data with collectors through Kafka.
func testCollector(t *testing.T, c *cluster.Cluster) {
	for _, partitioning := range partitionings {
		t.Run("exporter, "+partitioning.name, func(t *testing.T) {
			service := serviceName(t)
			sent := sendThroughExporter(t, c.Kafka, service, partitioning.edit)
			await(t, "ClickHouse", sent, func() counts { return stored(t, c, service) })
		})
	}
	t.Run("exporter, tenant in a header", func(t *testing.T) {
		service := serviceName(t)
		sent := sendThroughExporter(t, c.Kafka, service, func(cfg *kafkaexporter.Config) {
			setRecordHeader(t, cfg, tenantHeader, "team-a")
		})
		await(t, "ClickHouse", sent, func() counts { return stored(t, c, service) })
		if tenants := query(t, c, "SELECT DISTINCT tenant FROM logs WHERE service = '"+service+"'"); tenants != "team-a" {
			t.Errorf("the rows belong to %q", tenants)
		}
	})
	t.Run("receiver", func(t *testing.T) {
		service := serviceName(t)
		sent := sendToGateway(t, c, service)
		receiver := startReceiver(t, c.Kafka, service)
		await(t, "the collector's receiver", sent, receiver.counts)
		await(t, "ClickHouse", sent, func() counts { return stored(t, c, service) })
		if len(receiver.tenants) != 1 || !receiver.tenants["default"] {
			t.Errorf("the records' headers name the tenants %v", receiver.tenants)
		}
	})
}

// sendToGateway sends a few requests of each signal over OTLP/gRPC and fails the
// test unless all of it is accepted.
func sendToGateway(t *testing.T, c *cluster.Cluster, service string) (sent counts) {
	t.Helper()
	conn, err := grpc.NewClient(c.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for seed := range uint64(10) {
		s := generate(service, seed, 3, 20)
		logs, err := plogotlp.NewGRPCClient(conn).Export(t.Context(), plogotlp.NewExportRequestFromLogs(s.logs))
		if err != nil || logs.PartialSuccess().RejectedLogRecords() > 0 {
			t.Fatalf("sending logs: %v, %d rejected: %s", err, logs.PartialSuccess().RejectedLogRecords(), logs.PartialSuccess().ErrorMessage())
		}
		traces, err := ptraceotlp.NewGRPCClient(conn).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(s.traces))
		if err != nil || traces.PartialSuccess().RejectedSpans() > 0 {
			t.Fatalf("sending spans: %v, %d rejected: %s", err, traces.PartialSuccess().RejectedSpans(), traces.PartialSuccess().ErrorMessage())
		}
		metrics, err := pmetricotlp.NewGRPCClient(conn).Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(s.metrics))
		if err != nil || metrics.PartialSuccess().RejectedDataPoints() > 0 {
			t.Fatalf("sending points: %v, %d rejected: %s", err, metrics.PartialSuccess().RejectedDataPoints(), metrics.PartialSuccess().ErrorMessage())
		}
		sent.add(s.counts())
	}
	return sent
}

// pointTables are the tables that hold metric points.
var pointTables = []string{"samples", "histograms", "exponential_histograms", "summaries"}

// sentLogs is the condition of log records that were sent: goshawk has events of
// its own about services.
const sentLogs = "NOT startsWith(event_name, 'topology.')"

// stored returns how many rows ClickHouse has of a service. The names of its
// metrics start with the name of the service and a dot.
func stored(t *testing.T, c *cluster.Cluster, service string) counts {
	t.Helper()
	count := func(table, where string) string {
		return fmt.Sprintf("(SELECT count() FROM %s WHERE %s)", table, where)
	}
	var points []string
	for _, table := range pointTables {
		points = append(points, count(table, "startsWith(metric, '"+service+".')"))
	}
	answer, err := c.SQL(fmt.Sprintf("SELECT %s, %s, %s FORMAT TabSeparated",
		count("logs", "service = '"+service+"' AND "+sentLogs), count("spans", "service = '"+service+"'"), strings.Join(points, " + ")))
	if err != nil && strings.Contains(err.Error(), "UNKNOWN_TABLE") {
		return counts{} // The gateway takes events before the first worker has made the tables.
	}
	if err != nil {
		t.Fatal(err)
	}
	var got counts
	if _, err := fmt.Sscan(answer, &got.logs, &got.spans, &got.points); err != nil {
		t.Fatalf("counting rows: %v in %q", err, answer)
	}
	return got
}

func query(t *testing.T, c *cluster.Cluster, text string) string {
	t.Helper()
	answer, err := c.SQL(text + " FORMAT TabSeparated")
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// audit lets goshawk itself compare what it accepted with what is stored.
func audit(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	if t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	said, err := c.Run(ctx, "audit")
	if err != nil {
		t.Errorf("goshawk audit: %v", err)
	}
	t.Logf("goshawk audit:\n%s", said)
}
