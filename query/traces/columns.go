package traces

import (
	"strings"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Columns says which parts of spans are read. Ids, times, names, kind and status
// always are.
type Columns uint8

// The parts of spans.
const (
	WithAttributes Columns = 1 << iota
	WithResource
	WithScope
	WithEvents
	WithLinks
	WithRest // trace state, flags and what was dropped

	All = WithAttributes | WithResource | WithScope | WithEvents | WithLinks | WithRest
)

type (
	lowTexts = proto.ColLowCardinality[string]
	textMap  = proto.ColMap[string, string]
)

func newLowTexts() *lowTexts { return new(proto.ColStr).LowCardinality() }

// pairs are a column of maps of texts.
type pairs struct {
	keys   *lowTexts
	values *proto.ColStr
	maps   *textMap
	texts  texts
}

func newPairs() *pairs {
	p := &pairs{keys: newLowTexts(), values: new(proto.ColStr)}
	p.maps = proto.NewMap[string, string](p.keys, p.values)
	return p
}

// texts are the values of a column of a block, held by one string.
type texts struct {
	all string
	pos []proto.Position
}

func (t *texts) hold(c *proto.ColStr) { *t = texts{string(c.Buf), c.Pos} }

func (t *texts) at(i int) string { return t.all[t.pos[i].Start:t.pos[i].End] }

// between returns the range of the ith list of a column of lists.
func between(offsets proto.ColUInt64, i int) (from, to int) {
	if i > 0 {
		from = int(offsets[i-1])
	}
	return from, int(offsets[i])
}

// append appends the attributes of the ith map.
func (p *pairs) append(to []Attr, i int, names *names) []Attr {
	for n, end := between(p.maps.Offsets, i); n < end; n++ {
		to = append(to, Attr{names.of(p.keys.Row(n)), Text(p.texts.at(n))})
	}
	return to
}

// names holds each text of low cardinality once.
type names struct{ known map[string]string }

func (n *names) of(text string) string {
	if known, ok := n.known[text]; ok {
		return known
	}
	text = strings.Clone(text)
	n.known[text] = text
	return text
}

// spanColumns are the columns of spans that are read.
type spanColumns struct {
	which Columns
	out   clickhouse.Output
	names names
	docs  *documents

	traces               proto.ColFixedStr16
	ids, parents         proto.ColFixedStr8
	times, durations     proto.ColInt64
	services, operations *lowTexts
	kinds, statuses      proto.ColUInt8
	messages             *lowTexts

	attrs   *pairs
	numbers *proto.ColMap[string, float64]
	keys    *lowTexts // of numbers
	values  proto.ColFloat64

	resources, scopes *lowTexts

	states                 *lowTexts
	flags, dropped         proto.ColUInt32
	lostEvents, lostLinks  proto.ColUInt32
	eventTimes             *proto.ColArr[int64]
	eventTimeValues        proto.ColInt64
	eventNames, linkStates *proto.ColArr[string]
	eventNameTexts         *lowTexts
	eventAttrs, linkAttrs  *pairs
	eventMaps, linkMaps    *proto.ColArr[map[string]string]
	eventLost, linkLost    *proto.ColArr[uint32]
	eventLostN, linkLostN  proto.ColUInt32
	linkTraces             *proto.ColArr[[16]byte]
	linkTraceIDs           proto.ColFixedStr16
	linkSpans              *proto.ColArr[[8]byte]
	linkSpanIDs            proto.ColFixedStr8
	linkStateTexts         *lowTexts
	linkFlags              *proto.ColArr[uint32]
	linkFlagsN             proto.ColUInt32
}

func newSpanColumns(which Columns) *spanColumns {
	c := &spanColumns{
		which: which, names: names{map[string]string{}}, docs: newDocuments(),
		services: newLowTexts(), operations: newLowTexts(), messages: newLowTexts(),
	}
	c.out.Add("trace_id", &c.traces)
	c.out.Add("span_id", &c.ids)
	c.out.Add("parent_span_id", &c.parents)
	c.out.Add("toUnixTimestamp64Nano(time)", &c.times)
	c.out.Add("duration_ns", &c.durations)
	c.out.Add("service", c.services)
	c.out.Add("name", c.operations)
	c.out.Add("toUInt8(kind)", &c.kinds)
	c.out.Add("toUInt8(status)", &c.statuses)
	c.out.Add("status_message", c.messages)
	if which&WithAttributes != 0 {
		c.attrs, c.keys = newPairs(), newLowTexts()
		c.numbers = proto.NewMap[string, float64](c.keys, &c.values)
		c.out.Add("attributes", c.attrs.maps)
		c.out.Add("attribute_numbers", c.numbers)
	}
	if which&WithResource != 0 {
		c.resources = newLowTexts()
		c.out.Add("resource", c.resources)
	}
	if which&WithScope != 0 {
		c.scopes = newLowTexts()
		c.out.Add("scope", c.scopes)
	}
	if which&WithEvents != 0 {
		c.addEvents()
	}
	if which&WithLinks != 0 {
		c.addLinks()
	}
	if which&WithRest != 0 {
		c.states = newLowTexts()
		c.out.Add("trace_state", c.states)
		c.out.Add("flags", &c.flags)
		c.out.Add("dropped_attributes", &c.dropped)
		c.out.Add("dropped_events", &c.lostEvents)
		c.out.Add("dropped_links", &c.lostLinks)
	}
	return c
}

func (c *spanColumns) addEvents() {
	c.eventTimes = proto.NewArray[int64](&c.eventTimeValues)
	c.eventNameTexts = newLowTexts()
	c.eventNames = proto.NewArray[string](c.eventNameTexts)
	c.eventAttrs = newPairs()
	c.eventMaps = proto.NewArray[map[string]string](c.eventAttrs.maps)
	c.eventLost = proto.NewArray[uint32](&c.eventLostN)
	c.out.Add("arrayMap(t -> toUnixTimestamp64Nano(t), `events.time`)", c.eventTimes)
	c.out.Add("`events.name`", c.eventNames)
	c.out.Add("`events.attributes`", c.eventMaps)
	c.out.Add("`events.dropped_attributes`", c.eventLost)
}

func (c *spanColumns) addLinks() {
	c.linkTraces = proto.NewArray[[16]byte](&c.linkTraceIDs)
	c.linkSpans = proto.NewArray[[8]byte](&c.linkSpanIDs)
	c.linkStateTexts = newLowTexts()
	c.linkStates = proto.NewArray[string](c.linkStateTexts)
	c.linkFlags = proto.NewArray[uint32](&c.linkFlagsN)
	c.linkAttrs = newPairs()
	c.linkMaps = proto.NewArray[map[string]string](c.linkAttrs.maps)
	c.linkLost = proto.NewArray[uint32](&c.linkLostN)
	c.out.Add("`links.trace_id`", c.linkTraces)
	c.out.Add("`links.span_id`", c.linkSpans)
	c.out.Add("`links.trace_state`", c.linkStates)
	c.out.Add("`links.flags`", c.linkFlags)
	c.out.Add("`links.attributes`", c.linkMaps)
	c.out.Add("`links.dropped_attributes`", c.linkLost)
}

// hold copies the texts of the block, which the next one overwrites, and returns
// about how many bytes the block takes.
func (c *spanColumns) hold() int {
	size := len(c.times) * 256
	for _, p := range []*pairs{c.attrs, c.eventAttrs, c.linkAttrs} {
		if p != nil {
			p.texts.hold(p.values)
			size += len(p.texts.all) + p.keys.Rows()*48
		}
	}
	if c.keys != nil {
		size += c.keys.Rows() * 48
	}
	return size
}

// span returns the ith span of the block, and its trace.
func (c *spanColumns) span(i int) (telemetry.TraceID, Span) {
	s := Span{
		ID: c.ids[i], Parent: c.parents[i], Start: c.times[i], Duration: c.durations[i],
		Service: c.names.of(c.services.Row(i)), Name: c.names.of(c.operations.Row(i)),
		Kind: Kind(c.kinds[i]), Status: Status(c.statuses[i]), StatusMessage: c.names.of(c.messages.Row(i)),
	}
	if c.which&WithAttributes != 0 {
		from, to := between(c.numbers.Offsets, i)
		first, last := between(c.attrs.maps.Offsets, i)
		s.Attrs = c.attrs.append(make([]Attr, 0, to-from+last-first), i, &c.names)
		for n := from; n < to; n++ {
			s.Attrs = append(s.Attrs, Attr{c.names.of(c.keys.Row(n)), Number(c.values[n])})
		}
		surely(s.Attrs)
	}
	if c.which&WithResource != 0 {
		s.Resource = c.docs.resource(c.resources.Row(i))
	}
	if c.which&WithScope != 0 {
		s.Scope = c.docs.scope(c.scopes.Row(i))
	}
	if c.which&WithEvents != 0 {
		s.Events = c.events(i)
	}
	if c.which&WithLinks != 0 {
		s.Links = c.links(i)
	}
	if c.which&WithRest != 0 {
		s.TraceState, s.Flags = c.names.of(c.states.Row(i)), c.flags[i]
		s.DroppedAttrs, s.DroppedEvents, s.DroppedLinks = c.dropped[i], c.lostEvents[i], c.lostLinks[i]
	}
	return c.traces[i], s
}

func (c *spanColumns) events(i int) []Event {
	from, to := between(c.eventTimes.Offsets, i)
	if from == to {
		return nil
	}
	all := make([]Event, 0, to-from)
	for n := from; n < to; n++ {
		e := Event{Time: c.eventTimeValues[n], Name: c.names.of(c.eventNameTexts.Row(n)), DroppedAttrs: c.eventLostN[n]}
		e.Attrs = c.eventAttrs.append(nil, n, &c.names)
		surely(e.Attrs)
		all = append(all, e)
	}
	return all
}

func (c *spanColumns) links(i int) []Link {
	from, to := between(c.linkTraces.Offsets, i)
	if from == to {
		return nil
	}
	all := make([]Link, 0, to-from)
	for n := from; n < to; n++ {
		l := Link{
			Trace: c.linkTraceIDs[n], Span: c.linkSpanIDs[n], TraceState: c.names.of(c.linkStateTexts.Row(n)),
			Flags: c.linkFlagsN[n], DroppedAttrs: c.linkLostN[n],
		}
		l.Attrs = c.linkAttrs.append(nil, n, &c.names)
		surely(l.Attrs)
		all = append(all, l)
	}
	return all
}

// bools are attributes that conventions say are bools. The tables keep a bool as
// the text true or false; of other attributes nobody knows whether the sender
// meant the text.
var bools = map[string]bool{
	"aws.dynamodb.consistent_read": true, "aws.dynamodb.scan_forward": true,
	"browser.mobile": true, "error": true, "exception.escaped": true, "faas.coldstart": true,
	"messaging.destination.anonymous": true, "messaging.destination.temporary": true,
	"messaging.destination_publish.anonymous": true, "process.interactive": true,
	"tls.established": true, "tls.resumed": true, "zipkin.debug": true, "zipkin.shared": true,
}

// surely makes bools of the texts that are bools for sure.
func surely(attrs []Attr) {
	for i := range attrs {
		a := &attrs[i]
		if a.Value.Type == TextValue && (a.Value.Text == "true" || a.Value.Text == "false") && bools[a.Key] {
			a.Value = Bool(a.Value.Text == "true")
		}
	}
}
