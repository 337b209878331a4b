package interop

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/openzipkin/zipkin-go"
	"github.com/openzipkin/zipkin-go/model"
	"github.com/openzipkin/zipkin-go/proto/zipkin_proto3"
	"github.com/openzipkin/zipkin-go/reporter"
	zipkinhttp "github.com/openzipkin/zipkin-go/reporter/http"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// testZipkin sends a trace with Zipkin's library for Go in each of its encodings.
func testZipkin(t *testing.T, c *cluster.Cluster, r receivers) {
	for name, serializer := range map[string]reporter.SpanSerializer{"json": reporter.JSONSerializer{}, "protobuf": zipkin_proto3.SpanSerializer{}} {
		t.Run(name, func(t *testing.T) {
			service := serviceName(t)
			want := sendZipkin(t, "http://"+r.zipkin+"/api/v2/spans", service, serializer)
			checkSpans(t, c, service, want)
		})
	}
}

// sendZipkin sends a request, a call that it made and failed, and a message.
func sendZipkin(t *testing.T, url, service string, serializer reporter.SpanSerializer) []span {
	t.Helper()
	var failed error
	report := zipkinhttp.NewReporter(url, zipkinhttp.Serializer(serializer), zipkinhttp.RequestCallback(func(r *http.Request) {
		if r.Header.Get("Content-Type") != serializer.ContentType() {
			failed = fmt.Errorf("sent as %s", r.Header.Get("Content-Type"))
		}
	}))
	local, err := zipkin.NewEndpoint(service, "127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	remote, err := zipkin.NewEndpoint("bank", "192.0.2.7:443")
	if err != nil {
		t.Fatal(err)
	}
	tracer, err := zipkin.NewTracer(report, zipkin.WithLocalEndpoint(local), zipkin.WithTraceID128Bit(true))
	if err != nil {
		t.Fatal(err)
	}
	at := began()
	request := tracer.StartSpan("get /orders", zipkin.Kind(model.Server), zipkin.StartTime(at))
	request.Tag("http.route", "/orders")
	request.Annotate(at.Add(time.Millisecond), "packed")
	call := tracer.StartSpan("charge", zipkin.Kind(model.Client), zipkin.Parent(request.Context()), zipkin.StartTime(at.Add(2*time.Millisecond)), zipkin.RemoteEndpoint(remote))
	call.Tag("error", "card declined")
	call.FinishedWithDuration(5 * time.Millisecond)
	message := tracer.StartSpan("ship", zipkin.Kind(model.Producer), zipkin.Parent(request.Context()), zipkin.StartTime(at.Add(8*time.Millisecond)))
	message.FinishedWithDuration(250 * time.Microsecond)
	request.FinishedWithDuration(20 * time.Millisecond)
	if err := report.Close(); err != nil { // sends what is left
		t.Fatal(err)
	}
	if failed != nil {
		t.Error(failed)
	}
	trace := request.Context().TraceID.String()
	root := request.Context().ID.String()
	port := map[string]float64{"net.host.port": 8080}
	return []span{{
		Name: "get /orders", Kind: "server", Status: "unset", Trace: trace, ID: root, Parent: "0000000000000000",
		Time: nanoseconds(at), Duration: "20000000", Attributes: map[string]string{"http.route": "/orders", "network.local.address": "127.0.0.1"}, Numbers: port, Events: []string{"packed"},
	}, {
		Name: "charge", Kind: "client", Status: "error", Trace: trace, ID: call.Context().ID.String(), Parent: root,
		Time: nanoseconds(at.Add(2 * time.Millisecond)), Duration: "5000000", Events: []string{},
		Attributes: map[string]string{"error": "card declined", "network.local.address": "127.0.0.1", "network.peer.address": "192.0.2.7", "service.peer.name": "bank"},
		Numbers:    map[string]float64{"net.host.port": 8080, "net.peer.port": 443},
	}, {
		Name: "ship", Kind: "producer", Status: "unset", Trace: trace, ID: message.Context().ID.String(), Parent: root,
		Time: nanoseconds(at.Add(8 * time.Millisecond)), Duration: "250000", Attributes: map[string]string{"network.local.address": "127.0.0.1"}, Numbers: port, Events: []string{},
	}}
}
