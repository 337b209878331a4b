package shop

import (
	"fmt"
	"strings"
)

// client is one visitor: an address, a browser, and an account.
type client struct {
	address  string
	agent    string
	referrer string
	user     string
	currency string
	country  string
}

// product is one thing on sale.
type product struct {
	id, category, slug string
	cents              int64
}

var (
	cards      = []string{"visa", "mastercard", "visa", "amex", "visa", "mastercard", "discover"}
	currencies = []string{"EUR", "EUR", "EUR", "USD", "USD", "GBP", "CHF", "SEK", "PLN", "JPY"}
	countries  = []string{"DE", "FR", "AT", "US", "US", "GB", "CH", "SE", "PL", "JP"}
	categories = []string{"telescopes", "binoculars", "mounts", "eyepieces", "filters", "cameras", "tripods", "books", "star-maps", "accessories", "gifts", "clothing"}
	words      = []string{"dobson", "refractor", "8mm", "eyepiece", "tripod", "solar", "filter", "moon", "atlas", "red", "torch", "finder", "barlow", "2x", "camera", "adapter", "t2", "guide", "scope", "bag", "case", "wool", "cap", "poster", "nebula", "binocular", "10x50", "mount", "goto", "battery"}
	referrers  = []string{"-", "https://www.google.com/", "https://shop.example.com/", "https://duckduckgo.com/", "https://www.bing.com/", "https://news.example.org/deals", "https://forum.example.net/t/4711", "https://t.example/a9xK"}
	bots       = []string{
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
		"curl/8.11.1", "python-requests/2.32.3", "Go-http-client/2.0",
	}
)

// userAgents makes n distinct browsers, the popular ones first.
func userAgents(n int) []string {
	agents := make([]string, 0, n)
	systems := []string{
		"Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64",
		"iPhone; CPU iPhone OS 18_5 like Mac OS X", "Linux; Android 15; Pixel 9", "Linux; Android 14; SM-S921B", "iPad; CPU OS 17_7 like Mac OS X",
	}
	for version := 0; len(agents) < n; version++ {
		for i, system := range systems {
			var agent string
			switch {
			case i == 3 || i == 6:
				agent = fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.%d Mobile/15E148 Safari/604.1", system, version)
			case (i+version)%3 == 1 && i < 3:
				agent = fmt.Sprintf("Mozilla/5.0 (%s; rv:%d.0) Gecko/20100101 Firefox/%d.0", system, 143-version, 143-version)
			case (i+version)%3 == 2 && i < 3:
				agent = fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36 Edg/%d.0.0.0", system, 140-version, 140-version)
			default:
				agent = fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", system, 140-version)
			}
			agents = append(agents, agent)
		}
		agents = append(agents, bots[version%len(bots)])
		if version >= len(bots) {
			agents = agents[:len(agents)-1]
		}
	}
	return agents[:n]
}

// address makes a client address; one in twenty is IPv6.
func (r *random) address() string {
	if r.chance(.05) {
		return fmt.Sprintf("2001:%x:%x:%x::%x", 0x400+r.below(0x800), r.below(1<<16), r.below(1<<16), 1+r.below(1<<16-1))
	}
	first := 1 + r.below(222)
	if first == 10 || first == 127 {
		first = 91
	}
	return fmt.Sprintf("%d.%d.%d.%d", first, r.below(256), r.below(256), 1+r.below(254))
}

func (s *Shop) buildVisitors() {
	agents := userAgents(246)
	agentPopularity := zipf(len(agents), .8)
	referrerPopularity := newPopularity([]float64{44, 22, 16, 6, 5, 3, 2, 2})
	s.clients = make([]client, s.config.Clients)
	for i := range s.clients {
		home := s.random.below(len(currencies))
		s.clients[i] = client{
			address:  s.random.address(),
			agent:    agents[agentPopularity.pick(s.random)],
			referrer: referrers[referrerPopularity.pick(s.random)],
			user:     fmt.Sprintf("u%07d", 1000000+s.random.below(9000000)),
			currency: currencies[home],
			country:  countries[home],
		}
	}
	s.clientPopularity = zipf(len(s.clients), .75)

	s.products = make([]product, 800)
	for i := range s.products {
		id := strings.ToUpper(string(appendHex(nil, s.random.uint64(), 8)))
		s.products[i] = product{
			id:       "OLJ" + id,
			category: categories[s.random.below(len(categories))],
			slug:     words[s.random.below(len(words))] + "-" + words[s.random.below(len(words))],
			cents:    int64(s.random.logNormal(4500, 1.1)),
		}
	}
	s.productPopularity = zipf(len(s.products), 1)

	for i := range 140 {
		kind := []string{"/static/js/app.%s.js", "/static/css/theme.%s.css", "/static/js/vendor.%s.js", "/static/fonts/inter-%s.woff2", "/static/img/banner-%s.webp"}[i%5]
		s.assets = append(s.assets, asset{
			path: fmt.Sprintf(kind, appendHex(nil, s.random.uint64(), 8)),
			size: int64(s.random.logNormal([]float64{48000, 14000, 160000, 31000, 87000}[i%5], .7)),
		})
	}
	s.assetPopularity = zipf(len(s.assets), 1)
}

// asset is a file that the web servers hold.
type asset struct {
	path string
	size int64
}
