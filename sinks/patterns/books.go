package patterns

import (
	"context"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// load returns what the books know of a tenant.
func (j *Job) load(ctx context.Context, of string) (*tenant, error) {
	t := &tenant{name: of, services: map[string]*service{}}
	err := clickhouse.Each(ctx, j.Conn, "reading the books of log patterns", func(row clickhouse.Row) error {
		var n name
		var m member
		var text string
		var first, last, changed uint32
		var class, gone int8
		err := row.Scan(&n.service, &n.id, &m.revision, &m.merged, &text, &m.text, &class, &gone, &first, &last, &changed, &m.looks, &m.Announced)
		if err != nil {
			return err
		}
		m.First, m.Last, m.Changed, m.Gone = watch.Minute(first/60), watch.Minute(last/60), watch.Minute(changed/60), gone != 0
		m.class, m.Written = uint8(class), m.Last //nolint:gosec // not negative
		s := t.services[n.service]
		if s == nil {
			s = newService()
			s.born = m.First
			t.services[n.service] = s
		}
		s.members[n.id] = &m
		s.born, s.newest = min(s.born, m.First), max(s.newest, m.Last)
		if m.merged == n.id {
			s.texts[n.id] = text
		}
		t.total++
		return nil
	}, `SELECT toString(service), pattern_id, max(revision),
	(argMax((merged_id, merged, pattern, severity_class, state, first_seen, last_seen, changed, looks, announced), revision) AS newest).1,
	newest.2, newest.3, toInt8(newest.4), toInt8(newest.5), toUnixTimestamp(newest.6), toUnixTimestamp(newest.7), toUnixTimestamp(newest.8),
	newest.9, newest.10
FROM `+j.Dialect.Table(tables.LogPatterns)+` WHERE tenant = {tenant:String} GROUP BY service, pattern_id SETTINGS log_queries = 0`,
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
	rows, retention := make([][]any, len(members)), j.Retention(t.name)
	for i, n := range members {
		s, m := t.services[n.service], t.member(n)
		m.revision++
		rows[i] = []any{
			t.name, n.service, n.id, m.merged, s.texts[m.merged], m.text, int8(m.class), m.State(), //nolint:gosec // up to 6
			m.First.Time(), m.Last.Time(), m.Changed.Time(), m.looks, m.Announced, m.revision, retention,
		}
	}
	err := j.Write(ctx, tables.LogPatterns, "tenant, service, pattern_id, merged_id, merged, pattern, severity_class, state, first_seen, last_seen, changed, looks, announced, revision, retention_days", rows)
	if err != nil {
		return err
	}
	for _, n := range members {
		m := t.member(n)
		m.Written = m.Last
	}
	return nil
}
