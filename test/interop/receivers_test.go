package interop

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// receivers are where an agent listens for clients that do not speak OTLP.
type receivers struct {
	zipkin, jaegerGRPC, jaegerHTTP      string
	jaegerCompact, jaegerBinary, statsd string // UDP
	health                              string
}

// TestReceivers runs an agent with receivers for other protocols beside the rest
// of goshawk, and lets the clients of those talk to it.
func TestReceivers(t *testing.T) {
	t.Parallel()
	tcp, udp := cluster.FreePorts(t, 4), freeUDP(t, 3)
	r := receivers{
		zipkin: tcp[0], jaegerGRPC: tcp[1], jaegerHTTP: tcp[2], health: tcp[3],
		jaegerCompact: udp[0], jaegerBinary: udp[1], statsd: udp[2],
	}
	service := serviceName(t)
	c := cluster.Start(t, cluster.Options{Up: true, Agent: true, AgentConfig: r.config(service)})
	if err := cluster.Eventually(settle, r.ready); err != nil {
		t.Fatalf("the agent is not ready: %v\n%s", err, c.Logs())
	}
	t.Run("zipkin", func(t *testing.T) { testZipkin(t, c, r) })
	t.Run("jaeger", func(t *testing.T) { testJaeger(t, c, r) })
	t.Run("statsd", func(t *testing.T) { testStatsD(t, c, r, service) })
	audit(t, c)
}

// config is the agent's configuration. StatsD knows no services, so that all of
// its points are given one.
func (r receivers) config(service string) string {
	return fmt.Sprintf(`
extensions:
  health_check: {endpoint: %q}
receivers:
  zipkin: {endpoint: %q}
  jaeger:
    protocols:
      grpc: {endpoint: %q}
      thrift_http: {endpoint: %q}
      thrift_compact: {endpoint: %q}
      thrift_binary: {endpoint: %q}
  statsd:
    endpoint: %q
    aggregation_interval: 1s
    is_monotonic_counter: true
    timer_histogram_mapping:
      - {statsd_type: timing, observer_type: summary}
      - {statsd_type: histogram, observer_type: histogram}
      - statsd_type: distribution
        observer_type: histogram
        histogram: {explicit_buckets: [{matcher_pattern: '[.]size$', buckets: [1, 10, 100]}]}
processors:
  resource: {attributes: [{key: service.name, value: %q, action: insert}]}
exporters:
  goshawk_kafka: {}
service:
  extensions: [health_check]
  pipelines:
    traces: {receivers: [zipkin, jaeger], exporters: [goshawk_kafka]}
    metrics: {receivers: [statsd], processors: [resource], exporters: [goshawk_kafka]}
`, r.health, r.zipkin, r.jaegerGRPC, r.jaegerHTTP, r.jaegerCompact, r.jaegerBinary, r.statsd, service)
}

// ready asks the agent whether every receiver has started.
func (r receivers) ready() error {
	response, err := http.Get("http://" + r.health)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("health check: %s", response.Status)
	}
	return nil
}

// freeUDP returns loopback addresses that were free a moment ago.
func freeUDP(t *testing.T, n int) (addresses []string) {
	t.Helper()
	for range n {
		l, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addresses = append(addresses, l.LocalAddr().String())
	}
	return addresses
}

// span is a row of the table spans. Numbers of 64 bits are texts, in decimal.
type span struct {
	Name, Kind, Status, Message string
	Trace, ID, Parent           string // in hexadecimal
	Time, Duration              string // nanoseconds
	Attributes                  map[string]string
	Numbers                     map[string]float64
	Events                      []string
}

// checkSpans waits for a service's spans and compares them with what was sent,
// in the order of their times.
func checkSpans(t *testing.T, c *cluster.Cluster, service string, want []span) {
	t.Helper()
	var got []span
	err := cluster.Eventually(settle, func() (err error) {
		got, err = rows[span](c, `SELECT name AS Name, kind AS Kind, status AS Status, status_message AS Message,
	lower(hex(trace_id)) AS Trace, lower(hex(span_id)) AS ID, lower(hex(parent_span_id)) AS Parent,
	toString(toUnixTimestamp64Nano(time)) AS Time, toString(duration_ns) AS Duration,
	attributes AS Attributes, attribute_numbers AS Numbers, events.name AS Events
FROM spans WHERE service = '`+service+`' ORDER BY time`)
		if err == nil && len(got) < len(want) {
			err = fmt.Errorf("%d of %d spans are stored", len(got), len(want))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the spans of %s are\n%s\nwant\n%s", service, lines(got), lines(want))
	}
}

// rows decodes what a query answers. The names of its columns are those of the
// fields.
func rows[T any](c *cluster.Cluster, query string) (list []T, err error) {
	text, err := c.SQL(query + " FORMAT JSONEachRow")
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var row T
		if err := d.Decode(&row); err != nil {
			return nil, fmt.Errorf("%w in %s", err, text)
		}
		list = append(list, row)
	}
	return list, nil
}

func lines[T any](list []T) string {
	var b strings.Builder
	for _, row := range list {
		fmt.Fprintf(&b, "%+v\n", row)
	}
	return b.String()
}

// began is when spans of these tests start: not long ago, in whole microseconds,
// which is all that Zipkin and Jaeger can tell.
func began() time.Time { return time.Now().Add(-time.Minute).Truncate(time.Microsecond) }

func nanoseconds(at time.Time) string { return fmt.Sprint(at.UnixNano()) }
