package errors

import (
	"context"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	connection "github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// groupAnswer is the answer of /api/v1/errors/GROUP.
type groupAnswer struct {
	Start        time.Time `json:"start"`
	End          time.Time `json:"end"`
	Step         int64     `json:"step_seconds"`
	Error        *group    `json:"error"`
	Releases     []part    `json:"releases"`
	Environments []part    `json:"environments"`
	Users        []part    `json:"users"`
	Transactions []part    `json:"transactions"`
	Events       []event   `json:"events"`
}

// part are the errors with the same value of something.
type part struct {
	Name  string    `json:"name"`
	Count uint64    `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// event is one error.
type event struct {
	Time        time.Time `json:"time"`
	Message     string    `json:"message"`
	Stack       string    `json:"stack"`
	Severity    string    `json:"severity"`
	Handled     bool      `json:"handled"`
	Release     string    `json:"release"`
	Environment string    `json:"environment"`
	User        string    `json:"user"`
	Transaction string    `json:"transaction"`
	EventID     string    `json:"event_id"`
	TraceID     string    `json:"trace_id"`
	SpanID      string    `json:"span_id"`
}

// maxParts bounds every list of parts.
const maxParts = 50

// group answers what is known of one group.
func (q *query) group(ctx context.Context, text string) (any, error) {
	q.Known("start", "end", "environment", "release", "limit")
	in, limit := q.in(), q.limit(10)
	id, err := strconv.ParseUint(text, 16, 64)
	if err != nil || len(text) != 16 {
		q.Refuse("the group: want 16 hexadecimal digits")
	}
	if q.Err != nil {
		return nil, q.Err
	}
	f := store.Bounded(q.tenant, in.From, in.To, true)
	f.Add("error_group = ?", id)
	q.equal(f, "environment", "release")
	found, _, err := q.list(ctx, in, f, orders["count"], 1)
	if err != nil {
		return nil, err
	}
	a := &groupAnswer{
		Start: at(in.From), End: at(in.To), Step: stepOf(in), Releases: []part{}, Environments: []part{}, Users: []part{}, Transactions: []part{}, Events: []event{},
	}
	if len(found) == 0 {
		a.Error, err = q.past(ctx, in, id)
		return a, err
	}
	a.Error = found[0]
	f.Add("service = ?", a.Error.Service) // it leads the key
	for _, list := range []struct {
		column string
		into   *[]part
	}{{"release", &a.Releases}, {"environment", &a.Environments}, {"user", &a.Users}, {"transaction", &a.Transactions}} {
		if *list.into, err = q.parts(ctx, f, list.column); err != nil {
			return nil, err
		}
	}
	a.Events, err = q.events(ctx, f, limit)
	return a, err
}

// past returns a group of which nothing came in the time that was asked for.
func (q *query) past(ctx context.Context, in traces.Range, id uint64) (*group, error) {
	var g *group
	err := q.api.store.Each(ctx, func(row connection.Row) error {
		g = &group{Group: idText(id), Trend: []uint64{}}
		var first, last int64
		return row.Scan(&g.Service, &g.Fingerprint, &g.Type, &g.Message, &g.Culprit, &g.Severity, &first, &last)
	}, `SELECT toString(any(service)), toString(argMax(fingerprint, time)), toString(argMax(type, time)), argMax(message, time), toString(argMax(culprit, time)),
	toString(max(severity_class)), toUnixTimestamp64Nano(min(time)), toUnixTimestamp64Nano(max(time))
FROM `+q.api.dialect.Table(tables.Errors)+`
WHERE tenant = ? AND error_group = ?
GROUP BY error_group`, []any{q.tenant, id})
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, &store.Fault{Status: http.StatusNotFound, Message: "there is no such group of errors"}
	}
	g.First, g.Last = at(in.From), at(in.From)
	return g, q.ever(ctx, in, map[uint64]*group{id: g})
}

// parts returns the values of a column, those with the most errors first.
func (q *query) parts(ctx context.Context, f *store.Filter, column string) ([]part, error) {
	all := []part{}
	err := q.api.store.Each(ctx, func(row connection.Row) error {
		var p part
		var first, last int64
		if err := row.Scan(&p.Name, &p.Count, &first, &last); err != nil {
			return err
		}
		p.First, p.Last = at(first), at(last)
		all = append(all, p)
		return nil
	}, `SELECT toString(`+column+`) AS name, count() AS n, toUnixTimestamp64Nano(min(time)), toUnixTimestamp64Nano(max(time))
FROM `+q.api.dialect.Table(tables.Errors)+`
WHERE `+f.Where()+` AND `+column+` != ''
GROUP BY name ORDER BY n DESC, name LIMIT `+strconv.Itoa(maxParts), f.Args)
	return all, err
}

// events returns the latest errors.
func (q *query) events(ctx context.Context, f *store.Filter, limit int) ([]event, error) {
	all := []event{}
	err := q.api.store.Each(ctx, func(row connection.Row) error {
		var e event
		var time int64
		var trace, span string
		if err := row.Scan(&time, &e.Message, &e.Stack, &e.Severity, &e.Handled, &e.Release, &e.Environment, &e.User, &e.Transaction, &e.EventID, &trace, &span); err != nil {
			return err
		}
		e.Time, e.TraceID, e.SpanID = at(time), hexOf(trace), hexOf(span)
		all = append(all, e)
		return nil
	}, `SELECT toUnixTimestamp64Nano(time), message, stack, toString(severity_class), handled, toString(release), toString(environment), user, toString(transaction), event_id,
	toString(trace_id), toString(span_id)
FROM `+q.api.dialect.Table(tables.Errors)+`
WHERE `+f.Where()+`
ORDER BY errors.time DESC, event_id LIMIT `+strconv.Itoa(limit), f.Args)
	return all, err
}

// hexOf is an id as answers have it, empty where there is none.
func hexOf(id string) string {
	if strings.Trim(id, "\x00") == "" {
		return ""
	}
	return hex.EncodeToString([]byte(id))
}
