package shop

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind names a kind of incident.
type Kind string

// The kinds of incidents.
const (
	SlowDatabase   Kind = "slow_database"
	MemoryLeak     Kind = "memory_leak"
	BadDeploy      Kind = "bad_deploy"
	NetworkLatency Kind = "network_latency"
	DiskFull       Kind = "disk_full"
	TrafficBurst   Kind = "traffic_burst"
	SQLInjection   Kind = "sql_injection"
	ClockSkew      Kind = "clock_skew"
	ConsumerStall  Kind = "consumer_stall"
	// The attacks have the names of the findings about them.
	RequestFlood       Kind = "request_flood"
	CredentialStuffing Kind = "credential_stuffing"
	VulnerabilityScan  Kind = "vulnerability_scan"
)

// script is what is known of a kind of incident.
type script struct {
	kind     Kind
	services []string
	hosts    []string
	effect   string
	symptoms []string
	// low and high bound its length.
	low, high time.Duration
	apply     func(s *Shop, i *Incident, progress float64)
	begin     func(s *Shop, i *Incident)
	end       func(s *Shop, i *Incident)
}

// scripts are the incidents in the order in which they are documented.
var scripts = []script{
	{
		kind: SlowDatabase, services: []string{"payment", "checkout", "frontend", "nginx"}, hosts: []string{"data-1"},
		effect: "queries of the payments database take 25 times as long, 4 % of charges find no free connection",
		symptoms: []string{
			"latency of payment Charge, checkout PlaceOrder and POST /cart/checkout rises, other routes do not",
			"errors SQLTransientConnectionException in payment",
			"postgresql.backends of payments rises",
		},
		low: 2 * time.Minute, high: 5 * time.Minute,
		apply: func(s *Shop, _ *Incident, _ float64) {
			for _, o := range s.paymentDatabase {
				s.effects.operations[o.index].slow *= 25
			}
			s.effects.operations[s.paymentDatabase[1].index].breaks(.04, paymentTimeout)
			s.effects.backends += 60
		},
	},
	{
		kind: MemoryLeak, services: []string{"recommendation"}, hosts: []string{"app-2"},
		effect: "one instance of recommendation leaks until it fails, is killed at its memory limit and starts again",
		symptoms: []string{
			"process.memory.usage of the instance grows to its limit of 2 GiB, then falls",
			"errors MemoryError of the instance in the last tenth",
			"change event 'restart' at the end, its counters begin at zero",
		},
		low: 3 * time.Minute, high: 6 * time.Minute,
		apply: func(s *Shop, _ *Incident, progress float64) {
			in := s.recommend.service.instances[0]
			in.state.leaked = int64(progress * 1.65 * gib)
			in.state.failing = progress > .9
		},
		end: func(s *Shop, i *Incident) {
			in := s.recommend.service.instances[0]
			in.state.leaked, in.state.failing = 0, false
			at := i.End.UnixNano()
			s.emitEvent(in.host.source, at, severityError, "", fmt.Sprintf("Out of memory: Killed process %d (python3) total-vm:3987412kB, anon-rss:2096148kB", 21000+in.pid),
				"log.iostream", "kernel", "process.executable.name", "python3")
			s.restart(in, at)
			s.change(in, at, "restart", "recommendation was restarted after it ran out of memory", in.version, in.version)
		},
	},
	{
		kind: BadDeploy, services: []string{"checkout", "frontend", "nginx"}, hosts: []string{"app-1", "app-3"},
		effect: "checkout gets a new version that fails 28 % of the orders, and is rolled back",
		symptoms: []string{
			"change event 'deployment' of checkout at the start, 'rollback' at the end",
			"service.version of checkout differs in the meantime",
			"errors 'invalid memory address or nil pointer dereference' in checkout, status 500 on POST /cart/checkout",
		},
		low: 2 * time.Minute, high: 5 * time.Minute,
		apply: func(s *Shop, _ *Incident, _ float64) {
			s.effects.operations[s.placeOrder.index].breaks(.28, nilPointer)
		},
		begin: func(s *Shop, _ *Incident) { s.deploy("deployment", "3.5.0") },
		end:   func(s *Shop, _ *Incident) { s.deploy("rollback", "3.4.1") },
	},
	{
		kind: NetworkLatency, services: []string{"cart", "catalogue", "checkout", "shipping", "payment", "recommendation", "inventory", "currency", "frontend"}, hosts: []string{"app-1", "app-2"},
		effect: "messages between app-1 and app-2 take 45 ms longer, each way",
		symptoms: []string{
			"client spans of calls between the two hosts are 90 ms longer than their server spans",
			"server spans on either host do not change but for calls they make to the other",
		},
		low: 2 * time.Minute, high: 5 * time.Minute,
		apply: func(s *Shop, _ *Incident, _ float64) {
			s.effects.delay[app1][app2] += 45e6
			s.effects.delay[app2][app1] += 45e6
		},
	},
	{
		kind: DiskFull, services: []string{"payment", "checkout", "inventory", "frontend"}, hosts: []string{"data-1"},
		effect: "the data disk of data-1 fills from 62 % to 99.9 %; in the last quarter writes to the databases fail, until it is cleaned up",
		symptoms: []string{
			"system.filesystem.usage of /var/lib/data on data-1 grows steadily",
			"errors 'No space left on device' in payment, checkout and inventory in the last quarter",
			"a warning, then an error in the journal of data-1",
		},
		low: 4 * time.Minute, high: 7 * time.Minute,
		apply: func(s *Shop, i *Incident, progress float64) {
			s.effects.disk[data1] = .379 * min(1, progress/.75)
			if progress > .55 && i.stage == 0 {
				i.stage = 1
				s.emitEvent(s.hosts[data1].source, s.now, severityWarn, "", "disk usage of /var/lib/data is above 90%", "system.filesystem.mountpoint", "/var/lib/data")
			}
			if progress < .75 {
				return
			}
			if i.stage == 1 {
				i.stage = 2
				s.emitEvent(s.hosts[data1].source, s.now, severityError, "", "EXT4-fs warning (device nvme1n1): ext4_end_bio: I/O error 3 writing to inode 131245: No space left on device", "system.filesystem.mountpoint", "/var/lib/data")
			}
			for _, o := range s.diskWrites {
				s.effects.operations[o.index].breaks(.7, diskFull)
			}
		},
		end: func(s *Shop, i *Incident) {
			s.emitEvent(s.hosts[data1].source, i.End.UnixNano(), severityInfo, "", "removed 188 GiB of old write-ahead log from /var/lib/data", "system.filesystem.mountpoint", "/var/lib/data")
		},
	},
	{
		kind: TrafficBurst, services: []string{"nginx", "frontend"}, hosts: []string{"web-1", "web-2"},
		effect: "three times as many visitors come; everything is 30 % slower",
		symptoms: []string{
			"requests of both web servers triple",
			"latency of every service rises a little, CPU of every host rises",
		},
		low: 90 * time.Second, high: 3 * time.Minute,
		apply: func(s *Shop, _ *Incident, progress float64) {
			ramp := min(1, 8*progress, 8*(1-progress)) // an eighth of it up, an eighth down
			s.effects.traffic *= 1 + 2*max(0, ramp)
			s.effects.load *= 1 + .3*max(0, ramp)
		},
	},
	{
		kind: SQLInjection, services: []string{"nginx", "frontend", "catalogue"}, hosts: []string{"web-1", "web-2"},
		effect: "one client tries SQL injections on /product/{id}",
		symptoms: []string{
			"access lines of one client.address with the user agent sqlmap and SQL in url.query",
			"status 403 and 400, some 500 with PgError 42601 in catalogue",
		},
		low: 90 * time.Second, high: 4 * time.Minute,
		apply: func(s *Shop, i *Incident, _ float64) { s.attack(i, .06, (*Shop).inject) },
		begin: comes,
	},
	{
		kind: ClockSkew, services: []string{}, hosts: []string{"app-3"},
		effect: "the clock of app-3 is 7 s ahead",
		symptoms: []string{
			"server spans on app-3 begin 7 s after the client spans that called them",
			"logs and metrics of app-3 are stamped 7 s ahead",
		},
		low: 2 * time.Minute, high: 4 * time.Minute,
		apply: func(s *Shop, _ *Incident, _ float64) { s.effects.skew[app3] += 7e9 },
	},
	{
		kind: ConsumerStall, services: []string{"email"}, hosts: []string{"app-3"},
		effect: "email stops to consume the topic orders, and catches up at the end",
		symptoms: []string{
			"kafka.consumer_group.lag of group email grows, then falls",
			"no spans 'process orders' of email in the meantime; afterwards they begin long after the spans they link to",
		},
		low: 2 * time.Minute, high: 4 * time.Minute,
		apply: func(s *Shop, _ *Incident, _ float64) { s.effects.operations[s.email.index].stalled = true },
	},
	{
		kind: RequestFlood, services: []string{"nginx"}, hosts: []string{"web-1", "web-2"},
		effect: "one client sends twice as many requests for /search as everybody else together",
		symptoms: []string{
			"access lines of one client.address for /search, with another word in url.query each time",
			"status 429 for most of them, from the web servers",
		},
		low: 90 * time.Second, high: 3 * time.Minute,
		apply: func(s *Shop, i *Incident, _ float64) {
			s.effects.traffic *= 3
			s.attack(i, 2./3, (*Shop).flood)
		},
		begin: comes,
	},
	{
		kind: CredentialStuffing, services: []string{"nginx"}, hosts: []string{"web-1", "web-2"},
		effect: "one client tries passwords of many accounts on /login; a few are right",
		symptoms: []string{
			"access lines of one client.address: POST /login with status 401, some with 302",
		},
		low: 90 * time.Second, high: 4 * time.Minute,
		apply: func(s *Shop, i *Incident, _ float64) { s.attack(i, .06, (*Shop).logIn) },
		begin: comes,
	},
	{
		kind: VulnerabilityScan, services: []string{"nginx"}, hosts: []string{"web-1", "web-2"},
		effect: "one client asks for files and administration pages that the shop does not have",
		symptoms: []string{
			"access lines of one client.address with the user agent Nikto and status 404, some with 403",
		},
		low: 90 * time.Second, high: 4 * time.Minute,
		apply: func(s *Shop, i *Incident, _ float64) { s.attack(i, .06, (*Shop).search) },
		begin: comes,
	},
}

