package traceql

import (
	"errors"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/query/traces"
)

// TestParse are queries that there are.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		`{}`, `{ }`, `{ true }`, `{.a}`, `{ .a = "x" }`, "{ .a = `x\\d` }", `{ span.a != 1 && resource.b =~ "x.*" || !(.c) }`,
		`{ duration > 1.5s && duration <= 2m3s && traceDuration < 1d }`, `{ status = error && kind != server && name !~ "a|b" }`,
		`{ span:duration > 1ms && span:name = "x" && trace:rootName = "y" && trace:rootService = "z" && span:status = ok }`,
		`{ .a.b-c_d/e = 1 }`, `{ span."a b".c = 1 }`, `{ resource."it's \"so\"" = nil }`, `{ parent.a = 1 && parent.span.b = 2 && parent.resource.c = 3 }`,
		`{ -1 < .a && .a + 2 * .b ^ 2 >= -(.c % 3) / 4 - 1 }`, `{ .a < -5ms }`, `{ 200 <= .http.status_code }`,
		`{ event.a = 1 && link.b = "c" && instrumentation.d = true && event:name = "exception" && link:traceID = "00" && instrumentation:version = "1" }`,
		`{ nestedSetParent < 0 && childCount > 3 && rootServiceName = "a" }`,
		`{} && {} || {}`, `{} > {} >> {} < {} << {} ~ {}`, `{} !> {} !>> {} !< {} !<< {} !~ {}`, `{} &> {} &>> {} &< {} &<< {} &~ {}`,
		`({} >> {.a}) && {.b}`, `(({}))`, `({.a} | count() > 2) && ({.b} | avg(duration) > 1s)`,
		`{.a} | count() > 2`, `{.a} | count() + 1 > 2 * 3 | max(duration) - min(duration) >= 1s | avg(.x) = 3 | sum(span.y) != 4 | 2 < count()`,
		`{.a} | by(resource.service.name) | count() > 1 | coalesce() | {.b} >> {.c} | select(.a, span.b, name)`,
		`{.a} | (count() + 1) * 2 > 3`, `{.a} | -count() < 0`, "{\n\t.a = 1\r\n}\n| count() > 1", `count() > 3`,
		`{ .a = 1e3 && .b = .5 && .c = 1.5e-3 }`, `{ .a = 10µs && .b = 3us && .c = 2h45m }`, `{ kind = unspecified || status = unset }`,
	} {
		q, err := Parse(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		q.Plan()
		q.Match(&traces.Trace{Spans: []traces.Span{{}}})
	}
}

