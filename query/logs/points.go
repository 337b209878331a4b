package logs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/metric"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// points are the numbers of series, by their labels.
type points struct {
	store    *Store
	grouping *logql.Grouping
	byKey    map[string]*pointSeries
	total    int
	key      []byte
}

type pointSeries struct {
	labels pipeline.Labels
	points []metric.Point
}

// add adds a number to the series of a set of labels, which is sorted and may be
// used again.
func (p *points) add(labels pipeline.Labels, t int64, v float64) error {
	labels = metric.Grouped(labels, p.grouping)
	p.key = labels.AppendKey(p.key[:0])
	s := p.byKey[string(p.key)]
	if s == nil {
		if most := p.store.cfg.MaxSeries; len(p.byKey) >= most {
			return exceeded("the query makes more than %d series (query.logs.max_series): aggregate them by fewer labels", most)
		}
		s = &pointSeries{labels: copied(labels)}
		p.byKey[string(p.key)] = s
	}
	if p.total++; p.total > p.store.cfg.MaxSamples {
		return exceeded("the query has more than %d samples (query.logs.max_samples): ask for less time, or use a longer step", p.store.cfg.MaxSamples)
	}
	s.points = append(s.points, metric.Point{Time: t, Value: v})
	return nil
}

// copied returns labels whose texts are their own.
func copied(labels pipeline.Labels) pipeline.Labels {
	all := make(pipeline.Labels, len(labels))
	for i, l := range labels {
		all[i] = pipeline.Label{Name: strings.Clone(l.Name), Value: strings.Clone(l.Value)}
	}
	return all
}

// lineCount reports whether a function counts lines or bytes, for which sums of
// slots of time are enough.
func lineCount(e *logql.RangeExpr) bool {
	if e.Unwrap != nil {
		return false
	}
	switch e.Op {
	case "count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time":
		return true
	}
	return false
}

func ofBytes(op string) bool { return op == "bytes_over_time" || op == "bytes_rate" }

// maxSlots is how many slots of time are counted in ClickHouse.
const maxSlots = 20_000

