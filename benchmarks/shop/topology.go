package shop

import (
	"fmt"
	"slices"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
)

// host is one of the six machines.
type host struct {
	index    int
	name, ip string
	cpus     int
	memory   int64 // bytes
	mounts   []mount
	source   *source // of host metrics
	state    hostState
}

type mount struct {
	device, path string
	size         int64
	used         float64 // share at the start
}

const gib = 1 << 30

var hostSpecs = []struct {
	name, ip string
	cpus     int
	memory   int64
	data     bool
}{
	{"web-1", "10.20.0.11", 4, 8 * gib, false},
	{"web-2", "10.20.0.12", 4, 8 * gib, false},
	{"app-1", "10.20.0.21", 8, 32 * gib, false},
	{"app-2", "10.20.0.22", 8, 32 * gib, false},
	{"app-3", "10.20.0.23", 8, 32 * gib, false},
	{"data-1", "10.20.0.31", 16, 64 * gib, true},
}

// Indices of hosts that incidents name.
const (
	app1  = 2
	app2  = 3
	app3  = 4
	data1 = 5
)

// service is a program that runs as one or more instances.
type service struct {
	index     int
	name      string
	language  string
	version   string
	scope     string // instrumentation scope of its spans
	logger    string // scope of its logs
	port      int
	instances []*instance
	// backend marks the database, the cache and the queue: they emit metrics
	// only, and are seen in the spans of their clients.
	backend bool
}

// instance is one running process of a service.
type instance struct {
	service *service
	host    *host
	id      string
	pod     string
	ip      string
	pid     int
	version string
	source  *source
	state   instanceState
	series  []*series // by operation index and outcome
}

// source is what the events of one process or host share in a request.
type source struct {
	index    int
	host     *host
	resource []byte                    // field 1 of Resource{Logs,Spans,Metrics}
	scopes   [signalsPlusAccess][]byte // field 1 of Scope{Logs,Spans,Metrics}
}

var serviceSpecs = []struct {
	name, language, version string
	port                    int
	hosts                   []int
	backend                 bool
}{
	{"nginx", "nginx", "1.28.0", 443, []int{0, 1}, false},
	{"frontend", "nodejs", "4.18.2", 8080, []int{0, 1}, false},
	{"cart", "dotnet", "2.9.0", 7070, []int{2, 3}, false},
	{"checkout", "go", "3.4.1", 5050, []int{2, 4}, false},
	{"payment", "java", "1.22.7", 50051, []int{3, 4}, false},
	{"catalogue", "go", "5.1.0", 3550, []int{2, 3, 4}, false},
	{"recommendation", "python", "0.14.3", 9001, []int{3, 4}, false},
	{"shipping", "rust", "1.7.0", 50050, []int{2, 4}, false},
	{"currency", "cpp", "0.9.4", 7001, []int{2, 3}, false},
	{"inventory", "java", "2.0.12", 8085, []int{3, 4}, false},
	{"ad", "java", "1.3.9", 9555, []int{2}, false},
	{"email", "ruby", "1.0.31", 6060, []int{4}, false},
	{"postgresql", "postgresql", "17.6", 5432, []int{5}, true},
	{"valkey", "valkey", "8.1.3", 6379, []int{5}, true},
	{"kafka", "kafka", "4.1.0", 9092, []int{5}, true},
}

var scopesByLanguage = map[string][2]string{ // spans, logs
	"nginx":      {"nginx-otel", "nginx.error"},
	"nodejs":     {"@opentelemetry/instrumentation-http", "pino"},
	"dotnet":     {"OpenTelemetry.Instrumentation.AspNetCore", "Shop.Cart.Services.CartService"},
	"go":         {"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc", "go.opentelemetry.io/contrib/bridges/otelslog"},
	"java":       {"io.opentelemetry.grpc-1.6", "org.apache.logging.log4j"},
	"python":     {"opentelemetry.instrumentation.grpc", "opentelemetry.sdk._logs._internal"},
	"rust":       {"tonic", "tracing"},
	"cpp":        {"grpc-cpp", "spdlog"},
	"ruby":       {"OpenTelemetry::Instrumentation::Kafka", "semantic_logger"},
	"postgresql": {"", "postgresql"},
	"valkey":     {"", "valkey"},
	"kafka":      {"", "kafka"},
}

// The scopes of a source. The first three are the signals.
const (
	accessScope       = 3 // of access log lines
	signalsPlusAccess = 4
)

