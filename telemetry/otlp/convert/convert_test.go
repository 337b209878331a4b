package convert_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/convert"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

func TestCutterCountsWhatIsRefusedBeforeAndByLimits(t *testing.T) {
	t.Parallel()
	limits := otlp.DefaultLimits()
	limits.MaxAttributes = 1
	c := convert.NewCutter(limits, "line", "as OTLP, ")
	list := logwriter.AppendString(logwriter.AppendString(nil, "a", ""), "b", "")
	records := logwriter.AppendRecord(logwriter.AppendRecord(nil, &logwriter.Record{Attributes: list}), &logwriter.Record{Severity: 9})
	for range 2 { // it forgets
		for i := range 9 {
			c.Reject(i, []string{otlp.ReasonMalformed, otlp.ReasonTraceID}[i%2], "odd")
		}
		if err := c.Split(telemetry.Logs, logwriter.AppendLogs(nil, nil, "", records), 1, 1_790_000_000_000_000_000); err != nil {
			t.Fatal(err)
		}
		if c.Accepted() != 1 || c.Rejected() != 10 || len(c.Parts()) != 1 {
			t.Errorf("%d are accepted and %d refused, in %d parts", c.Accepted(), c.Rejected(), len(c.Parts()))
		}
		want := map[string]int64{otlp.ReasonMalformed: 5, otlp.ReasonTraceID: 4, otlp.ReasonAttributes: 1}
		if diff := cmp.Diff(want, maps.Collect(c.RejectedBy())); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		for n := range len(want) {
			var codes []string
			for code := range c.RejectedBy() {
				if codes = append(codes, code); len(codes) > n {
					break
				}
			}
			if len(codes) != n+1 || len(slices.Compact(codes)) != n+1 {
				t.Errorf("stopped after %d, it yields %v", n+1, codes)
			}
		}
		const message = "line 0: odd; line 1: odd; line 2: odd; line 3: odd; line 4: odd; line 5: odd; line 6: odd; line 7: odd; and 1 more; " +
			"as OTLP, resource_logs[0].scope_logs[0].log_records[0]: more than 1 attributes in one list"
		if diff := cmp.Diff(message, c.Message()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		c.Reset()
		if c.Rejected() != 0 || c.Message() != "" {
			t.Errorf("%d are refused after a reset: %s", c.Rejected(), c.Message())
		}
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	var claims []int64
	full := errors.New("full")
	m := convert.NewMemory(func(n int64) error {
		claims = append(claims, n)
		if n > 1<<20 {
			return full
		}
		return nil
	})
	for _, n := range []int{1, 64<<10 - 1, 1, 400_000} {
		if !m.Claim(n) || m.Err() != nil {
			t.Errorf("%d bytes are not there: %v", n, m.Err())
		}
	}
	if m.Claim(2<<20) || m.Claim(0) || !errors.Is(m.Err(), full) {
		t.Errorf("more is there than was handed out: %v", m.Err())
	}
	if want := []int64{64 << 10, 64 << 10, 400_001 - 64<<10, 2 << 20}; !slices.Equal(claims, want) {
		t.Errorf("claimed %d, want %d", claims, want)
	}
	if m.Reset(); !m.Claim(1) || m.Err() != nil {
		t.Errorf("nothing is there after a reset: %v", m.Err())
	}
}
