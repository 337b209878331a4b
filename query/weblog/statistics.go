package weblog

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	connection "github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Attribution must be shown where countries are.
const (
	attribution     = "IP geolocation by DB-IP"
	attributionLink = "https://db-ip.com"
)

// statistics is the answer.
type statistics struct {
	Start       time.Time        `json:"start"`
	End         time.Time        `json:"end"`
	StepSeconds int64            `json:"step_seconds"`
	Note        string           `json:"note,omitempty"`
	Totals      totals           `json:"totals"`
	Sessions    sessions         `json:"sessions"`
	OverTime    []moment         `json:"over_time"`
	Panels      map[string][]row `json:"panels"`
	Attribution credit           `json:"attribution"`
}

type credit struct {
	Text string `json:"text"`
	Link string `json:"link"`
}

// counts is what requests add up to. Durations are there where servers log them.
type counts struct {
	Requests uint64 `json:"requests"`
	Visitors uint64 `json:"visitors"`
	Bytes    uint64 `json:"bytes"`
	Failed   uint64 `json:"failed"`
}

type totals struct {
	counts
	Successful      uint64             `json:"successful"`
	ClientErrors    uint64             `json:"client_errors"`
	ServerErrors    uint64             `json:"server_errors"`
	NotFound        uint64             `json:"not_found"`
	Clients         uint64             `json:"clients"`
	Sites           uint64             `json:"sites"`
	Bots            uint64             `json:"bots"`
	HomeCountries   []string           `json:"home_countries"`
	Abroad          *counts            `json:"abroad,omitempty"`
	DurationSeconds map[string]float64 `json:"duration_seconds,omitempty"`
}

type sessions struct {
	Sessions   uint64   `json:"sessions"`
	Bounces    uint64   `json:"bounces"`
	BounceRate *float64 `json:"bounce_rate"`
	Pages      uint64   `json:"pages"`
	// MeanSeconds is from the first to the last request.
	MeanSeconds float64 `json:"mean_seconds"`
	// Partial is set where the request selects by what sessions do not have.
	Partial bool `json:"partial,omitempty"`
}

type moment struct {
	Time time.Time `json:"time"`
	counts
	ClientErrors uint64 `json:"client_errors"`
	ServerErrors uint64 `json:"server_errors"`
}

// row is one line of a panel.
type row struct {
	Name string `json:"name"`
	counts
	P95Seconds *float64 `json:"p95_seconds,omitempty"`
	P50Seconds *float64 `json:"p50_seconds,omitempty"`
	Latitude   *float64 `json:"latitude,omitempty"`
	Longitude  *float64 `json:"longitude,omitempty"`
}

// counted are the columns of counts.
const counted = "count(), uniqExact(visitor), toUInt64(sumIf(sent, sent > 0)), countIf(status >= 400)"

// panel is a list of names and what requests of each add up to.
type panel struct {
	name  string // expression
	where string // what else must hold, empty for nothing
	order string // empty for the most requests first
	place bool   // whether rows have a position
}

// panels are the lists by their names.
var panels = map[string]panel{
	"clients":         {name: "client"},
	"not_found":       {name: "path", where: "status = 404"},
	"status":          {name: "toString(status)"},
	"status_classes":  {name: "concat(toString(intDiv(status, 100)), 'xx')"},
	"referring_sites": {name: "toString(referrer_host)", where: "referrer_host NOT IN ('', site)"},
	"referring_urls":  {name: "referrer", where: "referrer_host NOT IN ('', site)"},
	"keywords":        {name: "keywords", where: "keywords != ''"},
	"countries":       {name: "toString(country)", where: "country != ''", place: true},
	"cities":          {name: "concat(city, ', ', country)", where: "city != ''", place: true},
	"methods":         {name: "toString(method)"},
	"protocols":       {name: "toString(protocol)", where: "protocol != ''"},
	"tls":             {name: "toString(tls)", where: "tls != ''"},
	"cache":           {name: "toString(cache)", where: "cache != ''"},
	"paths":           {name: "path"},
	"routes":          {name: "toString(route)"},
	"slowest":         {name: "toString(route)", where: "duration_ns >= 0", order: "c5 DESC"},
	"assets":          {name: "if(asset, 'static', 'dynamic')"},
	"browsers":        {name: "toString(browser)", where: "browser != ''"},
	"systems":         {name: "toString(system)", where: "system != ''"},
	"bots":            {name: "toString(bot)", where: "bot != ''"},
	"sites":           {name: "toString(site)"},
	"hosts":           {name: "toString(host_name)", where: "host_name != ''"},
	"users":           {name: "toString(user)", where: "user != ''"},
	"hours":           {name: "leftPad(toString(toHour(time, 'UTC')), 2, '0')", order: "c0"},
	"weekdays":        {name: "toString(toDayOfWeek(time, 0, 'UTC'))", order: "c0"},
}

