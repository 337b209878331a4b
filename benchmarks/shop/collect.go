package shop

import (
	"fmt"
	"math"
	"strconv"
)

// pointsPerRound is about how many points one collection of every metric has;
// a test holds it to what is produced.
const pointsPerRound = 680

// hostState is what a host's counters have come to.
type hostState struct {
	due     int64
	last    int64
	cpu     [16][5]float64 // seconds by cpu and mode
	disk    [2][2]int64    // bytes by device and direction
	ops     [2][2]int64
	network [2]int64
	packets [2]int64
	load    float64
}

// instanceState is what a process's counters have come to.
type instanceState struct {
	started  int64
	due      int64
	last     int64
	cpu      float64 // seconds
	requests int64
	bytes    int64
	leaked   int64
	failing  bool
	garbage  float64 // share of the sawtooth of the collector
	cycles   int64   // of garbage collection
	paused   float64 // seconds
	read     int64
}

func (s *Shop) buildMetrics() {
	all := int64(len(s.hosts) + len(s.instances))
	n := int64(0)
	phase := func() int64 { // collections are spread over the interval
		n++
		return s.start + s.metricInterval*n/all
	}
	for _, h := range s.hosts {
		h.state.due, h.state.last = phase(), s.start
		// Hosts have been up for a while: their counters do not begin at zero.
		up := 1e5 + 1e6*s.random.float()
		for c := range h.cpus {
			for mode, share := range []float64{.19, .05, .72, .02, .02} {
				h.state.cpu[c][mode] = math.Floor(up*share*(.9+.2*s.random.float())*100) / 100
			}
		}
		for i := range 2 {
			h.state.network[i] = int64(up * 2e5 * (.5 + s.random.float()))
			h.state.packets[i] = h.state.network[i] / 700
			for d := range h.mounts {
				h.state.disk[d][i] = int64(up * 8e4 * (.5 + s.random.float()))
				h.state.ops[d][i] = h.state.disk[d][i] / 16384
			}
		}
		h.state.load = .4
	}
	for _, in := range s.instances {
		in.state.due = phase()
		in.state.started = s.start - int64(1e9*(3600+86400*s.random.float()))
		in.state.last = s.start
		in.state.cpu = 60 + 900*s.random.float()
		in.state.garbage = s.random.float()
		in.state.cycles = int64(in.state.cpu * 2)
		in.state.paused = float64(in.state.cycles) * 9e-5
		in.state.read = int64(1e9 * s.random.float())
	}
}

// restart begins the counters of a process anew, under a new instance id.
func (s *Shop) restart(in *instance, at int64) {
	s.flushHost(in.host)
	in.state = instanceState{started: at, due: in.state.due, last: at}
	in.series = in.series[:0]
	in.id = uuid(s.random.uint64(), s.random.uint64())
	s.encodeInstanceResource(in)
}

// collect encodes the metrics of every host and process that is due.
func (s *Shop) collect(until int64) {
	for _, h := range s.hosts {
		for h.state.due <= until {
			s.collectHost(h, h.state.due)
			h.state.due += s.metricInterval
		}
	}
	for _, in := range s.instances {
		for in.state.due <= until {
			s.collectInstance(in, in.state.due)
			in.state.due += s.metricInterval
		}
	}
}

// utilization is how busy a host is, between 0 and 1. It follows demand, not
// the configured rate: the shop's machines fit its traffic.
func (s *Shop) utilization(h *host) float64 {
	base := []float64{.22, .22, .31, .28, .26, .35}[h.index]
	u := .04 + base*s.traffic*s.effects.load + .015*s.random.normal()
	for _, in := range s.instances {
		if in.host == h && in.state.failing {
			u += .2 // it swaps and collects garbage
		}
	}
	return min(max(u, .01), .99)
}

var (
	cpuModes   = []string{"user", "system", "idle", "iowait", "softirq"}
	directions = []string{"read", "write"}
	flows      = []string{"receive", "transmit"}
)

