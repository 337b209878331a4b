// Package processors lists every processor there is. A processor is a folder
// below this one and a line in Registry: checking of configurations, the
// generated reference, the conformance suite and metrics follow from that.
package processors

import (
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/processors/drop"
	"github.com/goshawk-observability/goshawk/processors/red"
	"github.com/goshawk-observability/goshawk/processors/servicegraph"
	"github.com/goshawk-observability/goshawk/processors/traces"
)

// Registry returns the registry of all processors.
func Registry() (*pipeline.Registry, error) {
	return pipeline.NewRegistry(
		drop.Registration(),
		traces.Registration(),
		servicegraph.Registration(),
		red.Registration(),
	)
}
