package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// TestJavaScript sends traces over two services with the OpenTelemetry SDK for
// JavaScript, and with Zipkin's library, and expects every column of their spans,
// and the same from the APIs of Jaeger, Tempo and Zipkin.
func TestJavaScript(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIP JavaScript: %s is not installed", tool)
		}
	}
	c := cluster.Start(t, cluster.Options{Up: true})
	if out, err := exec.CommandContext(t.Context(), "javascript/fetch").CombinedOutput(); err != nil {
		t.Fatalf("fetching the clients: %v\n%s", err, out)
	}
	for _, exporter := range []struct{ name, url string }{
		{"proto", "http://" + c.HTTP + "/v1/traces"}, {"json", "http://" + c.HTTP + "/v1/traces"}, {"grpc", "http://" + c.GRPC},
	} {
		for _, propagator := range []string{"w3c", "b3", "b3multi"} {
			t.Run(exporter.name+" "+propagator, func(t *testing.T) { testNodeSDK(t, c, exporter.name, propagator, exporter.url) })
		}
	}
	t.Run("zipkin", func(t *testing.T) { testZipkinJS(t, c) })
	audit(t, c)
}

// node runs a script and decodes what it prints.
func node(t *testing.T, into any, args ...string) {
	t.Helper()
	var out, problems bytes.Buffer
	command := exec.CommandContext(t.Context(), "node", args...)
	command.Dir, command.Stdout, command.Stderr = "javascript", &out, &problems
	if err := command.Run(); err != nil || problems.Len() > 0 {
		t.Fatalf("node %s: %v\n%s", strings.Join(args, " "), err, problems.String())
	}
	if err := json.Unmarshal(out.Bytes(), into); err != nil {
		t.Fatalf("node %s: %v in %s", strings.Join(args, " "), err, out.String())
	}
}

// jsSpan is what the SDK says of a span that has ended. Times are nanoseconds.
type jsSpan struct {
	Name, Trace, ID, Parent string
	Remote                  bool
	Time, End               string
	EventTimes              []string
}

// link is a link of a span.
type link struct {
	Trace, ID, State string
	Flags            uint32
	Attributes       map[string]string
}

// jsRow is a row of the table spans, with all columns that say something of what
// the SDK sent.
type jsRow struct {
	span
	Service, State                 string
	Flags                          uint32
	EventTimes                     []string
	EventAttributes                []map[string]string
	Links                          []link
	Resource                       map[string]string
	ScopeName, ScopeVersion        string
	DroppedAttributes              uint32
	DroppedEvents, DroppedLinks    uint32
	HTTPRoute, MessagingSystem     string
	HTTPStatus                     uint16
	ServiceVersion, Tenant, Schema string
}

const jsColumns = `name AS Name, kind AS Kind, status AS Status, status_message AS Message,
	lower(hex(trace_id)) AS Trace, lower(hex(span_id)) AS ID, lower(hex(parent_span_id)) AS Parent,
	toString(toUnixTimestamp64Nano(time)) AS Time, toString(duration_ns) AS Duration,
	attributes AS Attributes, attribute_numbers AS Numbers, events.name AS Events,
	service AS Service, trace_state AS State, flags AS Flags,
	arrayMap(t -> toString(toUnixTimestamp64Nano(t)), events.time) AS EventTimes, events.attributes AS EventAttributes,
	arrayMap((t, i, s, f, a) -> CAST((lower(hex(t)), lower(hex(i)), s, f, a), 'Tuple(Trace String, ID String, State String, Flags UInt32, Attributes Map(String, String))'),
		links.trace_id, links.span_id, links.trace_state, links.flags, links.attributes) AS Links,
	resource_attributes AS Resource, scope_name AS ScopeName, scope_version AS ScopeVersion,
	dropped_attributes AS DroppedAttributes, dropped_events AS DroppedEvents, dropped_links AS DroppedLinks,
	http_route AS HTTPRoute, messaging_system AS MessagingSystem, http_response_status_code AS HTTPStatus,
	service_version AS ServiceVersion, tenant AS Tenant, resource_schema_url AS Schema`

