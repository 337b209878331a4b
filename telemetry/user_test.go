package telemetry_test

import (
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestHashUser(t *testing.T) {
	t.Parallel()
	for _, email := range []string{"ann@example.com", " Ann@Example.COM\n"} {
		if got, want := telemetry.HashUser(email), "71d4f55f72fa128d"; got != want {
			t.Errorf("%q is %q, want %q", email, got, want)
		}
	}
	if telemetry.HashUser("bob@example.com") == telemetry.HashUser("ann@example.com") {
		t.Error("two users are told apart no more")
	}
}
