package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"sort"
	"strconv"
	"time"
)

// The load of the web log scenario: a day of a busy site in the combined format.
const (
	clients  = 60_000
	paths    = 4_000
	agents   = 246
	firstDay = "2026-03-02T00:00:00Z"
)

// generator writes lines; the same seed gives the same ones.
type generator struct {
	random   *rand.Rand
	clients  []string
	paths    []path
	agents   []string
	client   zipf
	path     zipf
	agent    zipf
	statuses []status
}

type path struct {
	text string
	size float64 // of its answer, the logarithm of bytes
}

type status struct {
	code  string
	up    float64 // the share of this one and those before it
	empty bool
}

var referrers = []string{
	"-", "-", "https://example.com/", "https://google.com/", "https://duckduckgo.com/", "https://news.example.org/item",
	"https://bing.com/search?q=shoes", "https://www.example.com/shop",
}

func newGenerator(seed uint64) *generator {
	g := &generator{random: rand.New(rand.NewPCG(seed, seed))} //nolint:gosec // a load, no secret
	g.client, g.path, g.agent = newZipf(clients, 0.9), newZipf(paths, 1.0), newZipf(agents, 0.8)
	for range clients {
		g.clients = append(g.clients, g.address())
	}
	for i := range paths {
		g.paths = append(g.paths, path{text: g.pathText(i), size: math.Log(400) + g.random.Float64()*5})
	}
	for i := range agents {
		g.agents = append(g.agents, g.agentText(i))
	}
	up := 0.0
	for _, s := range []struct {
		code  string
		share float64
		empty bool
	}{
		{"200", 0.880, false},
		{"304", 0.035, true},
		{"404", 0.035, false},
		{"301", 0.025, false},
		{"500", 0.004, false},
		{"502", 0.004, false},
		{"503", 0.004, false},
		{"206", 0.005, false},
		{"403", 0.004, false},
		{"302", 0.004, true},
	} {
		up += s.share
		g.statuses = append(g.statuses, status{code: s.code, up: up, empty: s.empty})
	}
	g.statuses[len(g.statuses)-1].up = 1
	return g
}

// address is one of 20 that are of IPv6.
func (g *generator) address() string {
	if g.random.IntN(20) == 0 {
		var b [16]byte
		for i := range b {
			b[i] = byte(g.random.IntN(256))
		}
		b[0], b[1] = 0x2a, byte(g.random.IntN(16))
		return netip.AddrFrom16(b).String()
	}
	return netip.AddrFrom4([4]byte{byte(1 + g.random.IntN(222)), byte(g.random.IntN(256)), byte(g.random.IntN(256)), byte(1 + g.random.IntN(254))}).String()
}

var (
	sections   = []string{"products", "catalog", "blog/posts", "orders", "help/articles", "search", "api/items", "news/archive"}
	words      = []string{"running", "winter", "summer", "leather", "classic", "outdoor", "kids", "sale", "premium", "organic", "vintage", "travel"}
	extensions = []string{".css", ".js", ".png", ".jpg", ".svg", ".woff2", ".ico", ".webp"}
)

func (g *generator) pathText(i int) string {
	section, word := sections[g.random.IntN(len(sections))], words[g.random.IntN(len(words))]
	switch i % 4 {
	case 0:
		return "/static/" + word + "-" + strconv.Itoa(i) + extensions[g.random.IntN(len(extensions))]
	case 1:
		return "/" + section + "/" + word + "/" + strconv.Itoa(100_000+i)
	}
	return "/" + section + "/" + word + "-" + words[g.random.IntN(len(words))] + "-" + strconv.Itoa(i)
}

// agentText is a browser, or one time in twelve a crawler or tool.
func (g *generator) agentText(i int) string {
	major := 90 + g.random.IntN(60)
	systems := []string{
		"Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64", "Linux; Android 14; Pixel 8", "X11; CrOS x86_64 14541.0.0",
	}
	system := systems[g.random.IntN(len(systems))]
	switch {
	case i%12 == 7:
		bots := []string{
			"Mozilla/5.0 (compatible; Googlebot/2.%d; +http://www.google.com/bot.html)", "Mozilla/5.0 (compatible; bingbot/2.%d; +http://www.bing.com/bingbot.htm)",
			"curl/8.%d.0", "python-requests/2.%d.0", "Mozilla/5.0 (compatible; AhrefsBot/7.%d; +http://ahrefs.com/robot/)",
		}
		return fmt.Sprintf(bots[g.random.IntN(len(bots))], i)
	case i%5 == 1:
		return fmt.Sprintf("Mozilla/5.0 (%s; rv:%d.%d) Gecko/20100101 Firefox/%d.0", system, major, i, major)
	case i%5 == 2:
		return fmt.Sprintf("Mozilla/5.0 (iPhone; CPU iPhone OS 17_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.%d Mobile/15E148 Safari/604.1", i, i%7)
	case i%5 == 3:
		return fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.%d.0 Safari/537.36 Edg/%d.0", system, major, i, major)
	}
	return fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.%d.%d Safari/537.36", system, major, 4000+i, i)
}

// write writes so many lines, whose times are spread over a day.
func (g *generator) write(to io.Writer, lines int) error {
	w := bufio.NewWriterSize(to, 1<<20)
	start, err := time.Parse(time.RFC3339, firstDay)
	if err != nil {
		return err
	}
	step := 24 * time.Hour / time.Duration(max(1, lines))
	var b []byte
	for i := range lines {
		b = g.line(b[:0], start.Add(time.Duration(i)*step))
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (g *generator) line(b []byte, at time.Time) []byte {
	p := &g.paths[g.path.draw(g.random)]
	b = append(b, g.clients[g.client.draw(g.random)]...)
	b = append(b, " - - ["...)
	b = at.AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	method := "GET "
	if g.random.IntN(20) == 0 {
		method = "POST "
	}
	b = append(append(b, method...), p.text...)
	if g.random.IntN(6) == 0 {
		b = append(b, "?ref="...)
		b = append(b, words[g.random.IntN(len(words))]...)
		b = strconv.AppendInt(append(b, "&page="...), int64(g.random.IntN(200)), 10)
	}
	protocol := " HTTP/1.1"
	if g.random.IntN(3) == 0 {
		protocol = " HTTP/2.0"
	}
	b = append(append(b, protocol...), `" `...)
	s := g.status()
	b = append(append(b, s.code...), ' ')
	size := int64(0)
	if !s.empty {
		size = int64(math.Exp(p.size + g.random.NormFloat64()/2))
	}
	b = strconv.AppendInt(b, size, 10)
	b = append(append(append(b, ` "`...), referrers[g.random.IntN(len(referrers))]...), `" "`...)
	b = append(b, g.agents[g.agent.draw(g.random)]...)
	return append(b, "\"\n"...)
}

func (g *generator) status() *status {
	u := g.random.Float64()
	for i := range g.statuses {
		if u < g.statuses[i].up {
			return &g.statuses[i]
		}
	}
	return &g.statuses[0]
}

// zipf draws numbers from 0, of which number i is as likely as 1/(i+1)^s.
type zipf struct{ up []float64 }

func newZipf(n int, s float64) zipf {
	z := zipf{up: make([]float64, n)}
	sum := 0.0
	for i := range z.up {
		sum += math.Pow(float64(i+1), -s)
		z.up[i] = sum
	}
	for i := range z.up {
		z.up[i] /= sum
	}
	return z
}

func (z zipf) draw(r *rand.Rand) int {
	return min(sort.SearchFloat64s(z.up, r.Float64()), len(z.up)-1)
}
