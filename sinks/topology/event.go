package topology

import (
	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// subject is the service that an event is about: of an edge the caller, and of a
// request from outside the callee.
func (th *thing) subject() string {
	if th.service == "" {
		return th.callee
	}
	return th.service
}

func eventName(th thing, k *known) string {
	return "topology." + th.kind.String() + "." + k.Change()
}

// event returns the event of the last change of a thing.
func event(tenant string, th thing, k *known) watch.Event {
	l := logwriter.Log{
		Time: k.Changed.Time().UnixNano(), Severity: logwriter.SeverityInfo, SeverityText: "INFO",
		EventName: eventName(th, k), Body: body(th, k), TraceID: k.trace,
	}
	if k.Gone {
		l.Severity, l.SeverityText = logwriter.SeverityWarn, "WARN"
	}
	attribute := func(key, value string) {
		l.Attributes = append(l.Attributes, logwriter.Attribute{Key: key, Value: value})
	}
	switch th.kind {
	case version:
		attribute("service.version", th.version)
	case edge:
		attribute("topology.caller", th.service)
		attribute("topology.callee", th.callee)
		attribute("topology.edge.kind", th.edge.String())
	case service:
	}
	attribute("topology.first_seen", k.First.String())
	attribute("topology.last_seen", k.Last.String())
	return watch.Event{Service: th.subject(), Log: l, BatchID: batchID(tenant, th, k)}
}

// body says in words what has changed.
func body(th thing, k *known) string {
	name := "service " + watch.Short(th.service)
	switch th.kind {
	case version:
		name = "version " + watch.Short(th.version) + " of " + name
	case edge:
		caller := watch.Short(th.service)
		if th.service == "" {
			caller = "outside"
		}
		name = "edge " + caller + " -> " + watch.Short(th.callee) + " (" + th.edge.String() + ")"
	case service:
	}
	switch k.Change() {
	case "vanished":
		return name + " has vanished, it was last seen at " + k.Last.String()
	case "returned":
		return name + " is back"
	}
	return name + " is new"
}

// batchID names the event of the last change of a thing.
func batchID(tenant string, th thing, k *known) [16]byte {
	return watch.BatchID("topology", []string{tenant, th.kind.String(), th.service, th.version, th.callee, th.edge.String(), k.Change()}, uint64(k.Changed)) //nolint:gosec // not negative
}
