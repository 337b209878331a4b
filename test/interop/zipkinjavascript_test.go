package interop

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// zipkinSpan is a span in version 2 of Zipkin's format.
type zipkinSpan struct {
	TraceID, ID, ParentID, Name, Kind string
	Timestamp, Duration               int64
	Shared                            bool
	LocalEndpoint, RemoteEndpoint     struct {
		ServiceName, IPv4 string
		Port              int
	}
	Annotations []struct {
		Timestamp int64
		Value     string
	}
	Tags map[string]string
}

// testZipkinJS has two services call one another that Zipkin's library traces.
func testZipkinJS(t *testing.T, c *cluster.Cluster) {
	service := serviceName(t)
	var said struct {
		Reported []zipkinSpan
		Headers  map[string]string
	}
	node(t, &said, "zipkin.cjs", "http://"+c.HTTP+"/api/v2/spans", service)
	find := func(kind string) zipkinSpan {
		i := slices.IndexFunc(said.Reported, func(s zipkinSpan) bool { return s.Kind == kind })
		if i < 0 || len(said.Reported) != 3 {
			t.Fatalf("the library has reported %+v", said.Reported)
		}
		return said.Reported[i]
	}
	root, call, served := find(""), find("CLIENT"), find("SERVER")
	if said.Headers["x-b3-traceid"] != root.TraceID || said.Headers["x-b3-spanid"] != call.ID || served.ID != call.ID || !served.Shared || call.ParentID != root.ID {
		t.Fatalf("headers are %v, and spans %+v", said.Headers, said.Reported)
	}
	row := func(s zipkinSpan, side, kind, status, message, parent string, attributes map[string]string) jsRow {
		r := jsRow{
			span: span{
				Name: s.Name, Kind: kind, Status: status, Message: message, Trace: s.TraceID, ID: s.ID, Parent: parent,
				Time: fmt.Sprint(s.Timestamp * 1000), Duration: fmt.Sprint(s.Duration * 1000), Attributes: attributes, Numbers: map[string]float64{}, Events: []string{},
			},
			Service: service + side, EventTimes: []string{}, EventAttributes: []map[string]string{}, Links: []link{},
			Resource: map[string]string{"service.name": service + side}, Tenant: "default",
		}
		for _, a := range s.Annotations {
			r.Events, r.EventTimes = append(r.Events, a.Value), append(r.EventTimes, fmt.Sprint(a.Timestamp*1000))
			r.EventAttributes = append(r.EventAttributes, map[string]string{})
		}
		return r
	}
	client := row(call, "-front", "client", "error", "500", root.ID, map[string]string{
		"http.path": "/stock", "http.status_code": "500", "error": "500", "service.peer.name": "stock",
	})
	server := row(served, "-back", "server", "error", "500", root.ID, map[string]string{
		"http.path": "/stock", "http.status_code": "500", "error": "500", "zipkin.shared": "true", "network.local.address": served.LocalEndpoint.IPv4,
	})
	server.Numbers["network.local.port"] = 8080
	want := []jsRow{row(root, "-front", "unspecified", "unset", "", noParent, map[string]string{"order.items": "3"}), client, server}
	got := storedTrace(t, c, root.TraceID, len(want))
	if len(server.Events) != 1 || !reflect.DeepEqual(got, want) {
		t.Errorf("the rows are\n%s\nwant\n%s", lines(got), lines(want))
	}

	// What Zipkin's API answers is what was sent, and the attributes that it became.
	var answer []zipkinSpan
	if err := json.Unmarshal(ask(t, c, "/zipkin/api/v2/trace/"+root.TraceID, "application/json"), &answer); err != nil {
		t.Fatal(err)
	}
	call.Tags["otel.status_code"], served.Tags["otel.status_code"] = "ERROR", "ERROR" // the maps of said.Reported
	call.Tags["service.peer.name"] = "stock"
	served.Tags["network.local.address"], served.Tags["network.local.port"] = served.LocalEndpoint.IPv4, "8080"
	order := func(a, b zipkinSpan) int { return strings.Compare(a.ID+a.Kind, b.ID+b.Kind) }
	slices.SortFunc(answer, order)
	slices.SortFunc(said.Reported, order)
	if !reflect.DeepEqual(answer, said.Reported) {
		t.Errorf("Zipkin's API has\n%s\nwant\n%s", lines(answer), lines(said.Reported))
	}
	var jaeger jaegerTrace
	if err := json.Unmarshal(ask(t, c, "/jaeger/api/traces/"+root.TraceID, "application/json"), &jaeger); err != nil {
		t.Fatal(err)
	}
	if len(jaeger.Data) != 1 || len(jaeger.Data[0].Spans) != len(want) || len(jaeger.Data[0].Processes) != 2 {
		t.Errorf("Jaeger's API has %+v", jaeger)
	}
}
