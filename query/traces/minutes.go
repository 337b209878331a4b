package traces

import (
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

// Minutes is a range of whole minutes, as tables of what is counted in minutes
// have them, in Unix seconds. To is not included.
type Minutes struct{ From, To int64 }

// Minutes returns the whole minutes in which the range lies.
func (r Range) Minutes() Minutes {
	r = r.Within()
	const minute = int64(time.Minute)
	return Minutes{r.From / minute * 60, (r.To + minute - 1) / minute * 60}
}

// Seconds is how long the range is; at least a minute, so that one can divide by it.
func (m Minutes) Seconds() float64 { return float64(max(m.To-m.From, 60)) }

// of bounds a statement about a table of minutes, or of what is shorter, to a
// tenant and a time.
func (m Minutes) of(c *Condition, tenant string) Condition {
	var bounded Condition
	bounded.Parameters = c.Parameters[:len(c.Parameters):len(c.Parameters)]
	bounded.Add("tenant = " + bounded.Bind("String", tenant))
	bounded.Add(fmt.Sprintf("time >= toDateTime(%d, 'UTC') AND time < toDateTime(%d, 'UTC')", m.From, m.To))
	bounded.Terms = append(bounded.Terms, c.Terms...)
	return bounded
}

// Latency is how long things took: the sum in nanoseconds, and how many took how
// long, in the order of the buckets of package sketch.
type Latency struct {
	Sum     int64
	Buckets []sketch.Bucket
}

// Count is how many things were counted.
func (l *Latency) Count() (n uint64) {
	for i := range l.Buckets {
		n += l.Buckets[i].Count
	}
	return n
}

// Add counts what another counted.
func (l *Latency) Add(other Latency) {
	if len(l.Buckets) == 0 {
		*l = other
		return
	}
	var s sketch.Sketch
	s.Merge(l.Buckets, l.Sum)
	s.Merge(other.Buckets, other.Sum)
	*l = Latency{s.Sum(), s.Append(nil)}
}

// latencyColumns are the columns of a latency, of which rows are summed.
type latencyColumns struct {
	sums          proto.ColInt64
	indexes       *proto.ColArr[int16]
	counts        *proto.ColArr[uint64]
	indexValues   proto.ColInt16
	countedValues proto.ColUInt64
}

// add adds the columns of the name to those of a statement.
func (l *latencyColumns) add(out *clickhouse.Output, name string) {
	l.indexes, l.counts = proto.NewArray[int16](&l.indexValues), proto.NewArray[uint64](&l.countedValues)
	merged := fmt.Sprintf("sumMap(`%s.bucket`, `%s.count`)", name, name)
	out.Add("sum("+name+"_sum_ns)", &l.sums)
	out.Add("tupleElement("+merged+", 1)", l.indexes)
	out.Add("tupleElement("+merged+", 2)", l.counts)
}

func (l *latencyColumns) row(i int) Latency {
	one := Latency{Sum: l.sums[i]}
	from, to := between(l.indexes.Offsets, i)
	one.Buckets = make([]sketch.Bucket, 0, to-from)
	for n := from; n < to; n++ {
		one.Buckets = append(one.Buckets, sketch.Bucket{Index: l.indexValues[n], Count: l.countedValues[n]})
	}
	return one
}

// Examples are traces to look at: that of the slowest call, and of one that
// failed. They are zero where there is none.
type Examples struct {
	Slow            telemetry.TraceID
	SlowNanoseconds int64
	Error           telemetry.TraceID
}

type exampleColumns struct {
	slow, failed proto.ColFixedStr16
	nanoseconds  proto.ColInt64
}

func (e *exampleColumns) add(out *clickhouse.Output) {
	out.Add("argMax(slow_trace_id, slow_ns)", &e.slow)
	out.Add("max(slow_ns)", &e.nanoseconds)
	out.Add("argMaxIf(error_trace_id, time, error_trace_id != toFixedString('', 16))", &e.failed)
}

func (e *exampleColumns) row(i int) Examples {
	return Examples{e.slow[i], e.nanoseconds[i], e.failed[i]}
}
