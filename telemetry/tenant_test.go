package telemetry_test

import (
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestTenantNames(t *testing.T) {
	for name, valid := range map[string]bool{
		telemetry.DefaultTenant: true, "a.b-c_9": true, strings.Repeat("x", telemetry.MaxTenant): true,
		"": false, "a b": false, "a/b": false, "ä": false, strings.Repeat("x", telemetry.MaxTenant+1): false,
	} {
		if telemetry.ValidTenant(name) != valid {
			t.Errorf("tenant %q: valid is %v", name, !valid)
		}
		if err := telemetry.CheckTenant(name); (err == nil) != valid {
			t.Errorf("tenant %q: %v", name, err)
		}
	}
}