// TestParseErrors are queries that there are not, and where they end to be one.
func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, want string }{
		{``, `line 1, col 1: the query is empty`},
		{`  `, `line 1, col 3: the query is empty`},
		{`{`, `line 1, col 2: unexpected the end of the query`},
		{`}`, `line 1, col 1: unexpected "}"`},
		{`{ .a = }`, `line 1, col 8: unexpected "}"`},
		{`{ .a == 1 }`, `line 1, col 6: "==" is no operator`},
		{"{\n .a\n = \n}", `line 4, col 1: unexpected "}"`},
		{`{ "ä" = é }`, `line 1, col 9: unexpected character 'é'`},
		{`{ .a = "x }`, `line 1, col 8: the text does not end`},
		{`{ .a = "\q" }`, `line 1, col 8: the text does not end, or has an escape`},
		{`{ .a = 1x }`, `line 1, col 8: "1x" is neither a number nor a duration`},
		{`{ .a = 1.2.3 }`, `"1.2.3" is neither`},
		{`{ . = 1 }`, `line 1, col 3: an attribute has no name`},
		{`{ span. = 1 }`, `line 1, col 3: an attribute has no name`},
		{`{ foo = 1 }`, `line 1, col 3: "foo" is not known; attributes begin with a dot or a scope, as span.foo`},
		{`{ span:foo = 1 }`, `line 1, col 3: the intrinsic span:foo is not supported`},
		{`{ duration = "1s" }`, `line 1, col 12: a duration cannot be compared with a text`},
		{`{ status = 200 }`, `a status cannot be compared with a number`},
		{`{ kind > server }`, `a kind has no order`},
		{`{ name < nil }`, `nil has no order`},
		{`{ 1 + "a" = 2 }`, `+ takes numbers and durations, not a text`},
		{`{ name && true }`, `&& joins what is true or false, not a text`},
		{`{ 1 }`, `line 1, col 3: a filter must be true or false, not a number`},
		{`{ .a + 1 = 2 | .b }`, `line 1, col 14: unexpected "|", want "}"`},
		{`{ !1 }`, `! takes what is true or false, not a number`},
		{`{ -"a" = 1 }`, `- takes numbers and durations, not a text`},
		{`{ .a =~ 1 }`, `line 1, col 9: =~ takes a regular expression in quotes`},
		{`{ .a =~ .b }`, `=~ takes a regular expression in quotes`},
		{`{ duration =~ "1" }`, `=~ compares texts, not a duration`},
		{`{ .a =~ "(" }`, `line 1, col 9: the regular expression "(": error parsing regexp: missing closing )`},
		{`{ .a =~ "((((a{100}){100}){100}){100}){100}" }`, `the regular expression`},
		{`{ .a =~ "` + strings.Repeat("x", 2000) + `" }`, `has 2000 bytes, more than 1024`},
		{`{} | rate()`, `line 1, col 6: rate() is not supported`},
		{`{} | count_over_time() by (name)`, `count_over_time() is not supported`},
		{`{} | quantile_over_time(duration, .9)`, `quantile_over_time() is not supported`},
		{`{} | histogram_over_time(duration)`, `histogram_over_time() is not supported`},
		{`{} | compare({status=error})`, `compare() is not supported`},
		{`{} with(sample=true)`, `line 1, col 4: with() is not supported`},
		{`{} | topk(3)`, `topk() is not supported`},
		{`{} | foo(3)`, `line 1, col 6: the function "foo" is not supported`},
		{`{ count() > 1 }`, `count() is for pipelines`},
		{`{} | count()`, `line 1, col 13: an aggregate must be compared, as in count() > 2; found the end of the query`},
		{`{} | avg() > 1`, `line 1, col 10: unexpected ")"`},
		{`{} | avg(name) > 1`, `avg takes numbers and durations, not a text`},
		{`{} | count(.a) > 1`, `unexpected the attribute .a, want ")"`},
		{`{} | select(1)`, `line 1, col 13: select takes attributes and intrinsics, not the number 1`},
		{`{} | by()`, `unexpected ")"`},
		{`{} | by(.a`, `want ")"`},
		{`{} |`, `line 1, col 5: unexpected the end of the query`},
		{`{} {}`, `line 1, col 4: unexpected "{"`},
		{`{} > 3`, `line 1, col 6: unexpected the number 3, want "{"`},
		{`({} | count()) > ({} | count())`, `line 1, col 14: an aggregate must be compared`},
		{`({}`, `want ")"`},
		{strings.Repeat("(", 4000), `nested more than 128 deep`},
		{strings.Repeat("(", 70_000), `the query has 70000 bytes`},
		{"{" + strings.Repeat("!", 1000) + ".a}", `nested more than 128 deep`},
		{"{" + strings.Repeat("(", 1000) + ".a", `nested more than 128 deep`},
		{strings.Repeat("{}>", 600) + "{}", `more than 512 operators`},
		{"{" + strings.Repeat(".a=1||", 1000) + ".a}", `more than 512 operators`},
		{strings.Repeat("{} ", 3000), `more than 5000 words`},
		{"{ .a = \"\xff\xfe\" && é }", `col 16: unexpected character`},
		{"\x00", `line 1, col 1: unexpected character '\x00'`},
		{`{ resource:foo = 1 }`, `the intrinsic resource:foo is not supported`},
	} {
		_, err := Parse(c.query)
		var fault *Error
		if !errors.As(err, &fault) {
			t.Errorf("%.60q: no fault: %v", c.query, err)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v\nwant %s", c.query, err, c.want)
		}
	}
}

// FuzzParse parses, plans and evaluates: nothing is fatal, and a position is
// within the query.
func FuzzParse(f *testing.F) {
	for _, query := range []string{
		`{ .a = "x" && span.b =~ "x.*" } >> { duration > 1s } | by(name) | count() > 2`, `{ !(.a) || -1 < .b ^ 2 }`, `({} | avg(.a) > 1) && {}`,
		`{ parent.a = nil && event:name != "x" } &>> {} | select(.a) | coalesce()`, "{ span.\"a b\".c = `x` }", `{} !~ {} | max(duration) - 1ms > 2`,
	} {
		f.Add(query)
	}
	trace := small()
	f.Fuzz(func(t *testing.T, query string) {
		q, err := Parse(query)
		if err != nil {
			var fault *Error
			if !errors.As(err, &fault) || fault.Line < 1 || fault.Column < 1 || fault.Line > 1+strings.Count(query, "\n") || fault.Column > len(query)+1 {
				t.Fatalf("%q: %#v", query, err)
			}
			return
		}
		q.Plan()
		m := q.Match(trace)
		for _, set := range m.Sets {
			for i, span := range set.Spans {
				if i > 0 && set.Spans[i-1] >= span {
					t.Fatalf("%q: spans %v", query, set.Spans)
				}
				m.Shown(span)
			}
		}
	})
}
