package traces

import (
	"context"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Edge is what calls of one party by another add up to in a range.
type Edge struct {
	// Caller is a service, empty for a request from outside; Callee is what Kind says.
	Caller, Callee string
	Kind           telemetry.EdgeKind
	Calls, Errors  uint64
	// Client is how long the caller waited, Server how long the callee worked, and
	// Network the difference where both are known.
	Client, Server, Network Latency
	Examples
}

// maxEdges bounds an answer.
const maxEdges = 10_000

// Edges returns who called whom in a range, sorted. Where there are too many,
// those with the most calls are returned, and Note says so.
func (r *Reader) Edges(ctx context.Context, in Minutes) ([]Edge, error) {
	var (
		out                     clickhouse.Output
		callers, callees        = new(proto.ColStr), new(proto.ColStr)
		kinds                   proto.ColUInt8
		calls, failures         proto.ColUInt64
		client, server, network latencyColumns
		examples                exampleColumns
	)
	out.Add("CAST(caller, 'String')", callers)
	out.Add("CAST(callee, 'String')", callees)
	out.Add("toUInt8(kind)", &kinds)
	out.Add("sum(calls)", &calls)
	out.Add("sum(errors)", &failures)
	client.add(&out, "client")
	server.add(&out, "server")
	network.add(&out, "network")
	examples.add(&out)
	c := in.of(&Condition{}, r.tenant)
	text := "SELECT " + out.Columns() + "\nFROM " + r.store.dialect.Table(tables.Edges) + "\nWHERE " + c.Where() +
		"\nGROUP BY caller, callee, kind\nORDER BY c3 DESC, c0, c1, c2\nLIMIT " + strconv.Itoa(maxEdges+1)
	all := []Edge{}
	err := r.read(ctx, text, c.Parameters, &out, func() error {
		for i := range calls {
			all = append(all, Edge{
				Caller: strings.Clone(callers.Row(i)), Callee: strings.Clone(callees.Row(i)), Kind: telemetry.EdgeKind(kinds[i]),
				Calls: calls[i], Errors: failures[i], Client: client.row(i), Server: server.row(i), Network: network.row(i), Examples: examples.row(i),
			})
		}
		return nil
	})
	if len(all) > maxEdges {
		all = all[:maxEdges]
		r.Remark("only the %d edges with the most calls are shown", maxEdges)
	}
	return all, err
}
