package weblog

import (
	"context"
	"fmt"
	"strconv"
	"time"

	connection "github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// findings is the answer.
type findings struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Findings []finding `json:"findings"`
}

// finding is something that somebody does who means harm. Confidence is from 0 to 1.
type finding struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`
	Actor      string    `json:"actor"`
	Site       string    `json:"site"`
	Subject    string    `json:"subject"`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
	Over       bool      `json:"over"`
	Hits       uint64    `json:"hits"`
	Clients    uint64    `json:"clients"`
	Confidence float64   `json:"confidence"`
	// Harmless is what a block of the actor would have cost: requests that were not
	// part of it.
	Harmless uint64   `json:"harmless"`
	Reason   string   `json:"reason"`
	Evidence []string `json:"evidence"`
}

// findings answers what was found. Rows of a partition replace each other, and
// partitions add up.
func (q *query) findings(ctx context.Context) (any, error) {
	q.Known("start", "end", "id", "kind", "actor", "site", "min_confidence", "limit")
	in := q.in()
	limit := q.Number("limit", min(100, q.api.cfg.MaxNames), 1, q.api.cfg.MaxNames)
	f := store.Bounded(q.tenant, in.From, in.To, false)
	for _, name := range []string{"kind", "actor", "site"} {
		if values, ok := q.Raw[name]; ok {
			f.Add(name+" IN (?)", values)
		}
	}
	if text := q.Get("id"); text != "" {
		id, err := strconv.ParseUint(text, 16, 64)
		if err != nil {
			q.Refuse("id: %.60q is no id of a finding", text)
		}
		f.Add("id = ?", id)
	}
	least := 0.0
	if text := q.Get("min_confidence"); text != "" {
		var err error
		if least, err = strconv.ParseFloat(text, 64); err != nil || least < 0 || least > 1 {
			q.Refuse("min_confidence: %.60q is not from 0 to 1", text)
		}
	}
	if q.Err != nil {
		return nil, q.Err
	}
	a := &findings{Start: time.Unix(0, in.From).UTC(), End: time.Unix(0, in.To).UTC(), Findings: []finding{}}
	err := q.api.store.Each(ctx, func(r connection.Row) error {
		var one finding
		var id uint64
		var first, last int64
		var over uint8
		if err := r.Scan(&id, &one.Kind, &one.Actor, &one.Site, &one.Subject, &first, &last, &over, &one.Hits, &one.Clients, &one.Confidence,
			&one.Harmless, &one.Reason, &one.Evidence); err != nil {
			return err
		}
		one.ID, one.Over = fmt.Sprintf("%016x", id), over != 0
		one.First, one.Last = time.Unix(0, first).UTC(), time.Unix(0, last).UTC()
		a.Findings = append(a.Findings, one)
		return nil
	}, `SELECT id, any(c1), any(c2), any(c3), any(c4), min(c5), max(c6) AS last, min(c7), sum(c8), sum(c9), max(c10) AS sure, sum(c11), argMax(c12, c8), argMax(c13, c8)
FROM (SELECT id, kafka_partition, toString(any(kind)) AS c1, any(actor) AS c2, toString(any(site)) AS c3, any(subject) AS c4,
		toUnixTimestamp64Nano(min(first_time)) AS c5, toUnixTimestamp64Nano(max(time)) AS c6, toUInt8(max(over)) AS c7, max(hits) AS c8, max(clients) AS c9,
		argMax(confidence, hits) AS c10, max(harmless) AS c11, argMax(reason, hits) AS c12, argMax(evidence, hits) AS c13
	FROM `+q.api.dialect.Table(tables.Findings)+` WHERE `+f.Where()+` GROUP BY id, kafka_partition)
GROUP BY id HAVING sure >= ? ORDER BY last DESC, id LIMIT ?`, append(f.Args, least, limit))
	return a, err
}
