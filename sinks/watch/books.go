package watch

import (
	"context"
	"fmt"
)

// Retention returns for how many days the books know something of a tenant.
func (j *Job[T]) Retention(tenant string) uint16 {
	return uint16(max(j.Kept(tenant), int(j.watched.ForgetAfter.Hours()/24)+1)) //nolint:gosec // a number of days
}

// Write writes rows, which have the columns that are listed, into the table of the
// books.
func (j *Job[T]) Write(ctx context.Context, table, columns string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	fail := func(err error) error { return fmt.Errorf("writing the books of %s: %w", j.watched.Books, err) }
	batch, err := j.Conn.PrepareBatch(ctx, "INSERT INTO "+j.Dialect.Table(table)+" ("+columns+")")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = batch.Close() }()
	for _, row := range rows {
		if err := batch.Append(row...); err != nil {
			return fail(err)
		}
	}
	if err := batch.Send(); err != nil {
		return fail(err)
	}
	return nil
}
