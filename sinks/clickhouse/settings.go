package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// insertSettings returns the settings of every insert. They keep an insert one
// block, whose token the tables and the views behind them remember.
func insertSettings(ctx context.Context, conn driver.Conn, d tables.Dialect) (clickhouse.Settings, error) {
	settings := clickhouse.Settings{
		"insert_deduplicate": 1,
		"deduplicate_blocks_in_dependent_materialized_views": 1,
		"async_insert": 0,
		// One thread inserts the pieces of the external table, and joins them
		// to one block, as long as they are not more than this.
		"min_insert_block_size_rows":  10_000_000,
		"min_insert_block_size_bytes": 4 << 30,
		"max_threads":                 1,
		"max_insert_threads":          1,
		// A block that was held up may hold events of every day that is accepted.
		"max_partitions_per_insert_block": 0,
		"log_queries":                     0,
	}
	if d.Cluster != "" {
		// The insert is acknowledged when the shard has it.
		settings["distributed_foreground_insert"] = 1
	}
	optional := map[string]any{
		// Servers that tell a stable SELECT from others drop the token of an insert
		// from any other unless told not to.
		"deduplicate_insert_select": "enable_even_for_bad_queries",
		// The index on bodies costs as much as the rest of an insert. The first merge
		// makes it; what is not merged yet is little, and is searched without.
		"exclude_materialize_skip_indexes_on_insert": tables.BodyIndex + ", " + tables.TraceIndex,
	}
	// Older servers do not know them.
	rows, err := conn.Query(ctx, "SELECT name FROM system.settings WHERE name IN (?)", slices.Sorted(maps.Keys(optional)))
	if err != nil {
		return nil, fmt.Errorf("asking ClickHouse for its settings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("asking ClickHouse for its settings: %w", err)
		}
		settings[name] = optional[name]
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("asking ClickHouse for its settings: %w", err)
	}
	return settings, nil
}
