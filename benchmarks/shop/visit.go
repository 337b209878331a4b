package shop

// The shares of what visitors ask for: most lines of an access log are files
// that the web servers answer by themselves.
const (
	shareProbe  = .015
	shareStatic = .42
)

// visitor lets one request arrive at a web server, to end at the given moment.
func (s *Shop) visitor(at int64) {
	for i := range s.effects.attacks {
		if a := &s.effects.attacks[i]; s.random.chance(a.share) {
			a.request(s, a.address, at)
			return
		}
	}
	in := s.pick(s.services[0])
	switch x := s.random.float(); {
	case x < shareProbe:
		s.emitAccess(in, &access{at: at, address: "10.20.0.2", agent: "kube-probe/1.33", referrer: "-", method: "GET", path: "/healthz", status: 200, size: 2, duration: 120e3})
		return
	case x < shareStatic:
		s.static(in, at)
		return
	}
	v := s.begin()
	v.client = &s.clients[s.clientPopularity.pick(s.random)]
	v.product = &s.products[s.productPopularity.pick(s.random)]
	v.items = 1 + s.random.below(4)
	v.cents = v.product.cents * int64(v.items)
	v.order = s.random.uint64()
	v.session = uint64(len(v.client.user))<<56 ^ hashString(v.client.user) ^ uint64(at)>>41
	r := s.routes[s.routePopularity.pick(s.random)]
	s.address(v, r)
	s.dynamic(v, r, in, at)
}

// address makes the path and query of a visit.
func (s *Shop) address(v *visit, r *route) {
	switch r.pattern {
	case "/product/{id}":
		v.path = append(append(v.path, "/product/"...), v.product.id...)
		if s.random.chance(.2) {
			v.query = append(append(v.query, "ref="...), v.product.slug...)
		}
	case "/category/{name}":
		v.path = append(append(v.path, "/category/"...), v.product.category...)
		if s.random.chance(.45) {
			v.query = append(v.query, "page="...)
			v.query = append(v.query, '1'+byte(s.random.below(9)))
		}
	case "/search":
		v.search = v.product.slug
		v.path = append(v.path, "/search"...)
		v.query = append(append(v.query, "q="...), v.search...)
	case "/*":
		v.path = append(v.path, missingPaths[s.random.below(len(missingPaths))]...)
	default:
		v.path = append(v.path, r.pattern...)
		if r.pattern == "/" && s.random.chance(.12) {
			v.query = append(v.query, "utm_source=newsletter&utm_medium=email"...)
		}
	}
}

var missingPaths = []string{"/wp-login.php", "/.env", "/favicon.png", "/robots.txt.bak", "/xmlrpc.php", "/product/old", "/admin/", "/.git/config", "/apple-touch-icon-precomposed.png", "/sitemap_index.xml"}

// dynamic lets a request pass the web server and the services behind it.
func (s *Shop) dynamic(v *visit, r *route, in *instance, at int64) {
	root := s.addSpan(v, r.entry, in, nil, kindServer, -1, 0)
	queued := len(s.queue)
	end, _ := s.serve(v, root, 0)
	s.finish(v, at-end)
	for i := queued; i < len(s.queue); i++ {
		// Now that the visit has a time, its messages have one too.
		s.queue[i].due = at + int64(s.random.logNormal(12e6, .6))
	}
	sp := &v.spans[root]
	a := access{
		at: at, address: v.client.address, agent: v.client.agent, referrer: v.client.referrer, method: r.method, path: string(v.path), query: string(v.query),
		status: sp.code, size: int64(s.random.logNormal(r.size, .35)), duration: end, trace: v.trace, span: sp.id,
	}
	if sp.code >= 400 {
		a.size = int64(s.random.logNormal(640, .2))
	}
	s.emitAccess(in, &a)
}

// static lets a web server answer with a file.
func (s *Shop) static(in *instance, at int64) {
	c := &s.clients[s.clientPopularity.pick(s.random)]
	a := access{at: at, address: c.address, agent: c.agent, referrer: "https://shop.example.com/", method: "GET", status: 200}
	if s.random.chance(.55) {
		p := &s.products[s.productPopularity.pick(s.random)]
		s.text = append(append(append(s.text[:0], "/images/products/"...), p.id...), ".webp"...)
		a.size = 9000 + int64(hashString(p.id)%70000)
		a.path = string(s.text)
	} else {
		file := &s.assets[s.assetPopularity.pick(s.random)]
		a.path, a.size = file.path, file.size
	}
	if s.random.chance(.09) {
		a.status, a.size = 304, 0
	}
	a.duration = int64(s.random.logNormal(180e3, .6)) + a.size*8
	s.emitAccess(in, &a)
}

// hashString is FNV-1a.
func hashString(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}
