package topology

import (
	"context"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// sights returns what of a tenant was seen in the minutes (from, to]. What is far
// beyond the limit is left out.
func (j *Job) sights(ctx context.Context, tenant string, from, to watch.Minute) (map[thing]sight, error) {
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
func (j *Job) seen(ctx context.Context, table, names, tenant string, from, to watch.Minute, add func(a, b string, n int8, s sight)) error {
	return j.Seen(ctx, "reading "+table, table, names+`, toUnixTimestamp(min(time)), toUnixTimestamp(max(time)),
	toString(argMaxIf(slow_trace_id, time, slow_trace_id != toFixedString('', 16)))`, "1, 2, 3", tenant, from, to, func(row clickhouse.Row) error {
		var a, b, trace string
		var n int8
		var first, last uint32
		if err := row.Scan(&a, &b, &n, &first, &last, &trace); err != nil {
			return err
		}
		s := sight{first: watch.Minute(first / 60), last: watch.Minute(last / 60)}
		copy(s.trace[:], trace)
		add(a, b, n, s)
		return nil
	})
}
