// Package red is a processor that counts spans: how many of an operation there
// were in a minute, how many failed, and how long they took (rate, errors,
// duration). Minutes become rows; the same counts are told as cumulative metrics,
// too, for PromQL.
//
// It counts every span of a batch, whatever becomes of its trace. Its clock is the
// watermark, and it decides after every record: the same records give the same
// rows however they are cut into blocks, and state that is restored from a
// snapshot goes on as if nothing had happened.
//
// It must not know what becomes of its rows.
package red

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/pointwriter"
)

// Registration makes the processor known.
func Registration() pipeline.Registration {
	return pipeline.Registration{
		Name:          "red",
		Summary:       "Counts spans by minute, service and operation: calls, errors, durations, Apdex; as rows and as metrics.",
		DefaultConfig: func() any { c := DefaultConfig(); return &c },
		New:           func(config any) (pipeline.Processor, error) { return New(*config.(*Config)) },
	}
}

// Processor counts the spans of one partition.
type Processor struct {
	cfg    Config
	clock  pipeline.Watermark
	totals *pointwriter.Totals
	// told says of which kinds of spans there are metrics.
	told [kinds]bool

	minutes []*minute // that are open, by their start
	// due is the least due of the minutes.
	due int64
	// held is the number of operations in all minutes, text how long their names
	// are.
	held, text int

	// known is what was found last: the spans of a resource follow each other.
	known struct {
		minute   *minute
		service  *service
		resource uint32
		ok       bool
	}
}

var (
	_ pipeline.Stateful = (*Processor)(nil)
	_ pipeline.Measured = (*Processor)(nil)
)

// New returns a processor that has counted nothing.
func New(cfg Config) (*Processor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Processor{cfg: cfg, totals: newTotals(&cfg.Metrics)}
	if cfg.Metrics.Enabled {
		for _, name := range cfg.Metrics.Kinds {
			p.told[slices.Index(kindNames[:], name)] = true
		}
	}
	p.reset()
	return p, nil
}

// reset forgets everything.
func (p *Processor) reset() {
	p.clock = pipeline.Watermark{}
	p.totals.Reset()
	p.minutes, p.due = nil, math.MaxInt64
	p.held, p.text = 0, 0
	p.known.ok = false
}

// Process implements pipeline.Processor.
func (p *Processor) Process(_ context.Context, b *telemetry.Batch) error {
	pipeline.EachRecord(b, func(record uint32, spans []telemetry.Span) { p.record(b, &b.Records[record], spans) })
	p.known.ok = false
	return nil
}

// record counts the spans of one record and closes the minutes that are over
// then. The metrics that are due then are of the records before.
func (p *Processor) record(b *telemetry.Batch, r *telemetry.Record, spans []telemetry.Span) {
	if p.clock.Advance(r, spans) {
		p.close(b, len(p.minutes))
	}
	if p.cfg.Metrics.Enabled {
		p.totals.Advance(b, p.clock.Now)
	}
	received := min(max(r.ReceiveTime, 0), latest)
	for i := range spans {
		p.add(b, received, &spans[i])
	}
	if p.clock.Now >= p.due {
		p.closeDue(b)
	}
	for p.held > p.cfg.MaxOpen {
		p.close(b, 1)
	}
}

// add counts a span.
func (p *Processor) add(b *telemetry.Batch, received int64, s *telemetry.Span) {
	// OTLP's times are unsigned: a negative one is far in the future.
	at := received
	if s.End >= 0 {
		at = min(s.End, received)
	}
	k := &p.known
	if !k.ok || s.Resource != k.resource || at < k.minute.start || at >= k.minute.start+int64(time.Minute) {
		k.minute = p.minute(at)
		k.service = p.service(b, k.minute, s.Resource)
		k.resource, k.ok = s.Resource, true
	}
	kind := s.Kind
	if kind >= kinds {
		kind = 0
	}
	o := p.operation(k.service, s.Name, kind)
	duration := min(max(s.End-s.Start, 0), longest)
	o.add(duration, at, k.service.threshold, s)
	if p.told[kind] {
		p.tell(k.service, o, duration, at, s)
	}
}

// latest is the last time that is counted as what it is: sums with it fit.
const latest = math.MaxInt64 - int64(24*time.Hour)

// longest is the greatest duration that is believed. It keeps sums of durations
// from a clock that was wrong below what fits.
const longest = int64(7 * 24 * time.Hour)

// minute is what is counted of the spans that ended in a minute.
type minute struct {
	start int64
	// due is the time of the watermark from which on it is closed.
	due      int64
	services []*service // in the order in which they came
	index    map[identity]*service
}

