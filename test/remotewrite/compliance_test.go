package remotewrite

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// suite is the package with the tests. Its module is required by test/compliance.
const suite = "github.com/prometheus/complicance/remotewrite2"

// leastTests is how many tests the suite has at least; fewer mean that it did
// not run as it should.
const leastTests = 200

// TestReceiverCompliance runs every test of the suite against a gateway.
func TestReceiverCompliance(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Only: []string{"broker", "gateway"}})
	config := filepath.Join(t.TempDir(), "receivers.yml")
	text := fmt.Sprintf("remote_write:\n  - name: goshawk\n    url: http://%s/api/v1/write\n", c.HTTP)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-json", suite)
	cmd.Dir = filepath.Join("..", "compliance")
	cmd.Env = append(os.Environ(), "PROMETHEUS_RW2_COMPLIANCE_CONFIG_FILE="+config, "GOWORK=off")
	out, err := cmd.Output()
	passed, failed := results(out)
	for _, name := range failed {
		t.Errorf("%s fails:\n%s", name, logOf(out, name))
	}
	if err != nil && len(failed) == 0 {
		t.Fatalf("running the suite: %v\n%s", err, out)
	}
	if len(passed) < leastTests {
		t.Errorf("%d tests passed, want at least %d", len(passed), leastTests)
	}
	t.Logf("%d tests of the suite passed:\n%s", len(passed), strings.Join(passed, "\n"))
}

// event is a line of go test -json.
type event struct{ Action, Test, Output string }

func each(out []byte, visit func(event)) {
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			visit(e)
		}
	}
}

func results(out []byte) (passed, failed []string) {
	each(out, func(e event) {
		switch {
		case e.Test == "":
		case e.Action == "pass":
			passed = append(passed, e.Test)
		case e.Action == "fail" || e.Action == "skip":
			failed = append(failed, e.Test)
		}
	})
	return passed, failed
}

func logOf(out []byte, test string) string {
	var text strings.Builder
	each(out, func(e event) {
		if e.Test == test {
			text.WriteString(e.Output)
		}
	})
	return text.String()
}
