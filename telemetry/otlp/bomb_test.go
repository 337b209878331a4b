package otlp

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// What is cheap to send must not be expensive to hold or to look at.
func TestBombs(t *testing.T) {
	repeat := func(field []byte, size int) []byte { return bytes.Repeat(field, size/len(field)) }
	const size = 1 << 20
	inLog := func(p []byte) []byte {
		return lengthField(tagRepeatedFirst, lengthField(tagChild, lengthField(tagChild, p)))
	}
	attribute := lengthField(6<<3|wire.LengthType, nil)
	emptyArray := lengthField(tagArray, lengthField(tagValues, nil))
	point := func(p []byte) []byte {
		return lengthField(tagRepeatedFirst, lengthField(tagChild, lengthField(tagChild, lengthField(tagExponential, lengthField(tagPoint, p)))))
	}
	buckets := []byte{2 << 3, 1}
	for name, c := range map[string]struct {
		signal telemetry.Signal
		body   []byte
		grows  int // how many times its size a request may take in memory
	}{
		"empty resources":        {telemetry.Logs, repeat(lengthField(tagRepeatedFirst, nil), size), 1},
		"empty scopes":           {telemetry.Logs, lengthField(tagRepeatedFirst, repeat(lengthField(tagChild, nil), size)), 1},
		"attributes":             {telemetry.Logs, inLog(repeat(attribute, size)), 1},
		"arrays":                 {telemetry.Logs, inLog(lengthField(5<<3|wire.LengthType, repeat(emptyArray, size))), 4},
		"arrays as values":       {telemetry.Logs, inLog(repeat(lengthField(5<<3|wire.LengthType, emptyArray), size)), 4},
		"arrays 100,000 deep":    {telemetry.Logs, inLog(lengthField(5<<3|wire.LengthType, nestedValue(100_000, false))), 1},
		"resources in one":       {telemetry.Logs, append(inLog(nil), lengthField(tagRepeatedFirst, repeat(lengthField(tagHeader, nil), size))...), 1},
		"positive and negative":  {telemetry.Metrics, point(repeat(append(lengthField(tagPositive, buckets), lengthField(tagNegative, buckets)...), size)), 8},
		"metric of many shapes":  {telemetry.Metrics, lengthField(tagRepeatedFirst, lengthField(tagChild, lengthField(tagChild, repeat(append(lengthField(tagGauge, nil), lengthField(tagSum, nil)...), size)))), 1},
		"attributes and events":  {telemetry.Spans, lengthField(tagRepeatedFirst, lengthField(tagChild, lengthField(tagChild, repeat(append(lengthField(9<<3|wire.LengthType, nil), lengthField(tagSpanEvent, lengthField(3<<3|wire.LengthType, nil))...), size)))), 64},
		"a string of 64 MiB":     {telemetry.Logs, inLog(append([]byte{3<<3 | wire.LengthType}, 0x80, 0x80, 0x80, 0x20)), 1},
		"a string, 64 bits long": {telemetry.Logs, inLog(append([]byte{3<<3 | wire.LengthType}, bytes.Repeat([]byte{0xff}, 9)...)), 1},
	} {
		t.Run(name, func(t *testing.T) {
			lim := DefaultLimits()
			b := &telemetry.Batch{}
			b.Signal = c.signal
			b.Records = []telemetry.Record{{ReceiveTime: testReceived, Value: c.body}}
			s := NewSplitter(lim)
			grown := allocated(func() {
				Decode(b, &lim)
				err := s.Split(c.signal, c.body, 5, testReceived)
				if (err != nil) != (len(b.Rejects) == 1 && b.Rejects[0].ReasonCode == ReasonMalformed) {
					t.Errorf("Decode rejects %v, Split: %v", len(b.Rejects), err)
				}
			})
			// Slices that grow are copied, twice over in sum; a MiB is for the rest.
			if bound := uint64(4*c.grows*len(c.body) + 1<<20); grown > bound {
				t.Errorf("%d bytes take %d of memory, more than %d", len(c.body), grown, bound)
			}
		})
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
