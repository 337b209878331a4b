package logs

import (
	"encoding/hex"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
)

// words are the values of a column of low cardinality: each is made once a block.
type words struct {
	proto.ColStr
	made []string
}

// DecodeColumn implements proto.Column.
func (w *words) DecodeColumn(r *proto.Reader, rows int) error {
	if err := w.ColStr.DecodeColumn(r, rows); err != nil {
		return err
	}
	w.made = w.made[:0]
	for i := range rows {
		w.made = append(w.made, w.ColStr.Row(i))
	}
	return nil
}

// Row implements proto.ColumnOf.
func (w *words) Row(i int) string { return w.made[i] }

type lowTexts = proto.ColLowCardinality[string]

func newLowTexts() *lowTexts { return proto.NewLowCardinality[string](&words{}) }

// part is what of a row is read beside its time, service, severity and resource.
type part uint8

const (
	withBody   part = 1 << iota
	withRecord      // attributes and ids
)

// lineColumns are the columns of lines.
type lineColumns struct {
	which part
	out   clickhouse.Output

	times     proto.ColInt64
	services  *lowTexts
	classes   proto.ColUInt8
	resources *lowTexts
	bodies    proto.ColStr
	keys      *lowTexts
	values    *proto.ColStr
	maps      *proto.ColMap[string, string]
	traces    proto.ColFixedStr16
	spans     proto.ColFixedStr8
	events    *lowTexts

	known      streams
	attributes []pipeline.Label
}

func newLineColumns(which part, known streams) *lineColumns {
	c := &lineColumns{which: which, services: newLowTexts(), resources: newLowTexts(), known: known}
	c.out.Add("toUnixTimestamp64Nano(time)", &c.times)
	c.out.Add("service", c.services)
	c.out.Add("toUInt8(severity_class)", &c.classes)
	c.out.Add("resource", c.resources)
	if which&withBody != 0 {
		c.out.Add("body", &c.bodies)
	}
	if which&withRecord != 0 {
		c.keys, c.values, c.events = newLowTexts(), new(proto.ColStr), newLowTexts()
		c.maps = proto.NewMap[string, string](c.keys, c.values)
		c.out.Add("attributes", c.maps)
		c.out.Add("trace_id", &c.traces)
		c.out.Add("span_id", &c.spans)
		c.out.Add("event_name", c.events)
	}
	return c
}

// entry fills an entry with the ith row of the block. Its texts are copies.
func (c *lineColumns) entry(e *pipeline.Entry, i int) {
	e.Reset()
	s := c.known.get(c.services.Row(i), c.resources.Row(i))
	e.Time, e.Stream = c.times[i], s.of(c.classes[i])
	if c.which&withBody != 0 {
		e.Line = c.bodies.Row(i)
	}
	if c.which&withRecord == 0 {
		return
	}
	c.attributes = c.attributes[:0]
	from := 0
	if i > 0 {
		from = int(c.maps.Offsets[i-1])
	}
	for n := from; n < int(c.maps.Offsets[i]); n++ {
		c.attributes = append(c.attributes, pipeline.Label{Name: c.keys.Row(n), Value: c.values.Row(n)})
	}
	e.Meta = append(e.Meta, pipeline.Label{Name: labelDetectedLevel, Value: e.Stream.Get(labelLevel)})
	if c.traces[i] != [16]byte{} {
		e.Meta = append(e.Meta, pipeline.Label{Name: labelTrace, Value: hex.EncodeToString(c.traces[i][:])})
	}
	if c.spans[i] != [8]byte{} {
		e.Meta = append(e.Meta, pipeline.Label{Name: labelSpan, Value: hex.EncodeToString(c.spans[i][:])})
	}
	if name := c.events.Row(i); name != "" {
		e.Meta = append(e.Meta, pipeline.Label{Name: labelEvent, Value: name})
	}
	if _, taken := e.Stream.Find(labelDetectedLevel); taken {
		e.Meta = e.Meta[1:]
	}
	e.Meta = record(e.Meta, e.Stream, c.attributes, s.long)
}
