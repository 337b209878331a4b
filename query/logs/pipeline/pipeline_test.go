package pipeline_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
)

// run runs a line through the stages of a query.
func run(t testing.TB, stages, line string) (pipeline.Entry, bool) {
	t.Helper()
	e, err := logql.Parse(`{a="b"} ` + stages)
	if err != nil {
		t.Fatal(stages, err)
	}
	p, err := pipeline.New(e.(*logql.LogExpr).Stages)
	if err != nil {
		t.Fatal(stages, err)
	}
	entry := pipeline.Entry{Line: line, Stream: pipeline.Labels{{Name: "a", Value: "b"}, {Name: "level", Value: "info"}}}
	kept := p.Run(&entry)
	return entry, kept
}

func TestStages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ stages, line, labels, out string }{
		{`| json`, `{"a":1,"b":{"c-d":"e","f":{"g":true}},"h":[1],"i":null,"0j":"k"}`, `{_0j="k", a_extracted="1", b_c_d="e", b_f_g="true"}`, ``},
		{`| json x="b[\"c.d\"]", y="l[1].z", none`, `{"b":{"c.d":"é"},"l":[0,{"z":[1, 2]}]}`, `{x="é", y="[1, 2]"}`, ``},
		{`| json`, `{"a":1} x`, `{__error__="JSONParserErr", __error_details__="there is more behind the object", a_extracted="1"}`, ``},
		{`| logfmt`, `x=1 y="a \"b\"" z w= é=2 bad="x`, `{_="2", x="1", y="a \"b\""}`, ``},
		{`| logfmt --strict`, `x=1 y="a`, `{__error__="LogfmtParserErr", __error_details__="a quoted value has no end, or an escape that does not exist", x="1"}`, ``},
		{`| logfmt n="x.y"`, `x.y=1 x=2`, `{n="1"}`, ``},
		{`| pattern "<ip> - [<_>] \"<path>\""`, `10.0.0.1 - [now] "/x"`, `{ip="10.0.0.1", path="/x"}`, ``},
		{`| pattern "<first>, <second>"`, `only`, `{}`, ``},
		{`| regexp "(?P<n>\\d+)(?P<unit>ms)?"`, `took 5`, `{n="5"}`, ``},
		{`| unpack`, `{"_entry":"line","pod":"x","n":1}`, `{pod="x"}`, `line`},
		{`| decolorize`, "\x1b[31mred\x1b[0m plain", `{}`, `red plain`},
		{`| label_format b=level, level="{{.a}}-{{.level}}"`, `x`, `{b="info", level="b-"}`, ``},
		{`| json | drop b, c="2" | keep c, d`, `{"b":1,"c":3,"d":4,"e":5}`, `{c="3", d="4"}`, ``},
		{`| json | line_format "{{range $i, $v := fromJson .q}}{{$i}}{{$v}}{{end}}"`, `{"q":"[7,8]"}`, `{q="[7,8]"}`, `0718`},
	} {
		e, kept := run(t, c.stages, c.line)
		labels := e.Read(nil)
		labels.Sort()
		want := c.out
		if want == "" {
			want = c.line
		}
		if !kept || labels.String() != c.labels || e.Line != want {
			t.Errorf("%s of %s: %v %s %q", c.stages, c.line, kept, labels, e.Line)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	const line = `{"n":5,"took":"1m30s","size":"2KB","ip":"10.1.2.3","v6":"2001:db8::7","bad":"x"}`
	for stages, want := range map[string]bool{
		`| n > 4`: true, `| n >= 5.0`: true, `| n < 5`: false, `| n = 5`: true, `| n != 5`: false, `| took > 1m`: true, `| took < 90s`: false, `| size = 2000B`: true, `| size > 1KiB`: true,
		`| ip = ip("10.0.0.0/8")`: true, `| ip != ip("10.1.2.3")`: false, `| v6 = ip("2001:db8::/32")`: true, `| ip = ip("::/0")`: false, `| none > 1`: false, `| none = ""`: true,
		`| bad > 1`: true, `| bad > 1 | __error__ = ""`: false, `| bad > 1 | n > 100`: true, `| n > 100 or took > 1m`: true, `| n > 100 and bad > 1`: false,
		`|= ip("10.1.2.0-10.1.2.9")`: true, `|= ip("2001:db8::/16")`: true, `!= ip("10.1.2.3")`: false, `|> "<_>took<_>"`: true, `|> "took<_>"`: false, `!> "{<_>}"`: false,
	} {
		if _, kept := run(t, "| json "+stages, line); kept != want {
			t.Errorf("%s: %v", stages, kept)
		}
	}
}

// FuzzParsers reads labels out of anything. What is JSON and what is not is told by
// another reader.
func FuzzParsers(f *testing.F) {
	for _, line := range []string{"", `{"a":{"b":[1,{"c":null}]},"d":"\u00e9"}`, `a=b c="d\"" e`, `1.2.3.4 - "x"`, "\x1b[1m", `{"_entry":"x"}`, "{", `{} {}`, `{"":1}`, "\xff=\xfe"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var object map[string]any
		valid := json.Unmarshal([]byte(line), &object) == nil && object != nil
		for _, stages := range []string{`| json`, `| json x="a.b[0]"`, `| logfmt`, `| logfmt --strict --keep-empty`, `| pattern "<a> <b>=<_>"`, `| regexp "(?P<x>.*)"`, `| unpack`, `| decolorize`, `| line_format "{{.a | trunc 5}}"`, `|= ip("10.0.0.0/8")`} {
			e, kept := run(t, stages, line)
			if !kept && !strings.Contains(stages, "ip(") {
				t.Fatalf("%s drops %q", stages, line)
			}
			if (stages == `| json` || stages == `| unpack`) && valid != (e.Err == "") && strings.Count(line, "[")+strings.Count(line, "{") < 50 {
				t.Fatalf("%s of %q: %s %s", stages, line, e.Err, e.Details)
			}
			for _, l := range e.Read(nil) {
				if !logql.Name(l.Name) {
					t.Fatalf("%s of %q: the label %q", stages, line, l.Name)
				}
			}
		}
	})
}
