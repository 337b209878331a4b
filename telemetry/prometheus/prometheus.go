// Package prometheus says under which name and labels PromQL knows a series of
// OTLP points. It follows the OpenTelemetry specification, "Prometheus and
// OpenMetrics Compatibility", and leaves the wording of names to otlptranslator.
//
// It must not know how series are stored or asked for.
package prometheus

import (
	"cmp"
	"slices"
	"strings"

	"github.com/prometheus/otlptranslator"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// The labels that are made from a resource and a scope.
const (
	// nameLabel is the metric's name, which no attribute can be.
	nameLabel       = "__name__"
	job             = "job"
	instance        = "instance"
	scopeNameLabel  = "otel_scope_name"
	scopeVersion    = "otel_scope_version"
	scopePrefix     = "otel_scope_"
	serviceName     = "service.name"
	serviceSpace    = "service.namespace"
	serviceInstance = "service.instance.id"
)

// Protocol says where a series came from, with the numbers of the column
// protocol of the table series.
type Protocol uint8

// The protocols. Only series of the first two have samples for PromQL.
const (
	OTLP Protocol = iota
	RemoteWrite
	// Exemplars are series of remote-write that came with exemplars alone.
	Exemplars
	// Metadata are the metrics that remote-write described without a sample.
	Metadata
)

// ProtocolOf returns the protocol that a scope's points came by.
func ProtocolOf(scope *telemetry.Scope) Protocol {
	switch scope.Name {
	case telemetry.ScopeRemoteWrite:
		return RemoteWrite
	case telemetry.ScopeRemoteWriteExemplars:
		return Exemplars
	case telemetry.ScopeRemoteWriteMetadata:
		return Metadata
	}
	return OTLP
}

// Label is a label of a series.
type Label struct{ Name, Value string }

// DefaultPromoted are the resource attributes that become labels of every
// series of the resource, beside job and instance. Without host.name the
// metrics of two hosts would be one series.
func DefaultPromoted() []string {
	return []string{
		"cloud.availability_zone", "cloud.region", "container.name", "deployment.environment", "deployment.environment.name",
		"host.name", "k8s.cluster.name", "k8s.container.name", "k8s.cronjob.name", "k8s.daemonset.name", "k8s.deployment.name",
		"k8s.job.name", "k8s.namespace.name", "k8s.node.name", "k8s.pod.name", "k8s.replicaset.name", "k8s.statefulset.name",
		"service.version",
	}
}

// Namer names series. It is used by one goroutine at a time and remembers the
// names that it has made, up to a limit.
type Namer struct {
	promoted map[string]struct{}
	names    map[nameKey]string
	labels   map[string]string
	scratch  []byte
}

type nameKey struct {
	name, unit string
	kind       otlptranslator.MetricType
}

// maxNames bounds what a Namer remembers.
const maxNames = 20_000

// NewNamer returns a namer that makes labels of the given resource attributes.
func NewNamer(promoted []string) *Namer {
	n := &Namer{promoted: make(map[string]struct{}, len(promoted)), names: map[nameKey]string{}, labels: map[string]string{}}
	for _, key := range promoted {
		n.promoted[key] = struct{}{}
	}
	return n
}

// Name returns the name of a metric in PromQL. That of a histogram or summary
// is without _bucket, _sum or _count. It is empty where the metric's name has no
// letter or digit that a name could be made of.
func (n *Namer) Name(m *telemetry.Metric, p Protocol) string {
	switch p {
	case RemoteWrite, Exemplars, Metadata:
		return strings.Clone(m.Name)
	case OTLP:
	}
	key := nameKey{m.Name, m.Unit, kindOf(m)}
	if name, ok := n.names[key]; ok {
		return name
	}
	namer := otlptranslator.MetricNamer{WithMetricSuffixes: true}
	name, err := namer.Build(otlptranslator.Metric{Name: m.Name, Unit: m.Unit, Type: key.kind})
	if err != nil {
		name = ""
	}
	if len(n.names) >= maxNames {
		clear(n.names)
	}
	key.name, key.unit = strings.Clone(key.name), strings.Clone(key.unit)
	n.names[key] = name
	return name
}

func kindOf(m *telemetry.Metric) otlptranslator.MetricType {
	switch m.Kind {
	case telemetry.Gauge:
		return otlptranslator.MetricTypeGauge
	case telemetry.Sum:
		if m.Monotonic {
			return otlptranslator.MetricTypeMonotonicCounter
		}
		return otlptranslator.MetricTypeNonMonotonicCounter
	case telemetry.Histogram:
		return otlptranslator.MetricTypeHistogram
	case telemetry.ExponentialHistogram:
		return otlptranslator.MetricTypeExponentialHistogram
	case telemetry.Summary:
		return otlptranslator.MetricTypeSummary
	case telemetry.MetricEmpty:
	}
	return otlptranslator.MetricTypeUnknown
}

// LabelName returns the label that an attribute becomes, or nothing where none
// can be made of its key.
func (n *Namer) LabelName(key string) string {
	if name, ok := n.labels[key]; ok {
		return name
	}
	namer := otlptranslator.LabelNamer{}
	name, err := namer.Build(key)
	if err != nil {
		name = ""
	}
	if len(n.labels) >= maxNames {
		clear(n.labels)
	}
	n.labels[strings.Clone(key)] = name
	return name
}

// AppendLabels appends the labels of a series, but __name__, in the order of
// their names, each once and none of them empty. Values are views of the
// attributes where those are texts, and copies otherwise.
//
// Where two attributes become the same label, their values are joined with ";"
// in the order of their keys, as the specification says. What a point says wins
// over its scope and its resource, and what they are known by over their
// attributes.
func (n *Namer) AppendLabels(dst []Label, p Protocol, resource, scope, point []telemetry.Attr, scopeOf *telemetry.Scope) []Label {
	from := len(dst)
	if p != OTLP {
		for i := range point {
			dst = n.add(dst, from, point[i].Key, &point[i].Value, false)
		}
		return finish(dst, from)
	}
	resource, scope, point = sorted(resource), sorted(scope), sorted(point)
	for i := range point {
		if name := n.LabelName(point[i].Key); name != nameLabel {
			dst = n.add(dst, from, name, &point[i].Value, true)
		}
	}
	own := len(dst)
	add := func(name, value string) {
		taken := slices.ContainsFunc(dst[from:own], func(l Label) bool { return l.Name == name })
		if name != "" && value != "" && !taken {
			dst = append(dst, Label{name, value})
		}
	}
	var name, space string
	for i := range resource {
		value := n.text(&resource[i].Value)
		switch key := resource[i].Key; key {
		case serviceName:
			name = value
		case serviceSpace:
			space = value
		case serviceInstance:
			add(instance, value)
		default:
			if _, ok := n.promoted[key]; ok {
				add(n.LabelName(key), value)
			}
		}
	}
	if space != "" && name != "" {
		name = space + "/" + name
	}
	add(job, name)
	add(scopeNameLabel, scopeOf.Name)
	add(scopeVersion, scopeOf.Version)
	for i := range scope {
		if n.LabelName(scope[i].Key) != "" {
			add(n.LabelName(scopePrefix+scope[i].Key), n.text(&scope[i].Value))
		}
	}
	return finish(dst, from)
}

// sorted returns the attributes in the order of their keys: what they become
// must not depend on how they were listed.
func sorted(attrs []telemetry.Attr) []telemetry.Attr {
	if slices.IsSortedFunc(attrs, byKey) {
		return attrs
	}
	attrs = slices.Clone(attrs)
	slices.SortStableFunc(attrs, byKey)
	return attrs
}

func byKey(a, b telemetry.Attr) int { return cmp.Compare(a.Key, b.Key) }

// add appends a label, or joins it with the one of the same name.
func (n *Namer) add(dst []Label, from int, name string, v *telemetry.Value, join bool) []Label {
	value := n.text(v)
	if name == "" || value == "" {
		return dst
	}
	if join {
		for i := from; i < len(dst); i++ {
			if dst[i].Name == name {
				dst[i].Value += ";" + value
				return dst
			}
		}
	}
	return append(dst, Label{name, value})
}

// text returns the value as it is stored.
func (n *Namer) text(v *telemetry.Value) string {
	if v.Kind == telemetry.KindString {
		return v.Str
	}
	n.scratch = otlp.AppendText(n.scratch[:0], v)
	return string(n.scratch)
}

// finish orders the labels from the given one on and leaves out repeats.
func finish(dst []Label, from int) []Label {
	slices.SortStableFunc(dst[from:], func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
	return dst[:from+len(slices.CompactFunc(dst[from:], func(a, b Label) bool { return a.Name == b.Name }))]
}
