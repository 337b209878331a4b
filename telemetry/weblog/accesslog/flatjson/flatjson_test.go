package flatjson_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/flatjson"
)

// members reads a line as one text for each member.
func members(line string, enter int) (list []string, ok bool) {
	var s flatjson.Scanner
	s.Reset(line, enter)
	var m flatjson.Member
	for s.Next(&m) {
		list = append(list, fmt.Sprintf("%s%s %d %s", s.Path(), m.Key, m.Kind, m.Raw))
	}
	return list, s.Valid()
}

func TestMembers(t *testing.T) {
	line := ` {"a":1,"b":{"c":"x\ty","d":{"e":null,"f":{}},"g":[1,{"h":[]}]},"i":true , "j":{"k":{"l":{"m":-1.5e3}}}} `
	for enter, want := range map[int]string{
		1: `a 1 1|b 6 {"c":"x\ty","d":{"e":null,"f":{}},"g":[1,{"h":[]}]}|i 2 true|j 6 {"k":{"l":{"m":-1.5e3}}}`,
		2: `a 1 1|b.c 0 x\ty|b.d 6 {"e":null,"f":{}}|b.g 5 [1,{"h":[]}]|i 2 true|j.k 6 {"l":{"m":-1.5e3}}`,
		9: `a 1 1|b.c 0 x\ty|b.d.e 4 null|b.d.f 6 {}|b.g 5 [1,{"h":[]}]|i 2 true|j.k.l.m 1 -1.5e3`,
	} {
		got, ok := members(line, enter)
		if !ok || strings.Join(got, "|") != want {
			t.Errorf("down to %d, valid %v:\n%s\nwant\n%s", enter, ok, strings.Join(got, "|"), want)
		}
	}
}

func TestNotAnObject(t *testing.T) {
	for _, line := range []string{
		"", " ", "1", `"a"`, "[1]", "{", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,"a":1}`, `{"a":1}}`, `{"a":1} x`, `{a:1}`,
		`{"a":01}`, `{"a":1.}`, `{"a":+1}`, `{"a":.5}`, `{"a":1e}`, `{"a":nul}`, `{"a":"\x"}`, `{"a":"\u12g4"}`, "{\"a\":\"\x01\"}",
		`{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1}}`, `{"a":[{]}`, `{"a" 1}`, `{"a":1 "b":2}`,
		`{"a":` + strings.Repeat("[", flatjson.MaxDepth) + strings.Repeat("]", flatjson.MaxDepth) + `}`,
		strings.Repeat(`{"a":`, flatjson.MaxDepth+1) + "1" + strings.Repeat("}", flatjson.MaxDepth+1),
	} {
		for enter := range 4 {
			if got, ok := members(line, enter); ok {
				t.Errorf("%q is an object with %q", line, got)
			}
		}
	}
	deepest := strings.Repeat(`{"a":`, flatjson.MaxDepth) + "1" + strings.Repeat("}", flatjson.MaxDepth)
	for _, enter := range []int{1, flatjson.MaxDepth, flatjson.MaxDepth + 9} {
		if _, ok := members(deepest, enter); !ok {
			t.Errorf("an object of the greatest depth is refused, entered down to %d", enter)
		}
	}
}

func TestFirst(t *testing.T) {
	for array, want := range map[string]string{`["a","b"]`: "a", `[ "a\"" ]`: `a\"`, `[]`: "", `[1]`: "", `[["a"]]`: ""} {
		if got, _, ok := flatjson.First(array); got != want || ok != (want != "") {
			t.Errorf("first of %s is %q, %v", array, got, ok)
		}
	}
}

// flatten does with encoding/json what the scanner does: texts of leaves by path.
func flatten(path string, v map[string]any, leaves map[string]any) {
	for key, value := range v {
		if object, ok := value.(map[string]any); ok && len(object) > 0 {
			flatten(path+key+".", object, leaves)
			continue
		}
		leaves[path+key] = value
	}
}

func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, value := range v {
			deepest = max(deepest, depth(value))
		}
	case []any:
		for _, value := range v {
			deepest = max(deepest, depth(value))
		}
	default:
		return 0
	}
	return deepest + 1
}

func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		`{"a":1}`, `{"level":"info","ts":1700000000.5,"msg":"it \"works\"","http":{"status":200,"path":"/\u00e4\ud83d\ude00"},"tags":["a",{"b":[]}],"e":{}}`,
		`{"\ud800":"\udc00\u00"}`, `{"a":{"b":{"c":{"d":[[[[1]]]]}}}}`, "{\"a\":\"\x00\"}", `{"a":-0.5e+3,"b":[true,false,null]}`,
	} {
		f.Add(seed, 3)
	}
	f.Fuzz(func(t *testing.T, line string, enter int) {
		var want map[string]any
		valid := json.Unmarshal([]byte(line), &want) == nil && want != nil && strings.TrimLeft(line, " \t\r\n")[0] == '{'
		var s flatjson.Scanner
		s.Reset(line, flatjson.MaxDepth)
		leaves := make(map[string]any)
		var m flatjson.Member
		for s.Next(&m) {
			key := string(flatjson.AppendText(append([]byte(nil), s.Path()...), m.Key, m.KeyEscaped))
			if m.Kind != flatjson.String {
				var v any
				if err := json.Unmarshal([]byte(m.Raw), &v); err != nil && s.Valid() {
					t.Fatalf("%q: value of %q is %q: %v", line, key, m.Raw, err)
				}
				leaves[fixed(key)] = v
				continue
			}
			leaves[fixed(key)] = fixed(string(flatjson.AppendText(nil, m.Raw, m.Escaped)))
		}
		if s.Valid() != (valid && depth(want) <= flatjson.MaxDepth) && !hasHugeNumber(line) {
			t.Fatalf("%q: valid %v, encoding/json says %v", line, s.Valid(), valid)
		}
		// The same line is an object however deep it is taken apart.
		if _, ok := members(line, enter); ok != s.Valid() {
			t.Fatalf("%q: valid %v when entered down to %d", line, ok, enter)
		}
		if !s.Valid() || !valid || repeats(line) {
			return
		}
		flat := make(map[string]any)
		flatten("", want, flat)
		if !reflect.DeepEqual(flat, leaves) {
			t.Fatalf("%q:\n%v\nencoding/json has\n%v", line, leaves, flat)
		}
	})
}

// fixed is a text as encoding/json has it, which replaces what is no UTF-8.
func fixed(s string) string { return strings.Map(func(r rune) rune { return r }, s) }

// hasHugeNumber reports whether the line can hold a number that is none of a
// double, which encoding/json refuses.
func hasHugeNumber(line string) bool {
	return json.Valid([]byte(line)) && strings.ContainsAny(line, "eE") || len(line) > 300
}

// repeats reports whether a key may come twice, or be one with dots in it.
func repeats(line string) bool {
	seen := make(map[string]bool)
	var s flatjson.Scanner
	s.Reset(line, flatjson.MaxDepth)
	var m flatjson.Member
	for s.Next(&m) {
		key := fixed(string(flatjson.AppendText(append([]byte(nil), s.Path()...), m.Key, m.KeyEscaped)))
		if seen[key] {
			return true
		}
		seen[key] = true
		for at, c := range key {
			if c == '.' {
				seen[key[:at]] = true
			}
		}
	}
	var v any
	if json.Unmarshal([]byte(line), &v) != nil {
		return true
	}
	again, err := json.Marshal(v)
	// A repeated object is one that encoding/json has once only.
	return err != nil || strings.Count(string(again), ":") != strings.Count(line, ":")
}
