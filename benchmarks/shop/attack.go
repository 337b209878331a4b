package shop

import "strconv"

// attack is what a share of the visitors do who mean harm: one client's requests.
type attack struct {
	share   float64
	address string
	request func(s *Shop, address string, at int64)
}

// attack lets a share of the visitors be the client who causes an incident.
func (s *Shop) attack(i *Incident, share float64, request func(s *Shop, address string, at int64)) {
	s.effects.attacks = append(s.effects.attacks, attack{share, i.Client, request})
}

// comes gives an attack its client.
func comes(_ *Shop, i *Incident) {
	i.Client = newRandom(uint64(i.Start.UnixNano()), 0x5c).address()
}

// What the attackers say that they are.
const (
	injectorAgent = "sqlmap/1.9.4#stable (https://sqlmap.org)"
	flooderAgent  = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36"
	stufferAgent  = "python-requests/2.32.3"
	searcherAgent = "Mozilla/5.00 (Nikto/2.5.0) (Evasions:None) (Test:Port Check)"
)

// refused is an answer that a web server gives by itself.
func (s *Shop) refused(a access) {
	a.referrer, a.duration = "-", 60e3+int64(s.random.below(80_000))
	s.emitAccess(s.pick(s.services[0]), &a)
}

// inject sends one of the payloads.
func (s *Shop) inject(address string, at int64) {
	payload := payloads[s.random.below(len(payloads))]
	p := &s.products[s.random.below(len(s.products))]
	if s.random.chance(.4) { // the web server's own filter
		s.refused(access{at: at, address: address, agent: injectorAgent, method: "GET", path: "/product/" + p.id, query: payload, status: 403, size: 153})
		return
	}
	in := s.pick(s.services[0])
	v := s.begin()
	s.injector = client{address: address, agent: injectorAgent, referrer: "-", user: "anonymous", currency: "EUR", country: "-"}
	v.client = &s.injector
	v.product = p
	v.items, v.cents, v.order, v.session = 0, 0, s.random.uint64(), 0
	v.path = append(append(v.path, "/product/"...), p.id...)
	v.query = append(v.query, payload...)
	r := s.scanRefused
	if s.random.chance(.12) {
		r = s.scanBroken
	}
	s.dynamic(v, r, in, at)
}

// flood asks for a search whose result no cache has. Most of it is more than the
// web server lets through.
func (s *Shop) flood(address string, at int64) {
	a := access{at: at, address: address, agent: flooderAgent, method: "GET", path: "/search", query: "q=" + string(appendHex(nil, s.random.uint64(), 6)), status: 429, size: 162}
	if s.random.chance(.2) {
		a.status, a.size = 200, int64(s.random.logNormal(9000, .3))
	}
	s.refused(a)
}

// logIn tries one password.
func (s *Shop) logIn(address string, at int64) {
	a := access{at: at, address: address, agent: stufferAgent, method: "POST", path: "/login", status: 401, size: 311}
	if s.random.chance(.03) {
		a.status, a.size = 302, 0
	}
	s.refused(a)
}

// search asks for what a careless shop might have left there.
func (s *Shop) search(address string, at int64) {
	path := weaknesses[s.random.below(len(weaknesses))]
	if s.random.chance(.3) {
		path += "." + strconv.Itoa(s.random.below(100)) + ".bak"
	}
	a := access{at: at, address: address, agent: searcherAgent, method: "GET", path: path, status: 404, size: 146}
	if s.random.chance(.1) {
		a.status, a.size = 403, 153
	}
	s.refused(a)
}

// weaknesses are paths that only scanners ask for.
var weaknesses = []string{
	"/.env", "/.git/config", "/.git/HEAD", "/.aws/credentials", "/.svn/entries", "/.htpasswd", "/wp-login.php", "/wp-config.php", "/xmlrpc.php", "/phpinfo.php",
	"/phpmyadmin/index.php", "/server-status", "/actuator/env", "/actuator/heapdump", "/manager/html", "/solr/admin/info/system", "/cgi-bin/test.cgi",
	"/config.json", "/backup.sql", "/db.sql", "/id_rsa", "/admin/config.php", "/console/", "/jmx-console/", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
}

// payloads are what is injected.
var payloads = []string{
	"id=1%27%20OR%20%271%27=%271", "id=1%27--", "id=1%27%20UNION%20SELECT%20NULL,NULL,NULL--", "id=1%20AND%201=1", "id=1%20AND%201=2",
	"id=1%27%20AND%20SLEEP(5)--%20-", "id=-4711%27%20UNION%20ALL%20SELECT%20CONCAT(0x7171,version(),0x7178)--", "id=1;SELECT%20pg_sleep(5)--",
	"id=1%27%20AND%20(SELECT%202*(IF((SELECT%20*%20FROM%20(SELECT%20CONCAT(0x71,0x62))s),8446744073709551610,8446744073709551610)))--",
	"q=%27)%20ORDER%20BY%2010--", "q=%27||(SELECT%20table_name%20FROM%20information_schema.tables%20LIMIT%201)||%27", "id=1%27%20WAITFOR%20DELAY%20%270:0:5%27--",
}