// The flags of spans: sampled, and what OTLP says of a parent that is remote.
const (
	sampled      = 1
	remoteKnown  = 0x100
	remoteParent = 0x200
)

// testNodeSDK has two processes call one another.
func testNodeSDK(t *testing.T, c *cluster.Cluster, exporter, propagator, url string) {
	service := serviceName(t)
	var said struct {
		Front, Back []jsSpan
		Headers     map[string]string
	}
	node(t, &said, "otlp.mjs", exporter, propagator, url, service)
	spans := map[string]jsSpan{}
	for _, s := range append(said.Front, said.Back...) {
		spans[s.Name] = s
	}
	root, call, served, find, publish := spans["GET /order"], spans["GET"], spans["GET /stock"], spans["find"], spans["publish"]
	checkHeaders(t, propagator, said.Headers, call)
	if served.Trace != root.Trace || served.Parent != call.ID || !served.Remote {
		t.Fatalf("the service that is called has the span %+v, the caller %+v", served, call)
	}

	row := func(s jsSpan, side, kind, status, message string) jsRow {
		end, _ := strconv.ParseInt(s.End, 10, 64)
		start, _ := strconv.ParseInt(s.Time, 10, 64)
		r := jsRow{
			span: span{
				Name: s.Name, Kind: kind, Status: status, Message: message, Trace: s.Trace, ID: s.ID, Parent: s.Parent,
				Time: s.Time, Duration: fmt.Sprint(end - start), Attributes: map[string]string{}, Numbers: map[string]float64{}, Events: []string{},
			},
			Service: service + side, Flags: sampled | remoteKnown, EventTimes: s.EventTimes, EventAttributes: []map[string]string{}, Links: []link{},
			Resource:  map[string]string{"service.name": service + side, "service.version": "1.2.3", "shop.floor": "2"},
			ScopeName: "shop", ScopeVersion: "0.9", ServiceVersion: "1.2.3", Tenant: "default",
		}
		if s.Remote {
			r.Flags |= remoteParent
		}
		return r
	}
	exception := func(r jsRow, kind, message string) jsRow {
		r.Events, r.EventAttributes = []string{"exception"}, []map[string]string{{"exception.type": kind, "exception.message": message}}
		return r
	}
	order := row(root, "-front", "server", "ok", "")
	order.Attributes = map[string]string{
		"text": "grün €", "empty": "", "yes": "true", "no": "false", "texts": `["a","b\"c"]`, "numbers": "[1,-2,3]",
		"fractions": "[0.5,1.25]", "flags": "[true,false]", "none": "[]",
	}
	order.Numbers = map[string]float64{"whole": 42, "negative": -7, "large": 1<<53 - 1, "fraction": 2.5}
	order.Events, order.EventAttributes = []string{"packed"}, []map[string]string{{"items": "3", "box": "small"}}
	order.Links = []link{{"0102030405060708090a0b0c0d0e0f10", "1112131415161718", "vendor=a1", sampled | remoteKnown, map[string]string{"reason": "retry", "attempt": "2"}}}
	get := exception(row(call, "-front", "client", "error", "status 500"), "Error", "status 500")
	get.Numbers, get.HTTPStatus = map[string]float64{"http.response.status_code": 500}, 500
	stock := row(served, "-back", "server", "error", "")
	stock.Attributes, stock.HTTPRoute = map[string]string{"http.route": "/stock"}, "/stock"
	inner := exception(row(find, "-back", "internal", "error", "out of stock"), "RangeError", "out of stock")
	message := row(publish, "-front", "producer", "unset", "")
	message.Attributes, message.MessagingSystem = map[string]string{"messaging.system": "kafka"}, "kafka"

	want := []jsRow{order, get, stock, inner, message}
	got := storedTrace(t, c, root.Trace, len(want))
	for i := range got {
		for _, attributes := range got[i].EventAttributes {
			if attributes["exception.type"] != "" && !strings.Contains(attributes["exception.stacktrace"], "otlp.mjs:") {
				t.Errorf("the stack of the exception is %q", attributes["exception.stacktrace"])
			}
			delete(attributes, "exception.stacktrace")
		}
	}
	for _, w := range want {
		i := slices.IndexFunc(got, func(r jsRow) bool { return r.ID == w.ID })
		if i < 0 {
			t.Fatalf("the span %s is missing in\n%s", w.Name, lines(got))
		}
		if !reflect.DeepEqual(got[i], w) {
			t.Errorf("the row is\n%+v\nwant\n%+v", got[i], w)
		}
	}
	checkJaeger(t, c, root.Trace, want)
	checkTempo(t, c, root.Trace, want)
}

