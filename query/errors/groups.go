package errors

import (
	"context"
	"fmt"
	"strconv"
	"time"

	connection "github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// groupsAnswer is the answer of /api/v1/errors.
type groupsAnswer struct {
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Step   int64     `json:"step_seconds"`
	Total  uint64    `json:"total"`
	Errors []*group  `json:"errors"`
}

// group is what errors of a group have in common, in the time that was asked for.
type group struct {
	Group       string `json:"group"`
	Service     string `json:"service"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Type        string `json:"type"`
	Message     string `json:"message"`
	Culprit     string `json:"culprit"`
	Severity    string `json:"severity"`
	// Handled is how many of them the application caught.
	Handled uint64 `json:"handled"`
	Count   uint64 `json:"count"`
	Users   uint64 `json:"users"`
	// First and Last are in the time that was asked for.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// Ever is the same over all that is stored.
	Ever ever `json:"ever"`
	// New is set where the first there is came in the time that was asked for.
	New bool `json:"new"`
	// Trend are counts of steps from the start on.
	Trend []uint64 `json:"trend"`
}

// ever is what is known of a group over all that is stored.
type ever struct {
	Count        uint64    `json:"count"`
	First        time.Time `json:"first"`
	Last         time.Time `json:"last"`
	FirstRelease string    `json:"first_release"`
	LastRelease  string    `json:"last_release"`
}

// Steps of a trend.
const (
	steps    = 24
	leastFor = 60 // seconds of a step
)

// stepOf returns the seconds of a step: whole minutes, so that the trend has no more
// than so many.
func stepOf(in traces.Range) int64 {
	seconds := (in.To - in.From + 1e9 - 1) / 1e9
	step := (seconds + steps - 1) / steps
	return max(leastFor, (step+leastFor-1)/leastFor*leastFor)
}

// orders are what lists can be in the order of, the most or the latest first.
var orders = map[string]string{"count": "errors DESC", "users": "users DESC", "last": "latest DESC", "first": "earliest DESC"}

// groups answers what errors there were.
func (q *query) groups(ctx context.Context) (any, error) {
	q.Known("start", "end", "service", "environment", "release", "type", "q", "handled", "order", "limit")
	in, limit := q.in(), q.limit(50)
	order := orders[q.one("order", "count", "users", "last", "first")]
	f := store.Bounded(q.tenant, in.From, in.To, true)
	q.equal(f, "service", "environment", "release", "type")
	q.contains(f, "type", "message", "culprit")
	switch q.one("handled", "", "true", "false") {
	case "true":
		f.Add("handled")
	case "false":
		f.Add("NOT handled")
	}
	if q.Err != nil {
		return nil, q.Err
	}
	found, total, err := q.list(ctx, in, f, order, limit)
	if err != nil {
		return nil, err
	}
	return &groupsAnswer{at(in.From), at(in.To), stepOf(in), total, found}, nil
}

// list returns the groups of errors that a filter lets through, and how many there are.
func (q *query) list(ctx context.Context, in traces.Range, f *store.Filter, order string, limit int) (found []*group, total uint64, err error) {
	found = []*group{}
	ids := map[uint64]*group{}
	step := stepOf(in)
	args := append([]any{in.From, step * 1e9}, f.Args...)
	err = q.api.store.Each(ctx, func(row connection.Row) error {
		g := &group{Trend: make([]uint64, (in.To-in.From+step*1e9-1)/(step*1e9))}
		var id uint64
		var first, last int64
		var places []uint16
		var counts []uint64
		if err := row.Scan(&id, &g.Service, &g.Fingerprint, &g.Type, &g.Message, &g.Culprit, &g.Severity, &g.Handled, &g.Count, &g.Users, &first, &last, &places, &counts, &total); err != nil {
			return err
		}
		g.Group, g.First, g.Last = idText(id), at(first), at(last)
		for i, place := range places {
			if int(place) < len(g.Trend) && i < len(counts) {
				g.Trend[place] = counts[i]
			}
		}
		found, ids[id] = append(found, g), g
		return nil
	}, `SELECT error_group, toString(any(service)), toString(argMax(fingerprint, time)), toString(argMax(type, time)), argMax(message, time), toString(argMax(culprit, time)),
	toString(max(severity_class)), countIf(handled), count() AS errors, uniqExactIf(user, user != '') AS users,
	toUnixTimestamp64Nano(min(time)) AS earliest, toUnixTimestamp64Nano(max(time)) AS latest,
	tupleElement(sumMap([toUInt16(intDiv(toUnixTimestamp64Nano(time) - ?, ?))], [toUInt64(1)]) AS trend, 1), tupleElement(trend, 2), count() OVER ()
FROM `+q.api.dialect.Table(tables.Errors)+`
WHERE `+f.Where()+`
GROUP BY error_group
ORDER BY `+order+`, error_group LIMIT `+strconv.Itoa(limit), args)
	if err == nil && len(found) > 0 {
		err = q.ever(ctx, in, ids)
	}
	return found, total, err
}

// ever adds what is known of groups over all that is stored.
func (q *query) ever(ctx context.Context, in traces.Range, groups map[uint64]*group) error {
	var ids []uint64
	services := map[string]bool{}
	var names []string
	for id, g := range groups {
		ids = append(ids, id)
		if !services[g.Service] {
			services[g.Service] = true
			names = append(names, g.Service)
		}
	}
	return q.api.store.Each(ctx, func(row connection.Row) error {
		var id uint64
		var first, last int64
		var e ever
		if err := row.Scan(&id, &e.Count, &first, &last, &e.FirstRelease, &e.LastRelease); err != nil {
			return err
		}
		e.First, e.Last = at(first), at(last)
		groups[id].Ever, groups[id].New = e, first >= in.From
		return nil
	}, `SELECT error_group, count(), toUnixTimestamp64Nano(min(time)), toUnixTimestamp64Nano(max(time)), toString(argMinIf(release, time, release != '')), toString(argMaxIf(release, time, release != ''))
FROM `+q.api.dialect.Table(tables.Errors)+`
WHERE tenant = ? AND service IN (?) AND error_group IN (?)
GROUP BY error_group`, []any{q.tenant, names, ids})
}

// idText is the id of a group as answers have it.
func idText(id uint64) string { return fmt.Sprintf("%016x", id) }
