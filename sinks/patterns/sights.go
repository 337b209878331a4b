package patterns

import (
	"context"
	"fmt"
	"strings"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// active returns the tenants that have lines in the time that matters, by the
// newest lines of all. Times after now are of clocks that are wrong, and wait.
func (j *Job) active(ctx context.Context) (map[string]activity, error) {
	now := clickhouse.Named("now", fmt.Sprint(j.now().Unix()))
	table := j.dialect.Table(tables.LogPatterns1m)
	var newest uint32
	err := j.conn.QueryRow(ctx, "SELECT toUnixTimestamp(max(time)) FROM "+table+" WHERE time <= toDateTime({now:Int64}) SETTINGS log_queries = 0", now).Scan(&newest)
	if err != nil {
		return nil, fmt.Errorf("looking for new log lines: %w", err)
	}
	from := int64(newest) - 60*int64(min(j.cfg.recent(), 2*j.cfg.lateness()+60))
	active := map[string]activity{}
	err = clickhouse.Each(ctx, j.conn, "looking for new log lines", func(row clickhouse.Row) error {
		var name string
		var last uint32
		var a activity
		if err := row.Scan(&name, &last, &a.rows); err != nil {
			return err
		}
		a.newest = minute(last / 60)
		active[name] = a
		return nil
	}, "SELECT toString(tenant) AS owner, toUnixTimestamp(max(time)), count() FROM "+table+
		" WHERE time > toDateTime({from:Int64}) AND time <= toDateTime({now:Int64}) GROUP BY owner SETTINGS log_queries = 0",
		now, clickhouse.Named("from", fmt.Sprint(max(from, 0))))
	return active, err
}

// maxText is how many bytes of a pattern count; longer ones are merged by their
// beginning.
const maxText = 1024

// sights returns what of a tenant was seen in the minutes (from, to]. What is far
// beyond the limit is left out.
func (j *Job) sights(ctx context.Context, tenant string, from, to minute) (map[name]sight, error) {
	found := map[name]sight{}
	err := clickhouse.Each(ctx, j.conn, "reading patterns of logs", func(row clickhouse.Row) error {
		var n name
		var s sight
		var first, last uint32
		var class int8
		if err := row.Scan(&n.service, &n.id, &s.text, &first, &last, &class); err != nil {
			return err
		}
		s.text = strings.ToValidUTF8(s.text, "")
		s.first, s.last, s.class = minute(first/60), minute(last/60), uint8(class) //nolint:gosec // not negative
		found[n] = s
		return nil
	}, `SELECT toString(service), pattern_id, substring(any(pattern), 1, `+fmt.Sprint(maxText)+`), toUnixTimestamp(min(time)), toUnixTimestamp(max(time)), max(toInt8(severity_class))
FROM `+j.dialect.Table(tables.LogPatterns1m)+` WHERE tenant = {tenant:String} AND time > toDateTime({from:Int64}) AND time <= toDateTime({to:Int64})
GROUP BY 1, 2 SETTINGS log_queries = 0, group_by_overflow_mode = 'any', max_rows_to_group_by = `+fmt.Sprint(2*j.cfg.MaxTotal+1000),
		clickhouse.Named("tenant", tenant), clickhouse.Named("from", fmt.Sprint(int64(from)*60)), clickhouse.Named("to", fmt.Sprint(int64(to)*60)))
	return found, err
}
