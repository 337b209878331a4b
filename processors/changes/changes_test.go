package changes_test

import (
	"context"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/changes"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestScripts(t *testing.T) { pipelinetest.RunScripts(t, changes.Registration(), "testdata") }

// TestIdentity makes ids of changes that have none: the same change has the same.
func TestIdentity(t *testing.T) {
	base := telemetry.Log{Time: 5, EventName: "change", Body: telemetry.StringValue("restart")}
	of := func(l telemetry.Log, service string) string {
		b := &telemetry.Batch{Records: make([]telemetry.Record, 1), Resources: []telemetry.Resource{{Service: service}}, Logs: []telemetry.Log{l}}
		p, err := changes.Registration().New(&changes.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Process(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		return b.Changes[0].ID
	}
	id := of(base, "cart")
	if again := of(base, "cart"); again != id || len(id) != 16 {
		t.Errorf("%q and %q", id, again)
	}
	later, other := base, base
	later.Time, other.Body = 6, telemetry.StringValue("stop")
	if of(later, "cart") == id || of(other, "cart") == id || of(base, "web") == id {
		t.Error("another change has the same id")
	}
}

func TestLongTexts(t *testing.T) {
	b := &telemetry.Batch{
		Records: make([]telemetry.Record, 1), Resources: make([]telemetry.Resource, 1),
		Logs: []telemetry.Log{{EventName: "change", Body: telemetry.StringValue(strings.Repeat("€", 1000))}},
	}
	p, _ := changes.Registration().New(&changes.Config{})
	if err := p.Process(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if got := b.Changes[0].Title; got != strings.Repeat("€", 341) {
		t.Errorf("the title has %d bytes", len(got))
	}
}
