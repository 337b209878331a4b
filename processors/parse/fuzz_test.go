package parse_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/parse"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// bodies are those of the scripts.
func bodies(t testing.TB) (all []string) {
	t.Helper()
	for _, s := range pipelinetest.LoadScripts(t, "testdata") {
		for _, step := range s.Steps {
			b, _, err := pipelinetest.Parse(step.In)
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Logs {
				all = append(all, b.Logs[i].Body.Str)
			}
		}
	}
	return all
}

// flatten lists the members of an object with encoding/json, the first of each
// path only, as attributes are written by text.
func flatten(raw []byte, path string, depth, maxDepth int, found map[string]string) (deepest int) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		panic(err)
	}
	deepest = depth
	for d.More() {
		key, err := d.Token()
		if err != nil {
			panic(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			panic(err)
		}
		value = bytes.TrimSpace(value)
		name := path + key.(string)
		if value[0] == '{' && depth < maxDepth && len(bytes.TrimSpace(value[1:len(value)-1])) > 0 {
			deepest = max(deepest, flatten(value, name+".", depth+1, maxDepth, found))
			continue
		}
		if _, ok := found[name]; ok || name == "" || string(value) == "null" || string(value) == "{}" {
			continue
		}
		found[name] = textOf(value)
	}
	return deepest
}

// textOf is the type and text of an attribute with the value.
func textOf(value []byte) string {
	switch c := value[0]; {
	case c == '"':
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			panic(err)
		}
		return "string " + s
	case c == 't' || c == 'f':
		return "bool " + string(value)
	case c == '-' || c >= '0' && c <= '9':
		if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			return fmt.Sprint("int ", n)
		}
		if f, err := strconv.ParseFloat(string(value), 64); err == nil && bytes.ContainsAny(value, ".eE") {
			return fmt.Sprint("double ", f)
		}
	}
	return "string " + string(value)
}

func attrText(v *telemetry.Value) string {
	switch v.Kind {
	case telemetry.KindBool:
		return fmt.Sprint("bool ", v.Bool())
	case telemetry.KindInt:
		return fmt.Sprint("int ", v.Int())
	case telemetry.KindDouble:
		return fmt.Sprint("double ", v.Double())
	}
	return "string " + v.Str
}

func FuzzParse(f *testing.F) {
	for _, body := range bodies(f) {
		f.Add(body, true)
	}
	const maxDepth = 5
	p := newProcessor(f, func(c *parse.Config) {
		c.MaxFields, c.MaxDepth, c.MaxKeyBytes, c.MaxValueBytes = 512, maxDepth, 4096, 256<<10
	})
	strict := newProcessor(f, func(c *parse.Config) { c.MaxFields, c.MaxDepth, c.MaxKeyBytes, c.MaxValueBytes = 2, 2, 4, 3 })
	f.Fuzz(func(t *testing.T, body string, known bool) {
		b := batchOf(body, body)
		if known {
			// What the record says itself is not taken from its body.
			for i := range b.Logs {
				b.Logs[i].Observed, b.Logs[i].Severity, b.Logs[i].TraceID = 2, 9, telemetry.TraceID{1}
			}
		}
		before := b.Logs[0]
		if err := p.Process(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		l := b.Logs[0]
		if l.Body != before.Body || l.Severity > 24 || l.Time < 0 {
			t.Fatalf("%q has become %+v", body, l)
		}
		got := make(map[string]string)
		for _, a := range b.AttrsOf(l.Attrs) {
			if _, twice := got[a.Key]; twice || a.Key == "" {
				t.Fatalf("%q has the attribute %q twice", body, a.Key)
			}
			got[a.Key] = attrText(&a.Value)
		}
		checkSame(t, b)
		tight := batchOf(body)
		if err := strict.Process(t.Context(), tight); err != nil {
			t.Fatal(err)
		}
		for _, a := range tight.AttrsOf(tight.Logs[0].Attrs) {
			if len(a.Key) > 4 || a.Value.Kind == telemetry.KindString && len(a.Value.Str) > 3 && !strings.ContainsAny(a.Value.Str, "0123456789") {
				t.Fatalf("%q has the attribute %q %q, beyond the limits", body, a.Key, a.Value.Str)
			}
		}
		if !known || !utf8.ValidString(body) || len(body) > 4096 {
			return
		}
		trimmed := strings.TrimSpace(body)
		if !json.Valid([]byte(trimmed)) || trimmed[0] != '{' {
			if strings.HasPrefix(trimmed, "{") && len(got) > 0 {
				t.Fatalf("%q is no JSON, and has the attributes %q", body, got)
			}
			return
		}
		want := make(map[string]string)
		flatten([]byte(trimmed), "", 1, maxDepth, want)
		if strings.Count(trimmed, "[")+strings.Count(trimmed, "{") > 60 || len(want) > 500 {
			return // may be too deep or too many
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q has the attributes\n%q\nand should have\n%q", body, got, want)
		}
	})
}

// checkSame makes sure that a body becomes the same the second time.
func checkSame(t *testing.T, b *telemetry.Batch) {
	t.Helper()
	first, second := b.Logs[0], b.Logs[1]
	one, two := fmt.Sprint(b.AttrsOf(first.Attrs)), fmt.Sprint(b.AttrsOf(second.Attrs))
	first.Attrs, second.Attrs = telemetry.Range{}, telemetry.Range{}
	if one != two || first != second {
		t.Fatalf("the same body has become\n%s %+v\nand\n%s %+v", one, first, two, second)
	}
}
