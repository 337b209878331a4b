package interop

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/openzipkin/zipkin-go/proto/zipkin_proto3"
	"github.com/openzipkin/zipkin-go/reporter"
	"go.opentelemetry.io/otel/exporters/jaeger" //nolint:staticcheck // deprecated, as are all clients that speak Jaeger's protocols

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// TestGatewayProtocols lets the clients of Zipkin and Jaeger talk to the gateway
// itself, on ports that are theirs.
func TestGatewayProtocols(t *testing.T) {
	ports := cluster.FreePorts(t, 3)
	t.Setenv("GOSHAWK_GATEWAY_MORE_HTTP", fmt.Sprintf("[%q, %q]", ports[0], ports[1]))
	t.Setenv("GOSHAWK_GATEWAY_MORE_GRPC", fmt.Sprintf("[%q]", ports[2]))
	c := cluster.Start(t, cluster.Options{Up: true})
	t.Run("zipkin", func(t *testing.T) {
		for name, serializer := range map[string]reporter.SpanSerializer{"json": reporter.JSONSerializer{}, "protobuf": zipkin_proto3.SpanSerializer{}} {
			t.Run(name, func(t *testing.T) {
				service := serviceName(t)
				checkSpans(t, c, service, asZipkin(sendZipkin(t, "http://"+ports[0]+"/api/v2/spans", service, serializer)))
			})
		}
		t.Run("version 1", func(t *testing.T) { testZipkinV1(t, c, "http://"+ports[0]+"/api/v1/spans") })
	})
	t.Run("jaeger", func(t *testing.T) {
		t.Run("thrift over HTTP", func(t *testing.T) {
			service := serviceName(t)
			want := exportJaeger(t, jaeger.WithCollectorEndpoint(jaeger.WithEndpoint("http://"+ports[1]+"/api/traces")), service)
			for i := range want {
				delete(want[i].Attributes, "otel.library.name") // it is the scope
			}
			checkSpans(t, c, service, want)
			if scopes := query(t, c, "SELECT DISTINCT scope_name FROM spans WHERE service = '"+service+"'"); scopes != "shop" {
				t.Errorf("the scopes are %q", scopes)
			}
		})
		t.Run("grpc", func(t *testing.T) {
			service := serviceName(t)
			checkSpans(t, c, service, sendJaegerGRPC(t, ports[2], service))
		})
	})
	audit(t, c)
}

// asZipkin changes what the receiver of the collector makes of Zipkin's spans to
// what the gateway does: ports have the names that are current, and the text of
// an error is the description of the status, too.
func asZipkin(spans []span) []span {
	for i := range spans {
		s := &spans[i]
		s.Message = s.Attributes["error"]
		numbers := map[string]float64{}
		for old, name := range map[string]string{"net.host.port": "network.local.port", "net.peer.port": "network.peer.port"} {
			if port, ok := s.Numbers[old]; ok {
				numbers[name] = port
			}
		}
		s.Numbers = numbers
	}
	return spans
}

// testZipkinV1 sends one span with the annotations of both sides of a call, of
// which the gateway makes two.
func testZipkinV1(t *testing.T, c *cluster.Cluster, url string) {
	web, shop := serviceName(t), serviceName(t)
	at := began()
	micros := at.UnixMicro()
	trace := fmt.Sprintf("%016x", at.UnixNano())
	host := func(service, ip string) string { return fmt.Sprintf(`{"serviceName":%q,"ipv4":%q}`, service, ip) }
	body := fmt.Sprintf(`[{"traceId":%q,"id":"b","parentId":"a","name":"get","annotations":[
	{"timestamp":%[2]d,"value":"cs","endpoint":%[3]s},{"timestamp":%[4]d,"value":"sr","endpoint":%[5]s},
	{"timestamp":%[6]d,"value":"ss","endpoint":%[5]s},{"timestamp":%[7]d,"value":"cr","endpoint":%[3]s}],
	"binaryAnnotations":[{"key":"http.path","value":"/","endpoint":%[5]s},{"key":"sa","value":true,"endpoint":%[5]s}]}]`,
		trace, micros, host(web, "127.0.0.1"), micros+10, host(shop, "127.0.0.2"), micros+30, micros+50)
	response, err := http.Post(url, "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	said, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusAccepted || len(said) > 0 {
		t.Fatalf("%s %s", response.Status, said)
	}
	client := span{
		Name: "get", Kind: "client", Status: "unset", Trace: "0000000000000000" + trace, ID: "000000000000000b", Parent: "000000000000000a",
		Time: nanoseconds(at), Duration: "50000", Numbers: map[string]float64{}, Events: []string{},
		Attributes: map[string]string{"network.local.address": "127.0.0.1", "network.peer.address": "127.0.0.2", "service.peer.name": shop},
	}
	server := client
	server.Kind, server.Time, server.Duration = "server", nanoseconds(at.Add(10*time.Microsecond)), "20000"
	server.Attributes = map[string]string{"network.local.address": "127.0.0.2", "http.path": "/", "zipkin.shared": "true"}
	checkSpans(t, c, web, []span{client})
	checkSpans(t, c, shop, []span{server})
}
