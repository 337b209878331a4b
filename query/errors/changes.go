package errors

import (
	"context"
	"strconv"
	"time"

	connection "github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// changesAnswer is the answer of /api/v1/changes.
type changesAnswer struct {
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Changes []change  `json:"changes"`
}

// change is what was done, by the last report of it.
type change struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"` // of the first report
	Updated time.Time `json:"updated"`
	Kind    string    `json:"kind"`
	Status  string    `json:"status"`
	Service string    `json:"service"`
	Version string    `json:"version"`
	// Before is the version that the service had, empty where it is not known.
	Before      string `json:"version_before"`
	Host        string `json:"host"`
	Environment string `json:"environment"`
	Author      string `json:"author"`
	Source      string `json:"source"`
	Link        string `json:"link"`
	Title       string `json:"title"`
}

// changes answers what was changed, the latest first.
func (q *query) changes(ctx context.Context) (any, error) {
	q.Known("start", "end", "service", "kind", "status", "environment", "host", "q", "limit")
	in, limit := q.in(), q.limit(100)
	f := store.Bounded(q.tenant, in.From, in.To, false)
	q.equal(f, "service", "kind", "environment")
	q.contains(f, "title", "version", "author")
	if hosts := q.Raw["host"]; len(hosts) > 0 && hosts[0] != "" {
		f.Add("host_name IN (?)", hosts)
	}
	status := &store.Filter{}
	status.Add("1")
	if words := q.Raw["status"]; len(words) > 0 && words[0] != "" {
		status.Add("state IN (?)", words)
	}
	if q.Err != nil {
		return nil, q.Err
	}
	a := &changesAnswer{at(in.From), at(in.To), []change{}}
	last := func(column string) string { return "toString(argMaxIf(" + column + ", rank, " + column + " != ''))" }
	err := q.api.store.Each(ctx, func(row connection.Row) error {
		var c change
		var first, updated int64
		if err := row.Scan(&c.ID, &first, &updated, &c.Kind, &c.Status, &c.Service, &c.Version, &c.Host, &c.Environment, &c.Author, &c.Source, &c.Link, &c.Title); err != nil {
			return err
		}
		c.Time, c.Updated = at(first), at(updated)
		a.Changes = append(a.Changes, c)
		return nil
	}, `SELECT id, toUnixTimestamp64Nano(min(time)) AS begun, toUnixTimestamp64Nano(max(time)), `+last("kind")+`, toString(argMax(status, rank)) AS state, `+last("service")+`, `+last("version")+`,
	`+last("host_name")+`, `+last("environment")+`, `+last("author")+`, `+last("source")+`, `+last("link")+`, `+last("title")+`
FROM (SELECT *, (time, status != 'started') AS rank FROM `+q.api.dialect.Table(tables.Changes)+` WHERE `+f.Where()+`)
GROUP BY id HAVING `+status.Where()+`
ORDER BY begun DESC, id LIMIT `+strconv.Itoa(limit), append(f.Args, status.Args...))
	if err != nil {
		return nil, err
	}
	return a, q.before(ctx, a.Changes)
}

// before adds the versions that services had before they were deployed.
func (q *query) before(ctx context.Context, all []change) error {
	if len(all) == 0 {
		return nil
	}
	var services []string
	latest := int64(0)
	for i := range all {
		services, latest = append(services, all[i].Service), max(latest, all[i].Time.UnixNano())
	}
	type deployed struct {
		time int64
		id   string
		of   string
		what string
	}
	var known []deployed
	err := q.api.store.Each(ctx, func(row connection.Row) error {
		var d deployed
		var service, environment, host string
		if err := row.Scan(&d.time, &d.id, &service, &environment, &host, &d.what); err != nil {
			return err
		}
		d.of = service + "\x00" + environment + "\x00" + host
		known = append(known, d)
		return nil
	}, `SELECT toUnixTimestamp64Nano(max(time)) AS done, id, toString(argMax(service, time)), toString(argMax(environment, time)), toString(argMax(host_name, time)), toString(argMax(version, time)) AS what
FROM `+q.api.dialect.Table(tables.Changes)+`
WHERE tenant = ? AND service IN (?) AND kind = 'deployment' AND status = 'succeeded' AND version != '' AND time <= fromUnixTimestamp64Nano(?)
GROUP BY id ORDER BY done DESC LIMIT `+strconv.Itoa(maxDeployed), []any{q.tenant, services, latest})
	if err != nil {
		return err
	}
	for i := range all {
		c := &all[i]
		if c.Kind != "deployment" {
			continue
		}
		of := c.Service + "\x00" + c.Environment + "\x00" + c.Host
		for _, d := range known {
			if d.of == of && d.id != c.ID && d.time <= c.Time.UnixNano() {
				c.Before = d.what
				break
			}
		}
	}
	return nil
}

// maxDeployed bounds the deployments that are looked at for what came before.
const maxDeployed = 10_000
