package clickhouse

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestProbe(t *testing.T) {
	s := newStore(t)
	probe := func() error { return Probe(context.Background(), s.conn, s.dialect) }
	rows := func() uint64 {
		t.Helper()
		return s.number(t, "SELECT count() FROM goshawk.dead_letter_replays WHERE topic = '' AND retention_days = 1")
	}
	for i := range 2 {
		if err := probe(); err != nil {
			t.Fatal(err)
		}
		if got, want := rows(), uint64(i+1); got != want {
			t.Errorf("%d rows, want %d", got, want)
		}
	}

	refused := func(t *testing.T, err error, reason string) {
		t.Helper()
		if !errors.Is(err, ErrNotExactlyOnce) || !strings.Contains(err.Error(), reason) {
			t.Errorf("error %v, want one that says %q", err, reason)
		}
	}
	t.Run("no window", func(t *testing.T) {
		const alter = "ALTER TABLE goshawk.dead_letter_replays MODIFY SETTING non_replicated_deduplication_window = "
		s.exec(t, alter+"0")
		refused(t, probe(), "stored a repeated insert into `goshawk`.`dead_letter_replays` twice")
		s.exec(t, alter+"10000")
		if err := probe(); err != nil {
			t.Error(err)
		}
	})
	t.Run("nothing to see", func(t *testing.T) {
		refused(t, Probe(context.Background(), &deaf{Conn: s.conn}, s.dialect), "does not see what it inserted")
	})
	t.Run("unknown setting", func(t *testing.T) {
		ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(clickhouse.Settings{"not_a_setting": 1}))
		err := s.conn.Exec(ctx, "SELECT 1")
		var exception *clickhouse.Exception
		if !errors.As(err, &exception) || exception.Code != unknownSetting {
			t.Errorf("error %v, want exception %d", err, unknownSetting)
		}
	})
	t.Run("no table", func(t *testing.T) {
		if err := Probe(context.Background(), s.conn, tables.Dialect{Database: "nothing"}); err == nil || errors.Is(err, ErrNotExactlyOnce) {
			t.Errorf("error %v, want one that may pass", err)
		}
	})
}
