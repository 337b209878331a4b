// Package processors lists every processor there is. A processor is a folder
// below this one and a line in Registry: checking of configurations, the
// generated reference, the conformance suite and metrics follow from that.
package processors

import (
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/processors/changes"
	"github.com/goshawk-observability/goshawk/processors/drop"
	"github.com/goshawk-observability/goshawk/processors/errors"
	"github.com/goshawk-observability/goshawk/processors/logpatterns"
	"github.com/goshawk-observability/goshawk/processors/parse"
	"github.com/goshawk-observability/goshawk/processors/red"
	"github.com/goshawk-observability/goshawk/processors/security"
	"github.com/goshawk-observability/goshawk/processors/servicegraph"
	"github.com/goshawk-observability/goshawk/processors/traces"
	"github.com/goshawk-observability/goshawk/processors/weblog"
	"github.com/goshawk-observability/goshawk/processors/websessions"
)

// Registry returns the registry of all processors.
func Registry() (*pipeline.Registry, error) {
	return pipeline.NewRegistry(
		drop.Registration(),
		parse.Registration(),
		traces.Registration(),
		servicegraph.Registration(),
		red.Registration(),
		logpatterns.Registration(),
		weblog.Registration(),
		websessions.Registration(),
		security.Registration(),
		errors.Registration(),
		changes.Registration(),
	)
}
