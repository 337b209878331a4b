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

// Dependency says how often spans of one service were the parents of spans of
// another, and how many of the latter failed.
type Dependency struct {
	Parent, Child string
	Calls, Errors uint64
}

// maxDependencies bounds an answer.
const maxDependencies = 10_000

// Dependencies counts calls between services from spans and their parents. A
// table that has counted them already will take its place.
//
// Where the range has more spans than they may be computed from, the traces of
// every nth id are taken for all, and counts are multiplied; Note says so.
func (r *Reader) Dependencies(ctx context.Context, in Range) ([]Dependency, error) {
	spans, err := r.count(ctx, in)
	if err != nil {
		return nil, err
	}
	limit := uint64(r.store.cfg.DependencySpans)
	share := max(1, (spans+limit-1)/limit)
	sample := ""
	if share > 1 {
		// Ids need not be random in all their bytes.
		sample = fmt.Sprintf(" AND cityHash64(trace_id) %% %d = 0", share)
		r.Note = fmt.Sprintf("counts are estimates from one of %d traces: the time has %d spans, more than query.traces.dependency_spans (%d)", share, spans, limit)
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