type identity struct{ tenant, service, version string }

// service is what is counted of a service of one version in a minute.
type service struct {
	identity
	threshold  int64        // of Apdex, nanoseconds
	operations []*operation // in the order in which they came
	index      [kinds]map[string]*operation
}

// minute returns the minute of a time. A new one is closed some time after its
// end, or after now if that is over: there may be more that comes late.
func (p *Processor) minute(at int64) *minute {
	start := at - at%int64(time.Minute)
	i, ok := slices.BinarySearchFunc(p.minutes, start, func(m *minute, start int64) int {
		return int(min(max(m.start-start, -1), 1))
	})
	if ok {
		return p.minutes[i]
	}
	m := newMinute(start, max(start+int64(time.Minute), p.clock.Now)+int64(p.cfg.Delay))
	p.minutes = slices.Insert(p.minutes, i, m)
	p.due = min(p.due, m.due)
	return m
}

func newMinute(start, due int64) *minute {
	return &minute{start: start, due: due, index: make(map[identity]*service)}
}

// service returns the service of a resource in a minute.
func (p *Processor) service(b *telemetry.Batch, m *minute, resource uint32) *service {
	r := &b.Resources[resource]
	id := identity{
		tenant: b.TenantOf(resource), service: shortened(r.Service), version: shortened(telemetry.TextOf(b.AttrsOf(r.Attrs), "service.version")),
	}
	if s := m.index[id]; s != nil {
		return s
	}
	return p.newService(m, identity{strings.Clone(id.tenant), strings.Clone(id.service), strings.Clone(id.version)})
}

func (p *Processor) newService(m *minute, id identity) *service {
	s := &service{identity: id, threshold: int64(p.cfg.Apdex.of(id.service))}
	m.index[id] = s
	m.services = append(m.services, s)
	return s
}

// operation returns the operation of a name. Beyond the limit it is that without
// a name.
func (p *Processor) operation(s *service, name string, kind uint8) *operation {
	name = shortened(name)
	if o := s.index[kind][name]; o != nil {
		return o
	}
	if len(s.operations) >= p.cfg.MaxOperations {
		name = ""
		if o := s.index[kind][name]; o != nil {
			return o
		}
	}
	return p.newOperation(s, strings.Clone(name), kind)
}

func (p *Processor) newOperation(s *service, name string, kind uint8) *operation {
	o := &operation{name: name, kind: kind}
	if s.index[kind] == nil {
		s.index[kind] = make(map[string]*operation)
	}
	s.index[kind][name] = o
	s.operations = append(s.operations, o)
	p.held++
	p.text += len(name)
	return o
}

// maxName bounds a name; the rest of a longer one is left out.
const maxName = 256

func shortened(name string) string {
	if len(name) <= maxName {
		return name
	}
	return strings.ToValidUTF8(name[:maxName], "")
}

// closeDue closes the minutes that are over.
func (p *Processor) closeDue(b *telemetry.Batch) {
	p.minutes = slices.DeleteFunc(p.minutes, func(m *minute) bool {
		if p.clock.Now < m.due {
			return false
		}
		p.write(b, m)
		return true
	})
	p.afterClosing()
}

// close closes the n oldest minutes.
func (p *Processor) close(b *telemetry.Batch, n int) {
	for _, m := range p.minutes[:n] {
		p.write(b, m)
	}
	p.minutes = slices.Delete(p.minutes, 0, n)
	p.afterClosing()
}

func (p *Processor) afterClosing() {
	p.due = math.MaxInt64
	for _, m := range p.minutes {
		p.due = min(p.due, m.due)
	}
	p.known.ok = false
}

// write makes rows of a minute.
func (p *Processor) write(b *telemetry.Batch, m *minute) {
	for _, s := range m.services {
		for _, o := range s.operations {
			b.Operations = append(b.Operations, telemetry.Operation{
				Tenant: s.tenant, Time: m.start, Service: s.service, Version: s.version, Name: o.name, Kind: o.kind,
				Calls: o.calls, Errors: o.errors, Satisfied: o.satisfied, Tolerating: o.tolerating, Duration: b.AddLatency(&o.durations),
				SlowTrace: o.slow, SlowNanoseconds: o.slowest, ErrorTrace: o.failed,
			})
			p.held--
			p.text -= len(o.name)
		}
	}
}

// Held implements pipeline.Measured: the operations of open minutes and the
// series of metrics, and the memory for them.
func (p *Processor) Held() (items, bytes int64) {
	return int64(p.held + p.totals.Len()), int64(p.held)*operationBytes + int64(p.text) + p.totals.Bytes()
}
