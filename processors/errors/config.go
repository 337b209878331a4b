package errors

import (
	"errors"
	"fmt"
)

// Config says how errors are read out of logs and grouped.
type Config struct {
	// MaxStack is how much of a stack is stored, bytes.
	MaxStack int `yaml:"max_stack"`
	// MaxFrames is how many frames tell one error from another, from the innermost on.
	MaxFrames int `yaml:"max_frames"`
	// Libraries are parts of names of functions or of paths that are not of the
	// application, beside those that are known.
	Libraries []string `yaml:"libraries"`
}

// DefaultConfig returns the settings that hold where nothing else is configured.
func DefaultConfig() Config { return Config{MaxStack: 64 << 10, MaxFrames: 30} }

// Bounds of the settings.
const (
	mostStack     = 1 << 20
	mostFrames    = 1000
	mostLibraries = 256
)

// Validate says what is wrong with the settings.
func (c Config) Validate() error {
	switch {
	case c.MaxStack < 0 || c.MaxStack > mostStack:
		return fmt.Errorf("max_stack: %d is not between 0 and %d", c.MaxStack, mostStack)
	case c.MaxFrames < 1 || c.MaxFrames > mostFrames:
		return fmt.Errorf("max_frames: %d is not between 1 and %d", c.MaxFrames, mostFrames)
	case len(c.Libraries) > mostLibraries:
		return fmt.Errorf("libraries: %d are more than %d", len(c.Libraries), mostLibraries)
	}
	for _, part := range c.Libraries {
		if part == "" {
			return errors.New("libraries: an empty text is part of every name")
		}
	}
	return nil
}
