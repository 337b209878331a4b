package sampling

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// randomBits is how many of the last bits of a trace id are random, by W3C Trace
// Context Level 2.
const randomBits = 56

// threshold returns the number that the random bits of a trace must not be below
// for the trace to be kept with a probability.
func threshold(probability float64) uint64 {
	return 1<<randomBits - max(uint64(math.Round(probability*(1<<randomBits))), 1)
}

// unlucky is the condition that chance is against a trace. The random bits are
// compared as text: big-endian, as trace ids are.
func (e *entry) unlucky() string {
	return fmt.Sprintf("substring(trace_id, 10, 7) < unhex('%014X')", threshold(e.rule.Probability))
}

// lucky is the opposite.
func (e *entry) lucky() string { return "NOT (" + e.unlucky() + ")" }

// owned is the condition that a row is of the tenant and of a block that the run
// is about. Spans without a trace are nobody's.
func (e *entry) owned() string {
	var partitions, offsets []string
	for _, p := range slices.Sorted(maps.Keys(e.offsets)) {
		partitions, offsets = append(partitions, fmt.Sprint(p)), append(offsets, fmt.Sprint(e.offsets[p]))
	}
	below := "0"
	if len(partitions) > 0 {
		below = fmt.Sprintf("kafka_offset < transform(kafka_partition, [%s], [%s], toUInt64(0))", strings.Join(partitions, ", "), strings.Join(offsets, ", "))
	}
	return "tenant = " + tables.QuoteText(e.tenant) + " AND " + below + " AND trace_id != toFixedString('', 16)"
}

// planned is the condition that a row of sampling_traces or sampling_blocks is of
// the plan.
func (e *entry) planned() string {
	return fmt.Sprintf("tenant = %s AND day = toDate(%d) AND plan = %d", tables.QuoteText(e.tenant), e.day, e.plan)
}

// moment is the first moment of a day.
func moment(day int64) string { return fmt.Sprintf("toDateTime64(%d, 9, 'UTC')", day*86400) }

// within is the condition that a row is of the days from and up to before to, in
// a form that the order of the table serves.
func within(table string, from, to int64) string {
	if table == tables.Spans {
		return fmt.Sprintf("bucket >= toDateTime(%d, 'UTC') AND bucket < toDateTime(%d, 'UTC')", from*86400, to*86400)
	}
	return fmt.Sprintf("time >= %s AND time < %s", moment(from), moment(to))
}

// here is the condition that a row of a table of the system is about a table.
func (j *Job) here(table string) string {
	return fmt.Sprintf("database = %s AND table = %s",
		tables.QuoteText(cmp.Or(j.dialect.Database, tables.DefaultDatabase)), tables.QuoteText(j.dialect.LocalName(table)))
}

// chance is the condition that a row is of a trace that is left to chance; on the
// day after, only those of the traces that go on after midnight are. Decisions is
// the table that has the plan, and in is IN or GLOBAL IN.
func (e *entry) chance(day int64, in, decisions string) string {
	if day == e.day {
		return fmt.Sprintf("%s AND NOT (trace_id %s (SELECT trace_id FROM %s WHERE %s AND reason != 'crossing'))", e.owned(), in, decisions, e.planned())
	}
	return fmt.Sprintf("%s AND trace_id %s (SELECT trace_id FROM %s WHERE %s AND reason = 'crossing')", e.owned(), in, decisions, e.planned())
}

// leaving is the query of the columns of the rows that go.
func (j *Job) leaving(e *entry, table, list string) string {
	in := "IN"
	if j.dialect.Cluster != "" {
		in = "GLOBAL IN"
	}
	var each []string
	for _, day := range []int64{e.day, e.day + 1} {
		each = append(each, fmt.Sprintf("SELECT %s FROM %s WHERE %s AND %s AND %s", list, j.dialect.Table(table),
			within(table, day, day+1), e.unlucky(), e.chance(day, in, j.dialect.Table(tables.SamplingTraces))))
	}
	return strings.Join(each, " UNION ALL ")
}
