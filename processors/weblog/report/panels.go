package report

import (
	"cmp"
	"slices"
	"time"
)

// Report is what is in the logs.
type Report struct {
	// Files are in the order in which they were read.
	Files []File `json:"files"`
	// Timezone is that of days and hours.
	Timezone string `json:"timezone"`
	Totals   Totals `json:"totals"`
	// Unreadable are the first lines that could not be read.
	Unreadable []Unreadable `json:"unreadable,omitempty"`
	// Notes say where a number is less than it should be.
	Notes []string `json:"notes,omitempty"`
	// Days are all days with requests; Hours are there if they are not too many.
	Days   []Period `json:"days"`
	Hours  []Period `json:"hours,omitempty"`
	Panels []Panel  `json:"panels"`
	// Latency is of all requests for which the log says it.
	Latency *Latency `json:"latency,omitempty"`

	// countries and cities are the rows of the map.
	countries, cities []Row
}

// File is a source that was read.
type File struct {
	Name string `json:"name"`
	// Bytes are those of the text, Lines all lines and Unreadable those of them that
	// are no requests.
	Bytes      int64  `json:"bytes"`
	Lines      int64  `json:"lines"`
	Unreadable int64  `json:"unreadable"`
	Format     string `json:"format,omitempty"`
	// Error is why the file was not read to its end.
	Error string `json:"error,omitempty"`
}

