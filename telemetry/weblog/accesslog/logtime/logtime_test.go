package logtime_test

import (
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/logtime"
)

func TestISO(t *testing.T) {
	for text, want := range map[string]string{
		"2024-02-29T23:59:59Z":            "2024-02-29T23:59:59Z",
		"2024-02-29 23:59:59":             "2024-02-29T23:59:59Z",
		"2024-02-29T23:59:59.5+01:00":     "2024-02-29T22:59:59.5Z",
		"2024-02-29T23:59:59,123-0330":    "2024-03-01T03:29:59.123Z",
		"2024-02-29T23:59:59.1234567891Z": "2024-02-29T23:59:59.123456789Z",
		"2023-02-29T23:59:59Z":            "",
		"2024-02-29T24:00:00Z":            "",
		"2024-02-29T23:59:60Z":            "",
		"2024-02-29T23:59:59.Z":           "",
		"2024-02-29T23:59:59 Z":           "",
		"2024-02-29T23:59:59+24:00":       "",
		"2024-02-29T23:59":                "",
		"1969-12-31T23:59:59Z":            "",
		"2262-01-01T00:00:00Z":            "",
		"1970-01-01T00:00:00+01:00":       "",
		"2024/02/29T23:59:59Z":            "",
		"2024-02-29_23:59:59Z":            "",
	} {
		got, ok := logtime.ISO(text)
		if text := time.Unix(0, got).UTC().Format(time.RFC3339Nano); ok != (want != "") || ok && text != want {
			t.Errorf("%s is %s, %v; want %s", text, text, ok, want)
		}
	}
	if _, zoned, ok := logtime.Zoned("2024-02-29T23:59:59"); zoned || !ok {
		t.Error("a time without a zone has one")
	}
	if _, zoned, ok := logtime.Zoned("2024-02-29T23:59:59Z"); !zoned || !ok {
		t.Error("a time with a zone has none")
	}
}

func TestDecimal(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1e9, "1.5": 15e8, "0.000000001": 1, "0.0000000019": 1, "1646861401.5241024": 1646861401524102400, "1e-3": 1e6, "1.5E2": 150e9,
		"9223372035": 9223372035e9,
		"":           -1, ".5": -1, "1.": -1, "-1": -1, "+1": -1, "1s": -1, "0x1": -1, "1e": -1, "1_0": -1, "NaN": -1, "9223372037": -1, "1e300": -1,
	} {
		if got, ok := logtime.Decimal(text, 1e9); ok != (want >= 0) || ok && got != want {
			t.Errorf("%s is %d, %v; want %d", text, got, ok, want)
		}
	}
}

// Whatever is read as a time is read so by the package time.
func FuzzTimes(f *testing.F) {
	f.Add("10/Oct/2000:13:55:36 -0700")
	f.Add("2024-02-29T23:59:59.5+01:00")
	f.Add("1646861401.5241024")
	var clock logtime.Clock
	f.Fuzz(func(t *testing.T, text string) {
		if ns, ok := clock.CLF(text); ok {
			if at, err := time.Parse("02/Jan/2006:15:04:05 -0700", text); err != nil || at.UnixNano() != ns {
				t.Fatalf("%q is %d, and %v, %v", text, ns, at, err)
			}
		}
		if ns, zoned, ok := logtime.Zoned(text); ok && zoned && text[10] == 'T' && (text[len(text)-1] == 'Z' || text[len(text)-3] == ':') {
			if at, err := time.Parse(time.RFC3339Nano, text); err != nil || at.UnixNano() != ns {
				t.Fatalf("%q is %d, and %v, %v", text, ns, at, err)
			}
		}
		if ns, ok := logtime.Decimal(text, 1e6); ok && ns < 0 {
			t.Fatalf("%q is %d", text, ns)
		}
	})
}