func (s *Shop) collectHost(h *host, at int64) {
	st := &h.state
	elapsed := float64(at-st.last) / 1e9
	st.last = at
	u := s.utilization(h)
	m := s.meter(h.source, s.start-int64(1e15), at)

	var points []number
	for c := range h.cpus {
		busy := min(max(u*(.85+.3*s.random.float()), 0), 1)
		for mode, share := range []float64{.74 * busy, .2 * busy, 1 - busy, .03 * busy, .03 * busy} {
			st.cpu[c][mode] += math.Round(elapsed*share*100) / 100
			points = append(points, fraction(math.Round(st.cpu[c][mode]*100)/100, label{"cpu", "cpu" + strconv.Itoa(c)}, label{"cpu.mode", cpuModes[mode]}))
		}
	}
	m.counter(description{"system.cpu.time", "s", "Seconds each logical CPU spent on each mode"}, points...)
	st.load += (u*float64(h.cpus) - st.load) * min(1, elapsed/60)
	m.gauge(description{"system.cpu.load_average.1m", "{thread}", "Average CPU Load over 1 minute"}, fraction(math.Round(st.load*100)/100))

	leaked := int64(0)
	for _, in := range s.instances {
		if in.host == h {
			leaked += in.state.leaked
		}
	}
	used := int64(float64(h.memory)*(.42+.12*u)) + leaked
	cached := int64(float64(h.memory) * (.27 + .002*s.random.normal()))
	m.level(description{"system.memory.usage", "By", "Bytes of memory in use"},
		whole(used/4096*4096, label{"system.memory.state", "used"}), whole(cached/4096*4096, label{"system.memory.state", "cached"}),
		whole(h.memory/50, label{"system.memory.state", "buffered"}), whole((h.memory-used-cached-h.memory/50)/4096*4096, label{"system.memory.state", "free"}))

	s.collectDisks(h, m, elapsed, u)

	for i := range st.network {
		step := int64(elapsed * s.random.logNormal(2.6e6, .15) * s.traffic * []float64{1, 1.7}[i])
		st.network[i] += step
		st.packets[i] += step / 690
	}
	device := label{"network.interface.name", "eth0"}
	m.counter(description{"system.network.io", "By", "The number of bytes transmitted and received"},
		whole(st.network[0], device, label{"network.io.direction", flows[0]}), whole(st.network[1], device, label{"network.io.direction", flows[1]}))
	m.counter(description{"system.network.packets", "{packet}", "The number of packets transferred"},
		whole(st.packets[0], device, label{"network.io.direction", flows[0]}), whole(st.packets[1], device, label{"network.io.direction", flows[1]}))
	m.level(description{"system.network.connections", "{connection}", "The number of connections"},
		whole(int(180*s.traffic)+s.random.below(20), label{"network.connection.state", "ESTABLISHED"}),
		whole(int(90*s.traffic)+s.random.below(40), label{"network.connection.state", "TIME_WAIT"}))
	m.level(description{"system.process.count", "{process}", "Total number of processes in each state"},
		whole(212+h.index*7+s.random.below(5), label{"process.state", "sleeping"}), whole(1+s.random.below(h.cpus), label{"process.state", "running"}))
}

func (s *Shop) collectDisks(h *host, m *meter, elapsed, u float64) {
	st := &h.state
	var io, ops, usage []number
	for d, mt := range h.mounts {
		name := label{"system.device", mt.device}
		for i, direction := range directions {
			step := int64(elapsed*s.random.logNormal(3e5, .4)*(.3+u)*float64(1+3*d*(1+i))) / 512 * 512
			st.disk[d][i] += step
			st.ops[d][i] += step / 16384
			io = append(io, whole(st.disk[d][i], name, label{"disk.io.direction", direction}))
			ops = append(ops, whole(st.ops[d][i], name, label{"disk.io.direction", direction}))
		}
		share := mt.used + float64(m.at-s.start)/1e9/86400*.004 // what logs leave behind
		if d == 1 {
			share = min(mt.used+s.effects.disk[h.index], .999)
		}
		bytes := int64(share*float64(mt.size)) / 4096 * 4096
		where := label{"system.filesystem.mountpoint", mt.path}
		usage = append(usage, whole(bytes, name, where, label{"system.filesystem.state", "used"}),
			whole(max(mt.size-bytes, 0), name, where, label{"system.filesystem.state", "free"}))
	}
	m.counter(description{"system.disk.io", "By", "Disk bytes transferred"}, io...)
	m.counter(description{"system.disk.operations", "{operation}", "Disk operations count"}, ops...)
	m.level(description{"system.filesystem.usage", "By", "Filesystem bytes used"}, usage...)
}

