package patterns

import (
	"context"
	"fmt"
	"strings"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// maxText is how many bytes of a pattern count; longer ones are merged by their
// beginning.
const maxText = 1024

// sights returns what of a tenant was seen in the minutes (from, to]. What is far
// beyond the limit is left out.
func (j *Job) sights(ctx context.Context, tenant string, from, to watch.Minute) (map[name]sight, error) {
	found := map[name]sight{}
	columns := "toString(service), pattern_id, substring(any(pattern), 1, " + fmt.Sprint(maxText) +
		"), toUnixTimestamp(min(time)), toUnixTimestamp(max(time)), max(toInt8(severity_class))"
	err := j.Seen(ctx, "reading patterns of logs", tables.LogPatterns1m, columns, "1, 2", tenant, from, to, func(row clickhouse.Row) error {
		var n name
		var s sight
		var first, last uint32
		var class int8
		if err := row.Scan(&n.service, &n.id, &s.text, &first, &last, &class); err != nil {
			return err
		}
		s.text = strings.ToValidUTF8(s.text, "")
		s.first, s.last, s.class = watch.Minute(first/60), watch.Minute(last/60), uint8(class) //nolint:gosec // not negative
		found[n] = s
		return nil
	})
	return found, err
}
