package prometheus

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestName(t *testing.T) {
	t.Parallel()
	gauge := telemetry.Metric{Kind: telemetry.Gauge}
	counter := telemetry.Metric{Kind: telemetry.Sum, Monotonic: true}
	updown := telemetry.Metric{Kind: telemetry.Sum}
	histogram := telemetry.Metric{Kind: telemetry.Histogram}
	exponential := telemetry.Metric{Kind: telemetry.ExponentialHistogram}
	summary := telemetry.Metric{Kind: telemetry.Summary}
	n := NewNamer(nil)
	for _, c := range []struct {
		metric           telemetry.Metric
		name, unit, want string
	}{
		{gauge, "queue.length", "", "queue_length"},
		{gauge, "queue.length", "{item}", "queue_length"},
		{gauge, "memory.usage", "By", "memory_usage_bytes"},
		{gauge, "memory_usage_bytes", "By", "memory_usage_bytes"},
		{gauge, "disk.used", "1", "disk_used_ratio"},
		{gauge, "cpu", "%", "cpu_percent"},
		{gauge, "speed", "m/s", "speed_meters_per_second"},
		{gauge, "temperature", "Cel", "temperature_celsius"},
		{gauge, "9lives", "", "_9lives"},
		{gauge, "a..b--c", "", "a_b_c"},
		{gauge, "a:b", "", "a:b"},
		{gauge, "größe", "", "gr_e"},
		{gauge, "uptime", "furlong", "uptime_furlong"},
		{gauge, "", "", ""},
		{gauge, "...", "", ""},
		{counter, "http.requests", "", "http_requests_total"},
		{counter, "http.requests", "1", "http_requests_total"},
		{counter, "http.requests", "{request}", "http_requests_total"},
		{counter, "http.requests.total", "", "http_requests_total"},
		{counter, "io", "By", "io_bytes_total"},
		{counter, "io.total", "By", "io_bytes_total"},
		{updown, "workers", "", "workers"},
		{updown, "workers", "1", "workers"},
		{updown, "heap", "By", "heap_bytes"},
		{histogram, "http.server.request.duration", "s", "http_server_request_duration_seconds"},
		{histogram, "latency", "ms", "latency_milliseconds"},
		{exponential, "latency", "ms", "latency_milliseconds"},
		{summary, "gc.pause", "ns", "gc_pause_nanoseconds"},
	} {
		c.metric.Name, c.metric.Unit = c.name, c.unit
		for range 2 { // made, and remembered
			if got := n.Name(&c.metric, OTLP); got != c.want {
				t.Errorf("%q in %q of kind %d: %q, want %q", c.name, c.unit, c.metric.Kind, got, c.want)
			}
		}
		for _, p := range []Protocol{RemoteWrite, Exemplars, Metadata} {
			if got := n.Name(&c.metric, p); got != c.name {
				t.Errorf("%q of protocol %d became %q", c.name, p, got)
			}
		}
	}
}

func TestLabelName(t *testing.T) {
	t.Parallel()
	n := NewNamer(nil)
	for key, want := range map[string]string{
		"http.route": "http_route", "a": "a", "A1_": "A1_", "1a": "key_1a", "a b": "a_b", "é": "", "__": "", "": "", "a__b": "a_b", "_a": "_a", "a:b": "a_b", "x\x00y": "x_y",
	} {
		for range 2 {
			if got := n.LabelName(key); got != want {
				t.Errorf("%q: %q, want %q", key, got, want)
			}
		}
	}
}

// TestForget names more than a Namer remembers.
func TestForget(t *testing.T) {
	t.Parallel()
	n := NewNamer(nil)
	m := telemetry.Metric{Kind: telemetry.Gauge}
	for i := range maxNames + 10 {
		m.Name = "a." + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + "." + strings.Repeat("y", i/1000) + string(rune('0'+i%10)) + "." + string(rune(0x4e00+i))
		n.Name(&m, OTLP)
		n.LabelName(m.Name)
	}
	if len(n.names) > maxNames || len(n.labels) > maxNames {
		t.Errorf("remembers %d names and %d labels", len(n.names), len(n.labels))
	}
	m.Name = "a.b"
	if n.Name(&m, OTLP) != "a_b" || n.LabelName("a.b") != "a_b" {
		t.Error("names differ after some were forgotten")
	}
}

func text(key, value string) telemetry.Attr {
	return telemetry.Attr{Key: key, Value: telemetry.Value{Kind: telemetry.KindString, Str: value}}
}

// texts makes attributes of pairs of keys and texts.
func texts(pairs ...string) []telemetry.Attr {
	var out []telemetry.Attr
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, text(pairs[i], pairs[i+1]))
	}
	return out
}

