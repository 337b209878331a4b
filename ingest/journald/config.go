package journald

import (
	"errors"
	"path/filepath"
)

// Config says what of the journal is read.
type Config struct {
	Enabled bool `yaml:"enabled"`
	// Command is the program that reads the journal.
	Command string `yaml:"command"`
	// Directory has the journal's files; empty for the journal of this host.
	Directory string `yaml:"directory"`
	// From says where reading begins the first time ever: end or beginning.
	From string `yaml:"from"`
	// Units are those whose messages are read, such as nginx.service; empty for
	// all.
	Units []string `yaml:"units"`
}

// DefaultConfig reads nothing.
func DefaultConfig() Config {
	return Config{Command: "journalctl", From: "end", Units: []string{}}
}

// Validate says what is wrong with the values. It opens nothing.
func (c *Config) Validate() error {
	var errs []error
	if c.Command == "" {
		errs = append(errs, errors.New("command: is empty"))
	}
	if c.Directory != "" && !filepath.IsAbs(c.Directory) {
		errs = append(errs, errors.New("directory: is not absolute"))
	}
	if c.From != "end" && c.From != "beginning" {
		errs = append(errs, errors.New("from: is neither end nor beginning"))
	}
	for _, u := range c.Units {
		if u == "" || u[0] == '-' {
			errs = append(errs, errors.New("units: has one that is no name"))
		}
	}
	return errors.Join(errs...)
}
