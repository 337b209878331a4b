package otlp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// jsonOf renders a value of pdata as AppendJSON should, or as AppendText should
// where text is set; with encoding/json for everything that it can do.
func jsonOf(v pcommon.Value, text bool) string {
	quoted := func(s string) string {
		if text {
			return s
		}
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(s); err != nil {
			panic(err)
		}
		return strings.TrimSuffix(b.String(), "\n")
	}
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return quoted(v.Str())
	case pcommon.ValueTypeBool, pcommon.ValueTypeInt:
		return fmt.Sprint(v.AsRaw())
	case pcommon.ValueTypeDouble:
		switch f := v.Double(); {
		case math.IsNaN(f):
			return quoted("NaN")
		case math.IsInf(f, 1):
			return quoted("Infinity")
		case math.IsInf(f, -1):
			return quoted("-Infinity")
		case !text && math.Abs(f) >= 1<<63 && math.Abs(f) < 1e21:
			return strconv.FormatFloat(f, 'e', -1, 64)
		default:
			p, err := json.Marshal(f)
			if err != nil {
				panic(err)
			}
			return string(p)
		}
	case pcommon.ValueTypeBytes:
		return quoted(base64.StdEncoding.EncodeToString(v.Bytes().AsRaw()))
	case pcommon.ValueTypeSlice:
		var s []string
		for _, e := range v.Slice().All() {
			s = append(s, jsonOf(e, false))
		}
		return "[" + strings.Join(s, ",") + "]"
	case pcommon.ValueTypeMap:
		last := map[string]int{}
		n := 0
		for k := range v.Map().All() {
			last[k] = n
			n++
		}
		var s []string
		n = 0
		for k, e := range v.Map().All() {
			if last[k] == n {
				s = append(s, jsonOf(pcommon.NewValueStr(k), false)+":"+jsonOf(e, false))
			}
			n++
		}
		return "{" + strings.Join(s, ",") + "}"
	case pcommon.ValueTypeEmpty:
	}
	if text {
		return ""
	}
	return "null"
}

// valueOf returns the row's value for an encoded AnyValue.
func valueOf(tb testing.TB, encoded []byte) (v telemetry.Value) {
	tb.Helper()
	lim := DefaultLimits()
	var w walker
	w.limit(&lim)
	if !w.value(encoded, 0, w.maxBody, &v) || w.why.reason != ok {
		tb.Fatalf("value %x: %s %s", encoded, w.bad, w.why.text())
	}
	return v
}

func TestAppendJSON(t *testing.T) {
	g := newGenerator(50, 0)
	d := new(common.AnyValue).ProtoReflect().Descriptor()
	kinds := map[telemetry.Kind]int{}
	for range 4000 {
		m := new(common.AnyValue)
		g.fill(m.ProtoReflect(), 0)
		plain, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		mangled := g.mangle(d, plain)
		want := parseValue(t, plain)
		v := valueOf(t, mangled)
		kinds[v.Kind]++
		if got := string(AppendJSON(nil, &v)); got != jsonOf(want, false) {
			t.Fatalf("%x:\n got %s\nwant %s", mangled, got, jsonOf(want, false))
		}
		if got := string(AppendText(nil, &v)); got != jsonOf(want, true) {
			t.Fatalf("%x as text:\n got %s\nwant %s", mangled, got, jsonOf(want, true))
		}
	}
	for k := telemetry.KindEmpty; k <= telemetry.KindBytes; k++ {
		if kinds[k] < 100 {
			t.Errorf("only %d values of kind %d", kinds[k], k)
		}
	}
}

func TestAppendJSONValues(t *testing.T) {
	list := func(tag byte, fields ...string) telemetry.Value {
		v := telemetry.Value{Kind: telemetry.KindArray}
		if tag == tagMap {
			v.Kind = telemetry.KindMap
		}
		for _, f := range fields {
			v.Str += string(lengthField(tagValues, []byte(f)))
		}
		return v
	}
	entry := func(key, value string) string {
		return string(lengthField(tagKey, []byte(key))) + string(lengthField(tagKeyValue, []byte(value)))
	}
	var many []string
	for i := range 100 {
		many = append(many, entry(fmt.Sprint("k", i%50), "\x18"+string(rune(i))))
	}
	large := list(tagMap, many...)
	for name, c := range map[string]struct {
		v          telemetry.Value
		json, text string
	}{
		"empty":             {telemetry.Value{}, "null", ""},
		"unknown kind":      {telemetry.Value{Kind: 99, Str: "x"}, "null", "null"},
		"not UTF-8":         {telemetry.StringValue("a\xff\xfeb\xc3"), `"a` + "\uFFFD" + `b` + "\uFFFD" + `"`, "a\xff\xfeb\xc3"},
		"controls":          {telemetry.StringValue("\x00\b\f\n\r\t\x7f\"\\/"), `"\u0000\b\f\n\r\t` + "\x7f" + `\"\\/"`, "\x00\b\f\n\r\t\x7f\"\\/"},
		"largest integer":   {telemetry.IntValue(math.MinInt64), "-9223372036854775808", "-9223372036854775808"},
		"not a number":      {telemetry.DoubleValue(math.NaN()), `"NaN"`, "NaN"},
		"infinity":          {telemetry.DoubleValue(math.Inf(-1)), `"-Infinity"`, "-Infinity"},
		"small double":      {telemetry.DoubleValue(1e-9), "1e-9", "1e-9"},
		"whole double":      {telemetry.DoubleValue(3), "3", "3"},
		"beyond 64 bits":    {telemetry.DoubleValue(-1e20), "-1e+20", "-100000000000000000000"},
		"within 64 bits":    {telemetry.DoubleValue(1e18), "1000000000000000000", "1000000000000000000"},
		"bytes":             {telemetry.Value{Kind: telemetry.KindBytes, Str: "\x00\xff"}, `"AP8="`, "AP8="},
		"empty array":       {list(tagArray), "[]", "[]"},
		"array of nothing":  {list(tagArray, "", ""), "[null,null]", "[null,null]"},
		"same key":          {list(tagMap, entry("a", "\x18\x01"), entry("b", ""), entry("a", "\x18\x02")), `{"b":null,"a":2}`, `{"b":null,"a":2}`},
		"entry of nothing":  {list(tagMap, ""), `{"":null}`, `{"":null}`},
		"same array twice":  {list(tagArray, "\x2a\x04\n\x02\x18\x01\x2a\x04\n\x02\x18\x02"), "[[1,2]]", "[[1,2]]"},
		"string then index": {list(tagArray, "\n\x01a\x40\x01"), "[null]", "[null]"},
		"cut off":           {telemetry.Value{Kind: telemetry.KindArray, Str: "\n\x02\x18\x01\n\x7f"}, "[1]", "[1]"},
		"cut off inside":    {list(tagMap, entry("a", "\n\x7f")), `{"a":null}`, `{"a":null}`},
	} {
		if got := string(AppendJSON([]byte("x"), &c.v)); got != "x"+c.json {
			t.Errorf("%s: JSON %s, want %s", name, got, c.json)
		}
		if got := string(AppendText([]byte("x"), &c.v)); got != "x"+c.text {
			t.Errorf("%s: text %s, want %s", name, got, c.text)
		}
	}
	var got map[string]int
	if err := json.Unmarshal(AppendJSON(nil, &large), &got); err != nil || len(got) != 50 || got["k7"] != 57 {
		t.Errorf("a large map gives %v, %v", got, err)
	}
}
