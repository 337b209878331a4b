package traces

import (
	"strconv"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// peer is whom a span says that it called, or was called by.
type peer struct {
	name uint32 // a name, 0 for none
	kind telemetry.EdgeKind
}

// said is what a span's attributes say about its peer; empty what they do not.
type said struct {
	service                    string
	database, namespace        string
	messaging, destination     string
	template                   string
	host, oldHost, oldestHost  string
	port, oldPort              *telemetry.Value
	procedures                 string
	databaseName, oldQueueName string
}

// peerOf finds the peer in the attributes of a span.
func (p *Processor) peerOf(b *telemetry.Batch, s *telemetry.Span) peer {
	attrs := b.AttrsOf(s.Attrs)
	switch s.Kind {
	case kindClient, kindProducer:
	case kindServer, kindConsumer:
		return p.callerOf(attrs, s.Kind)
	default:
		return peer{}
	}
	var a said
	a.read(attrs)
	other := telemetry.EdgeExternal
	if s.Kind == kindProducer {
		other = telemetry.EdgeMessaging
	}
	switch {
	case a.database != "":
		return p.peer(telemetry.EdgeDatabase, a.service, a.database, first(a.namespace, a.databaseName))
	case a.messaging != "" || a.queue() != "":
		return p.peer(telemetry.EdgeMessaging, a.service, a.messaging, a.queue())
	case a.service != "":
		return peer{p.names.intern(a.service), other}
	}
	host, port := a.host, a.port
	if host == "" {
		host, port = a.oldHost, a.oldPort
	}
	switch {
	case host != "":
		return peer{p.names.internBytes(appendAddress(p.scratch[:0], host, port)), other}
	case a.oldestHost != "":
		return peer{p.names.intern(a.oldestHost), other}
	case a.procedures != "":
		return peer{p.names.intern(a.procedures), other}
	}
	return peer{}
}

// callerOf finds in the attributes of a span of the called side who called. The
// host that a server span names is its own.
func (p *Processor) callerOf(attrs []telemetry.Attr, kind uint8) peer {
	var a said
	caller := telemetry.EdgeService
	if kind == kindConsumer {
		caller = telemetry.EdgeMessaging
		a.read(attrs)
	} else {
		a.readService(attrs)
	}
	switch {
	case a.service != "":
		return peer{p.names.intern(a.service), caller}
	case a.messaging != "" || a.queue() != "":
		return p.peer(telemetry.EdgeMessaging, "", a.messaging, a.queue())
	}
	return peer{}
}

// peer names a party by the first that is there: its service, or the system and
// what is addressed in it.
func (p *Processor) peer(kind telemetry.EdgeKind, service, system, part string) peer {
	switch {
	case service != "":
		return peer{p.names.intern(service), kind}
	case system == "":
		return peer{p.names.intern(part), kind}
	case part == "":
		return peer{p.names.intern(system), kind}
	}
	p.scratch = append(append(append(p.scratch[:0], system...), '/'), part...)
	return peer{p.names.internBytes(p.scratch), kind}
}

// queue is where messages go. A template stands for destinations that are made up
// for one conversation.
func (a *said) queue() string { return first(a.template, a.destination, a.oldQueueName) }

// read reads what attributes say.
func (a *said) read(attrs []telemetry.Attr) {
	for i := range attrs {
		v := &attrs[i].Value
		switch attrs[i].Key {
		case "peer.service", "service.peer.name":
			a.service = text(v, a.service)
		case "db.system.name":
			a.database = text(v, a.database)
		case "db.system":
			if a.database == "" {
				a.database = text(v, "")
			}
		case "db.namespace":
			a.namespace = text(v, a.namespace)
		case "db.name":
			a.databaseName = text(v, a.databaseName)
		case "messaging.system":
			a.messaging = text(v, a.messaging)
		case "messaging.destination.name":
			a.destination = text(v, a.destination)
		case "messaging.destination.template":
			a.template = text(v, a.template)
		case "messaging.destination":
			a.oldQueueName = text(v, a.oldQueueName)
		case "server.address":
			a.host = text(v, a.host)
		case "server.port":
			a.port = v
		case "net.peer.name":
			a.oldHost = text(v, a.oldHost)
		case "net.peer.port":
			a.oldPort = v
		case "peer.hostname":
			a.oldestHost = text(v, a.oldestHost)
		case "rpc.service":
			a.procedures = text(v, a.procedures)
		}
	}
}

func (a *said) readService(attrs []telemetry.Attr) {
	for i := range attrs {
		switch attrs[i].Key {
		case "peer.service", "service.peer.name":
			a.service = text(&attrs[i].Value, a.service)
		}
	}
}

// text returns a value that is text, or else what was there before.
func text(v *telemetry.Value, before string) string {
	if v.Kind == telemetry.KindString && v.Str != "" {
		return v.Str
	}
	return before
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// appendAddress appends a host and its port, unless that is what one expects of
// HTTP.
func appendAddress(dst []byte, host string, port *telemetry.Value) []byte {
	dst = append(dst, host...)
	if port == nil {
		return dst
	}
	n := port.Int()
	if port.Kind == telemetry.KindString {
		n, _ = strconv.ParseInt(port.Str, 10, 32)
	} else if port.Kind != telemetry.KindInt {
		n = 0
	}
	if n <= 0 || n > 65535 || n == 80 || n == 443 {
		return dst
	}
	return strconv.AppendInt(append(dst, ':'), n, 10)
}
