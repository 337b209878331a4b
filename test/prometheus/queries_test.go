package prometheus

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// A question is one query at a time or over a range.
type question struct {
	query            string
	at               int64 // Unix milliseconds; of instant queries
	start, end, step int64 // of range queries; step 0 for an instant one
}

func (q question) path() string {
	if q.step != 0 {
		return "/api/v1/query_range"
	}
	return "/api/v1/query"
}

func (q question) form() url.Values {
	seconds := func(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', -1, 64) }
	if q.step != 0 {
		return url.Values{"query": {q.query}, "start": {seconds(q.start)}, "end": {seconds(q.end)}, "step": {seconds(q.step)}}
	}
	return url.Values{"query": {q.query}, "time": {seconds(q.at)}}
}

func (q question) String() string {
	return fmt.Sprintf("%s\n  %s?%s", q.query, q.path(), q.form().Encode())
}

// The selectors that queries are made of.
var (
	gauges = []string{
		"up", "temperature_celsius", `temperature_celsius{sensor=~"K.che|居間"}`, `temperature_celsius{sensor="two\nlines"}`,
		`temperature_celsius{sensor='a"b\\c'}`, "flapping", `flapping{pod=~"pod-1.*"}`, "sparse_gauge", "job:requests:rate5m",
		"labelled", `labelled{a=""}`, `labelled{b!="",c=""}`, `labelled{a=~".*",e=~".+"}`, `labelled{d!~"3|x"}`, "left", `left{b="x"}`,
		"right", "owner", "disk_count", `money_sum{currency="€"}`, "goshawk_up_total_bucket_count_sum", ":", "long",
		`{__name__="up",job="api"}`, `{__name__=~"l.ft|right"}`, "rpc_duration_seconds", `rpc_duration_seconds{quantile="0.9"}`,
		`{job="api",instance=~"10\\.0\\.0\\.[13]:9100",__name__!~"http.*|temp.*"}`, "missing_metric",
		"odd_value", `odd_value{kind=~"mixed|tiny|large|zero"}`, `temperature_celsius{sensor=~"two.lines"}`,
	}
	counters = []string{
		"http_requests_total", `http_requests_total{code="500"}`, `http_requests_total{job="api",method!="GET"}`,
		`http_requests_total{instance=~"10.0.0.[0-2]:.*"}`, `http_requests_total{code=~"4..|5.."}`, "http_request_duration_seconds_sum",
		"http_request_duration_seconds_count", `http_request_duration_seconds_bucket{le="1.0"}`, "rpc_duration_seconds_count",
		`http_request_duration_seconds_bucket{le=~"0.5|\\+Inf",handler="/"}`, "born_total", `weird_bucket{le="1.0"}`,
	}
	histograms = []string{
		"http_request_duration_seconds_bucket", `http_request_duration_seconds_bucket{handler="/"}`, "weird_bucket", "no_inf_bucket",
		"not_a_number_bucket", "falling_bucket", "negative_bucket",
	}
	natives = []string{"native_seconds", `native_seconds{kind="0"}`, `native_seconds{kind!="2"}`}
	ranges  = []string{"40s", "1m", "5m", "7m30s", "20m", "1h"}
	offsets = []string{"", "", "", "", " offset 5m", " offset -3m", " offset 1h", fmt.Sprintf(" @ %d.002", dataStart.Unix()+7200), " @ start()", " @ end() offset 1m"}
)

// A questioner makes questions.
type questioner struct{ random *rand.Rand }

func pick[T any](g *questioner, from []T) T { return from[g.random.IntN(len(from))] }

func (g *questioner) one(choices ...string) string { return pick(g, choices) }

// time returns an even millisecond within the data or a little beside it.
func (g *questioner) time() int64 {
	return dataStart.UnixMilli() + 2*g.random.Int64N((dataLength+6*time.Minute).Milliseconds()/2)/1000*1000 + 2*g.random.Int64N(499) + 2
}

// instant and ranged ask a query at a random time.
func (g *questioner) instant(query string) question { return question{query: query, at: g.time()} }

func (g *questioner) ranged(query string) question {
	step := pick(g, []int64{10_000, 15_000, 60_000, 61_002, 300_000})
	start := g.time()
	return question{query: query, start: start, end: start + step*g.random.Int64N(60), step: step}
}

func (g *questioner) selector() string {
	return pick(g, slices.Concat(gauges, counters)) + pick(g, offsets)
}

func (g *questioner) matrix() string {
	if g.random.IntN(4) == 0 {
		// The steps of a subquery are at multiples of its step, where no range
		// of this list has its edge.
		inner := g.one(g.selector(), "-"+pick(g, gauges), "rate("+pick(g, counters)+"[5m])", "sum by (job) ("+pick(g, gauges)+")")
		return inner + g.one("[10m:20s]", "[1h:1m]", "[7m:]", "[20m:15s]") + pick(g, offsets)
	}
	from := gauges
	if g.random.IntN(2) == 0 {
		from = counters
	}
	selector := pick(g, from)
	return selector + "[" + pick(g, ranges) + "]" + pick(g, offsets)
}

func (g *questioner) number() string {
	return g.one("0", "1", "2", "-3", "0.5", "7.25", "1e3", "0x1F", "NaN", "Inf", "-Inf", "scalar(sum(up))", "time()", "pi()", "scalar(missing_metric)")
}

// vector returns an expression for an instant vector, nested at most so deep.
func (g *questioner) vector(depth int) string {
	if depth == 0 {
		return g.selector()
	}
	switch g.random.IntN(8) {
	case 0, 1:
		return g.function(pick(g, []string{
			"abs", "ceil", "floor", "exp", "sqrt", "sgn", "ln", "log2", "rate", "increase", "delta", "avg_over_time", "sum_over_time", "max_over_time",
			"count_over_time", "last_over_time", "stddev_over_time", "clamp_min", "round", "timestamp", "changes", "irate", "idelta", "absent", "vector",
		}), depth-1)
	case 2, 3:
		return g.aggregation(pick(g, []string{"sum", "avg", "count", "min", "max", "stddev", "group", "quantile"}), depth-1)
	case 4, 5:
		return g.binary(pick(g, operators), depth-1)
	case 6:
		return g.one("-", "+") + "(" + g.vector(depth-1) + ")"
	default:
		return "(" + g.vector(depth-1) + ")"
	}
}

// function returns a call of a function.
func (g *questioner) function(name string, depth int) string {
	matrix, vector := g.matrix, func() string { return g.vector(depth) }
	call := func(args ...string) string { return name + "(" + strings.Join(args, ", ") + ")" }
	switch name {
	case "histogram_quantile":
		over := pick(g, histograms)
		return call(g.one("0.5", "0.9", "0.99", "0", "1", "-1", "2", "NaN"), g.one(over, "rate("+over+"[5m])", "sum by (le, job) (rate("+over+"[5m]))", pick(g, natives), "rate("+pick(g, natives)+"[5m])"))
	case "histogram_quantiles":
		return call(g.one(pick(g, histograms), pick(g, natives)), `"q"`, "0.1", "0.5", "0.99")
	case "histogram_fraction":
		return call(g.one("0", "-1", "-Inf"), g.one("0.2", "5", "+Inf"), g.one(pick(g, natives), "rate("+pick(g, natives)+"[5m])", "sum(native_seconds)"))
	case "histogram_avg", "histogram_count", "histogram_sum", "histogram_stddev", "histogram_stdvar":
		return call(g.one(pick(g, natives), "rate("+pick(g, natives)+"[5m])", "sum by (job) ("+pick(g, natives)+")", pick(g, gauges)))
	case "rate", "increase", "irate", "resets":
		if g.random.IntN(12) == 0 {
			return call(pick(g, natives) + "[10m]")
		}
		return call(g.one(pick(g, counters)+"["+pick(g, ranges)+"]"+pick(g, offsets), matrix()))
	case "quantile_over_time":
		return call(g.one("0", "0.25", "0.5", "0.99", "1", "-0.1", "1.1"), matrix())
	case "double_exponential_smoothing":
		return call(matrix(), g.one("0.1", "0.5", "0.9"), g.one("0.1", "0.3", "0.8"))
	case "predict_linear":
		return call(matrix(), g.one("60", "-600", "3600"))
	case "label_replace":
		return call(vector(), `"`+g.one("job", "copy", "instance", "__name__")+`"`, `"`+g.one("$1", "x-$1", "${1}$2", "", "new")+`"`,
			`"`+g.one("job", "instance", "sensor", "none")+`"`, `"`+g.one("(.*)", "(a|w).*", "10.0.(.).(.):.*", "nothing", "")+`"`)
	case "label_join":
		return call(vector(), `"`+g.one("joined", "job")+`"`, `"`+g.one("-", "", "·")+`"`, `"job"`, `"`+g.one("instance", "none", "code")+`"`)
	case "sort_by_label", "sort_by_label_desc":
		return call(pick(g, slices.Concat(gauges, counters)), `"instance"`, `"job"`)
	case "info":
		return call("rate("+pick(g, counters)+"[5m])", g.one(`{region="eu"}`, `{version=~".+"}`, `{__name__="target_info"}`))
	case "clamp":
		return call(vector(), g.one("-5", "0", "NaN"), g.one("5", "1e6", "-10"))
	case "absent", "absent_over_time":
		selector := g.one("missing_metric", `missing_metric{a="b",c=~"d"}`, `up{job="none"}`, "flapping", "sum(missing_metric)")
		if name == "absent" {
			return call(selector)
		}
		return call(g.one("missing_metric", `up{job="none",x!="y"}`, "sparse_gauge") + "[" + pick(g, ranges) + "]")
	case "vector":
		return call(g.number())
	case "scalar":
		return call(g.one("sum("+vector()+")", vector()))
	case "start", "end", "step", "range", "pi", "time":
		return call()
	case "max_of", "min_of":
		return call(g.number(), g.number())
	}
	f := parser.Functions[name]
	var args []string
	for i, kind := range f.ArgTypes {
		if optional := f.Variadic != 0 && i >= len(f.ArgTypes)-1; optional && g.random.IntN(2) == 0 {
			break
		}
		switch kind {
		case parser.ValueTypeMatrix:
			args = append(args, matrix())
		case parser.ValueTypeScalar:
			args = append(args, g.number())
		case parser.ValueTypeString:
			args = append(args, `"job"`)
		default:
			args = append(args, vector())
		}
	}
	return call(args...)
}

// aggregation returns an aggregation with an operator.
func (g *questioner) aggregation(name string, depth int) string {
	over := g.vector(depth)
	if name == "topk" || name == "bottomk" {
		// Which of several equals are kept is not said.
		over = g.one("temperature_celsius", "left", "labelled", "rate(http_requests_total[20m])", "rpc_duration_seconds")
	}
	grouping := g.one("", " by (job)", " by (instance, code)", " without (instance)", " by ()", " without ()", " by (none)", " without (job, code, sensor)")
	parameter := ""
	switch name {
	case "topk", "bottomk":
		parameter = g.one("1", "3", "1000", "0", "-1", "2.7") + ", "
	case "limitk":
		over = g.selector() // only these come in an order
		parameter = g.one("1", "5", "0") + ", "
	case "limit_ratio":
		parameter = g.one("0.3", "-0.5", "1") + ", "
	case "quantile":
		parameter = g.one("0", "0.5", "0.95", "1", "-1", "1.5", "NaN") + ", "
	case "count_values":
		parameter = `"` + g.one("value", "job") + `", `
		over = g.one("up", "round(temperature_celsius, 5)", "odd_value", `http_requests_total{code="200"} > bool 150000`)
	}
	return name + grouping + " (" + parameter + over + ")"
}

var operators = []string{"+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"}

// binary returns an operation of two vectors, or of a vector and a number.
func (g *questioner) binary(operator string, depth int) string {
	set := operator == "and" || operator == "or" || operator == "unless"
	modifier := ""
	if strings.ContainsAny(operator, "=<>") && g.random.IntN(2) == 0 {
		modifier = "bool "
	}
	switch g.random.IntN(6) {
	case 0:
		if !set {
			return g.vector(depth) + " " + operator + " " + modifier + g.number()
		}
	case 1:
		if !set {
			return g.number() + " " + operator + " " + modifier + g.vector(depth)
		}
	case 2:
		if !set {
			return fmt.Sprintf("left %s %son (a) group_left%s owner", operator, modifier, g.one("", "(owner)", " ()"))
		}
	case 3:
		if !set {
			return fmt.Sprintf("right %s %s%s left", operator, modifier, g.one("on (a) group_right", "on (a, b) group_right ()", "ignoring (team) group_right", "on (b) group_right"))
		}
	case 4:
		s := g.vector(depth)
		return s + " " + operator + " " + modifier + s
	}
	return fmt.Sprintf("%s %s %s%s %s", g.one("left", "right", g.vector(depth)), operator, modifier,
		g.one("", "on (a, b)", "ignoring (team)", "on (job)", "on (instance, job)", "ignoring (code, method)", "on ()"), g.one("right", "left", g.vector(depth)))
}

// aggregators are the names of all aggregations.
func aggregators() []string {
	var all []string
	for item, name := range parser.ItemTypeStr {
		if item.IsAggregator() {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// questions makes the questions of a seed: several of every function,
// aggregation, operator and modifier, and random ones.
func questions(seed uint64) []question {
	g := &questioner{rand.New(rand.NewPCG(seed, 99))}
	var queries []string
	for _, name := range slices.Sorted(maps.Keys(parser.Functions)) {
		for range 5 {
			queries = append(queries, g.function(name, 0))
		}
	}
	for _, name := range aggregators() {
		for range 7 {
			queries = append(queries, g.aggregation(name, g.random.IntN(2)))
		}
	}
	for _, name := range operators {
		for range 6 {
			queries = append(queries, g.binary(name, 0))
		}
	}
	for _, selector := range slices.Concat(gauges, counters, histograms, natives) {
		queries = append(queries, selector, selector+pick(g, offsets), selector+"["+pick(g, ranges[:3])+"]")
	}
	for range 200 {
		queries = append(queries, g.vector(1+g.random.IntN(3)))
	}
	all := make([]question, 0, 2*len(queries))
	for _, q := range queries {
		all = append(all, g.instant(q))
		if expression, err := parser.NewParser(options).ParseExpr(q); err != nil || expression.Type() != parser.ValueTypeMatrix {
			all = append(all, g.ranged(q))
		}
	}
	return all
}