func scriptOf(kind Kind) *script {
	i := slices.IndexFunc(scripts, func(c script) bool { return c.kind == kind })
	if i < 0 {
		return nil
	}
	return &scripts[i]
}

// Kinds lists every kind of incident.
func Kinds() []Kind {
	var kinds []Kind
	for i := range scripts {
		kinds = append(kinds, scripts[i].kind)
	}
	return kinds
}

func kindNames() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// change emits the log event that says that somebody or something changed a service.
func (s *Shop) change(in *instance, at int64, kind, text, before, after string) {
	s.emitEvent(in.source, at, severityInfo, "change", text,
		"change.kind", kind, "change.service", in.service.name, "change.version.before", before, "change.version.after", after, "change.author", "deploy-bot")
}

// deploy gives checkout another version, on every instance.
func (s *Shop) deploy(kind, version string) {
	v := s.placeOrder.service
	before := v.instances[0].version
	for i, in := range v.instances {
		in.version = version
		in.pod = fmt.Sprintf("%s-%s-%s", v.name, appendHex(nil, hashString(version), 9), appendHex(nil, s.random.uint64(), 5))
		s.restart(in, s.now)
		if i == 0 {
			s.change(in, s.now, kind, fmt.Sprintf("%s: %s %s -> %s", kind, v.name, before, version), before, version)
		}
	}
}
