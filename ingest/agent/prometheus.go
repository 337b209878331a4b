//go:build remove_all_sd

package agent

import (
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver"
	"go.opentelemetry.io/collector/receiver"
)

// scrapers are the receivers that are built with Prometheus' service discovery.
// The tag remove_all_sd keeps the clients of thirty clouds out of it;
// enable_dns_sd and its like let single ones in again. Without the tag they
// would double the program and take many times as long to build, so that these
// receivers are left out altogether.
func scrapers() []entry[receiver.Factory] {
	return []entry[receiver.Factory]{
		{prometheusreceiver.NewFactory(), contrib + "receiver/prometheusreceiver"},
	}
}
