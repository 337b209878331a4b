package sensors

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite golden files")

// render writes one line per point, sorted.
func render(data pmetric.Metrics) string {
	var lines []string
	for _, resource := range data.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, m := range scope.Metrics().All() {
				kind, points := "gauge", func() pmetric.NumberDataPointSlice { return m.Gauge().DataPoints() }
				if m.Type() == pmetric.MetricTypeSum {
					kind, points = "updown", m.Sum().DataPoints
					if m.Sum().IsMonotonic() {
						kind = "counter"
					}
				}
				for _, p := range points().All() {
					value := fmt.Sprintf("%.6g", p.DoubleValue())
					if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
						value = fmt.Sprint(p.IntValue())
					}
					raw := p.Attributes().AsRaw()
					var attributes []string
					for _, key := range slices.Sorted(maps.Keys(raw)) {
						attributes = append(attributes, fmt.Sprintf("%s=%v", key, raw[key]))
					}
					lines = append(lines, fmt.Sprintf("%s %s [%s] %s {%s}", m.Name(), kind, m.Unit(), value, strings.Join(attributes, ", ")))
				}
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func newSource(cfg *Config) (*source, *int64) {
	skipped := new(int64)
	at := time.Unix(1_700_000_000, 0)
	return &source{
		sys: root(cfg.RootPath), cfg: cfg,
		now: func() time.Time { return at }, began: func() time.Time { return at.Add(-time.Hour) },
		unreadable: func(_ context.Context, n int64) { *skipped += n },
	}, skipped
}

func TestGolden(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIP: the tree has links and names of Linux")
	}
	for name, change := range map[string]func(*Config){
		"all":     func(c *Config) { c.ExcludeVirtual = false },
		"default": func(*Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := defaultConfig().(*Config)
			cfg.RootPath = filepath.Join("testdata", "host")
			change(cfg)
			s, skipped := newSource(cfg)
			data, err := s.scrape(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if *skipped != 1 {
				t.Errorf("%d files were unreadable, want the one with garbage", *skipped)
			}
			path := filepath.Join("testdata", name+".txt")
			have := render(data)
			if *update {
				if err := os.WriteFile(path, []byte(have), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), have); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNothing finds no sensors: no data, and no error.
func TestNothing(t *testing.T) {
	s, skipped := newSource(defaultConfig().(*Config))
	s.sys = fstest.MapFS{}
	data, err := s.scrape(t.Context())
	if err != nil || data.ResourceMetrics().Len() != 0 || *skipped != 0 {
		t.Errorf("%d resources, %d skipped, error %v", data.ResourceMetrics().Len(), *skipped, err)
	}
}

// TestThisMachine runs the receiver against the real tree.
func TestThisMachine(t *testing.T) {
	defer goleak.VerifyNone(t)
	if _, err := os.Stat("/sys/class/net"); err != nil {
		t.Skip("SKIP: this machine has no /sys")
	}
	cfg := NewFactory().CreateDefaultConfig().(*Config)
	cfg.InitialDelay = 0
	cfg.ExcludeVirtual = false
	sink := new(consumertest.MetricsSink)
	r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(Type), cfg, sink)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	interfaces, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(sink.AllMetrics()) == 0; time.Sleep(time.Millisecond) {
		if len(interfaces) < 2 {
			break // only the loopback: there may be nothing to tell
		}
		if time.Now().After(deadline) {
			t.Fatal("no metrics")
		}
	}
	if err := r.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, data := range sink.AllMetrics() {
		text := render(data)
		for _, i := range interfaces {
			if i.Name() != "lo" && i.Type()&os.ModeSymlink != 0 && !strings.Contains(text, "hw.network.io counter [By] ") {
				t.Errorf("nothing of interface %s:\n%s", i.Name(), text)
			}
		}
	}
}

// FuzzFiles lets every file of a sensor hold anything.
func FuzzFiles(f *testing.F) {
	f.Add("45000", "Package id 0", "1000", "Battery")
	f.Add("", "\xff", "-1", "")
	f.Add("9223372036854775808", "\n", "999999999", "Mains")
	f.Fuzz(func(t *testing.T, number, label, speed, kind string) {
		file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
		s, _ := newSource(defaultConfig().(*Config))
		s.cfg.ExcludeVirtual = false
		s.sys = fstest.MapFS{
			"class/hwmon/hwmon0/name": file(label), "class/hwmon/hwmon0/temp1_input": file(number),
			"class/hwmon/hwmon0/temp1_label": file(label), "class/hwmon/hwmon0/temp1_alarm": file(number),
			"class/net/eth0/speed": file(speed), "class/net/eth0/operstate": file(label), "class/net/eth0/carrier": file(number),
			"class/power_supply/X/type": file(kind), "class/power_supply/X/capacity": file(number), "class/power_supply/X/online": file(number),
			"class/power_supply/X/status": file(label), "class/power_supply/X/voltage_now": file(number), "class/power_supply/X/current_now": file(number),
		}
		data, err := s.scrape(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(render(data)) {
			if strings.HasPrefix(line, "hw.network.bandwidth.limit") && strings.Contains(line, " -") {
				t.Errorf("a negative speed: %s", line)
			}
		}
	})
}
