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

// Dependency says how often one service called another, and how many of the calls
// failed.
type Dependency struct {
	Parent, Child string
	Calls, Errors uint64
}

// maxDependencies bounds an answer.
const maxDependencies = 10_000

// Dependencies returns which service called which, sorted. They were counted
// while spans came, in whole minutes; only where a range has nothing of that, the
// spans themselves are counted, and Note says so.
func (r *Reader) Dependencies(ctx context.Context, in Range) ([]Dependency, error) {
	all, some, err := r.counted(ctx, in.Minutes())
	if err != nil || some {
		return all, err
	}
	return r.joined(ctx, in)
}

// counted returns dependencies from the table of edges; some says that it has
// something of the range. A queue is no service.
func (r *Reader) counted(ctx context.Context, in Minutes) (all []Dependency, some bool, err error) {
	var (
		out             clickhouse.Output
		callers         = new(proto.ColStr)
		callees         = new(proto.ColStr)
		calls, failures proto.ColUInt64
		between         proto.ColUInt8
	)
	bounded := in.of(&Condition{}, r.tenant)
	where := bounded.Where()
	out.Add("CAST(caller, 'String')", callers)
	out.Add("CAST(callee, 'String')", callees)
	out.Add("sum(calls)", &calls)
	out.Add("sum(errors)", &failures)
	services := " GLOBAL IN (SELECT service FROM " + r.store.dialect.Table(tables.Operations) + " WHERE " + where + ")"
	out.Add("toUInt8(caller != '' AND callee != '' AND caller != callee AND "+
		"(kind = 'service' OR kind = 'messaging' AND caller"+services+" AND callee"+services+"))", &between)
	text := "SELECT " + out.Columns() + "\nFROM " + r.store.dialect.Table(tables.Edges) + "\nWHERE " + where +
		"\nGROUP BY c0, c1, c4\nORDER BY c4 DESC, c0, c1\nLIMIT " + strconv.Itoa(maxDependencies)
	all = []Dependency{}
	err = r.read(ctx, text, bounded.Parameters, &out, func() error {
		for i := range calls {
			some = true
			if between[i] != 0 {
				all = append(all, Dependency{strings.Clone(callers.Row(i)), strings.Clone(callees.Row(i)), calls[i], failures[i]})
			}
		}
		return nil
	})
	return all, some, err
}

// joined counts calls between services from spans and their parents.
//
// Where the range has more spans than they may be computed from, the traces of
// every nth id are taken for all, and counts are multiplied; Note says so.
func (r *Reader) joined(ctx context.Context, in Range) ([]Dependency, error) {
	spans, err := r.count(ctx, in)
	if err != nil || spans == 0 {
		return []Dependency{}, err
	}
	r.Remark("calls are counted from spans: the table edges_1m has none of the time yet")
	limit := uint64(r.store.cfg.DependencySpans)
	share := max(1, (spans+limit-1)/limit)
	sample := ""
	if share > 1 {
		// Ids need not be random in all their bytes.
		sample = fmt.Sprintf(" AND cityHash64(trace_id) %% %d = 0", share)
		r.Remark("counts are estimates from one of %d traces: the time has %d spans, more than query.traces.dependency_spans (%d)", share, spans, limit)
	}
	var (
		out             clickhouse.Output
		parents         = new(proto.ColStr)
		children        = new(proto.ColStr)
		calls, failures proto.ColUInt64
	)
	out.Add("CAST(p.service, 'String')", parents)
	out.Add("CAST(c.service, 'String')", children)
	out.Add("count()", &calls)
	out.Add("countIf(c.status = 'error')", &failures)
	bounded := (&Condition{}).of(r.tenant, in)
	from := r.store.dialect.Table(tables.Spans) + " WHERE " + bounded.Where() + sample
	text := "SELECT " + out.Columns() + "\nFROM (SELECT trace_id, parent_span_id, service, status FROM " + from + " AND NOT (" + IsRoot + ")) AS c" +
		"\nANY INNER JOIN (SELECT trace_id, span_id, service FROM " + from + ") AS p ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id" +
		"\nWHERE p.service != c.service\nGROUP BY p.service, c.service\nORDER BY c0, c1\nLIMIT " + strconv.Itoa(maxDependencies)
	all := []Dependency{}
	err = r.read(ctx, text, bounded.Parameters, &out, func() error {
		for i := range calls {
			all = append(all, Dependency{
				strings.Clone(parents.Row(i)), strings.Clone(children.Row(i)), calls[i] * share, failures[i] * share,
			})
		}
		return nil
	})
	return all, err
}

// count returns how many spans there are in a range.
func (r *Reader) count(ctx context.Context, in Range) (uint64, error) {
	var out clickhouse.Output
	var rows proto.ColUInt64
	out.Add("count()", &rows)
	c := (&Condition{}).of(r.tenant, in)
	total := uint64(0)
	err := r.read(ctx, "SELECT "+out.Columns()+" FROM "+r.store.dialect.Table(tables.Spans)+" WHERE "+c.Where(), c.Parameters, &out, func() error {
		for _, n := range rows {
			total += n
		}
		return nil
	})
	return total, err
}
