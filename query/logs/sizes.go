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
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Size is how much there is of some streams.
type Size struct {
	Streams, Lines, Bytes uint64
	// Buckets counts the pieces of half an hour of each stream.
	Buckets uint64
}

// Size returns how much there is of the streams that a selector selects.
func (r *Reader) Size(ctx context.Context, matchers []*logql.Matcher, in Range) (Size, error) {
	var size Size
	c := r.base()
	p, err := r.planned(ctx, &logql.LogExpr{Matchers: matchers}, in, &c)
	if err != nil || p.none {
		return size, err
	}
	c = within(c, in)
	var out clickhouse.Output
	var streams, buckets, lines, bytes proto.ColUInt64
	out.Add("uniqExact(service, resource, severity_class)", &streams)
	out.Add("uniqExact(service, resource, severity_class, bucket)", &buckets)
	out.Add("count()", &lines)
	out.Add("sum(length(body))", &bytes)
	text := "SELECT " + out.Columns() + "\nFROM " + r.table(tables.Logs) + "\nWHERE " + c.Where()
	err = r.read(ctx, text, c.Parameters, &out, func() error {
		for i := range streams {
			size = Size{Streams: streams[i], Lines: lines[i], Bytes: bytes[i], Buckets: buckets[i]}
		}
		return nil
	})
	return size, err
}

// Pattern is a pattern of lines, and how many there were in each step.
type Pattern struct {
	Text, Level string
	Samples     []PatternSample
}

// PatternSample are the lines of a step.
type PatternSample struct {
	Time  int64 // Unix nanoseconds, the start of the step
	Lines uint64
}

// maxPatterns is how many patterns are returned: those with the most lines.
const maxPatterns = 300

// Patterns returns the patterns of lines that a selector selects, those with the
// most lines first. The step is in whole minutes.
func (r *Reader) Patterns(ctx context.Context, matchers []*logql.Matcher, in Range, step time.Duration) ([]*Pattern, error) {
	in = in.Within()
	c := r.base()
	p := &planner{c: &c}
	for _, m := range matchers {
		switch m.Name {
		case labelService:
			p.add(serviceTerm(&c, m))
		case labelLevel, labelDetectedLevel:
			p.add(p.level(m))
		default:
			return nil, Invalid("patterns are known by service_name and level only, not by %s", shortened(m.Name))
		}
	}
	seconds := int64(step / time.Second)
	c.Add(fmt.Sprintf("time >= toDateTime(%d, 'UTC') AND time <= toDateTime(%d, 'UTC')", in.From/1e9/60*60, in.To/1e9))
	var out clickhouse.Output
	var ids, lines proto.ColUInt64
	var classes proto.ColUInt8
	var texts proto.ColStr
	times := proto.NewArray[int64](new(proto.ColInt64))
	counts := proto.NewArray[uint64](new(proto.ColUInt64))
	out.Add("pattern_id", &ids)
	out.Add("any(pattern)", &texts)
	out.Add("toUInt8(severity_class)", &classes)
	out.Add("sum(lines)", &lines)
	slots := fmt.Sprintf("sumMap([toInt64(intDiv(toUnixTimestamp(time), %d) * %d)], [toUInt64(lines)])", seconds, seconds)
	out.Add("tupleElement("+slots+", 1)", times)
	out.Add("tupleElement("+slots+", 2)", counts)
	text := "SELECT " + out.Columns() + "\nFROM " + r.table(tables.LogPatterns1m) + "\nWHERE " + c.Where() +
		"\nGROUP BY pattern_id, severity_class\nORDER BY c3 DESC, c0, c2\nLIMIT " + strconv.Itoa(maxPatterns)
	var all []*Pattern
	err := r.read(ctx, text, c.Parameters, &out, func() error {
		for i := range ids {
			one := &Pattern{Text: strings.ReplaceAll(texts.Row(i), "<*>", "<_>"), Level: levels[min(int(classes[i]), len(levels)-1)]}
			counted := counts.Row(i)
			for n, t := range times.Row(i) {
				one.Samples = append(one.Samples, PatternSample{t * 1e9, counted[n]})
			}
			slices.SortFunc(one.Samples, func(a, b PatternSample) int { return int(a.Time/1e9 - b.Time/1e9) })
			all = append(all, one)
		}
		return nil
	})
	return all, err
}