func (s *Shop) collectInstance(in *instance, at int64) {
	st := &in.state
	elapsed := float64(at-st.last) / 1e9
	st.last = at
	m := s.meter(in.source, st.started, at)
	u := s.traffic * (.08 + .1*s.random.float())
	st.cpu += math.Round(elapsed*u*1000) / 1000
	st.garbage = math.Mod(st.garbage+.17*s.traffic, 1)
	base := float64(90+17*in.service.index) * (1 << 20)
	heap := base * (.35 + .4*st.garbage)

	m.counter(description{"process.cpu.time", "s", "Total CPU seconds"},
		fraction(math.Round(st.cpu*.82*1000)/1000, label{"cpu.mode", "user"}), fraction(math.Round(st.cpu*.18*1000)/1000, label{"cpu.mode", "system"}))
	m.level(description{"process.memory.usage", "By", "The amount of physical memory in use"}, whole(int64(base+heap)/4096*4096+st.leaked))
	m.gauge(description{"process.uptime", "s", "The time the process has been running"}, fraction(math.Round(float64(at-st.started)/1e6)/1e3))
	s.collectRuntime(in, m, heap, elapsed)
	m.durations(in)
}

// collectRuntime encodes what the runtime of each language says of itself.
func (s *Shop) collectRuntime(in *instance, m *meter, heap, elapsed float64) {
	st := &in.state
	cycles := int64(elapsed * (.2 + s.traffic*.5) * (.7 + .6*s.random.float()))
	st.cycles += cycles
	st.paused += float64(cycles) * s.random.logNormal(9e-5, .3)
	switch in.service.language {
	case "go":
		m.level(description{"go.memory.used", "By", "Memory used by the Go runtime."}, whole(int64(heap), label{"go.memory.type", "other"}), whole(int64(1<<20+heap/40), label{"go.memory.type", "stack"}))
		m.level(description{"go.goroutine.count", "{goroutine}", "Count of live goroutines."}, whole(int(60*s.traffic)+s.random.below(25)+18))
		m.counter(description{"go.memory.allocations", "{allocation}", "Count of allocations to the heap by the application."}, whole(st.cycles*41877))
		m.summary(description{"go_gc_duration_seconds", "s", "A summary of the wall-time pause duration in garbage collection cycles."}, st.cycles, st.paused,
			0, 2.1e-5, .25, s.random.logNormal(5e-5, .1), .5, s.random.logNormal(8e-5, .1), .75, s.random.logNormal(1.4e-4, .1), 1, s.random.logNormal(9e-4, .3))
	case "java":
		pool := func(name string) label { return label{"jvm.memory.pool.name", name} }
		kind := label{"jvm.memory.type", "heap"}
		m.level(description{"jvm.memory.used", "By", "Measure of memory used."},
			whole(int64(heap*.5), kind, pool("G1 Eden Space")), whole(int64(heap*.42), kind, pool("G1 Old Gen")), whole(int64(heap*.03), kind, pool("G1 Survivor Space")),
			whole(int64(78<<20), label{"jvm.memory.type", "non_heap"}, pool("Metaspace")))
		m.level(description{"jvm.thread.count", "{thread}", "Number of executing platform threads."}, whole(48+s.random.below(9), label{"jvm.thread.state", "runnable"}), whole(21+s.random.below(7), label{"jvm.thread.state", "waiting"}))
		m.counter(description{"jvm.gc.collections", "{collection}", "Garbage collections."}, whole(st.cycles/9, label{"jvm.gc.name", "G1 Young Generation"}))
		m.gauge(description{"jvm.cpu.recent_utilization", "1", "Recent CPU utilization for the process as reported by the JVM."}, fraction(math.Round(s.traffic*.14*1e4)/1e4))
	case "nodejs":
		m.gauge(description{"nodejs.eventloop.delay.p99", "s", "Event loop 99 percentile delay."}, fraction(s.random.logNormal(.0121*s.effects.load, .15)))
		m.gauge(description{"nodejs.eventloop.utilization", "1", "Event loop utilization."}, fraction(math.Round(min(.98, s.traffic*.31+.02*s.random.float())*1e4)/1e4))
		m.gauge(description{"v8js.memory.heap.used", "By", "Heap Memory size allocated."}, whole(int64(heap), label{"v8js.heap.space.name", "new_space"}), whole(int64(heap*.7), label{"v8js.heap.space.name", "old_space"}))
	case "python":
		m.counter(description{"cpython.gc.collections", "{collection}", "The number of times a generation was collected."},
			whole(st.cycles*9, label{"cpython.gc.generation", "0"}), whole(st.cycles, label{"cpython.gc.generation", "1"}), whole(st.cycles/12, label{"cpython.gc.generation", "2"}))
	case "dotnet":
		m.counter(description{"dotnet.gc.collections", "{collection}", "The number of garbage collections."}, whole(st.cycles, label{"gc.heap.generation", "gen0"}), whole(st.cycles/6, label{"gc.heap.generation", "gen1"}))
		m.level(description{"dotnet.thread_pool.thread.count", "{thread}", "The number of thread pool threads."}, whole(12+s.random.below(6)))
	case "nginx":
		m.counter(description{"nginx.requests", "{request}", "Total number of requests."}, whole(st.requests))
		m.counter(description{"nginx.network.io", "By", "Bytes sent."}, whole(st.bytes))
		m.level(description{"nginx.connections_current", "{connection}", "The current number of connections by state."},
			whole(int(120*s.traffic)+s.random.below(30), label{"state", "active"}), whole(s.random.below(5), label{"state", "reading"}),
			whole(int(14*s.traffic)+s.random.below(6), label{"state", "writing"}), whole(int(100*s.traffic)+s.random.below(25), label{"state", "waiting"}))
	case "postgresql", "valkey", "kafka":
		s.collectBackend(in, m, elapsed)
	}
}