// Unreadable is a line that could not be read.
type Unreadable struct {
	File   string `json:"file"`
	Line   int64  `json:"line"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

// Totals are of all requests that are counted.
type Totals struct {
	Requests uint64 `json:"requests"`
	// Successful got a status below 400, failed another.
	Successful   uint64 `json:"successful"`
	Failed       uint64 `json:"failed"`
	ClientErrors uint64 `json:"client_errors"`
	ServerErrors uint64 `json:"server_errors"`
	NotFound     uint64 `json:"not_found"`
	Bytes        int64  `json:"bytes"`
	// LogBytes is the size of the text of the logs, UnreadableLines are no requests.
	LogBytes        int64 `json:"log_bytes"`
	UnreadableLines int64 `json:"unreadable_lines"`
	// Outside are requests of another time than was asked for, ExcludedBots those of
	// bots that are left out, and Bots those that are counted.
	Outside      uint64 `json:"outside"`
	ExcludedBots uint64 `json:"excluded_bots"`
	Bots         uint64 `json:"bots"`
	// Visitors are different by site, client and agent. VisitorsDaily are different
	// by day, client and agent, as GoAccess counts them with --4xx-to-unique-count,
	// and VisitorsDailyWithout4xx those who got something else than a 4xx, which is
	// its default.
	Visitors                uint64 `json:"visitors"`
	VisitorsDaily           uint64 `json:"visitors_daily"`
	VisitorsDailyWithout4xx uint64 `json:"visitors_daily_without_4xx"`
	// Sessions are visits, which half an hour without a request ends. Those of at
	// most one page bounce.
	Sessions          uint64  `json:"sessions"`
	BounceRate        float64 `json:"bounce_rate"`
	PagesPerSession   float64 `json:"pages_per_session"`
	SecondsPerSession float64 `json:"seconds_per_session"`
	// These count different ones.
	Clients       int `json:"clients"`
	Files         int `json:"unique_files"`
	StaticFiles   int `json:"unique_static_files"`
	NotFoundFiles int `json:"unique_not_found"`
	Referrers     int `json:"unique_referrers"`
	// Start and End are the times of the first and the last request, RFC 3339.
	Start string `json:"start,omitempty"`
	End   string `json:"end,omitempty"`
}

// Period is a day or an hour.
type Period struct {
	// Start is such as 2006-01-02 or 2006-01-02T15, and At the Unix time in seconds.
	Start        string `json:"start"`
	At           int64  `json:"-"`
	Requests     uint64 `json:"requests"`
	Visitors     uint64 `json:"visitors"`
	Bytes        int64  `json:"bytes"`
	Failed       uint64 `json:"failed"`
	ClientErrors uint64 `json:"client_errors"`
	ServerErrors uint64 `json:"server_errors"`
}

// Panel is a table.
type Panel struct {
	// ID is the panel's name in JSON and in links, Title what people read, and
	// Column what the names of rows are.
	ID     string `json:"id"`
	Title  string `json:"title"`
	Column string `json:"column"`
	// Total is how many rows there are, of which Rows may be the first.
	Total int   `json:"total"`
	Rows  []Row `json:"rows"`

	// hasVisitors and hasLatency say which columns there are; isSessions that requests
	// are sessions, and that there is nothing else.
	hasVisitors, hasLatency, isSessions bool
}

// Row is a row of a table.
type Row struct {
	Name         string `json:"name"`
	Requests     uint64 `json:"requests"`
	Visitors     uint64 `json:"visitors,omitempty"`
	Bytes        int64  `json:"bytes"`
	ClientErrors uint64 `json:"client_errors,omitempty"`
	ServerErrors uint64 `json:"server_errors,omitempty"`
	// Country is an ISO 3166-1 code; the position is in degrees.
	Country   string   `json:"country,omitempty"`
	Latitude  float32  `json:"latitude,omitempty"`
	Longitude float32  `json:"longitude,omitempty"`
	Latency   *Latency `json:"latency,omitempty"`
}

// Latency is how long requests took, in milliseconds.
type Latency struct {
	Requests uint64  `json:"requests"`
	Mean     float64 `json:"mean_ms"`
	P50      float64 `json:"p50_ms"`
	P90      float64 `json:"p90_ms"`
	P95      float64 `json:"p95_ms"`
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
}

func row(name string, t *tally) Row {
	return Row{
		Name: name, Requests: t.requests, Visitors: t.visitors, Bytes: t.bytes,
		ClientErrors: t.clientErrors, ServerErrors: t.serverErrors,
	}
}

// builder makes the panels.
type builder struct {
	report *Report
	all    *aggregate
	top    int
}

// panel adds a panel of which rows are sorted already, unless it has none.
func (b *builder) panel(p Panel, rows []Row) {
	p.Total = len(rows)
	if b.top > 0 && len(rows) > b.top {
		rows = rows[:b.top]
	}
	p.Rows = slices.Clone(rows)
	b.report.Panels = append(b.report.Panels, p)
}

func (b *builder) sorted(p Panel, rows []Row) {
	slices.SortFunc(rows, most)
	b.panel(p, rows)
}

func (b *builder) leaders() *leaders { return &leaders{top: b.top} }

// led adds a panel of the rows that come first.
func (b *builder) led(p Panel, l *leaders) {
	l.cut()
	b.panel(p, l.rows)
	b.report.Panels[len(b.report.Panels)-1].Total = l.total
}

func rowsOf(t *table[tally]) []Row {
	var rows []Row
	t.all(func(n *node[tally]) {
		if n.value.requests > 0 {
			rows = append(rows, row(n.name, &n.value))
		}
	})
	return rows
}

func build(all *aggregate, v *shard, lines *lines, o *Options) *Report {
	r := &Report{Files: lines.files, Timezone: o.Location.String(), Unreadable: lines.unreadable}
	b := &builder{report: r, all: all, top: o.Top}
	all.derive()
	b.totals(v, lines)
	b.periods(v)
	b.pages()
	b.trips(v.sessions)
	b.who()
	b.how(v)
	b.places(o.Home)
	b.rhythm(v)
	b.notes(v)
	return r
}

func (b *builder) totals(v *shard, l *lines) {
	t, a := &b.report.Totals, b.all
	t.Requests, t.ClientErrors, t.ServerErrors = a.all.requests, a.all.clientErrors, a.all.serverErrors
	t.Failed = t.ClientErrors + t.ServerErrors
	t.Successful = t.Requests - t.Failed
	t.NotFound = a.statuses[404].requests
	t.Bytes = a.all.bytes
	t.UnreadableLines = l.refused
	for i := range b.report.Files {
		t.LogBytes += b.report.Files[i].Bytes
	}
	t.Outside, t.ExcludedBots, t.Bots = a.outside, a.excluded, a.bots
	t.Visitors = v.visitorCount
	t.VisitorsDaily = v.daily
	t.VisitorsDailyWithout4xx = v.dailyWithout4xx
	s := v.sessions
	if t.Sessions = s.count; s.count > 0 {
		n := float64(s.count)
		t.BounceRate, t.PagesPerSession, t.SecondsPerSession = float64(s.bounced)/n, float64(s.pages)/n, float64(s.length)/n/1e9
	}
	t.Clients, t.Referrers = a.clients.nodes, a.referrers.nodes
	if a.last > 0 {
		location := a.options.Location
		t.Start = time.Unix(0, a.first).In(location).Format(time.RFC3339)
		t.End = time.Unix(0, a.last).In(location).Format(time.RFC3339)
	}
	if r := &b.report.Latency; a.timed.Count() > 0 {
		*r = latencyOf(&a.timed, a.slowest)
	}
}

// maxHourly bounds the hours of a report that shows them: two weeks.
const maxHourly = 14 * 24

func (b *builder) periods(v *shard) {
	days := make(map[int32]*tally)
	first, last := int32(1<<31-1), int32(-1)
	for index, h := range b.all.hours {
		if index == noHour {
			continue
		}
		h.visitors = v.hours[index]
		first, last = min(first, index), max(last, index)
		day := days[index/24]
		if day == nil {
			day = &tally{}
			days[index/24] = day
		}
		visitors := day.visitors
		day.merge(h)
		day.visitors = visitors
	}
	for index, d := range days {
		d.visitors = v.days[index]
		b.report.Days = append(b.report.Days, period(int64(index)*86400, time.DateOnly, d))
	}
	if last-first < maxHourly {
		for index, h := range b.all.hours {
			if index != noHour {
				b.report.Hours = append(b.report.Hours, period(int64(index)*3600, "2006-01-02T15", h))
			}
		}
	}
	for _, p := range [][]Period{b.report.Days, b.report.Hours} {
		slices.SortFunc(p, func(a, b Period) int { return cmp.Compare(a.At, b.At) })
	}
}

func period(at int64, layout string, t *tally) Period {
	return Period{
		Start: time.Unix(at, 0).UTC().Format(layout), At: at, Requests: t.requests, Visitors: t.visitors, Bytes: t.bytes,
		Failed: t.clientErrors + t.serverErrors, ClientErrors: t.clientErrors, ServerErrors: t.serverErrors,
	}
}

// rhythm adds the hours of the day and the days of the week.
func (b *builder) rhythm(v *shard) {
	var hours [24]tally
	var weekdays [7]tally
	for index, h := range b.all.hours {
		if index == noHour {
			continue
		}
		hours[index%24].merge(h)
		w := &weekdays[weekday(index/24)]
		visitors := w.visitors
		w.merge(h)
		w.visitors = visitors
	}
	for day, n := range v.days {
		if day >= 0 {
			weekdays[weekday(day)].visitors += n
		}
	}
	var rows []Row
	for i := range hours {
		rows = append(rows, row(string([]byte{'0' + byte(i/10), '0' + byte(i%10)}), &hours[i]))
	}
	b.whole(Panel{ID: "hours", Title: "Hours of the day", Column: "hour", hasVisitors: true}, rows)
	rows = nil
	for i := range weekdays {
		rows = append(rows, row(time.Weekday((i+1)%7).String(), &weekdays[i]))
	}
	b.whole(Panel{ID: "weekdays", Title: "Days of the week", Column: "day", hasVisitors: true}, rows)
}

// weekday returns 0 for the Mondays of days since 1970.
func weekday(day int32) int { return int(day+3) % 7 }

// whole adds a panel with all rows.
func (b *builder) whole(p Panel, rows []Row) {
	top := b.top
	b.top = 0
	b.panel(p, rows)
	b.top = top
}

// targetRow is a row of what was asked for.
func targetRow(name string, t *target) Row {
	r := row(name, &t.tally)
	if t.timing.requests > 0 {
		ms := func(ns float64) float64 { return ns / 1e6 }
		r.Latency = &Latency{
			Requests: t.timing.requests, Mean: ms(float64(t.sum) / float64(t.timing.requests)), Max: ms(float64(t.max)),
		}
	}
	return r
}

// pages adds what was asked for.
func (b *builder) pages() {
	var routes, slow []Row
	urls, static, missing := b.leaders(), b.leaders(), b.leaders()
	totals := &b.report.Totals
	visited := func(path, query string, t *target, asset bool) {
		name := func() string {
			if query == "" {
				return path
			}
			return path + "?" + query
		}
		if m := t.notFound; m.requests > 0 {
			missing.offer(m.requests, func() Row {
				return Row{Name: name(), Requests: m.requests, Visitors: m.visitors, Bytes: m.bytes, ClientErrors: m.requests}
			})
		}
		if t.tally.requests == 0 {
			return
		}
		of := urls
		if asset {
			of = static
		}
		of.offer(t.tally.requests, func() Row { return targetRow(name(), t) })
	}
	b.all.pages.all(func(n *node[page]) {
		visited(n.name, "", &n.value.target, n.value.asset)
		visited(n.name, other, &n.value.rest, n.value.asset)
	})
	b.all.queries.all(func(n *node[query]) {
		visited(n.value.page.name, n.name, &n.value.target, n.value.page.value.asset)
	})
	totals.Files, totals.StaticFiles, totals.NotFoundFiles = urls.total, static.total, missing.total
	b.all.routes.all(func(n *node[route]) {
		if n.name == "" || n.value.requests == 0 {
			return
		}
		r := row(n.name, &n.value.tally)
		if n.value.latency.Count() > 0 {
			r.Latency = latencyOf(&n.value.latency, n.value.max)
			slow = append(slow, r)
		}
		routes = append(routes, r)
	})
	timed := b.all.timed.Count() > 0
	b.led(Panel{ID: "urls", Title: "URLs", Column: "URL", hasVisitors: true, hasLatency: timed}, urls)
	b.led(Panel{ID: "static", Title: "Static files", Column: "URL", hasVisitors: true, hasLatency: timed}, static)
	b.sorted(Panel{ID: "routes", Title: "Routes", Column: "path template", hasLatency: timed}, routes)
	b.led(Panel{ID: "not_found", Title: "Not found", Column: "URL", hasVisitors: true}, missing)
	if timed {
		slices.SortFunc(slow, func(a, b Row) int { return cmp.Or(cmp.Compare(b.Latency.P95, a.Latency.P95), most(a, b)) })
		b.panel(Panel{ID: "slowest", Title: "Slowest routes", Column: "path template", hasLatency: true}, slow)
	}
	dynamic := b.all.all
	dynamic.requests -= b.all.assets.requests
	dynamic.bytes -= b.all.assets.bytes
	dynamic.clientErrors -= b.all.assets.clientErrors
	dynamic.serverErrors -= b.all.assets.serverErrors
	assets := b.all.assets
	assets.visitors = 0
	b.whole(Panel{ID: "kinds", Title: "Static and dynamic", Column: "kind"}, []Row{row("dynamic", &dynamic), row("static", &assets)})
}

// trips adds where sessions begin and end.
func (b *builder) trips(s *sessions) {
	b.sorted(Panel{ID: "entries", Title: "Entry pages", Column: "path", isSessions: true}, rowsOf(&s.entries))
	b.sorted(Panel{ID: "exits", Title: "Exit pages", Column: "path", isSessions: true}, rowsOf(&s.exits))
}

// who adds where requests come from and with what.
func (b *builder) who() {
	a := b.all
	clients, referrers := b.leaders(), b.leaders()
	a.clients.all(func(n *node[client]) {
		clients.offer(n.value.requests, func() Row {
			r := row(n.name, &n.value.tally)
			if c := n.value.country; c != nil {
				r.Country = c.value.country
			}
			return r
		})
	})
	b.led(Panel{ID: "clients", Title: "Client addresses", Column: "address", hasVisitors: true}, clients)
	a.referrers.all(func(n *node[referrer]) {
		referrers.offer(n.value.requests, func() Row { return row(n.name, &n.value.tally) })
	})
	var hosts []Row
	for _, r := range rowsOf(&a.hosts) {
		if r.Name == "" {
			r.Name = "(no host)"
		}
		hosts = append(hosts, r)
	}
	b.sorted(Panel{ID: "referring_sites", Title: "Referring sites", Column: "site", hasVisitors: true}, hosts)
	b.led(Panel{ID: "referrers", Title: "Referring URLs", Column: "URL"}, referrers)
	b.sorted(Panel{ID: "keywords", Title: "Keywords", Column: "searched for", hasVisitors: true}, rowsOf(&a.keywords))
	b.sorted(Panel{ID: "browsers", Title: "Browsers", Column: "browser", hasVisitors: true}, unknown(rowsOf(&a.browsers)))
	b.sorted(Panel{ID: "systems", Title: "Operating systems", Column: "system", hasVisitors: true}, unknown(rowsOf(&a.systems)))
	b.sorted(Panel{ID: "bots", Title: "Bots", Column: "bot", hasVisitors: true}, rowsOf(&a.botNames))
	b.sorted(Panel{ID: "users", Title: "Remote users", Column: "user", hasVisitors: true}, rowsOf(&a.users))
}

// unknown names the row of what has no name.
func unknown(rows []Row) []Row {
	for i := range rows {
		if rows[i].Name == "" {
			rows[i].Name = "(unknown)"
		}
	}
	return rows
}

// how adds how requests were made and answered.
func (b *builder) how(v *shard) {
	a := b.all
	var statuses []Row
	var sums [10]tally
	for status := range a.statuses {
		t := &a.statuses[status]
		if t.requests == 0 {
			continue
		}
		t.visitors = v.statuses[status]
		statuses = append(statuses, row(statusName(status), t))
		visitors := sums[status/100].visitors
		sums[status/100].merge(t)
		sums[status/100].visitors = visitors
	}
	var rows []Row
	for i := range sums {
		if i < classes {
			sums[i].visitors = v.classes[i]
		}
		if sums[i].requests > 0 {
			rows = append(rows, row(className(i), &sums[i]))
		}
	}
	b.sorted(Panel{ID: "statuses", Title: "Status codes", Column: "status", hasVisitors: true}, statuses)
	b.whole(Panel{ID: "status_classes", Title: "Status classes", Column: "class", hasVisitors: true}, rows)
	b.sorted(Panel{ID: "methods", Title: "Methods", Column: "method"}, unknown(rowsOf(&a.methods)))
	b.sorted(Panel{ID: "protocols", Title: "HTTP versions", Column: "version"}, unknown(rowsOf(&a.protocols)))
	b.sorted(Panel{ID: "tls", Title: "TLS", Column: "version"}, rowsOf(&a.tls))
	b.sorted(Panel{ID: "cache", Title: "Cache status", Column: "status"}, rowsOf(&a.caches))
	b.sorted(Panel{ID: "sites", Title: "Virtual hosts", Column: "host"}, rowsOf(&a.sites))
}

// maxCircles bounds the cities on the map.
const maxCircles = 500

// places adds countries and cities, and visits from abroad.
func (b *builder) places(home []string) {
	rows := func(t *table[place]) []Row {
		var rows []Row
		t.all(func(n *node[place]) {
			if n.value.requests > 0 {
				r := row(n.name, &n.value.tally)
				r.Country, r.Latitude, r.Longitude = n.value.country, n.value.latitude, n.value.longitude
				rows = append(rows, r)
			}
		})
		return rows
	}
	countries, cities := rows(&b.all.countries), rows(&b.all.cities)
	b.sorted(Panel{ID: "countries", Title: "Countries", Column: "country", hasVisitors: true}, countries)
	b.sorted(Panel{ID: "cities", Title: "Cities", Column: "city", hasVisitors: true}, cities)
	b.report.countries, b.report.cities = countries, cities[:min(len(cities), maxCircles)]
	if len(home) == 0 {
		return
	}
	var abroad []Row
	var sums [3]tally
	for _, r := range countries {
		t := tally{requests: r.Requests, visitors: r.Visitors, bytes: r.Bytes, clientErrors: r.ClientErrors, serverErrors: r.ServerErrors}
		sums[2].merge(&t)
		if slices.Contains(home, r.Name) {
			sums[0].merge(&t)
			continue
		}
		sums[1].merge(&t)
		abroad = append(abroad, r)
	}
	rest := b.all.all
	rest.requests -= sums[2].requests
	rest.bytes -= sums[2].bytes
	rest.clientErrors -= sums[2].clientErrors
	rest.serverErrors -= sums[2].serverErrors
	rest.visitors = b.report.Totals.VisitorsDaily - min(sums[2].visitors, b.report.Totals.VisitorsDaily)
	b.whole(Panel{ID: "home", Title: "Home and abroad", Column: "from", hasVisitors: true},
		[]Row{row("home", &sums[0]), row("abroad", &sums[1]), row("(unknown)", &rest)})
	b.sorted(Panel{ID: "abroad", Title: "Visits from abroad", Column: "country", hasVisitors: true}, abroad)
}

// notes says what the bounds of memory cost.
func (b *builder) notes(v *shard) {
	a := b.all
	add := func(text string) { b.report.Notes = append(b.report.Notes, text) }
	for _, t := range []struct {
		what  string
		rests int
	}{
		{"client addresses", a.clients.rests},
		{"paths", a.pages.rests},
		{"user agents", a.agents.rests},
		{"referrers", a.referrers.rests},
		{"remote users", a.users.rests},
		{"keywords", a.keywords.rests},
		{"routes", a.routes.rests},
		{"referring sites", a.hosts.rests},
		{"virtual hosts", a.sites.rests},
		{"methods", a.methods.rests},
	} {
		if t.rests > 0 {
			add("There are more " + t.what + " than are counted one by one; the rest is counted as " + other + ".")
		}
	}
	if a.queries.nodes >= a.queries.limit {
		add("There are more URLs with a query than are counted one by one; the rest is counted by path.")
	}
	if v.full {
		add("There are more visitors than are remembered: visitors of days and of rows are at least those that are shown.")
	}
	if v.estimated {
		add("The number of visitors is an estimate.")
	}
	if a.hours[noHour].requests > 0 {
		add("There are requests without a time, or of too many days: they are in no chart over time.")
	}
}
