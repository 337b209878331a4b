package traces

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// OffsetSlot is how long calls are put together that bound an offset.
const OffsetSlot = 10 * time.Second

// Offset bounds by how much the clock of the callee's host is ahead of the
// caller's, from the calls of a slot.
type Offset struct {
	Caller, Callee string
	// Time is the start of the slot in Unix seconds, by the caller's clock.
	Time  int64
	Calls uint64
	// Lower and Upper are in nanoseconds, [telemetry.NoLower] and
	// [telemetry.NoUpper] where nothing is known.
	Lower, Upper int64
}

// maxOffsets bounds what is read.
const maxOffsets = 300_000

// Offsets returns the bounds of a range, sorted by hosts and time. Hosts, where
// there are any, are those of which both the caller and the callee must be one;
// host, where it is not empty, must be one of the two.
func (r *Reader) Offsets(ctx context.Context, in Range, host string, hosts []string) ([]Offset, error) {
	var (
		out              clickhouse.Output
		callers, callees = new(proto.ColStr), new(proto.ColStr)
		times            proto.ColInt64
		calls            proto.ColUInt64
		lower, upper     proto.ColInt64
	)
	out.Add("CAST(caller_host, 'String')", callers)
	out.Add("CAST(callee_host, 'String')", callees)
	out.Add("toInt64(toUnixTimestamp(time))", &times)
	out.Add("sum(calls)", &calls)
	out.Add("max(lower_ns)", &lower)
	out.Add("min(upper_ns)", &upper)
	var c Condition
	c.Add("caller_host != callee_host")
	if host != "" {
		name := c.Text(host)
		c.Add("(caller_host = " + name + " OR callee_host = " + name + ")")
	}
	if len(hosts) > 0 {
		texts := make([]string, len(hosts))
		for i, one := range hosts {
			texts[i] = c.Text(one)
		}
		list := "(" + strings.Join(texts, ", ") + ")"
		c.Add("caller_host IN " + list + " AND callee_host IN " + list)
	}
	in = in.Within()
	slot := int64(OffsetSlot)
	c = Minutes{in.From / slot * 10, in.To/slot*10 + 10}.of(&c, r.tenant)
	text := "SELECT " + out.Columns() + "\nFROM " + r.store.dialect.Table(tables.ClockOffsets) + "\nWHERE " + c.Where() +
		"\nGROUP BY caller_host, callee_host, time\nORDER BY c0, c1, c2\nLIMIT " + strconv.Itoa(maxOffsets+1)
	var all []Offset
	names := names{map[string]string{}}
	err := r.read(ctx, text, c.Parameters, &out, func() error {
		for i := range calls {
			all = append(all, Offset{names.of(callers.Row(i)), names.of(callees.Row(i)), times[i], calls[i], lower[i], upper[i]})
		}
		return nil
	})
	if err == nil && len(all) > maxOffsets {
		err = store.Exceeded("there are more than %d bounds of offsets: ask for less time, or for a host", maxOffsets)
	}
	return all, err
}
