package agent

import (
	"cmp"
	"runtime/debug"
	"slices"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/attributesprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/filterprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/resourceprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/transformprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/filelogreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/hostmetricsreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/jaegerreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/statsdreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/syslogreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/zipkinreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"

	"github.com/goshawk-observability/goshawk/ingest/agent/kafkaexporter"
	"github.com/goshawk-observability/goshawk/ingest/agent/sensors"
	"github.com/goshawk-observability/goshawk/ingest/agent/sysresource"
	"github.com/goshawk-observability/goshawk/ingest/probe"
)

// Where the components come from: modules of other projects, and this one.
const (
	core    = "go.opentelemetry.io/collector/"
	contrib = "github.com/open-telemetry/opentelemetry-collector-contrib/"
	goshawk = "github.com/goshawk-observability/goshawk"
)

// entry is one line of the registry: a component and the module it is from.
type entry[F component.Factory] struct {
	factory F
	module  string
}

// receivers, processors, extensions and exporters are what is in this
// distribution.
func receivers() []entry[receiver.Factory] {
	return append(scrapers(), []entry[receiver.Factory]{
		{otlpreceiver.NewFactory(), core + "receiver/otlpreceiver"},
		{hostmetricsreceiver.NewFactory(), contrib + "receiver/hostmetricsreceiver"},
		{filelogreceiver.NewFactory(), contrib + "receiver/filelogreceiver"},
		{syslogreceiver.NewFactory(), contrib + "receiver/syslogreceiver"},
		{statsdreceiver.NewFactory(), contrib + "receiver/statsdreceiver"},
		{zipkinreceiver.NewFactory(), contrib + "receiver/zipkinreceiver"},
		{jaegerreceiver.NewFactory(), contrib + "receiver/jaegerreceiver"},
		{probe.NewFactory(), goshawk},
		{sensors.NewFactory(), goshawk},
	}...)
}

func processors() []entry[processor.Factory] {
	return []entry[processor.Factory]{
		{batchprocessor.NewFactory(), core + "processor/batchprocessor"},
		{memorylimiterprocessor.NewFactory(), core + "processor/memorylimiterprocessor"},
		{attributesprocessor.NewFactory(), contrib + "processor/attributesprocessor"},
		{resourceprocessor.NewFactory(), contrib + "processor/resourceprocessor"},
		{filterprocessor.NewFactory(), contrib + "processor/filterprocessor"},
		{transformprocessor.NewFactory(), contrib + "processor/transformprocessor"},
		{sysresource.NewFactory(), goshawk},
	}
}

func extensions() []entry[extension.Factory] {
	return []entry[extension.Factory]{
		{filestorage.NewFactory(), contrib + "extension/storage/filestorage"},
		{healthcheckextension.NewFactory(), contrib + "extension/healthcheckextension"},
	}
}

func exporters(env *kafkaexporter.Environment) []entry[exporter.Factory] {
	return []entry[exporter.Factory]{
		{kafkaexporter.NewFactory(env), goshawk},
		{otlpexporter.NewFactory(), core + "exporter/otlpexporter"},
		{otlphttpexporter.NewFactory(), core + "exporter/otlphttpexporter"},
		{debugexporter.NewFactory(), core + "exporter/debugexporter"},
	}
}

func factories(env *kafkaexporter.Environment) (otelcol.Factories, error) {
	f := otelcol.Factories{Telemetry: newTelemetryFactory(env.Log, env.Registry)}
	var err error
	if f.Receivers, f.ReceiverModules, err = mapped(receivers()); err != nil {
		return f, err
	}
	if f.Processors, f.ProcessorModules, err = mapped(processors()); err != nil {
		return f, err
	}
	if f.Extensions, f.ExtensionModules, err = mapped(extensions()); err != nil {
		return f, err
	}
	f.Exporters, f.ExporterModules, err = mapped(exporters(env))
	return f, err
}

// mapped returns factories and modules by type, also by the names that types
// had before.
func mapped[F component.Factory](entries []entry[F]) (map[component.Type]F, map[component.Type]string, error) {
	list := make([]F, len(entries))
	modules := make(map[component.Type]string, len(entries))
	for i, e := range entries {
		list[i] = e.factory
		modules[e.factory.Type()] = e.module
	}
	byType, err := otelcol.MakeFactoryMap(list...)
	return byType, modules, err
}

// Component is one component of the distribution.
type Component struct {
	// Kind is receiver, processor, exporter or extension.
	Kind string
	Type string
	// Stability of each signal, such as "beta"; of an extension one for all.
	Logs, Metrics, Traces, Extension component.StabilityLevel
	Module, Version                  string
}

// Components lists what is in the distribution, by kind and type.
func Components() []Component {
	versions := map[string]string{goshawk: "(this)"}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			versions[m.Path] = m.Version
		}
	}
	var all []Component
	add := func(kind string, f component.Factory, module string, c Component) {
		c.Kind, c.Type, c.Module, c.Version = kind, f.Type().String(), module, versions[module]
		all = append(all, c)
	}
	for _, e := range receivers() {
		add("receiver", e.factory, e.module, Component{Logs: e.factory.LogsStability(), Metrics: e.factory.MetricsStability(), Traces: e.factory.TracesStability()})
	}
	for _, e := range processors() {
		add("processor", e.factory, e.module, Component{Logs: e.factory.LogsStability(), Metrics: e.factory.MetricsStability(), Traces: e.factory.TracesStability()})
	}
	for _, e := range exporters(&kafkaexporter.Environment{Defaults: kafkaexporter.DefaultDefaults()}) {
		add("exporter", e.factory, e.module, Component{Logs: e.factory.LogsStability(), Metrics: e.factory.MetricsStability(), Traces: e.factory.TracesStability()})
	}
	for _, e := range extensions() {
		add("extension", e.factory, e.module, Component{Extension: e.factory.Stability()})
	}
	slices.SortStableFunc(all, func(a, b Component) int {
		return cmp.Or(cmp.Compare(kindOrder(a.Kind), kindOrder(b.Kind)), cmp.Compare(a.Type, b.Type))
	})
	return all
}

// kindOrder is the order in which telemetry meets the kinds.
func kindOrder(kind string) int {
	return slices.Index([]string{"receiver", "processor", "exporter", "extension"}, kind)
}