// collectBackend encodes the metrics of the database, the cache and the queue.
func (s *Shop) collectBackend(in *instance, m *meter, elapsed float64) {
	st := &in.state
	st.read += int64(elapsed * s.traffic * s.random.logNormal(900, .1))
	switch in.service.language {
	case "postgresql":
		var backends, commits []number
		for i, name := range []string{"catalogue", "inventory", "orders", "payments"} {
			l := label{"postgresql.database.name", name}
			n := 8 + s.random.below(4)
			if name == "payments" {
				n += int(s.effects.backends)
			}
			backends = append(backends, whole(n, l))
			commits = append(commits, whole(st.read/int64(i+1), l))
		}
		m.level(description{"postgresql.backends", "{backend}", "The number of backends."}, backends...)
		m.counter(description{"postgresql.commits", "{commit}", "The number of commits."}, commits...)
	case "valkey":
		m.counter(description{"redis.commands.processed", "{command}", "Total number of commands processed by the server"}, whole(st.read))
		m.counter(description{"redis.keyspace.hits", "{hit}", "Number of successful lookup of keys in the main dictionary"}, whole(st.read*15/16))
		m.gauge(description{"redis.memory.used", "By", "Total number of bytes allocated"}, whole(int64(2.1*gib+3e7*s.random.normal())))
	case "kafka":
		lag := map[*operation]int{}
		for i := range s.queue {
			lag[s.queue[i].consumer]++
		}
		var lags []number
		for _, o := range s.operations {
			if o.protocol == protocolConsume {
				lags = append(lags, whole(lag[o], label{"group", o.service.name}, label{"topic", "orders"}))
			}
		}
		m.gauge(description{"kafka.consumer_group.lag", "{message}", "Current approximate lag of consumer group"}, lags...)
		var offsets []number
		for p := range 6 {
			offsets = append(offsets, whole((s.offsets+int64(5-p))/6, label{"topic", "orders"}, label{"partition", fmt.Sprint(p)}))
		}
		m.gauge(description{"kafka.partition.current_offset", "{message}", "Current offset of partition of topic."}, offsets...)
	}
}
