package interop

import (
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// TestLogPush has the official client of Elasticsearch and pino's transport for Loki
// send logs, and expects them in the table and from LogQL.
func TestLogPush(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIP JavaScript: %s is not installed", tool)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "javascript/fetch").CombinedOutput(); err != nil {
		t.Fatalf("fetching the clients: %v\n%s", err, out)
	}
	c := cluster.Start(t, cluster.Options{Up: true})
	service := serviceName(t)
	var said struct {
		Elasticsearch struct {
			Lines, Failed int
			Product       string
		}
		Loki struct{ Lines int }
	}
	node(t, &said, "logpush.cjs", "http://"+c.HTTP, service)
	if said.Elasticsearch.Lines != 250 || said.Elasticsearch.Failed != 0 || said.Loki.Lines != 50 {
		t.Errorf("%+v", said)
	}
	for _, ask := range []struct{ query, want string }{
		{"SELECT count(), uniqExact(body), countIf(severity = 17), countIf(toInt64OrZero(attributes['order']) = 249), any(attributes['elasticsearch.index']), any(host_name), min(time > now() - 600) FROM logs WHERE service = '" + service + "' AND attributes['elasticsearch.index'] = 'orders'", "250\t250\t25\t1\torders\tapp-1\t1"},
		{"SELECT count(), countIf(severity = 17), uniqExact(time) > 1 FROM logs WHERE service = '" + service + "' AND resource_attributes['via'] = 'loki'", "50\t5\t1"},
	} {
		err := cluster.Eventually(settle, func() error {
			have, err := c.SQL(ask.query)
			if err == nil && have != ask.want {
				err = fmt.Errorf("%s: %s, want %s", ask.query, have, ask.want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	question := url.QueryEscape(`sum by (level) (count_over_time({app="` + service + `"} |= "Zoë" [10m]))`)
	if answer := string(ask(t, c, "/loki/api/v1/query?query="+question, "application/json")); !strings.Contains(answer, `"45"`) || !strings.Contains(answer, `"5"`) {
		t.Errorf("LogQL: %s", answer)
	}
	audit(t, c)
}
