package topology

import (
	"context"
	"fmt"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// active returns the tenants that have data in the time that matters, by the
// newest data of all. Times after now are of clocks that are wrong, and wait.
func (j *Job) active(ctx context.Context) (map[string]activity, error) {
	now := clickhouse.Named("now", fmt.Sprint(j.now().Unix()))
	both := func(columns, where string) string {
		return "(SELECT " + columns + " FROM " + j.dialect.Table(tables.Operations) + " WHERE " + where +
			" UNION ALL SELECT " + columns + " FROM " + j.dialect.Table(tables.Edges) + " WHERE " + where + ")"
	}
	var newest uint32
	err := j.conn.QueryRow(ctx, "SELECT toUnixTimestamp(max(newest)) FROM "+
		both("max(time) AS newest", "time <= toDateTime({now:Int64})")+" SETTINGS log_queries = 0", now).Scan(&newest)
	if err != nil {
		return nil, fmt.Errorf("looking for what is new: %w", err)
	}
	from := int64(newest) - 60*int64(j.cfg.vanishAfter()+j.cfg.lateness())
	active := map[string]activity{}
	err = clickhouse.Each(ctx, j.conn, "looking for what is new", func(row clickhouse.Row) error {
		var name string
		var last uint32
		var a activity
		if err := row.Scan(&name, &last, &a.rows); err != nil {
			return err
		}
		a.newest = minute(last / 60)
		active[name] = a
		return nil
	}, "SELECT toString(tenant) AS owner, toUnixTimestamp(max(time)), count() FROM "+
		both("tenant, time", "time > toDateTime({from:Int64}) AND time <= toDateTime({now:Int64})")+" GROUP BY owner SETTINGS log_queries = 0",
		now, clickhouse.Named("from", fmt.Sprint(max(from, 0))))
	return active, err
}

// sights returns what of a tenant was seen in the minutes (from, to]. What is far
// beyond the limit is left out.
func (j *Job) sights(ctx context.Context, tenant string, from, to minute) (map[thing]sight, error) {
	found := map[thing]sight{}
	add := func(th thing, s sight) {
		if old, ok := found[th]; ok {
			s.first = min(s.first, old.first)
			if old.last > s.last {
				s.last, s.trace = old.last, old.trace
			}
		}
		found[th] = s
	}
	err := j.seen(ctx, tables.Operations, "toString(service), toString(version), toInt8(0)", tenant, from, to, func(name, of string, _ int8, s sight) {
		add(thing{kind: service, service: name}, s)
		if of != "" {
			add(thing{kind: version, service: name, version: of}, s)
		}
	})
	if err != nil {
		return nil, err
	}
	err = j.seen(ctx, tables.Edges, "toString(caller), toString(callee), toInt8(kind)", tenant, from, to, func(caller, callee string, of int8, s sight) {
		add(thing{kind: edge, service: caller, callee: callee, edge: telemetry.EdgeKind(of)}, s) //nolint:gosec // not negative
	})
	return found, err
}

// seen calls add for each of the names, two texts and a number, that a table has.
func (j *Job) seen(ctx context.Context, table, names, tenant string, from, to minute, add func(a, b string, n int8, s sight)) error {
	return clickhouse.Each(ctx, j.conn, "reading "+table, func(row clickhouse.Row) error {
		var a, b, trace string
		var n int8
		var first, last uint32
		if err := row.Scan(&a, &b, &n, &first, &last, &trace); err != nil {
			return err
		}
		s := sight{first: minute(first / 60), last: minute(last / 60)}
		copy(s.trace[:], trace)
		add(a, b, n, s)
		return nil
	}, `SELECT `+names+`, toUnixTimestamp(min(time)), toUnixTimestamp(max(time)),
	toString(argMaxIf(slow_trace_id, time, slow_trace_id != toFixedString('', 16)))
FROM `+j.dialect.Table(table)+` WHERE tenant = {tenant:String} AND time > toDateTime({from:Int64}) AND time <= toDateTime({to:Int64})
GROUP BY 1, 2, 3 SETTINGS log_queries = 0, group_by_overflow_mode = 'any', max_rows_to_group_by = `+fmt.Sprint(2*j.cfg.MaxThings+1000),
		clickhouse.Named("tenant", tenant), clickhouse.Named("from", fmt.Sprint(int64(from)*60)), clickhouse.Named("to", fmt.Sprint(int64(to)*60)))
}
