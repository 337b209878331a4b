package changes

import (
	"fmt"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// Config says how reports of changes are checked.
type Config struct {
	// GitHubSecret is the secret of GitHub's webhooks. Where it is set, reports must be
	// signed with it.
	GitHubSecret config.Secret `yaml:"github_secret"`
	// GitLabToken is the secret token of GitLab's webhooks. Where it is set, reports must
	// present it.
	GitLabToken config.Secret `yaml:"gitlab_token"`
	// MaxChanges bounds the changes of a request.
	MaxChanges int `yaml:"max_changes"`
}

// DefaultConfig returns the settings that hold where nothing else is configured.
func DefaultConfig() Config { return Config{MaxChanges: 1000} }

const mostChanges = 100_000

// Validate says what is wrong with the settings.
func (c *Config) Validate() error {
	if c.MaxChanges < 1 || c.MaxChanges > mostChanges {
		return fmt.Errorf("changes.max_changes: %d is not between 1 and %d", c.MaxChanges, mostChanges)
	}
	return nil
}
