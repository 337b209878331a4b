package clickhouse

import (
	"context"
	"fmt"
)

// Row is the current row of an answer.
type Row interface {
	// Scan puts the row's columns where the pointers point.
	Scan(columns ...any) error
}

// Each asks and calls take for every row of the answer. Errors begin with what was
// being done. After one, take may have seen some of the rows.
func Each(ctx context.Context, conn Conn, doing string, take func(Row) error, query string, args ...any) error {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := take(rows); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
