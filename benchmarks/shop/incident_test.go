package shop_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/benchmarks/shop"
)

// staged is a story with one incident from its second minute on, for a minute.
func staged(t *testing.T, kind shop.Kind) (s *story, from, to time.Time) {
	t.Helper()
	c := quiet()
	plan, err := shop.ParseIncidents(fmt.Sprintf("%s@60s+60s", kind))
	if err != nil {
		t.Fatal(err)
	}
	c.Incidents = plan
	s = tell(t, c, 3*time.Minute)
	incidents := s.shop.Incidents()
	if len(incidents) != 1 || incidents[0].Kind != kind || incidents[0].ID != "0001-"+string(kind) {
		t.Fatalf("incidents %+v", incidents)
	}
	i := incidents[0]
	if !i.Start.Equal(start.Add(time.Minute)) || !i.End.Equal(start.Add(2*time.Minute)) || i.Effect == "" || len(i.Symptoms) == 0 || len(i.Hosts) == 0 {
		t.Errorf("incident %+v", i)
	}
	return s, i.Start, i.End
}

func span(service, name string) func(*toldSpan) bool {
	return func(p *toldSpan) bool { return p.service == service && p.Name() == name }
}

func isServer(service string) func(*toldSpan) bool {
	return func(p *toldSpan) bool { return p.service == service && p.Kind() == ptrace.SpanKindServer }
}

func failed(p *toldSpan) bool { return p.Status().Code() == ptrace.StatusCodeError }

// changes returns the change events, as kind@seconds since the start.
func (s *story) changes() string {
	var all []string
	for _, l := range s.logs {
		if l.EventName() == "change" {
			all = append(all, fmt.Sprintf("%s of %s@%.0fs", attribute(l.Attributes(), "change.kind"), l.service, l.Timestamp().AsTime().Sub(s.started).Seconds()))
		}
	}
	return strings.Join(all, ", ")
}

// largest returns the largest values of a metric's points before, in and after the incident.
func (s *story) largest(from, to time.Time, is func(*toldPoint) bool) (before, in, after float64) {
	for i := range s.points {
		p := &s.points[i]
		if !is(p) {
			continue
		}
		switch {
		case p.at.Before(from):
			before = max(before, p.value)
		case p.at.Before(to):
			in = max(in, p.value)
		default:
			after = max(after, p.value)
		}
	}
	return before, in, after
}

func TestNoIncident(t *testing.T) {
	s := tell(t, quiet(), 2*time.Minute)
	if len(s.shop.Incidents()) != 0 || s.changes() != "" {
		t.Errorf("incidents %v, changes %s", s.shop.Incidents(), s.changes())
	}
	_, _, errors, all := s.during(time.Time{}, time.Time{}, isServer("nginx"), failed)
	if all == 0 || float64(errors)/float64(all) > .01 {
		t.Errorf("%d of %d requests failed, want fewer than 1 %%", errors, all)
	}
}

func TestSlowDatabase(t *testing.T) {
	s, from, to := staged(t, shop.SlowDatabase)
	in, out := s.medianDuration(from, to, span("payment", "SELECT payment_methods"))
	if in < 10*out {
		t.Errorf("queries of payments take %s in the incident, %s otherwise", in, out)
	}
	in, out = s.medianDuration(from, to, span("catalogue", "SELECT products"))
	if in > 2*out {
		t.Errorf("queries of the catalogue take %s in the incident, %s otherwise", in, out)
	}
	before, during, _ := s.largest(from, to, func(p *toldPoint) bool {
		return p.metric == "postgresql.backends" && attribute(p.attributes, "postgresql.database.name") == "payments"
	})
	if during < before+30 {
		t.Errorf("%g connections to payments, %g in the incident", before, during)
	}
}

