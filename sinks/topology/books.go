package topology

import (
	"context"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// load returns what the books know of a tenant.
func (j *Job) load(ctx context.Context, name string) (*tenant, error) {
	t := &tenant{name: name, things: map[thing]*known{}}
	err := clickhouse.Each(ctx, j.Conn, "reading the books of the topology", func(row clickhouse.Row) error {
		var th thing
		var k known
		var of, called int8
		var first, last, changed uint32
		var gone uint8
		var trace string
		err := row.Scan(&of, &th.service, &th.version, &th.callee, &called, &gone, &first, &last, &changed, &k.Announced, &trace)
		if err != nil {
			return err
		}
		th.kind, th.edge = kind(of), telemetry.EdgeKind(called) //nolint:gosec // not negative
		k.First, k.Last, k.Changed, k.Gone = watch.Minute(first/60), watch.Minute(last/60), watch.Minute(changed/60), gone != 0
		k.Written = k.Last
		copy(k.trace[:], trace)
		t.things[th] = &k
		return nil
	}, `SELECT toInt8(thing), toString(service), toString(version), toString(callee), toInt8(kind),
	(argMax((state, first_seen, last_seen, changed, announced, trace_id), revision) AS newest).1 = 'vanished',
	toUnixTimestamp(newest.2), toUnixTimestamp(newest.3), toUnixTimestamp(newest.4), newest.5, toString(newest.6)
FROM `+j.Dialect.Table(tables.Topology)+` WHERE tenant = {tenant:String} GROUP BY thing, service, version, callee, kind SETTINGS log_queries = 0`,
		clickhouse.Named("tenant", name))
	return t, err
}

// write writes what is known of things into the books.
func (j *Job) write(ctx context.Context, t *tenant, things []thing) error {
	rows, retention := make([][]any, len(things)), j.Retention(t.name)
	for i, th := range things {
		k := t.things[th]
		rows[i] = []any{
			t.name, th.kind.String(), th.service, th.version, th.callee, th.edge.String(), k.State(),
			k.First.Time(), k.Last.Time(), k.Changed.Time(), k.Announced, string(k.trace[:]), k.revision(), retention,
		}
	}
	err := j.Write(ctx, tables.Topology, "tenant, thing, service, version, callee, kind, state, first_seen, last_seen, changed, announced, trace_id, revision, retention_days", rows)
	if err != nil {
		return err
	}
	for _, th := range things {
		k := t.things[th]
		k.Written = k.Last
	}
	return nil
}
