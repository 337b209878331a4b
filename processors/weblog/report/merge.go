package report

// merge adds what another worker counted, which is not to be used any more.
func (a *aggregate) merge(o *aggregate) {
	a.all.merge(&o.all)
	a.timed.Merge(o.timed.Append(nil), o.timed.Sum())
	a.slowest = max(a.slowest, o.slowest)
	if a.first == 0 || o.first > 0 && o.first < a.first {
		a.first = o.first
	}
	a.last = max(a.last, o.last)
	a.bots += o.bots
	a.outside += o.outside
	a.excluded += o.excluded
	for i := range a.statuses {
		a.statuses[i].merge(&o.statuses[i])
	}
	for index, h := range o.hours {
		if a.hours[index] == nil {
			a.hours[index] = new(tally)
		}
		a.hours[index].merge(h)
	}
	pairs := []struct{ to, from *table[tally] }{
		{&a.sites, &o.sites},
		{&a.users, &o.users},
		{&a.methods, &o.methods},
		{&a.protocols, &o.protocols},
		{&a.tls, &o.tls},
		{&a.caches, &o.caches},
		{&a.keywords, &o.keywords},
		{&a.browsers, &o.browsers},
		{&a.systems, &o.systems},
		{&a.botNames, &o.botNames},
		{&a.hosts, &o.hosts},
	}
	for _, p := range pairs {
		p.from.all(func(n *node[tally]) { p.to.same(n).value.merge(&n.value) })
	}
	a.mergePlaces(o)
	o.routes.all(func(n *node[route]) {
		to := a.routes.same(n)
		to.value.tally.merge(&n.value.tally)
		to.value.latency.Merge(n.value.latency.Append(nil), n.value.latency.Sum())
		to.value.max = max(to.value.max, n.value.max)
	})
	o.agents.all(func(n *node[agent]) {
		to := a.agents.same(n)
		to.value.tally.merge(&n.value.tally)
		if to.value.browser == nil {
			to.value.browser, to.value.system = a.browsers.same(n.value.browser), a.systems.same(n.value.system)
			if n.value.bot != nil {
				to.value.bot = a.botNames.same(n.value.bot)
			}
		}
	})
	o.referrers.all(func(n *node[referrer]) {
		to := a.referrers.same(n)
		to.value.tally.merge(&n.value.tally)
		to.value.host = a.hosts.same(n.value.host)
	})
	o.pages.all(func(n *node[page]) {
		to := a.pages.same(n)
		to.value.target.merge(&n.value.target)
		to.value.rest.merge(&n.value.rest)
		to.value.route, to.value.asset = a.routes.same(n.value.route), n.value.asset
	})
	o.queries.all(func(n *node[query]) {
		to := a.queries.same(n)
		to.value.target.merge(&n.value.target)
		to.value.page = a.pages.same(n.value.page)
	})
}

// mergePlaces merges clients, countries and cities.
func (a *aggregate) mergePlaces(o *aggregate) {
	mergePlace := func(to, from *place) {
		to.tally.merge(&from.tally)
		if to.country == "" {
			to.country, to.latitude, to.longitude = from.country, from.latitude, from.longitude
		}
	}
	o.countries.all(func(n *node[place]) { mergePlace(&a.countries.same(n).value, &n.value) })
	o.cities.all(func(n *node[place]) { mergePlace(&a.cities.same(n).value, &n.value) })
	o.clients.all(func(n *node[client]) {
		to := a.clients.same(n)
		to.value.tally.merge(&n.value.tally)
		if n.value.country != nil {
			to.value.country = a.countries.same(n.value.country)
		}
		if n.value.city != nil {
			to.value.city = a.cities.same(n.value.city)
		}
	})
}

// same returns the node of the text of another table's, even where that has no
// room.
func (t *table[T]) same(n *node[T]) *node[T] {
	limit, size := t.limit, t.texts.size
	t.limit, t.texts.size = t.nodes+1, 0
	same, _ := t.find(n.hash, n.name)
	t.limit, t.texts.size = limit, size
	return same
}

// derive counts what follows from what was counted: places of clients, families of
// agents, hosts of referrers and routes of pages.
func (a *aggregate) derive() {
	a.clients.all(func(n *node[client]) {
		if c := n.value.country; c != nil {
			c.value.tally.merge(&n.value.tally)
		}
		if c := n.value.city; c != nil {
			c.value.tally.merge(&n.value.tally)
		}
	})
	a.agents.all(func(n *node[agent]) {
		n.value.browser.value.merge(&n.value.tally)
		n.value.system.value.merge(&n.value.tally)
		if n.value.bot != nil {
			n.value.bot.value.merge(&n.value.tally)
		}
	})
	a.referrers.all(func(n *node[referrer]) {
		visitors := n.value.host.value.visitors
		n.value.host.value.merge(&n.value.tally)
		n.value.host.value.visitors = visitors
	})
	visited := func(p *page, t *target) {
		all := t.whole()
		p.route.value.tally.merge(&all)
		if p.asset {
			a.assets.merge(&all)
		}
	}
	a.pages.all(func(n *node[page]) {
		visited(&n.value, &n.value.target)
		visited(&n.value, &n.value.rest)
	})
	a.queries.all(func(n *node[query]) { visited(&n.value.page.value, &n.value.target) })
}
