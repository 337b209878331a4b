package security_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/processors/security"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// visitors are people on a site: each reads a page now and then, with its assets.
type visitors struct {
	random  *rand.Rand
	clients []string
}

func newVisitors(n int) *visitors {
	v := &visitors{random: rand.New(rand.NewPCG(3, 4))}
	for i := range n {
		v.clients = append(v.clients, fmt.Sprintf("203.%d.%d.7", i/250, i%250))
	}
	return v
}

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

// page appends the requests for one page.
func (v *visitors) page(to []telemetry.WebHit, at int64) []telemetry.WebHit {
	r := v.random
	h := telemetry.WebHit{Time: at, Site: "shop", Client: v.clients[r.IntN(len(v.clients))], Method: "GET", Protocol: "HTTP/1.1", Status: 200, Sent: 9000, Duration: -1, UserAgent: firefox, Referrer: "https://shop/"}
	switch r.IntN(10) {
	case 0:
		h.Path, h.Query, h.Route = "/search", "q=it%27s+a+"+strconv.Itoa(r.IntN(1000)), "/search"
	case 1:
		h.Path, h.Route, h.Method, h.Status = "/login", "/login", "POST", []uint16{302, 401}[r.IntN(2)]
	case 2:
		h.Path, h.Route, h.Status = "/old/"+strconv.Itoa(r.IntN(100)), "/old/{id}", 404
	case 3:
		h.Path, h.Route = "/", "/"
	default:
		h.Path, h.Route = "/product/"+strconv.Itoa(r.IntN(1000)), "/product/{id}"
	}
	to = append(to, h)
	for range 4 {
		h.Path, h.Query, h.Route, h.Method, h.Status, h.Asset = "/static/"+strconv.Itoa(r.IntN(100))+".js", "", "/static/{file}", "GET", 200, true
		to = append(to, h)
	}
	return to
}

// address returns the i-th of very many addresses, all in networks of their own or nearly so.
func address(i int) string {
	return strconv.Itoa(11+i%180) + "." + strconv.Itoa(i/180%250) + "." + strconv.Itoa(i/45000%250) + "." + strconv.Itoa(1+i%250)
}

// TestMillion floods a site from a million addresses in a minute, one request each:
// it is found within ten seconds, no visitor is accused, and what is kept is
// bounded.
func TestMillion(t *testing.T) {
	const addresses = 1_000_000
	for _, c := range []struct {
		name, kind, subject string
		before              int64 // seconds of visitors before the flood
		request             func(h *telemetry.WebHit, i int)
	}{
		{"one path", "distributed_flood", "/search", 320, func(h *telemetry.WebHit, i int) {
			h.Path, h.Query, h.Route = "/search", "q="+strconv.Itoa(i), "/search"
		}},
		{"without a baseline", "distributed_flood", "/", 0, func(h *telemetry.WebHit, _ int) { h.Path, h.Route = "/", "/" }},
		{"any path", "distributed_flood", "", 320, func(h *telemetry.WebHit, i int) { h.Path = "/" + strconv.Itoa(i); h.Status = 404 }},
		{"logins", "credential_stuffing", "", 320, func(h *telemetry.WebHit, i int) {
			h.Path, h.Method, h.Status, h.Query = "/login", "POST", 401, "user="+strconv.Itoa(i)
		}},
		{"injections", "sql_injection", "", 320, func(h *telemetry.WebHit, i int) { h.Path, h.Query = "/product", "id="+strconv.Itoa(i)+"'+or+1=1--" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := addresses
			if raceDetector || c.name != "one path" {
				n /= 20
			}
			p := newProcessor(t, security.DefaultConfig())
			people := newVisitors(2000)
			var visits []telemetry.WebHit
			start := base + c.before*second
			found, sent := int64(0), 0
			accused := map[string]int{}
			most := int64(0)
			// A record each fifth of a second.
			for now := base; now < start+60*second; now += second / 5 {
				visits = visits[:0]
				for range 4 {
					visits = people.page(visits, now)
				}
				for ; now >= start && int64(sent)*60*second < int64(n)*(now-start+second/5); sent++ {
					h := telemetry.WebHit{Time: now, Site: "shop", Client: address(sent), Method: "GET", Protocol: "HTTP/1.1", Status: 200, Sent: 100, Duration: -1, UserAgent: firefox}
					c.request(&h, sent)
					visits = append(visits, h)
				}
				rows, _ := findings(t, p, record{received: now + second, visits: visits})
				for _, f := range rows {
					if f.Kind == c.kind && f.Subject == c.subject && f.Actor == "many" && found == 0 {
						found = now
					}
					if strings.HasPrefix(f.Actor, "203.") {
						accused[f.Actor+" "+f.Kind]++
					}
					if found == 0 && now < start {
						t.Errorf("found before the flood: %+v", f)
					}
				}
				_, size := p.Held()
				most = max(most, size)
			}
			if found == 0 || found-start > 10*second {
				t.Errorf("found after %d s", (found-start)/second)
			}
			if len(accused) > 0 {
				t.Errorf("visitors are accused: %v", accused)
			}
			if state := len(p.Snapshot(nil)); most > 40<<20 || state > 20<<20 {
				t.Errorf("%d bytes are kept, the state is %d", most, state)
			} else {
				t.Logf("%d addresses: found after %.1f s, at most %d KiB are kept, the state is %d KiB", sent, float64(found-start)/1e9, most>>10, state>>10)
			}
		})
	}
}

// findings is process without the text of the rows.
func findings(t testing.TB, p *security.Processor, r record) ([]telemetry.Finding, *telemetry.Batch) {
	t.Helper()
	b := batch([]record{r})
	if err := p.Process(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return b.Findings, b
}

// BenchmarkVisits looks at requests of visitors, and at those of a flood.
func BenchmarkVisits(b *testing.B) {
	people := newVisitors(20_000)
	for name, request := range map[string]func(i int, h *telemetry.WebHit){
		"visitors": nil,
		"flood": func(i int, h *telemetry.WebHit) {
			h.Client, h.Path, h.Asset = address(i), "/search", false
		},
		"injections": func(i int, h *telemetry.WebHit) {
			h.Client, h.Path, h.Query, h.Asset = address(i%100), "/product", "id=1%27%20UNION%20ALL%20SELECT%20NULL,version()--%20-", false
		},
	} {
		b.Run(name, func(b *testing.B) {
			p := newProcessor(b, security.DefaultConfig())
			var batches []*telemetry.Batch
			n := 0
			for i := range 20 {
				var visits []telemetry.WebHit
				for len(visits) < 5000 {
					visits = people.page(visits, base+int64(i)*second)
				}
				for j := range visits {
					if request != nil {
						request(n, &visits[j])
					}
					n++
				}
				batches = append(batches, batch([]record{{received: base + int64(i)*second, visits: visits}}))
			}
			b.ReportAllocs()
			n = 0
			for b.Loop() {
				in := batches[n/5000%len(batches)]
				if err := p.Process(b.Context(), in); err != nil {
					b.Fatal(err)
				}
				n += len(in.Visits)
				in.Findings, in.Words = in.Findings[:0], in.Words[:0]
				for i := range in.Visits {
					in.Visits[i].Time += 20 * second
				}
				in.Records[0].ReceiveTime += 20 * second
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/request")
		})
	}
}
