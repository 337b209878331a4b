package watch

import (
	"context"
	"fmt"
	"strings"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
)

// Activity is what a tenant's tables have of late.
type Activity struct {
	Newest Minute
	rows   uint64
}

// active returns the tenants that have data in the time that matters, by the
// newest data of all. Times after now are of clocks that are wrong, and wait.
func (j *Job[T]) active(ctx context.Context) (map[string]Activity, error) {
	doing := "looking for " + j.watched.News
	now := clickhouse.Named("now", fmt.Sprint(j.Now().Unix()))
	union := func(columns, where string) string {
		var all []string
		for _, table := range j.watched.Tables {
			all = append(all, "SELECT "+columns+" FROM "+j.Dialect.Table(table)+" WHERE "+where)
		}
		return "(" + strings.Join(all, " UNION ALL ") + ")"
	}
	var newest uint32
	err := j.Conn.QueryRow(ctx, "SELECT toUnixTimestamp(max(newest)) FROM "+
		union("max(time) AS newest", "time <= toDateTime({now:Int64})")+" SETTINGS log_queries = 0", now).Scan(&newest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	from := int64(newest) - 60*int64(j.watched.Recent)
	active := map[string]Activity{}
	err = clickhouse.Each(ctx, j.Conn, doing, func(row clickhouse.Row) error {
		var name string
		var last uint32
		var a Activity
		if err := row.Scan(&name, &last, &a.rows); err != nil {
			return err
		}
		a.Newest = Minute(last / 60)
		active[name] = a
		return nil
	}, "SELECT toString(tenant) AS owner, toUnixTimestamp(max(time)), count() FROM "+
		union("tenant, time", "time > toDateTime({from:Int64}) AND time <= toDateTime({now:Int64})")+" GROUP BY owner SETTINGS log_queries = 0",
		now, clickhouse.Named("from", fmt.Sprint(max(from, 0))))
	return active, err
}

// Seen selects the columns of a table, for a tenant and the minutes (from, to],
// grouped by some of them, and calls take for every row. What is far beyond the
// limit is left out. Errors begin with what was being done.
func (j *Job[T]) Seen(ctx context.Context, doing, table, columns, by, tenant string, from, to Minute, take func(clickhouse.Row) error) error {
	return clickhouse.Each(ctx, j.Conn, doing, take, `SELECT `+columns+`
FROM `+j.Dialect.Table(table)+` WHERE tenant = {tenant:String} AND time > toDateTime({from:Int64}) AND time <= toDateTime({to:Int64})
GROUP BY `+by+` SETTINGS log_queries = 0, group_by_overflow_mode = 'any', max_rows_to_group_by = `+fmt.Sprint(2*j.watched.Most+1000),
		clickhouse.Named("tenant", tenant), clickhouse.Named("from", fmt.Sprint(int64(from)*60)), clickhouse.Named("to", fmt.Sprint(int64(to)*60)))
}
