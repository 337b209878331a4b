package engine_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

func open(t *testing.T, e *enginetest.Engine, user, password string) clickhouse.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{e.Native},
		Auth: clickhouse.Auth{Database: e.Database, Username: user, Password: password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func exec(t *testing.T, conn clickhouse.Conn, query string) {
	t.Helper()
	if err := conn.Exec(context.Background(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func count(t *testing.T, conn clickhouse.Conn, query string) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(context.Background(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func code(err error) int32 {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return exception.Code
	}
	return 0
}

func TestServesAndKeepsDataOverRestart(t *testing.T) {
	e := enginetest.Start(t)
	conn := open(t, e, e.User, e.Password)
	exec(t, conn, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
	exec(t, conn, "INSERT INTO t SELECT number FROM numbers(1000)")
	e.Restart(t)
	if n := count(t, conn, "SELECT count() FROM t"); n != 1000 {
		t.Fatalf("%d rows after a restart, want 1000", n)
	}
}
