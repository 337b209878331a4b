package interop

import (
	"os/exec"
	"strconv"
	"testing"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// testTelemetrygen sends all signals with the telemetrygen that go.mod pins.
func testTelemetrygen(t *testing.T, c *cluster.Cluster) {
	const workers, each, children = 2, 150, 3
	for _, protocol := range []struct {
		name string
		args []string
	}{
		{"grpc", []string{"--otlp-endpoint", c.GRPC}},
		{"http", []string{"--otlp-endpoint", c.HTTP, "--otlp-http"}},
	} {
		t.Run(protocol.name, func(t *testing.T) {
			service := serviceName(t)
			generate := func(signal string, args ...string) {
				t.Helper()
				args = append([]string{
					"tool", "telemetrygen", signal, "--otlp-insecure", "--service", service,
					"--workers", strconv.Itoa(workers), "--" + signal, strconv.Itoa(each), "--rate", "0",
				}, args...)
				if said, err := exec.CommandContext(t.Context(), "go", append(args, protocol.args...)...).CombinedOutput(); err != nil {
					t.Fatalf("telemetrygen %s: %v\n%s", signal, err, said)
				}
			}
			sent := counts{logs: workers * each, spans: workers * each * (1 + children)}
			generate("logs", "--severity-number", "17", "--severity-text", "Error", "--body", "it broke")
			generate("traces", "--child-spans", strconv.Itoa(children), "--status-code", "Error")
			for _, kind := range []string{"Gauge", "Sum", "Histogram", "ExponentialHistogram"} {
				generate("metrics", "--metric-type", kind, "--otlp-metric-name", service+"."+kind)
				sent.points += workers * each
			}
			await(t, "ClickHouse", sent, func() counts { return stored(t, c, service) })
			if n := query(t, c, "SELECT count() FROM logs WHERE service = '"+service+"' AND severity = 17 AND body = 'it broke'"); n != strconv.Itoa(sent.logs) {
				t.Errorf("%s log records have the severity and the body that they were sent with", n)
			}
		})
	}
}