func TestBadDeploy(t *testing.T) {
	s, from, to := staged(t, shop.BadDeploy)
	in, inAll, out, outAll := s.during(from, to, func(p *toldSpan) bool {
		return p.service == "checkout" && p.Kind() == ptrace.SpanKindServer
	}, failed)
	if inAll < 10 || outAll < 10 || float64(in)/float64(inAll) < .15 || float64(out)/float64(outAll) > .05 {
		t.Errorf("%d of %d orders fail in the incident, %d of %d otherwise", in, inAll, out, outAll)
	}
	if want := "deployment of checkout@60s, rollback of checkout@120s"; s.changes() != want {
		t.Errorf("changes %q, want %q", s.changes(), want)
	}
	in, inAll, out, _ = s.during(from, to, isServer("checkout"), func(p *toldSpan) bool { return p.version == "3.5.0" })
	if in < inAll*8/10 || out > 2 { // spans at the borders were flushed with either
		t.Errorf("version 3.5.0 on %d of %d spans in the incident and %d otherwise", in, inAll, out)
	}
	found := false
	for _, l := range s.logs {
		found = found || strings.Contains(attribute(l.Attributes(), "exception.message"), "nil pointer") && strings.Contains(attribute(l.Attributes(), "exception.stacktrace"), "discounts.go:64")
	}
	if !found {
		t.Error("no log record has the exception")
	}
}

func TestMemoryLeak(t *testing.T) {
	s, from, to := staged(t, shop.MemoryLeak)
	instances := map[string]bool{}
	memory := func(p *toldPoint) bool {
		if p.service != "recommendation" || p.host != "app-2" || p.metric != "process.memory.usage" {
			return false
		}
		instances[p.instance] = true
		return true
	}
	before, during, after := s.largest(from, to, memory)
	if during < 3*before || after > 2*before {
		t.Errorf("memory %.0f before, %.0f in, %.0f after the incident", before, during, after)
	}
	if len(instances) != 2 {
		t.Errorf("%d instance ids, want another one after the restart", len(instances))
	}
	if want := "restart of recommendation@120s"; s.changes() != want {
		t.Errorf("changes %q, want %q", s.changes(), want)
	}
	killed := 0
	for _, l := range s.logs {
		if strings.HasPrefix(l.Body().Str(), "Out of memory: Killed process") {
			killed++
		}
	}
	if killed != 1 {
		t.Errorf("%d kills in the journal", killed)
	}
}

func TestNetworkLatency(t *testing.T) {
	s, from, to := staged(t, shop.NetworkLatency)
	gap := func(hosts ...string) (in, out time.Duration) {
		var ins, outs []time.Duration
		for i := range s.spans {
			p := &s.spans[i]
			parent, ok := s.byID[p.ParentSpanID()]
			if p.Kind() != ptrace.SpanKindServer || !ok || s.spans[parent].host != hosts[0] || p.host != hosts[1] {
				continue
			}
			c := &s.spans[parent]
			d := time.Duration((c.EndTimestamp() - c.StartTimestamp()) - (p.EndTimestamp() - p.StartTimestamp()))
			if at := p.StartTimestamp().AsTime(); at.After(from) && at.Before(to.Add(-time.Second)) {
				ins = append(ins, d)
			} else {
				outs = append(outs, d)
			}
		}
		if len(ins) < 5 || len(outs) < 5 {
			t.Fatalf("%d and %d calls from %s to %s", len(ins), len(outs), hosts[0], hosts[1])
		}
		return median(ins), median(outs)
	}
	if in, out := gap("app-2", "app-1"); in < out+80*time.Millisecond || in > out+100*time.Millisecond {
		t.Errorf("the network takes %s between the hosts in the incident, %s otherwise; want 90 ms more", in, out)
	}
	if in, out := gap("web-1", "app-1"); in > out+5*time.Millisecond {
		t.Errorf("the network takes %s between other hosts in the incident, %s otherwise", in, out)
	}
}

func TestDiskFull(t *testing.T) {
	s, from, to := staged(t, shop.DiskFull)
	before, during, after := s.largest(from, to, func(p *toldPoint) bool {
		return p.metric == "system.filesystem.usage" && p.host == "data-1" && attribute(p.attributes, "system.filesystem.mountpoint") == "/var/lib/data" && attribute(p.attributes, "system.filesystem.state") == "used"
	})
	const size = 500 << 30
	if before > .7*size || during < .95*size || after > .7*size {
		t.Errorf("disk filled to %.2f before, %.2f in, %.2f after the incident", before/size, during/size, after/size)
	}
	full := 0
	for _, l := range s.logs {
		if strings.Contains(attribute(l.Attributes(), "exception.message"), "No space left on device") {
			full++
			if at := l.Timestamp().AsTime(); at.Before(from.Add(40*time.Second)) || at.After(to.Add(2*time.Second)) {
				t.Errorf("no space at %s, before the last quarter or after the end", at)
			}
		}
	}
	if full == 0 {
		t.Error("no operation failed for want of space")
	}
}

