package patterns

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/query/querytest"
	"github.com/goshawk-observability/goshawk/sinks/watch/watchtest"
	"github.com/goshawk-observability/goshawk/telemetry/logpattern"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// fixture is a job in its bed.
type fixture struct {
	*watchtest.Bed
	cfg    Config
	job    *Job
	masker logpattern.Masker
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{Bed: watchtest.Start(t), cfg: DefaultConfig()}
	f.cfg.Learn = 0
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

// lines counts lines of a minute, each as "service: text".
func (f *fixture) lines(t *testing.T, tenant string, m int, all ...string) {
	t.Helper()
	batch, err := f.Conn.PrepareBatch(context.Background(), "INSERT INTO "+f.Dialect.Table(tables.LogPatterns1m)+
		" (tenant, time, service, severity_class, pattern_id, pattern, lines, retention_days)")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range all {
		service, text, _ := strings.Cut(line, ": ")
		shape := f.masker.Shape(text)
		if err := batch.Append(tenant, f.At(m), service, int8(3), logpattern.ID(shape), string(shape), uint64(1), uint16(30)); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

// want compares the events that are stored, as "tenant minute change service:
// pattern", with those that should be.
func (f *fixture) want(t *testing.T, want ...string) {
	t.Helper()
	watchtest.Want(t, f.Events(t, []string{"log_pattern.text"}, func(name, service string, attributes []string) string {
		return strings.TrimPrefix(name, "log_pattern.") + " " + service + ": " + attributes[0]
	}), want)
}

// documented runs the queries of docs/log-patterns.md, at the time of the lines.
func (f *fixture) documented(t *testing.T) {
	t.Helper()
	queries := querytest.Documented(t, "../../docs/log-patterns.md")
	if len(queries) != 3 {
		t.Fatalf("found %d queries", len(queries))
	}
	for i, want := range []struct {
		rows uint64
		text string
	}{{3, "'down <*>',1"}, {6, "'session opened for user <*> by <*>',3,"}, {6, "'log_pattern.vanished','log pattern has vanished"}} {
		query := strings.ReplaceAll(queries[i], "now()", fmt.Sprintf("toDateTime(%d)", f.At(401).Unix()))
		for _, table := range []string{"log_patterns_1m", "log_patterns", "logs"} {
			query = strings.ReplaceAll(query, "FROM "+table+"\n", "FROM "+f.Dialect.Table(table)+"\n")
			query = strings.ReplaceAll(query, "FROM "+table+" ", "FROM "+f.Dialect.Table(table)+" ")
		}
		var rows uint64
		var all string
		err := f.Conn.QueryRow(context.Background(), "SELECT count(), arrayStringConcat(groupArray(toString(tuple(*))), ' ') FROM ("+query+")").Scan(&rows, &all)
		if err != nil {
			t.Fatalf("%s\n%v", query, err)
		}
		if rows != want.rows || !strings.Contains(all, want.text) {
			t.Errorf("%s\nhas %d rows, want %d with %s\n%s", query, rows, want.rows, want.text, all)
		}
	}
}
