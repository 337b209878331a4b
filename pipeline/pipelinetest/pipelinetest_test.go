package pipelinetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

const example = `record tenant=acme
resource service=cart host.name=node-1
log severity=9 body="it \"works\"" event=order trace=0102 span=03 http.route=/cart n.n=7
span start=5 end=9 name="GET /cart" trace=0102 span=03 parent=02 kind=2 status=1
gauge name=cpu.load unit=1 value=0.5
record
resource service=web
sum name=requests value=12 http.route=/
`

func TestTextRoundTrip(t *testing.T) {
	b, _, err := Parse(example)
	if err != nil {
		t.Fatal(err)
	}
	text := Format(b)
	again, _, err := Parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if Format(again) != text {
		t.Errorf("first\n%s\nthen\n%s", text, Format(again))
	}
	if b.EventCount() != 4 || b.Records[0].Decoded != 3 || b.TenantOf(0) != "acme" {
		t.Errorf("read as\n%s", text)
	}
	for _, bad := range []string{"log body=x", "record\nresource\nnothing a=b", "record x=y", "record\nresource a", "record\nresource\nlog time=x", "record\nresource\nlog trace=xyz", "record\nresource\nlog body=\"x"} {
		if _, _, err := Parse(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestScriptRoundTrip(t *testing.T) {
	text := "About this.\n-- config --\na: 1\n-- in --\nrecord\n-- out --\nrecord offset=0\n-- in --\n-- out --\n"
	s, err := ReadScript(text)
	if err != nil || s.String() != text {
		t.Errorf("%v, %q", err, s.String())
	}
	for _, bad := range []string{"-- out --\n", "-- other --\n"} {
		if _, err := ReadScript(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

type bad func(b *telemetry.Batch)

func (f bad) Process(_ context.Context, b *telemetry.Batch) error { f(b); return nil }

// TestViolationsAreNoticed has a processor for each way to break the contract.
func TestViolationsAreNoticed(t *testing.T) {
	mark := func(b *telemetry.Batch, text string) {
		if len(b.Logs) > 0 {
			b.Logs[0].EventName = text
		}
	}
	calls := 0
	stop := make(chan struct{})
	defer close(stop)
	for want, make := range map[string]func() bad{
		"": func() bad { return func(b *telemetry.Batch) {} },
		"deterministic": func() bad {
			return func(b *telemetry.Batch) { calls++; mark(b, strings.Repeat("x", calls)) }
		},
		"keeps memory": func() bad {
			kept := ""
			return func(b *telemetry.Batch) {
				mark(b, strings.Clone(kept))
				if len(b.Logs) > 0 {
					kept = b.Logs[0].Body.Str
				}
			}
		},
		"batched": func() bad { return func(b *telemetry.Batch) { mark(b, strings.Repeat("x", len(b.Logs))) } },
		"empty":   func() bad { return func(b *telemetry.Batch) { b.Records = append(b.Records, telemetry.Record{}) } },
		"goroutine": func() bad {
			return func(*telemetry.Batch) {
				if calls++; calls%7 == 0 { // not in the world of synctest, which would wait for it
					go func() { <-stop }()
				}
			}
		},
		"reads the wall clock": func() bad {
			return func(b *telemetry.Batch) {
				if time.Now().Year() < 2020 {
					mark(b, "long ago")
				}
			}
		},
		"waits": func() bad { return func(*telemetry.Batch) { time.Sleep(time.Millisecond) } },
	} {
		t.Run(want, func(t *testing.T) {
			entry := pipeline.Registration{
				DefaultConfig: func() any { return new(struct{}) },
				New:           func(any) (pipeline.Processor, error) { return make(), nil },
			}
			calls = 0
			found := strings.Join(Violations(t, entry, "", []string{example, example}), "\n")
			if want == "" && found != "" || !strings.Contains(found, want) {
				t.Errorf("found %q, want %q", found, want)
			}
		})
	}
}