func TestTrafficBurst(t *testing.T) {
	s, from, to := staged(t, shop.TrafficBurst)
	in, _, out, _ := s.during(from, to, isServer("nginx"), func(*toldSpan) bool { return true })
	if ratio := float64(in) / (float64(out) / 2); ratio < 2 || ratio > 3.2 {
		t.Errorf("%d requests in the burst, %d in the two minutes around it", in, out)
	}
}

// TestAttacks expects the requests of an attack from its client alone, and only
// during the incident.
func TestAttacks(t *testing.T) {
	for kind, c := range map[shop.Kind]struct {
		agent string // that only the attacker has, empty if it has none of its own
		some  []string
		no    string
		least int
	}{
		shop.SQLInjection:       {"sqlmap/", []string{"403", "400", "500"}, "200", 50},
		shop.RequestFlood:       {"", []string{"429", "200"}, "404", 1000},
		shop.CredentialStuffing: {"", []string{"401", "302"}, "200", 50},
		shop.VulnerabilityScan:  {"Mozilla/5.00 (Nikto/", []string{"404", "403"}, "200", 50},
	} {
		t.Run(string(kind), func(t *testing.T) {
			s, from, to := staged(t, kind)
			client := s.shop.Incidents()[0].Client
			if client == "" {
				t.Fatal("the truth does not name the client")
			}
			statuses, requests, others := map[string]int{}, 0, 0
			for _, l := range s.logs {
				if l.scope != "nginx.access" {
					continue
				}
				a, at := l.Attributes(), l.Timestamp().AsTime()
				isAttack := attribute(a, "client.address") == client
				if c.agent != "" && strings.HasPrefix(attribute(a, "user_agent.original"), c.agent) != isAttack {
					t.Errorf("the attacker and its client differ: %s", l.Body().Str())
				}
				switch {
				case isAttack && (at.Before(from) || at.After(to.Add(time.Second))):
					t.Errorf("an attack at %s, out of the incident", at)
				case isAttack:
					requests++
					statuses[attribute(a, "http.response.status_code")]++
				case !at.Before(from) && at.Before(to):
					others++
				}
			}
			for _, status := range c.some {
				if statuses[status] == 0 {
					t.Errorf("no request was answered %s, only %v", status, statuses)
				}
			}
			if statuses[c.no] > 0 || requests < c.least {
				t.Errorf("%d requests, answered %v", requests, statuses)
			}
			if kind == shop.RequestFlood && (requests < others || requests > 4*others) {
				t.Errorf("%d requests of the flood, %d of others", requests, others)
			}
		})
	}
}

func TestClockSkew(t *testing.T) {
	s, from, to := staged(t, shop.ClockSkew)
	ahead, behind := 0, 0
	for i := range s.spans {
		p := &s.spans[i]
		parent, ok := s.byID[p.ParentSpanID()]
		if p.Kind() != ptrace.SpanKindServer || !ok || p.host != "app-3" || s.spans[parent].host == "app-3" {
			continue
		}
		c := &s.spans[parent]
		at := c.StartTimestamp().AsTime()
		skewed := p.StartTimestamp().AsTime().Sub(at) > 6*time.Second
		if at.After(from) && at.Before(to.Add(-2*time.Second)) {
			ahead++
			if !skewed {
				t.Errorf("a span of app-3 begins at %s, its client's at %s", p.StartTimestamp().AsTime(), at)
			}
		} else if skewed && (at.Before(from.Add(-2*time.Second)) || at.After(to)) {
			behind++
		}
	}
	if ahead == 0 || behind != 0 {
		t.Errorf("%d spans of app-3 in the incident, %d are skewed out of it", ahead, behind)
	}
}