// defaultLimit is how many lines a list has unless the request says so.
const defaultLimit = 10

// statistics answers what visitors of web servers did.
func (q *query) statistics(ctx context.Context) (any, error) {
	q.Known(append(slices.Sorted(maps.Keys(hitNames)), common...)...)
	in := q.in()
	limit := q.Number("limit", min(defaultLimit, q.api.cfg.MaxNames), 1, q.api.cfg.MaxNames)
	step := q.step(in)
	names := q.panels()
	home := q.home()
	hits := store.Bounded(q.tenant, in.From, in.To, true)
	q.selected(hits, hitNames)
	visits := store.Bounded(q.tenant, in.From, in.To, true)
	partial := q.selected(visits, sessionNames)
	if q.Err != nil {
		return nil, q.Err
	}
	a := &statistics{
		Start: time.Unix(0, in.From).UTC(), End: time.Unix(0, in.To).UTC(), StepSeconds: step, Panels: map[string][]row{},
		Attribution: credit{attribution, attributionLink},
	}
	a.Totals.HomeCountries, a.Sessions.Partial = home, partial
	if err := q.totals(ctx, &a.Totals, hits); err != nil {
		return nil, err
	}
	if err := q.sessions(ctx, &a.Sessions, visits); err != nil {
		return nil, err
	}
	var err error
	if a.OverTime, err = q.overTime(ctx, in, step, hits); err != nil {
		return nil, err
	}
	for _, name := range names {
		if a.Panels[name], err = q.panel(ctx, panels[name], hits, limit); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// steps are the widths of a series, in seconds.
var steps = []int64{60, 300, 900, 3600, 6 * 3600, 24 * 3600}

// mostPoints bounds a series.
const mostPoints = 2000

// step returns the width of the series in seconds.
func (q *query) step(in traces.Range) int64 {
	seconds := (in.To - in.From) / 1e9
	if d, ok := q.Duration("step", time.Second); ok {
		width := d / int64(time.Second)
		if width < 1 || seconds/width > mostPoints {
			q.Refuse("step: must be at least a second and give at most %d points", mostPoints)
			return 60
		}
		return width
	}
	for _, width := range steps {
		if seconds/width <= 120 {
			return width
		}
	}
	return steps[len(steps)-1]
}

// panels returns the lists that the request asks for, all of them if it names none.
func (q *query) panels() []string {
	all := slices.Sorted(maps.Keys(panels))
	text := q.Get("panels")
	switch text {
	case "":
		return all
	case "none":
		return nil
	}
	names := strings.Split(text, ",")
	for _, name := range names {
		if _, ok := panels[name]; !ok {
			q.Refuse("panels: %.60q is none of %s", name, strings.Join(all, ", "))
		}
	}
	return names
}

// home returns the home countries.
func (q *query) home() []string {
	text := q.Get("home")
	if text == "" {
		return q.api.cfg.HomeCountries
	}
	codes := strings.Split(strings.ToUpper(text), ",")
	for _, code := range codes {
		if !isCountry(code) {
			q.Refuse("home: %.60q is no code of two letters, such as AT", code)
		}
	}
	return codes
}

func (q *query) totals(ctx context.Context, t *totals, f *store.Filter) error {
	abroad := &counts{}
	var timed uint64
	var quantiles []float64
	err := q.api.store.Each(ctx, func(r connection.Row) error {
		return r.Scan(&t.Requests, &t.Visitors, &t.Bytes, &t.Failed, &t.ClientErrors, &t.ServerErrors, &t.NotFound, &t.Clients, &t.Sites, &t.Bots,
			&abroad.Requests, &abroad.Visitors, &abroad.Bytes, &abroad.Failed, &timed, &quantiles)
	}, `SELECT `+counted+`, countIf(status >= 400 AND status < 500), countIf(status >= 500), countIf(status = 404),
	uniqExact(client), uniqExact(site), countIf(bot != ''),
	countIf(away), uniqExactIf(visitor, away), toUInt64(sumIf(sent, away AND sent > 0)), countIf(away AND status >= 400),
	countIf(duration_ns >= 0), quantilesIf(0.5, 0.9, 0.95, 0.99)(duration_ns / 1e9, duration_ns >= 0)
FROM (SELECT *, country != '' AND country NOT IN (?) AS away FROM `+q.api.dialect.Table(tables.WebHits)+` WHERE `+f.Where()+`)`,
		append([]any{append([]string{""}, t.HomeCountries...)}, f.Args...))
	t.Successful = t.Requests - t.Failed
	if len(t.HomeCountries) > 0 {
		t.Abroad = abroad
	}
	if timed > 0 && len(quantiles) == 4 {
		t.DurationSeconds = map[string]float64{"p50": quantiles[0], "p90": quantiles[1], "p95": quantiles[2], "p99": quantiles[3]}
	}
	return err
}

func (q *query) sessions(ctx context.Context, s *sessions, f *store.Filter) error {
	var seconds float64
	err := q.api.store.Each(ctx, func(r connection.Row) error { return r.Scan(&s.Sessions, &s.Bounces, &s.Pages, &seconds) },
		`SELECT count(), countIf(pages <= 1), sum(pages), sum(toUnixTimestamp64Nano(end_time) - toUnixTimestamp64Nano(time)) / 1e9
FROM `+q.api.dialect.Table(tables.WebSessions)+` WHERE `+f.Where(), f.Args)
	if s.Sessions > 0 {
		rate := float64(s.Bounces) / float64(s.Sessions)
		s.BounceRate, s.MeanSeconds = &rate, seconds/float64(s.Sessions)
	}
	return err
}

// overTime returns every step of the time, those without requests, too.
func (q *query) overTime(ctx context.Context, in traces.Range, step int64, f *store.Filter) ([]moment, error) {
	first, last := in.From/1e9/step, (in.To-1)/1e9/step
	all := []moment{}
	for n := first; n <= last && n-first <= mostPoints; n++ {
		all = append(all, moment{Time: secondsOf(n * step)})
	}
	err := q.api.store.Each(ctx, func(r connection.Row) error {
		var n int64
		var m moment
		if err := r.Scan(&n, &m.Requests, &m.Visitors, &m.Bytes, &m.Failed, &m.ClientErrors, &m.ServerErrors); err != nil {
			return err
		}
		if at := n - first; at >= 0 && at < int64(len(all)) {
			m.Time = all[at].Time
			all[at] = m
		}
		return nil
	}, `SELECT intDiv(toInt64(toUnixTimestamp(time)), ?) AS n, `+counted+`, countIf(status >= 400 AND status < 500), countIf(status >= 500)
FROM `+q.api.dialect.Table(tables.WebHits)+` WHERE `+f.Where()+` GROUP BY n`, append([]any{step}, f.Args...))
	return all, err
}

func (q *query) panel(ctx context.Context, p panel, f *store.Filter, limit int) ([]row, error) {
	where, order, place := f.Where(), "c1 DESC, c0", "toFloat64(0) AS c7, toFloat64(0) AS c8"
	if p.where != "" {
		where += " AND " + p.where
	}
	if p.order != "" {
		order = p.order + ", c0"
	}
	if p.place {
		place = "toFloat64(any(latitude)) AS c7, toFloat64(any(longitude)) AS c8"
	}
	if p.order == "c0" {
		limit = max(limit, 24) // all hours
	}
	rows := []row{}
	err := q.api.store.Each(ctx, func(r connection.Row) error {
		var one row
		var p95, p50, latitude, longitude float64
		var timed uint64
		if err := r.Scan(&one.Name, &one.Requests, &one.Visitors, &one.Bytes, &one.Failed, &p95, &p50, &latitude, &longitude, &timed); err != nil {
			return err
		}
		if timed > 0 {
			one.P95Seconds, one.P50Seconds = &p95, &p50
		}
		if p.place && (latitude != 0 || longitude != 0) {
			one.Latitude, one.Longitude = &latitude, &longitude
		}
		rows = append(rows, one)
		return nil
	}, `SELECT `+p.name+` AS c0, count() AS c1, uniqExact(visitor) AS c2, toUInt64(sumIf(sent, sent > 0)) AS c3, countIf(status >= 400) AS c4,
	quantileIf(0.95)(duration_ns / 1e9, duration_ns >= 0) AS c5, quantileIf(0.5)(duration_ns / 1e9, duration_ns >= 0) AS c6, `+place+`, countIf(duration_ns >= 0) AS c9
FROM `+q.api.dialect.Table(tables.WebHits)+` WHERE `+where+` GROUP BY c0 ORDER BY `+order+` LIMIT ?`, append(slices.Clone(f.Args), limit))
	return rows, err
}
