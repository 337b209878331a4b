package broker_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/goshawk-observability/goshawk/internal/embedded/broker"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
)

// metrics returns the broker's own figures, by name and reason.
func metrics(t testing.TB, b *brokertest.Broker) map[string]float64 {
	t.Helper()
	families, err := b.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values
}

func TestMetrics(t *testing.T) {
	b := brokertest.Start(t, small, func(c *broker.Config) { c.MaxConnections = 10 })
	at := metrics(t, b)
	if at["goshawk_broker_log_limit_bytes"] != 4<<20 || at["goshawk_broker_disk_free_bytes"] <= 0 {
		t.Errorf("at the start: %v", at)
	}
	c := client(t, b.Addr)
	createTopic(t, c, "topic", 1)
	commit(t, c, "slow", "topic", 0, 0, "")
	stored, refusal := fill(t, c, "topic", 10_000)
	if refusal == nil {
		t.Fatal("the log is never full")
	}
	again(t, func() error {
		at = metrics(t, b)
		written := float64(stored * 20_000)
		if at["goshawk_broker_log_bytes"] < written || at["goshawk_broker_log_disk_bytes"] < written ||
			at["goshawk_broker_log_disk_bytes"] >= at["goshawk_broker_log_bytes"] || at["goshawk_broker_log_bytes"] > 4<<20 {
			return fmt.Errorf("%d bytes are stored: %v", stored*20_000, at)
		}
		return nil
	})
	if at["goshawk_broker_refused_produce_requests_total"] < 1 {
		t.Errorf("a request was refused: %v", at)
	}
	for reason, request := range map[string][]byte{
		"not_served": sized(append(header(92, 0, false), "body"...)),
		"too_large":  {0x7f, 0xff, 0xff, 0xff, 0, 18, 0, 0, 0, 0, 0, 0},
		"malformed":  sized(header(int16(kmsg.ListOffsets), 1, false)),
	} {
		send(b.Addr, request)
		again(t, func() error {
			if at := metrics(t, b); at["goshawk_broker_refused_connections_total "+reason] != 1 {
				return fmt.Errorf("%s: %v", reason, at)
			}
			return nil
		})
	}
	var open []net.Conn
	for range 11 {
		conn, err := net.Dial("tcp", b.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		open = append(open, conn)
	}
	again(t, func() error {
		at := metrics(t, b)
		if at["goshawk_broker_connections"] != 10 || at["goshawk_broker_refused_connections_total too_many_connections"] < 1 {
			return fmt.Errorf("with too many connections: %v", at)
		}
		return nil
	})
	for _, conn := range open {
		_ = conn.Close()
	}
}
