package report

import (
	"cmp"
	"slices"
	"time"
)

// builder makes the panels.
type builder struct {
	report *Report
	all    *aggregate
	known  *known
	// assets are the requests for static files.
	assets tally
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

func row(name string, t *tally) Row {
	return Row{
		Name: name, Requests: t.requests, Visitors: t.visitors, Bytes: t.bytes,
		ClientErrors: t.clientErrors, ServerErrors: t.serverErrors,
	}
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

func build(all *aggregate, known *known, v *shard, lines *lines, o *Options) *Report {
	r := &Report{Files: lines.files, Timezone: o.Location.String(), Unreadable: lines.unreadable}
	b := &builder{report: r, all: all, known: known, assets: known.derive(), top: o.Top}
	b.totals(v, lines)
	b.periods(v)
	b.pages()
	b.trips()
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
	t.Clients, t.Referrers = b.known.origins.clients.nodes, b.known.links.referrers.nodes
	if a.last > 0 {
		location := a.options.Location
		t.Start = time.Unix(0, a.first).In(location).Format(time.RFC3339)
		t.End = time.Unix(0, a.last).In(location).Format(time.RFC3339)
	}
	if r := &b.report.Latency; a.timed.Count() > 0 {
		*r = latencyOf(&a.timed, a.slowest)
	}
}

// whole adds a panel with all rows.
func (b *builder) whole(p Panel, rows []Row) {
	top := b.top
	b.top = 0
	b.panel(p, rows)
	b.top = top
}

// targetRow is a row of what was asked for.
func targetRow(name string, t *target) Row {
	counts := t.tally()
	r := row(name, &counts)
	if t.rare != nil && t.rare.timing.requests > 0 {
		d := t.rare.timing
		ms := func(ns float64) float64 { return ns / 1e6 }
		r.Latency = &Latency{Requests: d.requests, Mean: ms(float64(d.sum) / float64(d.requests)), Max: ms(float64(d.max))}
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
		if t.rare != nil && t.rare.notFound.requests > 0 {
			m := &t.rare.notFound
			missing.offer(m.requests, func() Row {
				return Row{Name: name(), Requests: m.requests, Visitors: m.visitors, Bytes: m.bytes, ClientErrors: m.requests}
			})
		}
		if t.requests == 0 {
			return
		}
		of := urls
		if asset {
			of = static
		}
		of.offer(t.requests, func() Row { return targetRow(name(), t) })
	}
	b.known.targets.pages.all(func(n *node[page]) {
		visited(n.name, "", &n.value.target, n.value.asset)
		if n.value.rest != nil {
			visited(n.name, other, n.value.rest, n.value.asset)
		}
	})
	b.known.targets.queries.all(func(n *node[query]) {
		visited(n.value.page.name, n.name, &n.value.target, n.value.page.value.asset)
	})
	totals.Files, totals.StaticFiles, totals.NotFoundFiles = urls.total, static.total, missing.total
	b.known.targets.routes.all(func(n *node[route]) {
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
	dynamic.requests -= b.assets.requests
	dynamic.bytes -= b.assets.bytes
	dynamic.clientErrors -= b.assets.clientErrors
	dynamic.serverErrors -= b.assets.serverErrors
	assets := b.assets
	assets.visitors = 0
	b.whole(Panel{ID: "kinds", Title: "Static and dynamic", Column: "kind"}, []Row{row("dynamic", &dynamic), row("static", &assets)})
}

// trips adds where sessions begin and end.
func (b *builder) trips() {
	entries, exits := b.leaders(), b.leaders()
	var rest [2]Row
	offer := func(to *leaders, rest *Row, name string, sessions uint64) {
		switch {
		case sessions == 0:
		case name == other:
			rest.Name = other
			rest.Requests += sessions
		default:
			to.offer(sessions, func() Row { return Row{Name: name, Requests: sessions} })
		}
	}
	b.known.targets.pages.all(func(n *node[page]) {
		offer(entries, &rest[0], n.name, n.value.entries)
		offer(exits, &rest[1], n.name, n.value.exits)
	})
	for i, to := range []*leaders{entries, exits} {
		if rest[i].Requests > 0 {
			to.offer(rest[i].Requests, func() Row { return rest[i] })
		}
	}
	b.led(Panel{ID: "entries", Title: "Entry pages", Column: "path", isSessions: true}, entries)
	b.led(Panel{ID: "exits", Title: "Exit pages", Column: "path", isSessions: true}, exits)
}

// who adds where requests come from and with what.
func (b *builder) who() {
	k := b.known
	clients, referrers := b.leaders(), b.leaders()
	k.origins.clients.all(func(n *node[client]) {
		clients.offer(n.value.requests, func() Row {
			r := row(n.name, &n.value.tally)
			if c := n.value.country; c != nil {
				r.Country = c.value.country
			}
			return r
		})
	})
	b.led(Panel{ID: "clients", Title: "Client addresses", Column: "address", hasVisitors: true}, clients)
	k.links.referrers.all(func(n *node[referrer]) {
		referrers.offer(n.value.requests, func() Row { return row(n.name, &n.value.tally) })
	})
	var hosts []Row
	for _, r := range rowsOf(&k.links.hosts) {
		if r.Name == "" {
			r.Name = "(no host)"
		}
		hosts = append(hosts, r)
	}
	b.sorted(Panel{ID: "referring_sites", Title: "Referring sites", Column: "site", hasVisitors: true}, hosts)
	b.led(Panel{ID: "referrers", Title: "Referring URLs", Column: "URL"}, referrers)
	b.sorted(Panel{ID: "keywords", Title: "Keywords", Column: "searched for", hasVisitors: true}, rowsOf(&k.links.keywords))
	b.sorted(Panel{ID: "browsers", Title: "Browsers", Column: "browser", hasVisitors: true}, unknown(rowsOf(&k.programs.browsers)))
	b.sorted(Panel{ID: "systems", Title: "Operating systems", Column: "system", hasVisitors: true}, unknown(rowsOf(&k.programs.systems)))
	b.sorted(Panel{ID: "bots", Title: "Bots", Column: "bot", hasVisitors: true}, rowsOf(&k.programs.botNames))
	b.sorted(Panel{ID: "users", Title: "Remote users", Column: "user", hasVisitors: true}, rowsOf(&k.origins.users))
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
	countries, cities := rows(&b.known.origins.countries), rows(&b.known.origins.cities)
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
	a, k := b.all, b.known
	add := func(text string) { b.report.Notes = append(b.report.Notes, text) }
	for _, t := range []struct {
		what  string
		rests int
	}{
		{"client addresses", k.origins.clients.rests},
		{"paths", k.targets.pages.rests},
		{"user agents", k.programs.agents.rests},
		{"referrers", k.links.referrers.rests},
		{"remote users", k.origins.users.rests},
		{"keywords", k.links.keywords.rests},
		{"routes", k.targets.routes.rests},
		{"referring sites", k.links.hosts.rests},
		{"virtual hosts", a.sites.rests},
		{"methods", a.methods.rests},
	} {
		if t.rests > 0 {
			add("There are more " + t.what + " than are counted one by one; the rest is counted as " + other + ".")
		}
	}
	if k.targets.queries.nodes >= k.targets.queries.limit {
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
