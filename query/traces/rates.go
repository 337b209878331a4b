package traces

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Rate is what spans of a service add up to in a range, or in a step of it.
type Rate struct {
	Service, Version, Operation string
	Kind                        Kind
	// Time is the start of the step in Unix seconds, 0 without steps.
	Time          int64
	Calls, Errors uint64
	// Satisfied and Tolerating are those of Apdex, by the threshold that counted them.
	Satisfied, Tolerating uint64
	Duration              Latency
	Examples
}

// RateQuery says which rates are asked for.
type RateQuery struct {
	In Minutes
	// Service is empty for all of them.
	Service string
	// Whole adds up the operations of a service and version: Operation is empty,
	// and Kind is [KindServer] for what the service was asked (server and consumer
	// spans) and [KindUnspecified] for the rest.
	Whole bool
	// Step is how long a step is in seconds, 0 for the whole range.
	Step int64
	// Limit bounds the answer.
	Limit int
}

// Rates returns rates sorted by calls, those with the most first, or by time where
// there are steps. More says that there are more than the limit.
func (r *Reader) Rates(ctx context.Context, q RateQuery) (all []Rate, more bool, err error) {
	var (
		out                             clickhouse.Output
		services, versions, operations  = new(proto.ColStr), new(proto.ColStr), new(proto.ColStr)
		kinds                           proto.ColUInt8
		times                           proto.ColInt64
		calls, failures, well, patience proto.ColUInt64
		duration                        latencyColumns
		examples                        exampleColumns
	)
	operation, kind, step := "CAST(operation, 'String')", "toUInt8(kind)", "toInt64(0)"
	if q.Whole {
		operation, kind = "''", "toUInt8(if(kind IN ('server', 'consumer'), 2, 0))"
	}
	order := "c5 DESC"
	if q.Step > 0 {
		step = fmt.Sprintf("%d + intDiv(toInt64(toUnixTimestamp(time)) - %d, %d) * %d", q.In.From, q.In.From, q.Step, q.Step)
		order = "c4"
	}
	out.Add("CAST(service, 'String')", services)
	out.Add("CAST(version, 'String')", versions)
	out.Add(operation, operations)
	out.Add(kind, &kinds)
	out.Add("toInt64("+step+")", &times)
	out.Add("sum(calls)", &calls)
	out.Add("sum(errors)", &failures)
	out.Add("sum(satisfied)", &well)
	out.Add("sum(tolerating)", &patience)
	duration.add(&out, "duration")
	examples.add(&out)
	var c Condition
	if q.Service != "" {
		c.Add("service = " + c.Text(q.Service))
	}
	c = q.In.of(&c, r.tenant)
	text := "SELECT " + out.Columns() + "\nFROM " + r.store.dialect.Table(tables.Operations) + "\nWHERE " + c.Where() +
		"\nGROUP BY c0, c1, c2, c3, c4\nORDER BY " + order + ", c0, c1, c2, c3\nLIMIT " + strconv.Itoa(q.Limit+1)
	err = r.read(ctx, text, c.Parameters, &out, func() error {
		for i := range calls {
			all = append(all, Rate{
				Service: strings.Clone(services.Row(i)), Version: strings.Clone(versions.Row(i)), Operation: strings.Clone(operations.Row(i)),
				Kind: Kind(kinds[i]), Time: times[i], Calls: calls[i], Errors: failures[i], Satisfied: well[i], Tolerating: patience[i],
				Duration: duration.row(i), Examples: examples.row(i),
			})
		}
		return nil
	})
	more = len(all) > q.Limit
	return all[:min(len(all), q.Limit)], more, err
}
