package patterns

import (
	"context"
	"fmt"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// load returns what the books know of a tenant.
func (j *Job) load(ctx context.Context, of string) (*tenant, error) {
	t := &tenant{name: of, services: map[string]*service{}}
	err := clickhouse.Each(ctx, j.conn, "reading the books of log patterns", func(row clickhouse.Row) error {
		var n name
		var m member
		var text string
		var first, last, changed uint32
		var class, gone int8
		err := row.Scan(&n.service, &n.id, &m.revision, &m.merged, &text, &m.text, &class, &gone, &first, &last, &changed, &m.looks, &m.announced)
		if err != nil {
			return err
		}
		m.first, m.last, m.changed, m.gone = minute(first/60), minute(last/60), minute(changed/60), gone != 0
		m.class, m.written = uint8(class), m.last //nolint:gosec // not negative
		s := t.services[n.service]
		if s == nil {
			s = newService()
			s.born = m.first
			t.services[n.service] = s
		}
		s.members[n.id] = &m
		s.born, s.newest = min(s.born, m.first), max(s.newest, m.last)
		if m.merged == n.id {
			s.texts[n.id] = text
		}
		t.total++
		return nil
	}, `SELECT toString(service), pattern_id, max(revision),
	(argMax((merged_id, merged, pattern, severity_class, state, first_seen, last_seen, changed, looks, announced), revision) AS newest).1,
	newest.2, newest.3, toInt8(newest.4), toInt8(newest.5), toUnixTimestamp(newest.6), toUnixTimestamp(newest.7), toUnixTimestamp(newest.8),
	newest.9, newest.10
FROM `+j.dialect.Table(tables.LogPatterns)+` WHERE tenant = {tenant:String} GROUP BY service, pattern_id SETTINGS log_queries = 0`,
		clickhouse.Named("tenant", of))
	for of, s := range t.services {
		t.whole(of, s)
	}
	return t, err
}

// whole makes what is known of a service whole where rows are missing: one of the
// books may have expired before others.
func (t *tenant) whole(of string, s *service) {
	for id, m := range s.members {
		if leader := s.members[m.merged]; leader == nil || leader.merged != m.merged {
			delete(s.members, id)
			t.total--
		}
	}
	if len(s.members) == 0 {
		delete(t.services, of)
	}
}

// write writes what is known of members into the books.
func (j *Job) write(ctx context.Context, t *tenant, members []name) error {
	if len(members) == 0 {
		return nil
	}
	batch, err := j.conn.PrepareBatch(ctx, "INSERT INTO "+j.dialect.Table(tables.LogPatterns)+
		" (tenant, service, pattern_id, merged_id, merged, pattern, severity_class, state, first_seen, last_seen, changed, looks, announced, revision, retention_days)")
	if err != nil {
		return fmt.Errorf("writing the books of log patterns: %w", err)
	}
	defer func() { _ = batch.Close() }()
	retention := uint16(max(j.kept(t.name), int(j.cfg.ForgetAfter.Hours()/24)+1)) //nolint:gosec // a number of days
	for _, n := range members {
		s, m := t.services[n.service], t.member(n)
		m.revision++
		err := batch.Append(t.name, n.service, n.id, m.merged, s.texts[m.merged], m.text, int8(m.class), m.state(), //nolint:gosec // up to 6
			m.first.time(), m.last.time(), m.changed.time(), m.looks, m.announced, m.revision, retention)
		if err != nil {
			return fmt.Errorf("writing the books of log patterns: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("writing the books of log patterns: %w", err)
	}
	for _, n := range members {
		m := t.member(n)
		m.written = m.last
	}
	return nil
}
