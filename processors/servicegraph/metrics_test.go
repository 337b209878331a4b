package servicegraph_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/processors/servicegraph"
	"github.com/goshawk-observability/goshawk/processors/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/prometheus"
)

// pointsOf decodes derived metrics as the next process does, and returns their
// points as PromQL names them.
func pointsOf(t *testing.T, derived []telemetry.Derived) []string {
	t.Helper()
	var all []string
	n := prometheus.NewNamer(nil)
	for i := range derived {
		d := &derived[i]
		b := &telemetry.Batch{Block: telemetry.Block{Signal: telemetry.Metrics}}
		b.Records = append(b.Records, telemetry.Record{Value: d.Value, Declared: -1, ReceiveTime: d.Time})
		limits := otlp.DefaultLimits()
		otlp.Decode(b, &limits)
		if len(b.Rejects) > 0 || int64(b.EventCount()) != d.Events {
			t.Fatalf("%d points of %d, rejected: %v", b.EventCount(), d.Events, b.Rejects)
		}
		say := func(p *telemetry.Point, value string) {
			m := &b.Metrics[p.Metric]
			var labels []string
			for _, a := range b.AttrsOf(p.Attrs) {
				labels = append(labels, fmt.Sprintf("%s=%q", a.Key, a.Value.Str))
			}
			if p.Flags&telemetry.FlagNoRecordedValue != 0 {
				value = "stale"
			}
			for _, e := range b.Exemplars[p.Exemplars.Start:p.Exemplars.End] {
				value += fmt.Sprintf(" # %x %v", e.TraceID[:2], e.Value)
			}
			name := strings.TrimPrefix(n.Name(m, prometheus.OTLP), "traces_service_graph_")
			all = append(all, fmt.Sprintf("%s %s{%s} %s", time.Duration(p.Time-base).Round(time.Second), name, strings.Join(labels, ","), value))
		}
		for i := range b.Numbers {
			say(&b.Numbers[i].Point, fmt.Sprint(b.Numbers[i].Value))
		}
		for i := range b.Histograms {
			h := &b.Histograms[i]
			say(&h.Point, fmt.Sprint(h.Count, " ", h.Sum, " ", b.Uints[h.Counts.Start:h.Counts.End]))
		}
		for _, want := range []string{"goshawk", "test/0"} {
			if !slices.ContainsFunc(b.AttrsOf(b.Resources[0].Attrs), func(a telemetry.Attr) bool { return a.Value.Str == want }) {
				t.Errorf("the resource does not say %s", want)
			}
		}
	}
	return all
}

// TestMetrics reads what is told of a few calls: by the names and labels of Tempo,
// with the slowest calls as exemplars.
func TestMetrics(t *testing.T) {
	cfg := servicegraph.DefaultConfig()
	cfg.Metrics.Bounds = []float64{0.1, 1}
	r := newRig(t, traces.DefaultConfig(), cfg)
	var derived []telemetry.Derived
	take := func(records ...record) []string {
		derived = derived[:0]
		for i := range records {
			derived = append(derived, r.process(records[i:i+1]).Derived...)
		}
		return pointsOf(t, derived)
	}
	calls := pairOf(1, "web", "cart", "get", base+second, 200*millisecond, 100*millisecond)
	calls = append(calls, pairOf(2, "web", "cart", "put", base+second, 800*millisecond, 50*millisecond)...)
	calls[2].Status = telemetry.SpanFailed
	entry := pairOf(3, "", "web", "page", base+second, second, second)[1]
	entry.ParentID = telemetry.SpanID{}
	query := pairOf(4, "cart", "", "SELECT", base+second, 10*millisecond, 0)[0]
	query.peer = "db"
	calls = append(calls, entry, query)
	// Two counts of each edge, and of histograms those that have a value.
	const points = 3*2 + 3 + 1 + 1
	idle := func(after int64) record { return record{received: base + after*second} }

	if got := take(record{received: base + 2*second, spans: calls}, idle(14), idle(29)); len(got) != 2*points+2 {
		t.Errorf("%d points of three series, each with a zero before, and two bounds:\n%s", len(got), strings.Join(got, "\n"))
	} else {
		clocks := []string{
			`15s clock_offset_seconds{client_host="web-host",server_host="cart-host",bound="lower"} -0.05`,
			`15s clock_offset_seconds{client_host="web-host",server_host="cart-host",bound="upper"} 0.05`,
		}
		if diff := gocmp.Diff(clocks, got[2*points:]); diff != "" {
			t.Error(diff)
		}
		got = slices.DeleteFunc(got, func(s string) bool { return !strings.HasPrefix(s, "15s") || !strings.Contains(s, `server="cart"`) })
		slices.Sort(got)
		want := []string{
			`15s request_client_seconds{client="web",server="cart",connection_type=""} 2 1 [0 2 0] # 0200 0.8`,
			`15s request_failed_total{client="web",server="cart",connection_type=""} 1`,
			`15s request_network_seconds{client="web",server="cart",connection_type=""} 2 0.85 [1 1 0] # 0200 0.75`,
			`15s request_server_seconds{client="web",server="cart",connection_type=""} 2 0.15 [2 0 0] # 0100 0.1`,
			`15s request_total{client="web",server="cart",connection_type=""} 2`,
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		all := strings.Join(pointsOf(t, derived), "\n")
		for _, want := range []string{`{client="user",server="web",connection_type="virtual_node"} 1`, `{client="cart",server="db",connection_type="virtual_node"} 1`} {
			if !strings.Contains(all, want) {
				t.Errorf("%s is not in\n%s", want, all)
			}
		}
	}
	if got := take(idle(400)); !slices.Contains(got, `6m30s clock_offset_seconds{client_host="web-host",server_host="cart-host",bound="upper"} stale`) {
		t.Errorf("the clock's bounds do not end in\n%s", strings.Join(got, "\n"))
	}
	if got := take(idle(2000)); len(got) != points || !strings.HasSuffix(got[0], " stale") {
		t.Errorf("the series do not end:\n%s", strings.Join(got, "\n"))
	}
	if items, _ := r.graph.Held(); items != 0 {
		t.Errorf("%d things are left", items)
	}
}
