package sensors

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper"
	"go.opentelemetry.io/collector/scraper/scraperhelper"
)

// Type is the name of the receiver in a collector's configuration.
var Type = component.MustNewType("sensors")

// Config is the receiver's section in a collector's configuration.
type Config struct {
	scraperhelper.ControllerConfig `mapstructure:",squash"`
	// RootPath is where the host's root is mounted, for an agent in a
	// container; sensors are read below its folder sys.
	RootPath string `mapstructure:"root_path"`
	// HWMon, PowerSupply and Network turn the sources on.
	HWMon       bool `mapstructure:"hwmon"`
	PowerSupply bool `mapstructure:"power_supply"`
	Network     bool `mapstructure:"network"`
	// ExcludeVirtual leaves out network interfaces without a device.
	ExcludeVirtual bool `mapstructure:"exclude_virtual"`
}

// NewFactory makes the receiver's factory.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(Type, defaultConfig, receiver.WithMetrics(newReceiver, component.StabilityLevelBeta))
}

func defaultConfig() component.Config {
	controller := scraperhelper.NewDefaultControllerConfig()
	controller.CollectionInterval = 30 * time.Second
	return &Config{ControllerConfig: controller, HWMon: true, PowerSupply: true, Network: true, ExcludeVirtual: true}
}

func newReceiver(_ context.Context, set receiver.Settings, c component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	cfg := c.(*Config)
	counter, err := set.MeterProvider.Meter(scope).Int64Counter("goshawk.sensors.unreadable")
	if err != nil {
		return nil, fmt.Errorf("making a counter of sensors: %w", err)
	}
	s := &source{
		sys: root(cfg.RootPath), cfg: cfg, now: time.Now,
		unreadable: func(ctx context.Context, n int64) { counter.Add(ctx, n) },
	}
	began := time.Now()
	s.began = func() time.Time { return began }
	scrape, err := scraper.NewMetrics(s.scrape)
	if err != nil {
		return nil, fmt.Errorf("making the scraper of sensors: %w", err)
	}
	return scraperhelper.NewMetricsController(&cfg.ControllerConfig, set, next, scraperhelper.AddMetricsScraper(Type, scrape))
}