// slot is the longest time of which both the range and the step are multiples.
func slot(e *logql.RangeExpr, steps metric.Steps) int64 {
	if steps.N == 1 {
		return int64(e.Range)
	}
	a, b := int64(e.Range), steps.Step
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// rangePoints reads the numbers of a function's lines, grouped by the labels that
// are wanted of its series. Mentioned are labels of records that are told apart.
func (r *Reader) rangePoints(ctx context.Context, e *logql.RangeExpr, grouping *logql.Grouping, mentioned []string, steps metric.Steps) (*points, error) {
	all := &points{store: r.store, grouping: grouping, byKey: map[string]*pointSeries{}}
	base := steps.Start - int64(e.Offset) - int64(e.Range)
	in := Range{From: base + 1, To: steps.At(steps.N-1) - int64(e.Offset)}
	if in.To < 0 || in.From > in.To {
		return all, nil
	}
	c := r.base()
	p, known, err := r.plannedCount(ctx, e, grouping, mentioned, in, &c)
	if err != nil || p.none {
		return all, err
	}
	width := slot(e, steps)
	if p.exact && !r.Streamed && lineCount(e) && (in.To-base)/width <= maxSlots {
		if counts := r.counts(&c, e.Op, grouping, mentioned, known); counts != nil {
			return all, r.count(ctx, counts, within(c, in), all, base, width)
		}
	}
	return all, r.stream(ctx, e, within(c, in), mentioned, all)
}

// plannedCount is planned for a function; the labels of its series may need the
// streams too.
func (r *Reader) plannedCount(ctx context.Context, e *logql.RangeExpr, grouping *logql.Grouping, mentioned []string, in Range, c *clickhouse.Condition) (plan, []*stream, error) {
	needs := needsStreams(e.Log)
	if grouping != nil && !grouping.Without {
		mentioned = grouping.Labels
	}
	for _, name := range mentioned {
		needs = needs || !ownColumn(name)
	}
	var known []*stream
	if needs {
		var err error
		if known, err = r.streams(ctx, e.Log.Matchers, in); err != nil {
			return plan{}, nil, err
		}
	}
	return planOf(c, e.Log, known, r.Streamed), known, nil
}

// stream looks at every line here.
func (r *Reader) stream(ctx context.Context, e *logql.RangeExpr, c clickhouse.Condition, mentioned []string, all *points) error {
	run, err := pipeline.New(e.Log.Stages)
	if err != nil {
		return err
	}
	var unwrap *pipeline.Unwrapper
	if e.Unwrap != nil {
		unwrap = pipeline.NewUnwrapper(e.Unwrap)
	}
	columns := newLineColumns(partsOf(e, mentioned), streams{})
	text := "SELECT " + columns.out.Columns() + "\nFROM " + r.table(tables.Logs) + "\nWHERE " + c.Where()
	var entry pipeline.Entry
	var labels pipeline.Labels
	return r.read(ctx, text, c.Parameters, &columns.out, func() error {
		if r.Lines += uint64(len(columns.times)); r.Lines > uint64(r.store.cfg.MaxLines) {
			return r.tooManyLines()
		}
		for i := range columns.times {
			columns.entry(&entry, i)
			r.LineBytes += uint64(len(entry.Line))
			if !run.Run(&entry) {
				continue
			}
			v := 1.0
			if unwrap != nil {
				var ok bool
				if v, ok = unwrap.Value(&entry); !ok {
					continue
				}
			} else if ofBytes(e.Op) {
				v = float64(len(entry.Line))
			}
			if labels = seriesLabels(&entry, mentioned, labels[:0]); entry.Err != "" {
				return pipelineError(&entry, labels)
			}
			if err := all.add(labels, entry.Time, v); err != nil {
				return err
			}
		}
		return nil
	})
}

// seriesLabels appends the labels of a line's series, sorted.
func seriesLabels(e *pipeline.Entry, mentioned []string, to pipeline.Labels) pipeline.Labels {
	to = e.Read(e.Of(to))
	for _, l := range e.Meta {
		if slices.Contains(mentioned, l.Name) {
			to = append(to, l)
		}
	}
	to.Sort()
	return to
}

func pipelineError(e *pipeline.Entry, labels pipeline.Labels) error {
	return Invalid("pipeline error: '%s' (%s) for series: '%s'. Use a label filter to leave such lines out, such as | %s=\"\", also behind unwrap",
		e.Err, e.Details, shortened(labels.String()), pipeline.ErrorLabel)
}

// partsOf is what has to be read of rows to look at them here.
func partsOf(e *logql.RangeExpr, mentioned []string) part {
	which := part(0)
	if ofBytes(e.Op) {
		which |= withBody
	}
	if e.Unwrap != nil || len(mentioned) > 0 {
		which |= withRecord
	}
	for _, s := range e.Log.Stages {
		switch s.(type) {
		case *logql.LineFilter, logql.Decolorize:
			which |= withBody
		case *logql.Parser, *logql.LineFormat, *logql.LabelFormat:
			which |= withBody | withRecord
		default:
			which |= withRecord
		}
	}
	return which
}

// counts says how lines are counted in ClickHouse.
type counts struct {
	value    string
	service  bool
	resource bool
	class    bool
	// names are the labels of records, and expressions what they are.
	names, expressions []string
}

// counts returns how lines are counted by the labels that are wanted, nil where
// ClickHouse cannot tell them.
func (r *Reader) counts(c *clickhouse.Condition, op string, grouping *logql.Grouping, mentioned []string, known []*stream) *counts {
	n := &counts{value: "count()"}
	switch {
	case op == "absent_over_time":
		grouping = &logql.Grouping{} // one series is enough
	case ofBytes(op):
		n.value = "sum(length(body))"
	}
	byStream := grouping == nil || grouping.Without
	if byStream {
		n.service, n.resource, n.class = true, true, true
	} else {
		mentioned = grouping.Labels
	}
	p := &planner{c: c, streams: known}
	for _, name := range mentioned {
		switch name {
		case labelService:
			n.service = true
		case labelLevel:
			n.class = true
			n.resource = n.resource || p.count((*stream).ownLevel) > 0
		case labelDetectedLevel, labelTrace, labelSpan, labelEvent:
			if p.count(func(s *stream) bool { _, ok := s.labels.Find(name); return ok }) > 0 {
				return nil
			}
			n.record(name, map[string]string{
				labelDetectedLevel: "", labelTrace: "if(trace_id = toFixedString('', 16), '', lower(hex(trace_id)))",
				labelSpan: "if(span_id = toFixedString('', 8), '', lower(hex(span_id)))", labelEvent: "CAST(event_name, 'String')",
			}[name])
			if name == labelDetectedLevel {
				n.class = true
				n.resource = n.resource || p.count((*stream).ownLevel) > 0
			}
		default:
			if strings.HasSuffix(name, "_extracted") || p.long(name) {
				return nil
			}
			has := p.count(func(s *stream) bool { _, ok := s.labels.Find(name); return ok })
			n.resource = n.resource || has > 0
			if has < len(known) {
				n.record(name, attributeOf(c, name))
			}
		}
	}
	return n
}

func (n *counts) record(name, expression string) {
	n.names, n.expressions = append(n.names, name), append(n.expressions, expression)
}

// count lets ClickHouse count lines by slots of time. A slot begins behind its
// start and includes its end, as the ranges do whose parts they are.
func (r *Reader) count(ctx context.Context, n *counts, c clickhouse.Condition, all *points, base, width int64) error {
	var (
		out       clickhouse.Output
		slots     proto.ColInt64
		values    proto.ColUInt64
		classes   proto.ColUInt8
		services  = newLowTexts()
		resources = newLowTexts()
		columns   []*proto.ColStr
		names     []string
	)
	keys := []string{"c0"}
	out.Add(fmt.Sprintf("intDiv(toUnixTimestamp64Nano(time) - %d, %d)", base+1, width), &slots)
	out.Add("toUInt64("+n.value+")", &values)
	if n.service {
		keys = append(keys, "c"+strconv.Itoa(len(out.Result)))
		out.Add("service", services)
	}
	if n.resource {
		keys = append(keys, "c"+strconv.Itoa(len(out.Result)))
		out.Add("resource", resources)
	}
	if n.class {
		keys = append(keys, "c"+strconv.Itoa(len(out.Result)))
		out.Add("toUInt8(severity_class)", &classes)
	}
	detected := false
	for i, expression := range n.expressions {
		if expression == "" {
			detected = true
			continue
		}
		column := new(proto.ColStr)
		keys = append(keys, "c"+strconv.Itoa(len(out.Result)))
		out.Add(expression, column)
		columns, names = append(columns, column), append(names, n.names[i])
	}
	text := "SELECT " + out.Columns() + "\nFROM " + r.table(tables.Logs) + "\nWHERE " + c.Where() + "\nGROUP BY " + strings.Join(keys, ", ") +
		"\nLIMIT " + strconv.Itoa(r.store.cfg.MaxSamples+1)
	known := streams{}
	var labels pipeline.Labels
	return r.read(ctx, text, c.Parameters, &out, func() error {
		for i := range slots {
			service, resource, class := "", "", uint8(0)
			if n.service {
				service = services.Row(i)
			}
			if n.resource {
				resource = resources.Row(i)
			}
			if n.class {
				class = classes[i]
			}
			stream := known.get(service, resource).of(class)
			labels = append(labels[:0], stream...)
			if detected {
				labels = append(labels, pipeline.Label{Name: labelDetectedLevel, Value: stream.Get(labelLevel)})
			}
			for k, name := range names {
				if _, taken := stream.Find(name); taken {
					continue
				}
				if v := columns[k].Row(i); v != "" {
					labels = append(labels, pipeline.Label{Name: name, Value: v})
				}
			}
			labels.Sort()
			if err := all.add(labels, base+(slots[i]+1)*width, float64(values[i])); err != nil {
				return err
			}
		}
		return nil
	})
}

// MaxSteps is how many steps a query may have.
const MaxSteps = 11_000

// CheckSteps refuses more steps than a query may have.
func CheckSteps(start, end int64, step time.Duration) error {
	if step <= 0 {
		return Invalid("step: must be above 0")
	}
	if (end-start)/int64(step) > MaxSteps {
		return Invalid("exceeded maximum resolution of %d points per time series. Try increasing the value of the step parameter", MaxSteps)
	}
	return nil
}
