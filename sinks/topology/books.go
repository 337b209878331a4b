package topology

import (
	"context"
	"fmt"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// load returns what the books know of a tenant.
func (j *Job) load(ctx context.Context, name string) (*tenant, error) {
	t := &tenant{name: name, things: map[thing]*known{}}
	err := clickhouse.Each(ctx, j.conn, "reading the books of the topology", func(row clickhouse.Row) error {
		var th thing
		var k known
		var of, called int8
		var first, last, changed uint32
		var gone uint8
		var trace string
		err := row.Scan(&of, &th.service, &th.version, &th.callee, &called, &gone, &first, &last, &changed, &k.announced, &trace)
		if err != nil {
			return err
		}
		th.kind, th.edge = kind(of), telemetry.EdgeKind(called) //nolint:gosec // not negative
		k.first, k.last, k.changed, k.gone = minute(first/60), minute(last/60), minute(changed/60), gone != 0
		k.written = k.last
		copy(k.trace[:], trace)
		t.things[th] = &k
		return nil
	}, `SELECT toInt8(thing), toString(service), toString(version), toString(callee), toInt8(kind),
	(argMax((state, first_seen, last_seen, changed, announced, trace_id), revision) AS newest).1 = 'vanished',
	toUnixTimestamp(newest.2), toUnixTimestamp(newest.3), toUnixTimestamp(newest.4), newest.5, toString(newest.6)
FROM `+j.dialect.Table(tables.Topology)+` WHERE tenant = {tenant:String} GROUP BY thing, service, version, callee, kind SETTINGS log_queries = 0`,
		clickhouse.Named("tenant", name))
	return t, err
}

// write writes what is known of things into the books.
func (j *Job) write(ctx context.Context, t *tenant, things []thing) error {
	batch, err := j.conn.PrepareBatch(ctx, "INSERT INTO "+j.dialect.Table(tables.Topology)+
		" (tenant, thing, service, version, callee, kind, state, first_seen, last_seen, changed, announced, trace_id, revision, retention_days)")
	if err != nil {
		return fmt.Errorf("writing the books of the topology: %w", err)
	}
	defer func() { _ = batch.Close() }()
	retention := uint16(max(j.kept(t.name), int(j.cfg.ForgetAfter.Hours()/24)+1)) //nolint:gosec // a number of days
	for _, th := range things {
		k := t.things[th]
		err := batch.Append(t.name, th.kind.String(), th.service, th.version, th.callee, th.edge.String(), k.state(),
			k.first.time(), k.last.time(), k.changed.time(), k.announced, string(k.trace[:]), k.revision(), retention)
		if err != nil {
			return fmt.Errorf("writing the books of the topology: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("writing the books of the topology: %w", err)
	}
	for _, th := range things {
		t.things[th].written = t.things[th].last
	}
	return nil
}