// checkHeaders makes sure that the context went in the headers that it should.
func checkHeaders(t *testing.T, propagator string, got map[string]string, call jsSpan) {
	t.Helper()
	want := map[string]map[string]string{
		"w3c":     {"traceparent": "00-" + call.Trace + "-" + call.ID + "-01"},
		"b3":      {"b3": call.Trace + "-" + call.ID + "-1"},
		"b3multi": {"x-b3-traceid": call.Trace, "x-b3-spanid": call.ID, "x-b3-sampled": "1"},
	}
	for kind, headers := range want {
		for name, value := range headers {
			if kind != propagator {
				value = ""
			}
			if got[name] != value {
				t.Errorf("the header %s is %q, want %q", name, got[name], value)
			}
		}
	}
}

// storedTrace waits for the spans of a trace.
func storedTrace(t *testing.T, c *cluster.Cluster, trace string, spans int) (got []jsRow) {
	t.Helper()
	err := cluster.Eventually(settle, func() (err error) {
		got, err = rows[jsRow](c, "SELECT "+jsColumns+" FROM spans WHERE trace_id = unhex('"+trace+"') ORDER BY time")
		if err == nil && len(got) != spans {
			err = fmt.Errorf("%d of %d spans are stored", len(got), spans)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// ask gets what an API answers.
func ask(t *testing.T, c *cluster.Cluster, path, accept string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.Query+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v: %s", path, response.Status, err, body)
	}
	return body
}

// jaegerTrace is the answer to a question for one trace.
type jaegerTrace struct {
	Data []struct {
		Spans []struct {
			TraceID, SpanID, OperationName, ProcessID string
			StartTime, Duration                       int64
			References                                []struct{ RefType, TraceID, SpanID string }
			Tags                                      []struct {
				Key   string
				Value any
			}
			Logs []struct{ Timestamp int64 }
		}
		Processes map[string]struct{ ServiceName string }
	}
}

// checkJaeger compares what Jaeger's API says of a trace.
func checkJaeger(t *testing.T, c *cluster.Cluster, trace string, want []jsRow) {
	t.Helper()
	var answer jaegerTrace
	if err := json.Unmarshal(ask(t, c, "/jaeger/api/traces/"+trace, "application/json"), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Data) != 1 || len(answer.Data[0].Spans) != len(want) {
		t.Fatalf("Jaeger's API has %+v", answer)
	}
	for _, s := range answer.Data[0].Spans {
		i := slices.IndexFunc(want, func(r jsRow) bool { return r.ID == s.SpanID })
		if i < 0 {
			t.Fatalf("Jaeger's API has the span %+v", s)
		}
		w := &want[i]
		micros := func(nanoseconds string) int64 {
			n, _ := strconv.ParseInt(nanoseconds, 10, 64)
			return n / 1000
		}
		process := answer.Data[0].Processes[s.ProcessID].ServiceName
		if s.TraceID != trace || s.OperationName != w.Name || process != w.Service || s.StartTime != micros(w.Time) || s.Duration != micros(w.Duration) {
			t.Errorf("Jaeger's API has the span %+v of %s, want %+v", s, process, *w)
		}
		references := map[string]string{}
		for _, r := range s.References {
			references[r.RefType] = r.TraceID + "/" + r.SpanID
		}
		wantReferences := map[string]string{}
		if w.Parent != noParent {
			wantReferences["CHILD_OF"] = trace + "/" + w.Parent
		}
		for _, l := range w.Links {
			wantReferences["FOLLOWS_FROM"] = l.Trace + "/" + l.ID
		}
		if !reflect.DeepEqual(references, wantReferences) {
			t.Errorf("Jaeger's API has the references %v of %s, want %v", references, w.Name, wantReferences)
		}
		tags := map[string]any{}
		for _, tag := range s.Tags {
			tags[tag.Key] = tag.Value
		}
		for key, value := range w.Attributes {
			if tags[key] != value {
				t.Errorf("Jaeger's API has the tag %s = %v of %s, want %q", key, tags[key], w.Name, value)
			}
		}
		for key, value := range w.Numbers {
			if tags[key] != value {
				t.Errorf("Jaeger's API has the tag %s = %v of %s, want %v", key, tags[key], w.Name, value)
			}
		}
		if tags["span.kind"] != w.Kind || (tags["error"] != nil) != (w.Status == "error") || len(s.Logs) != len(w.Events) {
			t.Errorf("Jaeger's API has the span %+v, want %+v", s, *w)
		}
	}
}

// noParent is the parent of a root.
const noParent = "0000000000000000"

// checkTempo compares what Tempo's API says of a trace, in protobuf.
func checkTempo(t *testing.T, c *cluster.Cluster, trace string, want []jsRow) {
	t.Helper()
	answer, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(ask(t, c, "/tempo/api/traces/"+trace, "application/protobuf"))
	if err != nil {
		t.Fatal(err)
	}
	if answer.SpanCount() != len(want) {
		t.Fatalf("Tempo's API has %d spans, want %d", answer.SpanCount(), len(want))
	}
	for _, rs := range answer.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				i := slices.IndexFunc(want, func(r jsRow) bool { return r.ID == s.SpanID().String() })
				if i < 0 {
					t.Fatalf("Tempo's API has the span %s", s.Name())
				}
				checkTempoSpan(t, rs.Resource(), ss.Scope(), s, &want[i])
			}
		}
	}
}

