package main

import "github.com/goshawk-observability/goshawk/internal/clickhouse"

// openBoth opens both kinds of connections to ClickHouse, for a job that runs as a
// command.
func openBoth(s Settings) (clickhouse.Conn, *clickhouse.Columns, func(), error) {
	conn, err := clickhouse.Open(s.ClickHouse)
	if err != nil {
		return nil, nil, nil, err
	}
	columns, err := clickhouse.OpenColumns(s.ClickHouse)
	if err != nil {
		_ = conn.Close() // nothing was sent
		return nil, nil, nil, err
	}
	return conn, columns, func() { columns.Close(); _ = conn.Close() }, nil
}
