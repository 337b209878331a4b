package telemetry_test

import (
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestSeverityClass(t *testing.T) {
	t.Parallel()
	for severity, want := range map[uint8]uint8{0: 0, 1: 1, 4: 1, 5: 2, 8: 2, 9: 3, 13: 4, 17: 5, 20: 5, 21: 6, 24: 6} {
		if got := telemetry.SeverityClass(severity); got != want {
			t.Errorf("severity %d is of class %d, want %d", severity, got, want)
		}
	}
}
