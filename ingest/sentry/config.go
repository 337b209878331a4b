package sentry

import (
	"errors"
	"fmt"
)

// Config says what projects of Sentry's clients are.
type Config struct {
	// Projects are names of services by the number, or the name, of a project. One
	// that is not listed is called as it is.
	Projects map[string]string `yaml:"projects"`
	// MaxItems bounds the items of an envelope.
	MaxItems int `yaml:"max_items"`
}

// DefaultConfig returns the settings that hold where nothing else is configured.
func DefaultConfig() Config { return Config{MaxItems: 1000} }

const mostItems = 100_000

// Validate says what is wrong with the settings.
func (c *Config) Validate() error {
	if c.MaxItems < 1 || c.MaxItems > mostItems {
		return fmt.Errorf("sentry.max_items: %d is not between 1 and %d", c.MaxItems, mostItems)
	}
	for project, service := range c.Projects {
		if project == "" || service == "" {
			return errors.New("sentry.projects: a project and its service must not be empty")
		}
	}
	return nil
}
