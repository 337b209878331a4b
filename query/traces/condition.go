package traces

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Range is a range of time in Unix nanoseconds, both ends included.
type Range struct{ From, To int64 }

// lastTime is the last time under which an event is filed.
var lastTime = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano() - 1

// Everything is all the time that can be stored.
func Everything() Range { return Range{0, lastTime} }

// Within returns the range as far as events can be stored in it.
func (r Range) Within() Range {
	return Range{min(max(r.From, 0), lastTime), min(max(r.To, 0), lastTime)}
}

// Wider returns the range with a margin at both ends.
func (r Range) Wider(margin time.Duration) Range {
	r = r.Within()
	return Range{r.From - int64(margin), r.To + int64(margin)}.Within()
}

// bucketNanoseconds is the width of a bucket.
const bucketNanoseconds = tables.BucketSeconds * int64(time.Second)

func bucketOf(t int64) int64 { return t / bucketNanoseconds * tables.BucketSeconds }

// A Condition is what must hold of a span: the WHERE of a statement, with the
// values that it compares with as bound parameters.
type Condition struct{ clickhouse.Condition }

// Number returns the expression for a number. What is no number is NULL, with
// which no comparison holds.
func (c *Condition) Number(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "NULL"
	}
	return "toFloat64(" + strconv.FormatFloat(f, 'e', -1, 64) + ")"
}

// Int returns the expression for an integer.
func (c *Condition) Int(i int64) string { return "toInt64(" + strconv.FormatInt(i, 10) + ")" }

// of bounds a statement to a tenant and a time. The terms go first: they are
// those of the primary key.
func (c *Condition) of(tenant string, in Range) Condition {
	in = in.Within()
	bounded := Condition{clickhouse.Condition{Parameters: slices.Clip(c.Parameters)}} // the condition is used again
	bounded.Add("tenant = " + bounded.Bind("String", tenant))
	bounded.Add(fmt.Sprintf("bucket >= toDateTime(%d, 'UTC') AND bucket <= toDateTime(%d, 'UTC')", bucketOf(in.From), bucketOf(in.To)))
	bounded.Add(fmt.Sprintf("time >= fromUnixTimestamp64Nano(toInt64(%d)) AND time <= fromUnixTimestamp64Nano(toInt64(%d))", in.From, in.To))
	bounded.Terms = append(bounded.Terms, c.Terms...)
	return bounded
}

// TraceIDs returns the expression that a span is of one of the traces, in the
// form that the index on trace ids knows.
func TraceIDs(ids []telemetry.TraceID) string {
	var b strings.Builder
	b.WriteString("trace_id IN (")
	for i := range ids {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("unhex('")
		b.WriteString(hex.EncodeToString(ids[i][:]))
		b.WriteString("')")
	}
	return b.String() + ")"
}

// IsRoot is the expression that a span has no parent.
const IsRoot = "reinterpretAsUInt64(parent_span_id) = 0"

// ResourceAttribute returns the expression for an attribute of the resource as
// text, empty where it is not there; false where no expression can name it.
func (c *Condition) ResourceAttribute(key string) (string, bool) {
	return c.document("resource", "$.attributes.", key)
}

// ScopeAttribute is ResourceAttribute for the instrumentation scope.
func (c *Condition) ScopeAttribute(key string) (string, bool) {
	return c.document("scope", "$.attributes.", key)
}

func (c *Condition) document(column, path, key string) (string, bool) {
	// A path has no way to write these that all versions of ClickHouse agree on.
	if key == "" || strings.ContainsAny(key, "\"\\'`") || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' }) {
		return "", false
	}
	return "JSON_VALUE(" + column + ", " + c.Text(path+`"`+key+`"`) + ")", true
}