func checkTempoSpan(t *testing.T, resource pcommon.Resource, scope pcommon.InstrumentationScope, s ptrace.Span, w *jsRow) {
	t.Helper()
	service, _ := resource.Attributes().Get("service.name")
	parent := s.ParentSpanID().String()
	if s.ParentSpanID().IsEmpty() {
		parent = noParent
	}
	got := []string{
		s.TraceID().String(), parent, s.Name(), strings.ToLower(s.Kind().String()), strings.ToLower(s.Status().Code().String()), s.Status().Message(),
		service.Str(), scope.Name(), scope.Version(), fmt.Sprint(uint64(s.StartTimestamp())), fmt.Sprint(uint64(s.EndTimestamp() - s.StartTimestamp())),
	}
	expected := []string{w.Trace, w.Parent, w.Name, w.Kind, w.Status, w.Message, w.Service, w.ScopeName, w.ScopeVersion, w.Time, w.Duration}
	if !slices.Equal(got, expected) {
		t.Errorf("Tempo's API has the span %q, want %q", got, expected)
	}
	attributes := map[string]any{}
	for key, value := range w.Attributes {
		attributes[key] = value
	}
	for key, value := range w.Numbers {
		if attributes[key] = value; value == math.Trunc(value) {
			attributes[key] = int64(value)
		}
	}
	if got := s.Attributes().AsRaw(); !reflect.DeepEqual(got, attributes) {
		t.Errorf("Tempo's API has the attributes %v of %s, want %v", got, w.Name, attributes)
	}
	var events, times []string
	for _, e := range s.Events().All() {
		events, times = append(events, e.Name()), append(times, fmt.Sprint(uint64(e.Timestamp())))
	}
	if !slices.Equal(events, w.Events) || !slices.Equal(times, w.EventTimes) {
		t.Errorf("Tempo's API has the events %v at %v of %s, want %v at %v", events, times, w.Name, w.Events, w.EventTimes)
	}
	var links, wantLinks []string
	for _, l := range s.Links().All() {
		links = append(links, l.TraceID().String()+"/"+l.SpanID().String()+"/"+l.TraceState().AsRaw())
	}
	for _, l := range w.Links {
		wantLinks = append(wantLinks, l.Trace+"/"+l.ID+"/"+l.State)
	}
	if !slices.Equal(links, wantLinks) {
		t.Errorf("Tempo's API has the links %v of %s, want %v", links, w.Name, wantLinks)
	}
}
