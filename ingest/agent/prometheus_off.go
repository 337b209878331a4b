//go:build !remove_all_sd

package agent

import "go.opentelemetry.io/collector/receiver"

// scrapers is empty in a build without the tag remove_all_sd.
func scrapers() []entry[receiver.Factory] { return nil }
