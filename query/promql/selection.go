package promql

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// The labels that one stored histogram or summary is spread over.
const (
	bucketSuffix = "_bucket"
	countSuffix  = "_count"
	sumSuffix    = "_sum"
)

// A condition is the WHERE of a query on the table series.
type condition struct{ clickhouse.Condition }

// The protocols, as in the column of that name, whose series have samples, and
// those whose series have exemplars.
const (
	withSamples   = "'otlp', 'remote_write'"
	withExemplars = "'otlp', 'remote_write', 'exemplars'"
)

// seriesCondition bounds the rows of the table series to those that may match.
// It lets through more than that: what a series is called in PromQL, and whether
// it matches, is decided in Go, by the matchers themselves.
func seriesCondition(tenant string, in span, matchers []*labels.Matcher, protocols string) condition {
	var c condition
	c.Add("tenant = " + c.Text(tenant))
	c.Add(fmt.Sprintf("day >= toDate(%d) AND day <= toDate(%d)", dayOf(in.from), dayOf(in.to)))
	c.Add("protocol IN (" + protocols + ")")
	c.Add("prometheus_name != ''")
	// Series are known by the names that their senders gave them only where the
	// name of a metric is asked for; that bounds the rows, else the index has to.
	byName := slices.ContainsFunc(matchers, func(m *labels.Matcher) bool {
		return m.Name == model.MetricNameLabel && len(literals(m)) > 0
	})
	for _, m := range matchers {
		switch values := literals(m); {
		case len(values) == 0:
		case m.Name == model.MetricNameLabel:
			c.Add(c.named(values))
		case m.Name == labels.BucketLabel || m.Name == model.QuantileLabel || !model.LegacyValidation.IsValidLabelName(m.Name):
			// Such labels are not in the column labels.
		case byName:
			c.Add(fmt.Sprintf("(labels[%s] IN (%s) OR %s)", c.Text(m.Name), c.list(values), original))
		default:
			pairs := make([]string, len(values))
			for i, v := range values {
				pairs[i] = m.Name + "=" + v
			}
			c.Add(fmt.Sprintf("hasAnyTokens(%s, [%s])", tables.LabelPairs, c.list(pairs)))
			c.Add(fmt.Sprintf("labels[%s] IN (%s)", c.Text(m.Name), c.list(values)))
		}
	}
	return c
}

// original are the series whose labels may also be asked for as the sender wrote
// them, which the column labels does not know.
const original = "prometheus_name != metric AND protocol = 'otlp'"

// literals returns the values of which a label must have one; none where it may
// have others, or may be absent.
func literals(m *labels.Matcher) []string {
	var values []string
	switch m.Type {
	case labels.MatchEqual:
		values = []string{m.Value}
	case labels.MatchRegexp:
		values = m.SetMatches()
	case labels.MatchNotEqual, labels.MatchNotRegexp:
	}
	for _, v := range values {
		if v == "" || m.Matches("") {
			return nil
		}
	}
	return values
}

func (c *condition) list(values []string) string {
	bound := make([]string, len(values))
	for i, v := range values {
		bound[i] = c.Text(v)
	}
	return strings.Join(bound, ", ")
}

// named is the condition that a series has one of the names in PromQL.
func (c *condition) named(names []string) string {
	var bases, originals []string
	for _, name := range names {
		plain := model.LegacyValidation.IsValidMetricName(name)
		if !plain {
			originals = append(originals, name)
		}
		for _, suffix := range []string{bucketSuffix, countSuffix, sumSuffix} {
			if base, ok := strings.CutSuffix(name, suffix); ok && base != "" {
				bases = append(bases, base)
				if !plain {
					originals = append(originals, base)
				}
			}
		}
	}
	either := []string{"prometheus_name IN (" + c.list(names) + ")"}
	if len(bases) > 0 {
		either = append(either, "prometheus_name IN ("+c.list(bases)+") AND kind IN ('histogram', 'summary')")
	}
	if len(originals) > 0 {
		either = append(either, "metric IN ("+c.list(originals)+")")
	}
	return "(" + strings.Join(either, " OR ") + ")"
}

// dayOf returns the day since 1970-01-01 of a time in Unix milliseconds, within
// what the type Date holds.
func dayOf(t int64) int64 {
	const day, last = int64(24 * time.Hour / time.Millisecond), 65535
	return min(max(t/day, 0), last)
}

// pointCondition bounds rows of a table of points to metrics and a time.
func pointCondition(tenant string, metrics []string, in span) condition {
	var c condition
	c.Add("tenant = " + c.Text(tenant))
	c.Add("metric IN (" + c.list(metrics) + ")")
	from, to := within(in.from), within(in.to)
	c.Add(fmt.Sprintf("bucket >= toDateTime(%d, 'UTC') AND bucket <= toDateTime(%d, 'UTC')", bucketOf(from), bucketOf(to)))
	c.Add(fmt.Sprintf("time >= fromUnixTimestamp64Nano(toInt64(%d)) AND time <= fromUnixTimestamp64Nano(toInt64(%d))", from*1e6, to*1e6+999_999))
	return c
}

// bucketOf returns the bucket of a time in Unix milliseconds, in Unix seconds.
func bucketOf(t int64) int64 { return t / 1000 / tables.BucketSeconds * tables.BucketSeconds }

// within keeps a time in Unix milliseconds inside of what can be stored: no
// event is filed before 1970 or after 2100.
func within(t int64) int64 { return min(max(t, 0), 4102444799999) }
