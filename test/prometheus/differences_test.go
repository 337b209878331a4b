package prometheus

import (
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// A difference is something that Prometheus 2.42 answers otherwise than
// Prometheus 3 on purpose, so that goshawk, which has the engine of the latter,
// is not held against 2.42 there. The engine of the same version has no such
// list.
type difference struct {
	reason string
	in     func(query string, e parser.Expr) bool
}

// calls reports whether an expression calls one of the functions.
func calls(names ...string) func(string, parser.Expr) bool {
	return func(_ string, e parser.Expr) bool {
		return some(e, func(n parser.Node) bool {
			call, ok := n.(*parser.Call)
			return ok && slices.Contains(names, call.Func.Name)
		})
	}
}

// aggregates reports whether an expression uses one of the aggregations.
func aggregates(names ...string) func(string, parser.Expr) bool {
	return func(_ string, e parser.Expr) bool {
		return some(e, func(n parser.Node) bool {
			a, ok := n.(*parser.AggregateExpr)
			return ok && slices.Contains(names, a.Op.String())
		})
	}
}

// mentions reports whether the query has a text in it.
func mentions(texts ...string) func(string, parser.Expr) bool {
	return func(query string, _ parser.Expr) bool {
		for _, text := range texts {
			if strings.Contains(query, text) {
				return true
			}
		}
		return false
	}
}

func both(a, b func(string, parser.Expr) bool) func(string, parser.Expr) bool {
	return func(query string, e parser.Expr) bool { return a(query, e) && b(query, e) }
}

func some(e parser.Expr, is func(parser.Node) bool) bool {
	found := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		found = found || n != nil && is(n)
		return nil
	})
	return found
}

var differences = []difference{
	{"2.42 does not have the function", calls(
		"first_over_time", "mad_over_time", "sort_by_label", "sort_by_label_desc", "info", "histogram_avg", "histogram_stddev", "histogram_stdvar",
		"histogram_quantiles", "max_of", "min_of", "start", "end", "step", "range", "start_timestamp", "ts_of_first_over_time",
		"ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time")},
	{"2.42 does not have the aggregation", aggregates("limitk", "limit_ratio")},
	{"2.42 knows native histograms in few places, and interpolates linearly within their buckets", both(mentions("native_seconds"), beyondNative)},
	{"2.42 takes a native histogram that is a gauge for a counter", both(calls("rate", "increase"), func(query string, _ parser.Expr) bool {
		return strings.Contains(strings.ReplaceAll(strings.ReplaceAll(query, `native_seconds{kind="0"}`, ""), `native_seconds{kind!="2"}`, ""), "native_seconds")
	})},
	{"2.42 extrapolates otherwise to zero where a series begins within the range near zero", nearZero},
	{"a point in a regular expression does not match a line end in 2.42", mentions(`"two.lines"`)},
	{"2.42 takes the time of the first step for that of all in predict_linear with @", both(calls("predict_linear"), mentions("@"))},
	{"the deviation of one value that is no number or infinite is 0 in 2.42", func(_ string, e parser.Expr) bool {
		return some(e, func(n parser.Node) bool {
			a, ok := n.(*parser.AggregateExpr)
			if !ok || a.Op != parser.STDDEV && a.Op != parser.STDVAR {
				return false
			}
			selector, ok := a.Expr.(*parser.VectorSelector)
			return !ok || selector.Name == "odd_value"
		})
	}},
	{"2.42 leaves the name to the result of atan2", func(query string, e parser.Expr) bool {
		return inOld(query) == query && some(e, func(n parser.Node) bool {
			b, ok := n.(*parser.BinaryExpr)
			return ok && b.Op == parser.ATAN2
		})
	}},
}

// beyondNative reports whether an expression has more than the few functions that
// took native histograms from the beginning.
func beyondNative(_ string, e parser.Expr) bool {
	return some(e, func(n parser.Node) bool {
		switch n := n.(type) {
		case *parser.Call:
			return !slices.Contains([]string{"histogram_count", "histogram_sum", "rate", "increase"}, n.Func.Name)
		case *parser.AggregateExpr:
			return n.Op != parser.SUM
		case *parser.BinaryExpr, *parser.UnaryExpr, *parser.SubqueryExpr:
			return true
		}
		return false
	})
}

// nearZero reports whether an expression has a rate of something else than a
// counter that begins far from zero.
func nearZero(_ string, e parser.Expr) bool {
	return some(e, func(n parser.Node) bool {
		call, ok := n.(*parser.Call)
		if !ok || call.Func.Name != "rate" && call.Func.Name != "increase" {
			return false
		}
		over, ok := call.Args[0].(*parser.MatrixSelector)
		if !ok {
			return true // a subquery
		}
		selector := over.String()
		for _, counter := range counters {
			name, _, _ := strings.Cut(counter, "{")
			if name != "born_total" && strings.HasPrefix(selector, name) {
				return false
			}
		}
		return !strings.HasPrefix(selector, "native_seconds")
	})
}

// inOld words a query for 2.42.
func inOld(query string) string {
	if e, err := parser.NewParser(options).ParseExpr(query); err == nil {
		if b, ok := e.(*parser.BinaryExpr); ok && b.Op == parser.ATAN2 {
			return `label_replace(` + query + `, "__name__", "", "", "")`
		}
	}
	return strings.ReplaceAll(query, "double_exponential_smoothing(", "holt_winters(")
}

// differsInOld says why a query is not compared with 2.42; empty where it is.
func differsInOld(query string) string {
	e, err := parser.NewParser(options).ParseExpr(query)
	if err != nil {
		return ""
	}
	for _, d := range differences {
		if d.in(query, e) {
			return d.reason
		}
	}
	return ""
}
