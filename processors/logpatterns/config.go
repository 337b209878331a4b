package logpatterns

import "fmt"

// Config bounds what is counted.
type Config struct {
	// MaxPatterns is how many patterns of one resource may be counted of a record.
	// Lines of others have the pattern <*>.
	MaxPatterns int `yaml:"max_patterns"`
}

// DefaultConfig is beyond what a program has to say at a time.
func DefaultConfig() Config { return Config{MaxPatterns: 1000} }

const maxPatterns = 100_000

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	if c.MaxPatterns < 1 || c.MaxPatterns > maxPatterns {
		return fmt.Errorf("max_patterns: %d is not between 1 and %d", c.MaxPatterns, maxPatterns)
	}
	return nil
}
