package shop

import (
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
)

type protocol uint8

const (
	protocolHTTP     protocol = iota // client and server span
	protocolGRPC                     // client and server span
	protocolDatabase                 // client span only, as for the next two
	protocolCache
	protocolExternal
	protocolPublish  // producer span; starts a consumer
	protocolConsume  // root span with a link to the producer
	protocolInternal // a span inside of one process
)

// operation is one thing that a service, a database or the queue does.
type operation struct {
	index    int
	service  *service // who serves it; nil for what has no process here
	protocol protocol
	name     string // of the server span, or of the only one
	client   string // name of the client span
	median   float64
	sigma    float64
	steps    []step
	fields   []field // on the server span or the only one
	logs     []message
	fail     float64
	failure  *failure
	// The attributes that every client and server span of it has, encoded as
	// field 9 of Span, and http.route for metrics.
	clientAttrs, serverAttrs []byte
	route, method            string
}

// step is one call that an operation makes, in order.
type step struct {
	operation *operation
	chance    float64
	// min and max bound how often it is repeated.
	min, max int
	// parallel starts the repeats, and the step after this one, at once.
	parallel bool
	// optional means that a failure is noted and survived.
	optional bool
}

// message is a log line that an operation writes.
type message struct {
	severity uint8
	chance   float64
	// early is written when the operation begins, otherwise when it ends well.
	early  bool
	body   template
	fields []field
	static []byte // encoded attributes, field 6 of LogRecord
}

// failure is a way to fail.
type failure struct {
	exception string
	message   template
	stack     string
	grpc      int32
	http      int32
	severity  uint8
}

// Severity numbers of OTLP.
const (
	severityDebug = 5
	severityInfo  = 9
	severityWarn  = 13
	severityError = 17
	severityFatal = 21
)

var severityTexts = [...]string{severityDebug: "DEBUG", severityInfo: "INFO", severityWarn: "WARN", severityError: "ERROR", severityFatal: "FATAL"}

func milliseconds(ms float64) float64 { return ms * float64(time.Millisecond) }

// catalogue of operations while they are built.
type builder struct {
	shop *Shop
}

func (b *builder) add(o *operation) *operation {
	o.index = len(b.shop.operations)
	b.shop.operations = append(b.shop.operations, o)
	return o
}

func (b *builder) grpc(service, pkg, method string, ms, sigma float64, fields []field, steps ...step) *operation {
	v := b.shop.serviceNamed(service)
	name := "shop." + pkg + "/" + method
	o := b.add(&operation{service: v, protocol: protocolGRPC, name: name, client: name, median: milliseconds(ms), sigma: sigma, fields: fields, steps: steps, method: method})
	both := encode.StringAttr(nil, 9, "rpc.system", "grpc")
	both = encode.StringAttr(both, 9, "rpc.service", "shop."+pkg)
	both = encode.StringAttr(both, 9, "rpc.method", method)
	o.clientAttrs = encode.StringAttr(both[:len(both):len(both)], 9, "server.address", v.name+".shop.svc.cluster.local")
	o.clientAttrs = encode.IntAttr(o.clientAttrs, 9, "server.port", int64(v.port))
	o.serverAttrs = encode.StringAttr(both[:len(both):len(both)], 9, "network.type", "ipv4")
	return o
}

func (b *builder) http(service, method, route string, ms, sigma float64, fields []field, steps ...step) *operation {
	v := b.shop.serviceNamed(service)
	o := b.add(&operation{service: v, protocol: protocolHTTP, name: method + " " + route, client: method, median: milliseconds(ms), sigma: sigma, fields: fields, steps: steps, method: method, route: route})
	both := encode.StringAttr(nil, 9, "http.request.method", method)
	both = encode.StringAttr(both, 9, "network.protocol.version", "1.1")
	address := v.name + ".shop.svc.cluster.local"
	if service == "nginx" {
		address = "shop.example.com"
	}
	both = encode.StringAttr(both, 9, "server.address", address)
	both = encode.IntAttr(both, 9, "server.port", int64(v.port))
	o.clientAttrs = both
	o.serverAttrs = encode.StringAttr(both[:len(both):len(both)], 9, "http.route", route)
	scheme := "http"
	if service == "nginx" {
		scheme = "https"
	}
	o.serverAttrs = encode.StringAttr(o.serverAttrs, 9, "url.scheme", scheme)
	return o
}

func (b *builder) database(namespace, verb, collection, query string, ms, sigma float64, fields ...field) *operation {
	o := b.add(&operation{protocol: protocolDatabase, name: verb + " " + collection, median: milliseconds(ms), sigma: sigma, fields: fields})
	a := encode.StringAttr(nil, 9, "db.system.name", "postgresql")
	a = encode.StringAttr(a, 9, "db.namespace", namespace)
	a = encode.StringAttr(a, 9, "db.collection.name", collection)
	a = encode.StringAttr(a, 9, "db.operation.name", verb)
	a = encode.StringAttr(a, 9, "db.query.text", query)
	a = encode.StringAttr(a, 9, "server.address", namespace+"-db.shop.internal")
	o.clientAttrs = encode.IntAttr(a, 9, "server.port", 5432)
	return o
}

