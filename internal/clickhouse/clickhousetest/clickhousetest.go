// Package clickhousetest connects tests to the engines that enginetest starts.
package clickhousetest

import (
	"testing"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
)

// Config reaches the engine as the user that may do everything.
func Config(e *enginetest.Engine) clickhouse.Config {
	cfg := clickhouse.DefaultConfig()
	cfg.Addresses, cfg.Username, cfg.Password = []string{e.Native}, e.User, config.Secret(e.Password)
	return cfg
}

// Open connects to the engine until the test ends.
func Open(t testing.TB, e *enginetest.Engine) clickhouse.Conn {
	t.Helper()
	conn, err := clickhouse.Open(Config(e))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// OpenColumns is Open for queries that are read column by column.
func OpenColumns(t testing.TB, e *enginetest.Engine) *clickhouse.Columns {
	t.Helper()
	columns, err := clickhouse.OpenColumns(Config(e))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(columns.Close)
	return columns
}
