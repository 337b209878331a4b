package parse

import (
	"fmt"
	"slices"
	"time"
)

// Config says which bodies are taken apart and bounds what they become.
type Config struct {
	// Formats are those that are looked for in bodies: json and logfmt.
	Formats []string `yaml:"formats"`
	// MaxFields bounds the attributes that a body becomes; further fields stay in
	// the body only.
	MaxFields int `yaml:"max_fields"`
	// MaxDepth is how deep objects are taken apart; what is deeper becomes one
	// attribute with its JSON.
	MaxDepth int `yaml:"max_depth"`
	// MaxKeyBytes bounds the keys of attributes: fields with longer ones stay in
	// the body only. MaxValueBytes bounds their values, which are cut.
	MaxKeyBytes   int `yaml:"max_key_bytes"`
	MaxValueBytes int `yaml:"max_value_bytes"`
	// Severity says whether records without a severity get that which their body
	// names.
	Severity bool `yaml:"severity"`
	// MaxAge and MaxFuture bound the time that a body gives its record, relative
	// to when the record was received.
	MaxAge    time.Duration `yaml:"max_age"`
	MaxFuture time.Duration `yaml:"max_future"`
}

// DefaultConfig looks for every format.
func DefaultConfig() Config {
	return Config{
		Formats: []string{"json", "logfmt"}, MaxFields: 64, MaxDepth: 4, MaxKeyBytes: 128, MaxValueBytes: 4096, Severity: true,
		MaxAge: 7 * 24 * time.Hour, MaxFuture: 10 * time.Minute,
	}
}

const (
	// mostFields bounds the work of finding a key among those that are there.
	mostFields = 512
	deepest    = 32
)

// Validate says what is wrong with the settings.
func (c Config) Validate() error {
	for _, f := range c.Formats {
		if !slices.Contains(DefaultConfig().Formats, f) {
			return fmt.Errorf("formats: %q: want json or logfmt", f)
		}
	}
	switch {
	case c.MaxFields < 1 || c.MaxFields > mostFields:
		return fmt.Errorf("max_fields is %d: want 1 to %d", c.MaxFields, mostFields)
	case c.MaxDepth < 1 || c.MaxDepth > deepest:
		return fmt.Errorf("max_depth is %d: want 1 to %d", c.MaxDepth, deepest)
	case c.MaxKeyBytes < 1 || c.MaxKeyBytes > 4096:
		return fmt.Errorf("max_key_bytes is %d: want 1 to 4096", c.MaxKeyBytes)
	case c.MaxValueBytes < 1 || c.MaxValueBytes > 256<<10:
		return fmt.Errorf("max_value_bytes is %d: want 1 to %d", c.MaxValueBytes, 256<<10)
	case c.MaxAge <= 0:
		return fmt.Errorf("max_age is %s: want more than 0", c.MaxAge)
	case c.MaxFuture <= 0:
		return fmt.Errorf("max_future is %s: want more than 0", c.MaxFuture)
	}
	return nil
}
