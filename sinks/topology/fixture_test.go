package topology

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/sinks/watch/watchtest"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// fixture is a job in its bed.
type fixture struct {
	*watchtest.Bed
	cfg Config
	job *Job
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{Bed: watchtest.Start(t), cfg: DefaultConfig()}
	f.restart()
	return f
}

// restart puts a new job in the place of the old one.
func (f *fixture) restart() {
	f.job = New(f.cfg, f.Conn, f.Dialect, f.Producer, f.Topic, func(string) int { return 30 }, slog.New(slog.DiscardHandler), NewMetrics(prometheus.NewRegistry()))
	f.job.Now = func() time.Time { return f.Clock }
}

// look has the job look in the minute after one.
func (f *fixture) look(t *testing.T, m int) {
	t.Helper()
	f.Look(t, f.job, m)
}

// calls stores what was called in a minute, each as "service/version", or as
// "caller>callee kind".
func (f *fixture) calls(t *testing.T, tenant string, m int, all ...string) {
	t.Helper()
	trace := func(name string) string {
		id := telemetry.TraceID{0: 1, 1: byte(m), 15: 2}
		copy(id[2:13], name)
		return string(id[:])
	}
	for _, call := range all {
		var a, b, k string
		var err error
		if n, _ := fmt.Sscanf(call, "%s %s", &a, &k); n == 2 {
			a, b = cut(a, '>')
			err = f.Conn.Exec(context.Background(), "INSERT INTO "+f.Dialect.Table(tables.Edges)+
				" (tenant, time, caller, callee, operation, kind, calls, slow_trace_id, retention_days) VALUES (?, ?, ?, ?, 'GET', ?, 3, ?, 30)",
				tenant, f.At(m), a, b, k, trace(call))
		} else {
			a, b = cut(call, '/')
			err = f.Conn.Exec(context.Background(), "INSERT INTO "+f.Dialect.Table(tables.Operations)+
				" (tenant, time, service, version, operation, kind, calls, slow_trace_id, retention_days) VALUES (?, ?, ?, ?, 'GET', 'server', 3, ?, 30)",
				tenant, f.At(m), a, b, trace(call))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func cut(s string, at byte) (before, after string) {
	for i := range len(s) {
		if s[i] == at {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// events returns the events that are stored, sorted, as "tenant minute name
// subject".
func (f *fixture) events(t *testing.T) []string {
	t.Helper()
	return f.Events(t, []string{"service.version", "topology.caller", "topology.callee", "topology.edge.kind"}, func(name, service string, attributes []string) string {
		version, caller, callee, kind := attributes[0], attributes[1], attributes[2], attributes[3]
		text := name + " " + service
		if version != "" {
			text += "/" + version
		}
		if callee != "" {
			text += " " + caller + ">" + callee + " " + kind
		}
		return text
	})
}

// want compares the events that are stored with those that should be.
func (f *fixture) want(t *testing.T, want ...string) {
	t.Helper()
	watchtest.Want(t, f.events(t), want)
}