func (s *Shop) buildTopology() {
	for i, spec := range hostSpecs {
		h := &host{index: i, name: spec.name, ip: spec.ip, cpus: spec.cpus, memory: spec.memory}
		h.mounts = []mount{{"/dev/nvme0n1p1", "/", 80 * gib, .41 + .05*s.random.float()}}
		if spec.data {
			h.mounts = append(h.mounts, mount{"/dev/nvme1n1", "/var/lib/data", 500 * gib, .62})
		}
		h.source = s.newSource(h)
		s.hosts = append(s.hosts, h)
		s.encodeHostResource(h)
	}
	for i, spec := range serviceSpecs {
		v := &service{
			index: i, name: spec.name, language: spec.language, version: spec.version, port: spec.port, backend: spec.backend,
			scope: scopesByLanguage[spec.language][0], logger: scopesByLanguage[spec.language][1],
		}
		for n, on := range spec.hosts {
			set := appendHex(nil, s.random.uint64(), 9)
			in := &instance{
				service: v, host: s.hosts[on], version: v.version,
				id:  uuid(s.random.uint64(), s.random.uint64()),
				pod: fmt.Sprintf("%s-%s-%s", v.name, set, appendHex(nil, s.random.uint64(), 5)),
				ip:  fmt.Sprintf("10.42.%d.%d", on+1, 10+3*i+n),
				pid: 1 + s.random.below(40),
			}
			in.source = s.newSource(in.host)
			s.instances = append(s.instances, in)
			v.instances = append(v.instances, in)
			s.encodeInstanceResource(in)
		}
		s.services = append(s.services, v)
	}
}

func (s *Shop) newSource(h *host) *source {
	src := &source{index: len(s.sources), host: h}
	s.sources = append(s.sources, src)
	return src
}

func (s *Shop) serviceNamed(name string) *service {
	i := slices.IndexFunc(s.services, func(v *service) bool { return v.name == name })
	return s.services[i] // names are constants of this package
}

// encodeScope encodes an instrumentation scope as field 1 of a Scope* message.
func encodeScope(name, version string) []byte {
	b, mark := encode.Open(nil, 1)
	b = encode.Bytes(b, 1, name)
	if version != "" {
		b = encode.Bytes(b, 2, version)
	}
	return encode.Close(b, mark)
}

func (s *Shop) appendHostAttributes(b []byte, h *host) []byte {
	b = encode.StringAttr(b, 1, "host.name", h.name)
	b = encode.StringAttr(b, 1, "host.id", fmt.Sprintf("i-0%x%08x", 0x5ca1ab1e+uint64(h.index)*7919, s.config.Seed&0xffffffff))
	b = encode.StringAttr(b, 1, "host.arch", "amd64")
	b = encode.StringAttr(b, 1, "host.ip", h.ip)
	b = encode.StringAttr(b, 1, "os.type", "linux")
	b = encode.StringAttr(b, 1, "cloud.provider", "onprem")
	b = encode.StringAttr(b, 1, "cloud.availability_zone", []string{"zone-a", "zone-b"}[h.index%2])
	return b
}

func (s *Shop) encodeHostResource(h *host) {
	b, mark := encode.Open(nil, 1)
	b = encode.StringAttr(b, 1, "service.name", "host-agent")
	b = encode.StringAttr(b, 1, "service.namespace", "infrastructure")
	b = s.appendHostAttributes(b, h)
	h.source.resource = encode.Close(b, mark)
	h.source.scopes[metricsSignal] = encodeScope("hostmetrics", "1.4.0")
	h.source.scopes[logsSignal] = encodeScope("journald", "1.4.0")
}

// encodeInstanceResource encodes what identifies an instance. Call it again
// when its version or pod changes, after its events were flushed.
func (s *Shop) encodeInstanceResource(in *instance) {
	v := in.service
	b, mark := encode.Open(nil, 1)
	b = encode.StringAttr(b, 1, "service.name", v.name)
	b = encode.StringAttr(b, 1, "service.namespace", "shop")
	b = encode.StringAttr(b, 1, "service.version", in.version)
	b = encode.StringAttr(b, 1, "service.instance.id", in.id)
	b = encode.StringAttr(b, 1, "deployment.environment.name", "production")
	b = s.appendHostAttributes(b, in.host)
	if v.backend || v.name == "nginx" {
		b = encode.IntAttr(b, 1, "process.pid", int64(800+in.pid))
	} else {
		b = encode.StringAttr(b, 1, "k8s.cluster.name", "shop-production")
		b = encode.StringAttr(b, 1, "k8s.namespace.name", "shop")
		b = encode.StringAttr(b, 1, "k8s.deployment.name", v.name)
		b = encode.StringAttr(b, 1, "k8s.pod.name", in.pod)
		b = encode.StringAttr(b, 1, "k8s.container.name", v.name)
		b = encode.StringAttr(b, 1, "k8s.node.name", in.host.name)
		b = encode.IntAttr(b, 1, "process.pid", int64(in.pid))
	}
	b = encode.StringAttr(b, 1, "telemetry.sdk.name", "opentelemetry")
	b = encode.StringAttr(b, 1, "telemetry.sdk.language", v.language)
	b = encode.StringAttr(b, 1, "telemetry.sdk.version", "1.38.0")
	in.source.resource = encode.Close(b, mark)
	in.source.scopes[logsSignal] = encodeScope(v.logger, "")
	in.source.scopes[spansSignal] = encodeScope(v.scope, "0.63.0")
	in.source.scopes[metricsSignal] = encodeScope(v.name+"-metrics", "1.0.0")
	in.source.scopes[accessScope] = encodeScope("nginx.access", "")
}
