package remotewrite

import (
	"fmt"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// Config bounds what the labels of a series may be. The limits of the gateway's
// events hold beside it: how many labels there may be, how long any text.
type Config struct {
	// MaxLabelName and MaxLabelValue bound the names and values of labels, of
	// series and exemplars. The name of a metric is a value.
	MaxLabelName  config.Bytes `yaml:"max_label_name"`
	MaxLabelValue config.Bytes `yaml:"max_label_value"`
}

// DefaultConfig takes whatever Prometheus sends in practice.
func DefaultConfig() Config {
	return Config{MaxLabelName: 1 << 10, MaxLabelValue: 64 << 10}
}

// Validate reports the first limit that makes no sense.
func (c *Config) Validate() error {
	const most = 1 << 20
	if c.MaxLabelName < 8 || c.MaxLabelName > most {
		return fmt.Errorf("remote_write.max_label_name: %s is not between 8B and 1MiB", c.MaxLabelName)
	}
	if c.MaxLabelValue < 1 || c.MaxLabelValue > most {
		return fmt.Errorf("remote_write.max_label_value: %s is not between 1B and 1MiB", c.MaxLabelValue)
	}
	return nil
}