func (b *builder) cache(verb, query string, ms float64, fields ...field) *operation {
	o := b.add(&operation{protocol: protocolCache, name: verb, median: milliseconds(ms), sigma: .5, fields: fields})
	a := encode.StringAttr(nil, 9, "db.system.name", "redis")
	a = encode.StringAttr(a, 9, "db.operation.name", verb)
	a = encode.StringAttr(a, 9, "db.query.text", query)
	a = encode.StringAttr(a, 9, "server.address", "cache.shop.internal")
	o.clientAttrs = encode.IntAttr(a, 9, "server.port", 6379)
	return o
}

func (b *builder) external(method, address, path string, ms, sigma float64) *operation {
	o := b.add(&operation{protocol: protocolExternal, name: method, median: milliseconds(ms), sigma: sigma, fields: []field{fieldStatus}})
	a := encode.StringAttr(nil, 9, "http.request.method", method)
	a = encode.StringAttr(a, 9, "url.full", "https://"+address+path)
	a = encode.StringAttr(a, 9, "server.address", address)
	a = encode.StringAttr(a, 9, "network.protocol.version", "2")
	o.clientAttrs = encode.IntAttr(a, 9, "server.port", 443)
	return o
}

func (b *builder) internal(name string, ms, sigma float64, fields ...field) *operation {
	o := b.add(&operation{protocol: protocolInternal, name: name, median: milliseconds(ms), sigma: sigma, fields: fields})
	o.clientAttrs = encode.StringAttr(nil, 9, "code.function.name", strings.ReplaceAll(name, " ", "."))
	return o
}

func (b *builder) publish(topic string) *operation {
	o := b.add(&operation{protocol: protocolPublish, name: "send " + topic, median: milliseconds(1.6), sigma: .5, fields: []field{fieldMessage, fieldPartition}})
	a := encode.StringAttr(nil, 9, "messaging.system", "kafka")
	a = encode.StringAttr(a, 9, "messaging.destination.name", topic)
	a = encode.StringAttr(a, 9, "messaging.operation.name", "send")
	a = encode.StringAttr(a, 9, "messaging.operation.type", "send")
	a = encode.StringAttr(a, 9, "server.address", "kafka.shop.internal")
	o.clientAttrs = encode.IntAttr(a, 9, "server.port", 9092)
	return o
}

func (b *builder) consume(service, topic string, ms, sigma float64, steps ...step) *operation {
	o := b.add(&operation{
		service: b.shop.serviceNamed(service), protocol: protocolConsume, name: "process " + topic, median: milliseconds(ms), sigma: sigma,
		steps: steps, fields: []field{fieldMessage, fieldPartition, fieldOffset, fieldOrder}, method: "process " + topic,
	})
	a := encode.StringAttr(nil, 9, "messaging.system", "kafka")
	a = encode.StringAttr(a, 9, "messaging.destination.name", topic)
	a = encode.StringAttr(a, 9, "messaging.consumer.group.name", service)
	a = encode.StringAttr(a, 9, "messaging.operation.name", "process")
	o.serverAttrs = encode.StringAttr(a, 9, "messaging.operation.type", "process")
	return o
}

// once is a step that always happens.
func once(o *operation) step { return step{operation: o, chance: 1, min: 1, max: 1} }

func maybe(chance float64, o *operation) step {
	return step{operation: o, chance: chance, min: 1, max: 1}
}

// alongside is a step that runs while the next one does, and may fail.
func alongside(chance float64, o *operation) step {
	return step{operation: o, chance: chance, min: 1, max: 1, parallel: true, optional: true}
}

func optional(chance float64, o *operation) step {
	return step{operation: o, chance: chance, min: 1, max: 1, optional: true}
}

// upTo is a step that happens once to high times, at once.
func upTo(high int, o *operation) step {
	return step{operation: o, chance: 1, min: 1, max: high, parallel: true}
}

// fails gives an operation a way to fail and how often it does.
func (o *operation) fails(chance float64, f *failure) *operation {
	o.fail, o.failure = chance, f
	return o
}

func newFailure(grpc, http int32, severity uint8, exception, message, stack string) *failure {
	return &failure{exception: exception, message: parseTemplate(message), stack: stack, grpc: grpc, http: http, severity: severity}
}

// says adds a log line.
func (o *operation) says(severity uint8, chance float64, body string, static []byte, fields ...field) *operation {
	o.logs = append(o.logs, message{severity: severity, chance: chance, body: parseTemplate(body), static: static, fields: fields})
	return o
}

// begins adds a log line for when the operation begins.
func (o *operation) begins(severity uint8, chance float64, body string, static []byte, fields ...field) *operation {
	o.says(severity, chance, body, static, fields...)
	o.logs[len(o.logs)-1].early = true
	return o
}

// at returns attributes that say where in the code a line was written.
func at(file, function string, line int64) []byte {
	b := encode.StringAttr(nil, 6, "code.file.path", file)
	b = encode.StringAttr(b, 6, "code.function.name", function)
	return encode.IntAttr(b, 6, "code.line.number", line)
}