func TestConsumerStall(t *testing.T) {
	s, from, to := staged(t, shop.ConsumerStall)
	in, _, _, _ := s.during(from.Add(2*time.Second), to.Add(-time.Second), span("email", "process orders"), func(*toldSpan) bool { return true })
	if in != 0 {
		t.Errorf("%d messages were processed while the consumer stalled", in)
	}
	before, during, _ := s.largest(from, to, func(p *toldPoint) bool {
		return p.metric == "kafka.consumer_group.lag" && attribute(p.attributes, "group") == "email"
	})
	if during < before+5 {
		t.Errorf("lag %g before, %g in the incident", before, during)
	}
	sent, _, _, _ := s.during(time.Time{}, to, span("checkout", "send orders"), func(*toldSpan) bool { return true })
	done, _, rest, _ := s.during(time.Time{}, to, span("email", "process orders"), func(*toldSpan) bool { return true })
	if done+rest < sent {
		t.Errorf("%d messages were sent until the end of the incident, %d were processed", sent, done+rest)
	}
}

// TestDefaultPlan checks that a demo of a few minutes shows an incident, that
// they do not overlap, and that each kind has its turn.
func TestDefaultPlan(t *testing.T) {
	for seed := range uint64(5) {
		c := config()
		c.Seed, c.Rate = seed, 1
		s := newShop(t, c)
		for s.Now() < start.Add(75*time.Minute).UnixNano() {
			s.Next(s.Now() + int64(time.Minute))
		}
		seen := map[shop.Kind]bool{}
		var last time.Time
		for n, i := range s.Incidents() {
			seen[i.Kind] = true
			if n == 0 && (i.Start.Before(start.Add(30*time.Second)) || i.Start.After(start.Add(time.Minute))) {
				t.Errorf("seed %d: the first incident begins at %s", seed, i.Start)
			}
			if i.Start.Before(last) || !i.End.After(i.Start) {
				t.Errorf("seed %d: %s from %s to %s, the one before until %s", seed, i.ID, i.Start, i.End, last)
			}
			last = i.End
		}
		if len(seen) != len(shop.Kinds()) {
			t.Errorf("seed %d: kinds %v in 75 minutes, want all of %v", seed, seen, shop.Kinds())
		}
	}
}

func TestParseIncidents(t *testing.T) {
	for text, want := range map[string]string{
		"none": "{[] []}", "slow_database, bad_deploy": "{[slow_database bad_deploy] []}",
		"disk_full@2m":                "{[] [{disk_full 2m0s 0s}]}",
		"disk_full@2m+90s,bad_deploy": "{[bad_deploy] [{disk_full 2m0s 1m30s}]}",
		"default":                     fmt.Sprint(shop.DefaultPlan()), "": fmt.Sprint(shop.DefaultPlan()),
		"flood":         `incident "flood": want none, default, or kinds of slow_database, memory_leak, bad_deploy, network_latency, disk_full, traffic_burst, sql_injection, clock_skew, consumer_stall, request_flood, credential_stuffing, vulnerability_scan`,
		"disk_full@x":   `incident "disk_full@x": want a time after the start such as disk_full@2m, not "x"`,
		"disk_full@-1s": `incident "disk_full@-1s": want a time after the start such as disk_full@2m, not "-1s"`,
		"disk_full@1s+": `incident "disk_full@1s+": want a length such as disk_full@2m+90s, not ""`,
	} {
		plan, err := shop.ParseIncidents(text)
		got := fmt.Sprint(plan)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	for want, change := range map[string]func(*shop.Config){
		"": func(*shop.Config) {},
		"start: want the first moment of the model":          func(c *shop.Config) { c.Start = time.Time{} },
		"rate 0: want 1 to 10,000,000 events a second":       func(c *shop.Config) { c.Rate = 0 },
		"events_per_request 0: want 1 to 20,000":             func(c *shop.Config) { c.EventsPerRequest = 0 },
		"flush_interval 0s: want more than 0 and at most 1m": func(c *shop.Config) { c.FlushInterval = 0 },
		"metric_interval 1ms: want 100ms to 1h, or 0":        func(c *shop.Config) { c.MetricInterval = time.Millisecond },
		"clients 0: want 1 to 1,000,000":                     func(c *shop.Config) { c.Clients = 0 },
	} {
		c := config()
		change(&c)
		_, err := shop.New(c)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("error %q, want %q", got, want)
		}
	}
}
