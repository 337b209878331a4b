// Package sensors is a receiver of the OpenTelemetry Collector that reads what
// the Linux kernel knows of a machine's hardware: temperatures, voltages, fans
// and power of hwmon, batteries and mains of power_supply, and the links of
// network interfaces. Names and attributes are those of the OpenTelemetry
// semantic conventions for hardware.
//
// Sensors come and go, and some cannot be read now or ever. What cannot be read
// is left out and counted.
package sensors

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// scope is the name of the instrumentation scope.
const scope = "github.com/goshawk-observability/goshawk/ingest/agent/sensors"

// source reads all sensors once, each time it is called.
type source struct {
	// sys is the tree that is usually mounted at /sys.
	sys fs.FS
	cfg *Config
	now func() time.Time
	// began is the start of the counters: they are read from the kernel, which
	// does not say when it began to count, but before now.
	began func() time.Time
	// unreadable counts what could not be read.
	unreadable func(ctx context.Context, n int64)
}

func (s *source) scrape(ctx context.Context) (pmetric.Metrics, error) {
	r := &reading{sys: s.sys, at: pcommon.NewTimestampFromTime(s.now()), began: pcommon.NewTimestampFromTime(s.began())}
	data := pmetric.NewMetrics()
	scoped := data.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	scoped.Scope().SetName(scope)
	r.metrics = scoped.Metrics()
	if s.cfg.HWMon {
		r.hwmon()
	}
	if s.cfg.PowerSupply {
		r.powerSupplies()
	}
	if s.cfg.Network {
		r.network(s.cfg.ExcludeVirtual)
	}
	if r.skipped > 0 {
		s.unreadable(ctx, r.skipped)
	}
	if r.metrics.Len() == 0 {
		// A machine without sensors is no error, and no data.
		return pmetric.NewMetrics(), nil
	}
	return data, nil
}

// reading is one pass over the tree.
type reading struct {
	sys       fs.FS
	at, began pcommon.Timestamp
	metrics   pmetric.MetricSlice
	byName    map[string]pmetric.NumberDataPointSlice
	skipped   int64
}

// kind says how the points of a metric add up.
type kind uint8

const (
	gauge   kind = iota
	upDown       // a sum that falls and rises
	counter      // a sum that only rises
)

// instrument is one metric of the conventions.
type instrument struct {
	name, unit, about string
	kind              kind
}

// add appends a point and returns its attributes to fill.
func (r *reading) add(i *instrument, value float64) pcommon.Map {
	points, ok := r.byName[i.name]
	if !ok {
		m := r.metrics.AppendEmpty()
		m.SetName(i.name)
		m.SetUnit(i.unit)
		m.SetDescription(i.about)
		if i.kind == gauge {
			points = m.SetEmptyGauge().DataPoints()
		} else {
			sum := m.SetEmptySum()
			sum.SetIsMonotonic(i.kind == counter)
			sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			points = sum.DataPoints()
		}
		if r.byName == nil {
			r.byName = map[string]pmetric.NumberDataPointSlice{}
		}
		r.byName[i.name] = points
	}
	p := points.AppendEmpty()
	p.SetTimestamp(r.at)
	if i.kind != gauge {
		p.SetStartTimestamp(r.began)
	}
	if value == math.Trunc(value) && math.Abs(value) < 1<<53 && i.kind != gauge {
		p.SetIntValue(int64(value))
	} else {
		p.SetDoubleValue(value)
	}
	return p.Attributes()
}

// part is the piece of hardware that points are about.
type part struct{ kind, id, name, parent string }

func (h part) describe(m pcommon.Map) {
	m.PutStr("hw.id", h.id)
	m.PutStr("hw.type", h.kind)
	if h.name != "" {
		m.PutStr("hw.name", h.name)
	}
	if h.parent != "" {
		m.PutStr("hw.parent", h.parent)
	}
}

var status = instrument{"hw.status", "1", "Operational status: 1 for the state that holds, 0 for the others.", upDown}

// states adds one point of hw.status for every state that the part can be in.
func (r *reading) states(h part, holds string, all ...string) {
	for _, state := range all {
		value := 0.0
		if state == holds {
			value = 1
		}
		m := r.add(&status, value)
		h.describe(m)
		m.PutStr("hw.state", state)
	}
}

// list returns the names in a folder; one that is not there is empty.
func (r *reading) list(folder string) []string {
	entries, err := fs.ReadDir(r.sys, folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.skipped++
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// text returns the content of a file without the line's end. A file that is not
// there is no sensor; one that cannot be read is counted.
func (r *reading) text(elements ...string) (string, bool) {
	content, err := fs.ReadFile(r.sys, path.Join(elements...))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			r.skipped++
		}
		return "", false
	}
	return strings.TrimSpace(string(content)), true
}

// number returns the number in a file, times scale.
func (r *reading) number(scale float64, elements ...string) (float64, bool) {
	text, ok := r.text(elements...)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		r.skipped++
		return 0, false
	}
	return float64(n) * scale, true
}

// device returns the name of the device that an entry belongs to, the last part
// of the path that its link "device" leads to.
func (r *reading) device(entry string) string {
	target, err := fs.ReadLink(r.sys, path.Join(entry, "device"))
	if err != nil {
		return ""
	}
	return path.Base(target)
}

// root opens the tree below a host's root.
func root(rootPath string) fs.FS {
	if rootPath == "" {
		rootPath = "/"
	}
	return os.DirFS(path.Join(rootPath, "sys"))
}