func TestLabels(t *testing.T) {
	t.Parallel()
	number := telemetry.Attr{Key: "n", Value: telemetry.Value{Kind: telemetry.KindInt, Num: 42}}
	double := telemetry.Attr{Key: "d", Value: telemetry.Value{Kind: telemetry.KindDouble, Num: math.Float64bits(0.5)}}
	boolean := telemetry.Attr{Key: "b", Value: telemetry.Value{Kind: telemetry.KindBool, Num: 1}}
	for name, c := range map[string]struct {
		protocol               Protocol
		resource, scope, point []telemetry.Attr
		of                     telemetry.Scope
		want                   string
	}{
		"nothing":                   {},
		"point":                     {point: texts("http.route", "/x", "a", "1"), want: "a=1,http_route=/x"},
		"empty values":              {resource: texts("service.name", "", "host.name", ""), point: texts("a", "", "b", "1"), want: "b=1"},
		"collision":                 {point: texts("a_b", "2", "a.b", "1", "a-b", "0"), want: "a_b=0;1;2"},
		"collision with nothing":    {point: texts("a.b", "", "a_b", "2"), want: "a_b=2"},
		"names that are none":       {point: texts("", "1", "__", "2", "é", "3", "__name__", "evil"), want: ""},
		"values of other kinds":     {point: []telemetry.Attr{number, double, boolean}, want: "b=true,d=0.5,n=42"},
		"job":                       {resource: texts("service.name", "shop"), want: "job=shop"},
		"job with a namespace":      {resource: texts("service.namespace", "prod", "service.name", "shop"), want: "job=prod/shop"},
		"a namespace alone":         {resource: texts("service.namespace", "prod"), want: ""},
		"instance":                  {resource: texts("service.instance.id", "i-1"), want: "instance=i-1"},
		"promoted":                  {resource: texts("host.name", "h", "os.type", "linux"), want: "host_name=h"},
		"point over resource":       {resource: texts("host.name", "h", "service.name", "s"), point: texts("host.name", "p", "job", "j"), want: "host_name=p,job=j"},
		"scope":                     {of: telemetry.Scope{Name: "lib", Version: "1.2"}, want: "otel_scope_name=lib,otel_scope_version=1.2"},
		"scope attributes":          {scope: texts("a.b", "1", "1c", "2", "é", "3"), want: "otel_scope_1c=2,otel_scope_a_b=1"},
		"scope attributes unsorted": {scope: texts("a_b", "2", "a.b", "1"), want: "otel_scope_a_b=1"},
		"scope attribute name":      {scope: texts("name", "x"), of: telemetry.Scope{Name: "lib"}, want: "otel_scope_name=lib"},
		"remote-write":              {protocol: RemoteWrite, resource: texts("service.name", "s", "host.name", "h"), scope: texts("a", "1"), of: telemetry.Scope{Name: telemetry.ScopeRemoteWrite}, point: texts("a.b", "1", "job", "j", "é", "2"), want: "a.b=1,job=j,é=2"},
		"remote-write, exemplars":   {protocol: Exemplars, point: texts("le", "1"), want: "le=1"},
		"remote-write, unsorted":    {protocol: RemoteWrite, point: texts("b", "2", "a", "1"), want: "a=1,b=2"},
		"remote-write, no joining":  {protocol: RemoteWrite, point: texts("a.b", "1", "a_b", "2"), want: "a.b=1,a_b=2"},
	} {
		n := NewNamer(DefaultPromoted())
		before := []Label{{"z", "kept"}, {"a", "kept"}}
		attrs := slices.Clone(c.point)
		got := n.AppendLabels(slices.Clone(before), c.protocol, c.resource, c.scope, c.point, &c.of)
		if !slices.Equal(got[:2], before) {
			t.Errorf("%s: what was there became %v", name, got[:2])
		}
		var pairs []string
		for _, l := range got[2:] {
			pairs = append(pairs, l.Name+"="+l.Value)
		}
		if joined := strings.Join(pairs, ","); joined != c.want {
			t.Errorf("%s: %s, want %s", name, joined, c.want)
		}
		for i := range attrs {
			if attrs[i].Key != c.point[i].Key {
				t.Errorf("%s: the attributes of the point were reordered", name)
			}
		}
	}
}

func TestProtocolOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Protocol{
		"": OTLP, "lib": OTLP, telemetry.ScopeRemoteWrite: RemoteWrite, telemetry.ScopeRemoteWriteExemplars: Exemplars,
		telemetry.ScopeRemoteWriteMetadata: Metadata, telemetry.ScopeRemoteWrite + "/other": OTLP,
	} {
		if got := ProtocolOf(&telemetry.Scope{Name: name}); got != want {
			t.Errorf("%q: %d", name, got)
		}
	}
}
