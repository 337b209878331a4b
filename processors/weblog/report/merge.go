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
		{&a.methods, &o.methods},
		{&a.protocols, &o.protocols},
		{&a.tls, &o.tls},
		{&a.caches, &o.caches},
	}
	for _, p := range pairs {
		p.from.all(func(n *node[tally]) { p.to.same(n).value.merge(&n.value) })
	}
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
// agents, hosts of referrers and routes of pages. It returns the requests for
// static files.
func (k *known) derive() (assets tally) {
	k.origins.clients.all(func(n *node[client]) {
		if c := n.value.country; c != nil {
			c.value.tally.merge(&n.value.tally)
		}
		if c := n.value.city; c != nil {
			c.value.tally.merge(&n.value.tally)
		}
	})
	k.programs.agents.all(func(n *node[agent]) {
		n.value.browser.value.merge(&n.value.tally)
		n.value.system.value.merge(&n.value.tally)
		if n.value.bot != nil {
			n.value.bot.value.merge(&n.value.tally)
		}
	})
	k.links.referrers.all(func(n *node[referrer]) {
		visitors := n.value.host.value.visitors
		n.value.host.value.merge(&n.value.tally)
		n.value.host.value.visitors = visitors
	})
	visited := func(p *page, t *target) {
		all := t.whole()
		p.route.value.tally.merge(&all)
		if p.asset {
			assets.merge(&all)
		}
	}
	k.targets.pages.all(func(n *node[page]) {
		visited(&n.value, &n.value.target)
		if n.value.rest != nil {
			visited(&n.value, n.value.rest)
		}
	})
	k.targets.queries.all(func(n *node[query]) { visited(&n.value.page.value, &n.value.target) })
	return assets
}
