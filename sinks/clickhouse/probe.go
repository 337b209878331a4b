package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// ErrNotExactlyOnce says that a server does not do what writing every event
// exactly once needs of it. Trying again does not help.
var ErrNotExactlyOnce = errors.New("ClickHouse cannot be written to exactly once")

// unknownSetting is the code of the exception of a server that is too old.
const unknownSetting = 115

// Probe checks that the server recognises an insert that is repeated. It repeats
// one as a sink does, which an old server, a proxy that drops settings or a
// profile that overrides them would store twice.
//
// The rows go where they mean nothing and expire in a day: as replays of a dead
// letter that no topic has. The second differs from the first in its position, so
// that neither a merge nor a comparison of the data makes one of the two.
func Probe(ctx context.Context, conn driver.Conn, dialect tables.Dialect) error {
	settings, err := insertSettings(ctx, conn, dialect)
	if err != nil {
		return err
	}
	number := rand.Uint64() //nolint:gosec // unique, not secret
	settings["insert_deduplication_token"] = fmt.Sprintf("probe/%016x", number)
	table := dialect.Table(tables.DeadLetterReplays)
	for position := range uint32(2) {
		external, err := ext.NewTable(source, ext.Column("position", "UInt32"))
		if err == nil {
			err = external.Append(position)
		}
		if err != nil {
			return fmt.Errorf("probing %s: %w", table, err)
		}
		insert := fmt.Sprintf("INSERT INTO %s (time, record_offset, position, retention_days) SELECT now64(9), %d, position, 1 FROM %s",
			table, number, tables.Quote(source))
		err = conn.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(maps.Clone(settings)), clickhouse.WithExternalTable(external)), insert)
		var exception *clickhouse.Exception
		if errors.As(err, &exception) && exception.Code == unknownSetting {
			return fmt.Errorf("%w: it is too old: %w", ErrNotExactlyOnce, err)
		}
		if err != nil {
			return fmt.Errorf("probing %s: %w", table, err)
		}
	}
	var rows uint64
	err = conn.QueryRow(ctx, fmt.Sprintf("SELECT count() FROM %s WHERE tenant = '' AND topic = '' AND kafka_partition = 0 AND record_offset = %d",
		table, number)).Scan(&rows)
	switch {
	case err != nil:
		return fmt.Errorf("probing %s: %w", table, err)
	case rows > 1:
		return fmt.Errorf("%w: it stored a repeated insert into %s twice; is insert_deduplicate fixed in the user's profile, "+
			"or a deduplication window of the tables 0?", ErrNotExactlyOnce, table)
	case rows == 0 && dialect.Cluster == "":
		// On a cluster a replica that lags may have answered.
		return fmt.Errorf("%w: the user does not see what it inserted into %s; "+
			"with row policies for others, users_without_row_policies_can_read_rows must be on", ErrNotExactlyOnce, table)
	}
	return nil
}
