package traces_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/goshawk-observability/goshawk/query/traces"
)

// FuzzAppendString writes texts that read back as encoding/json would have them.
func FuzzAppendString(f *testing.F) {
	for _, text := range []string{"", "a", `"\`, "\x00\x1f\x7f", "é\U0001F600\u2028", "\xff", "a\xc3", "\xed\xa0\x80", "\n\r\t\b", "</script>"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		own := traces.AppendString(nil, text)
		standard, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var got, want string
		if err := json.Unmarshal(own, &got); err != nil {
			t.Fatalf("%q: %s: %v", text, own, err)
		}
		if err := json.Unmarshal(standard, &want); err != nil || got != want {
			t.Fatalf("%q: %q, want %q, %v", text, got, want, err)
		}
	})
}

func TestAppendNumber(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{
		0: "0", -3: "-3", 1 << 53: "9007199254740992", 0.25: "0.25", 1e21: "1e+21", -1.5e-9: "-1.5e-09", math.Inf(1): `"Infinity"`, math.Inf(-1): `"-Infinity"`, math.MaxFloat64: "1.7976931348623157e+308",
	} {
		if got := string(traces.AppendNumber(nil, f)); got != want || !json.Valid([]byte(got)) {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
	if got := string(traces.AppendNumber(nil, math.NaN())); got != `"NaN"` {
		t.Error(got)
	}
}
