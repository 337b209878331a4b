package watch_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/sinks/watch"
)

// TestBatchID has ids that may be in Kafka: they must stay what they are.
func TestBatchID(t *testing.T) {
	t.Parallel()
	for want, got := range map[string][16]byte{
		"be02d799b5072f64e95f225cf846cf66": watch.BatchID("topology", []string{"a", "edge", "web", "", "cart", "messaging", "returned"}, 7),
		"f7a6a27e364a3b176a3744f4a6bc8335": watch.BatchID("log_pattern", []string{"a", "web", "vanished"}, 99, 7),
	} {
		if got := hex.EncodeToString(got[:]); got != want {
			t.Errorf("id %s, want %s", got, want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "",
		strings.Repeat("a", 200):       strings.Repeat("a", 200),
		strings.Repeat("a", 201):       strings.Repeat("a", 200) + "...",
		strings.Repeat("a", 199) + "é": strings.Repeat("a", 199) + "...",
	} {
		if got := watch.Short(text); got != want {
			t.Errorf("%q is shortened to %q", text, got)
		}
	}
}

// TestKnown follows something that comes, goes and comes back.
func TestKnown(t *testing.T) {
	t.Parallel()
	k := watch.Known{First: 5, Last: 9, Changed: 5, Written: 9}
	for _, step := range []struct {
		do            func()
		state, change string
		unwritten     bool
	}{
		{func() {}, "present", "new", false},
		{func() { k.Last = 18 }, "present", "new", false},
		{func() { k.Last = 19 }, "present", "new", true},
		{func() { k.Gone, k.Changed, k.Written = true, 80, -1 }, "vanished", "vanished", true},
		{func() { k.Gone, k.Changed, k.Last, k.Written = false, 90, 90, 90 }, "present", "returned", false},
	} {
		step.do()
		if state, change, unwritten := k.State(), k.Change(), k.Unwritten(10); state != step.state || change != step.change || unwritten != step.unwritten {
			t.Errorf("%+v is %s, %s, unwritten %v", k, state, change, unwritten)
		}
	}
}

func TestMinute(t *testing.T) {
	t.Parallel()
	m := watch.Minute(time.Date(2026, 3, 2, 10, 11, 12, 0, time.UTC).Unix() / 60)
	if got := (m + watch.Minutes(90*time.Second)).String(); got != "2026-03-02T10:12:00Z" {
		t.Errorf("%s", got)
	}
}
