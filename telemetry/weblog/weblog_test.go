package weblog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/weblog"
)

// received is when records were received.
const received = int64(1_790_000_000_500_000_000)

// batch returns hits of two tenants from some networks.
func batch(n int) *telemetry.Batch {
	b := &telemetry.Batch{Records: []telemetry.Record{{Tenant: "acme"}, {Tenant: "zeta"}}, Resources: []telemetry.Resource{{Record: 0}, {Record: 1}}}
	for i := range n {
		h := telemetry.WebHit{
			Time: 1_790_000_000_000_000_000 + int64(i), Resource: uint32(i % 2), Client: fmt.Sprintf("192.0.%d.%d", i%50, i%250), Visitor: ^uint64(i), Sent: -1, Duration: -1,
		}
		if i%3 > 0 {
			h = telemetry.WebHit{
				Time: h.Time, Resource: h.Resource, Client: h.Client, Visitor: h.Visitor, TraceID: telemetry.TraceID{1, byte(i)}, Site: "shop.example", Country: "AT",
				User: "eve", Method: "GET", Path: "/a b", Query: "q='", Route: "/{id}", Protocol: "HTTP/2.0", Status: 404, Sent: int64(i), Duration: int64(i) * 1e6,
				Asset: i%2 == 0, Referrer: "https://r.example/x", ReferrerHost: "r.example", UserAgent: "agent \"x\"", Browser: "Firefox", System: "Linux", Bot: "bot",
			}
		}
		b.WebHits = append(b.WebHits, h)
	}
	return b
}

// TestThroughTheTopic writes hits and reads them back.
func TestThroughTheTopic(t *testing.T) {
	b := batch(3000)
	var w weblog.Writer
	w.Write(b, received)
	want := map[string]telemetry.WebHit{}
	for _, h := range b.WebHits {
		h.Resource = 0
		want[fmt.Sprint(h.Visitor)] = h
	}
	partitionOf := map[string]string{}
	got := map[string]telemetry.WebHit{}
	for _, d := range b.Derived {
		if d.Feed != telemetry.FeedWebHits || d.Signal != telemetry.Logs || d.Time != received {
			t.Fatalf("%+v", d)
		}
		oracle := plogotlp.NewExportRequest()
		if err := oracle.UnmarshalProto(d.Value); err != nil || int64(oracle.Logs().LogRecordCount()) != d.Events {
			t.Fatalf("%d events, said to be %d: %v", oracle.Logs().LogRecordCount(), d.Events, err)
		}
		read := &telemetry.Batch{Block: telemetry.Block{Signal: telemetry.Logs}, Records: []telemetry.Record{{Tenant: d.Tenant, Value: d.Value, ReceiveTime: received}}}
		limits := otlp.DefaultLimits()
		otlp.Decode(read, &limits)
		weblog.ReadVisits(read)
		if r := &read.Records[0]; r.Dropped != d.Events || r.Decoded != d.Events || len(read.Logs) > 0 || len(read.Rejects) > 0 {
			t.Fatalf("%d events: %d decoded, %d dropped, %d logs left", d.Events, r.Decoded, r.Dropped, len(read.Logs))
		}
		for _, h := range read.Visits {
			got[fmt.Sprint(h.Visitor)] = h
			network := d.Tenant + weblog.Network(h.Client)
			if partition, ok := partitionOf[network]; ok && partition != d.Key {
				t.Errorf("hits of %s are in %s and %s", network, partition, d.Key)
			}
			partitionOf[network] = d.Key
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-written +read:\n%.2000s", diff)
	}
}

// TestBounds keeps records small enough for Kafka, and texts within them.
func TestBounds(t *testing.T) {
	b := batch(100)
	for i := range b.WebHits {
		b.WebHits[i].Client = "2001:db8:1::1"
		b.WebHits[i].Query = strings.Repeat("x", 100_000) + "\xff"
		b.WebHits[i].Path = "\xff\xfe"
	}
	var w weblog.Writer
	w.Write(b, 1)
	total := int64(0)
	for _, d := range b.Derived {
		total += d.Events
		if len(d.Value) > 300<<10 {
			t.Errorf("a record has %d bytes", len(d.Value))
		}
		if err := plogotlp.NewExportRequest().UnmarshalProto(d.Value); err != nil {
			t.Error(err)
		}
	}
	if total != 100 {
		t.Errorf("%d events", total)
	}
}

func TestNetwork(t *testing.T) {
	for client, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "::ffff:192.0.2.77": "192.0.2.0/24", "2001:db8:1:2::3": "2001:db8:1::/48", "fe80::1%eth0": "fe80::/48",
		"host.example": "host.example", "": "",
	} {
		if got := weblog.Network(client); got != want {
			t.Errorf("%s: %s, want %s", client, got, want)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	hits := batch(10_000)
	var w weblog.Writer
	b.ReportAllocs()
	for range b.N {
		hits.Derived = hits.Derived[:0]
		w.Write(hits, 1)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/hit")
}
