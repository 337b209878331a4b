package replay

import (
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// FuzzParseJSON holds a line of OTLP JSON to what can be sent: it decodes, can
// be moved in time, and has the same number of events in protobuf.
func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1544712660300000000","observedTimeUnixNano":"1544712660300000001","body":{"stringValue":"x"}}]}]}]}`), int64(1e18))
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","startTimeUnixNano":"1","endTimeUnixNano":"2","events":[{"timeUnixNano":"9223372036854775807"}]}]}]}]}`), int64(-5))
	f.Add([]byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":[{"timeUnixNano":"7","asInt":"3"}]}},{"summary":{"dataPoints":[{}]}},{"exponentialHistogram":{"dataPoints":[{"exemplars":[{"timeUnixNano":"8"}]}]}},{"histogram":{"dataPoints":[{}]}}]}]}]}`), int64(12))
	f.Fuzz(func(t *testing.T, line []byte, by int64) {
		e, err := parseJSON(line)
		if err != nil {
			return
		}
		e.shift(by)
		body, err := e.marshal()
		if err != nil {
			t.Fatalf("encoding: %v", err)
		}
		again, err := parseProto(body, e.signal)
		if err != nil {
			t.Fatalf("decoding again: %v", err)
		}
		if again.events != e.events || again.latest() != e.latest() {
			t.Errorf("%d events until %d, after encoding %d until %d", e.events, e.latest(), again.events, again.latest())
		}
	})
}

func TestShifted(t *testing.T) {
	for _, test := range []struct {
		at   pcommon.Timestamp
		by   int64
		want pcommon.Timestamp
	}{
		{100, 20, 120},
		{100, -20, 80},
		{100, 0, 100},
		{0, 20, 0},                        // not set
		{100, -100, 100},                  // would become not set
		{100, -200, 100},                  // before 1970
		{1<<63 - 1, 1, 1<<63 - 1},         // after 2262
		{1 << 63, -5, 1 << 63},            // no Unix time
		{1<<64 - 1, 1<<63 - 1, 1<<64 - 1}, // no Unix time
		{1<<63 - 1, -(1<<63 - 1) + 1, 1},  // to the first nanosecond
		{5, -1 << 63, 5},                  // wraps
	} {
		got, _ := shifted(test.at, test.by)
		if got != test.want {
			t.Errorf("%d moved by %d is %d, want %d", test.at, test.by, got, test.want)
		}
	}
}
