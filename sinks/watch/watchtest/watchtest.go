// Package watchtest has what tests of jobs that watch tenants need: an engine with
// goshawk's tables, a broker, and the pipeline of logs, which stores the events
// that a job makes.
package watchtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/sinks/clickhouse/migrations"
	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Bed is what a job runs in.
type Bed struct {
	Conn     clickhouse.Conn
	Dialect  tables.Dialect
	Producer *Producer
	Topic    string
	// Clock is the time of jobs, Epoch the minute from which tests count.
	Clock time.Time
	Epoch watch.Minute
}

// Start makes a bed that lasts until the test ends. The package's TestMain has to
// be that of enginetest.
func Start(t *testing.T) *Bed {
	t.Helper()
	e := enginetest.Start(t)
	b := &Bed{
		Conn: clickhousetest.Open(t, e), Dialect: tables.Dialect{Database: e.Database}, Topic: topic.DefaultConfig().Of(telemetry.Logs),
		Epoch: watch.Minute(time.Now().Add(-48*time.Hour).Unix() / 60),
	}
	m, err := migrations.New(b.Conn, b.Dialect)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.pipeline(t, brokertest.Start(t).Addr)
	return b
}

// At returns the time of a minute.
func (b *Bed) At(m int) time.Time { return (b.Epoch + watch.Minute(m)).Time() }

// Job is a job whose looks are tested.
type Job interface {
	Look(ctx context.Context) error
}

// Look has a job look in the minute after one.
func (b *Bed) Look(t *testing.T, job Job, m int) {
	t.Helper()
	b.Clock = b.At(m + 1)
	if err := job.Look(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// Stored waits until the pipeline has stored all that was produced, and returns
// how many of the records were repeats.
func (b *Bed) Stored(t *testing.T) (repeated uint64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var records, rejected uint64
		err := b.Conn.QueryRow(context.Background(), "SELECT sum(records), sum(repeated), sum(rejected) FROM "+b.Dialect.Table(tables.Ledger)).Scan(&records, &repeated, &rejected)
		switch {
		case err != nil:
			t.Fatal(err)
		case rejected > 0:
			t.Fatalf("%d events are rejected", rejected)
		case records == uint64(b.Producer.sent.Load()):
			return repeated
		case time.Now().After(deadline):
			t.Fatalf("%d of %d records are stored", records, b.Producer.sent.Load())
		}
	}
}

// Events returns the events that are stored, sorted, as "tenant minute text", where
// describe returns the text for an event's name, service and attributes of the
// given names.
func (b *Bed) Events(t *testing.T, attributes []string, describe func(name, service string, attributes []string) string) []string {
	t.Helper()
	b.Stored(t)
	all := []string{}
	err := clickhouse.Each(context.Background(), b.Conn, "reading events", func(row clickhouse.Row) error {
		var tenant, name, service string
		var at int64
		var values []string
		err := row.Scan(&tenant, &at, &name, &service, &values)
		if err == nil {
			all = append(all, fmt.Sprintf("%s %02d %s", tenant, at/60-int64(b.Epoch), describe(name, service, values)))
		}
		return err
	}, "SELECT toString(tenant), toInt64(toUnixTimestamp(time)), toString(event_name), toString(service), ["+
		"attributes['"+strings.Join(attributes, "'], attributes['")+"']] FROM "+b.Dialect.Table(tables.Logs))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// Want compares the events that are stored with those that should be.
func Want(t *testing.T, got, want []string) {
	t.Helper()
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		t.Fatalf("events are\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}
