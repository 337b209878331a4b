package drop

import (
	"errors"
	"fmt"
	"strings"
)

// Config lists the rules. An event is removed when one of them matches.
type Config struct {
	Rules []Rule `yaml:"rules"`
}

// Rule matches an event when all of its conditions do. A condition that is left
// out always matches. Names match exactly, or by their beginning where the
// pattern ends with a star.
type Rule struct {
	// Services are names of services.
	Services []string `yaml:"services"`
	// Logs, Spans and Metrics say which signals the rule is about.
	Logs    bool `yaml:"logs"`
	Spans   bool `yaml:"spans"`
	Metrics bool `yaml:"metrics"`
	// SeverityBelow matches log records with a lower OTLP severity number, such
	// as 9 for all below INFO. Records without a severity are kept.
	SeverityBelow uint8 `yaml:"severity_below"`
	// SpanNames are names of spans.
	SpanNames []string `yaml:"span_names"`
	// MetricNames are names of metrics.
	MetricNames []string `yaml:"metric_names"`
}

const maxRules = 64

// Validate says what is wrong with the rules.
func (c Config) Validate() error {
	if len(c.Rules) > maxRules {
		return fmt.Errorf("rules: %d are more than %d", len(c.Rules), maxRules)
	}
	for i, r := range c.Rules {
		if err := r.validate(); err != nil {
			return fmt.Errorf("rules[%d]: %w", i, err)
		}
	}
	return nil
}

func (r *Rule) validate() error {
	switch {
	case !r.Logs && !r.Spans && !r.Metrics:
		return errors.New("want one or more of logs, spans and metrics to be true")
	case r.SeverityBelow > 24:
		return fmt.Errorf("severity_below: %d is more than 24", r.SeverityBelow)
	case r.SeverityBelow > 0 && !r.Logs:
		return errors.New("severity_below: is about logs, and logs is not true")
	case len(r.SpanNames) > 0 && !r.Spans:
		return errors.New("span_names: are about spans, and spans is not true")
	case len(r.MetricNames) > 0 && !r.Metrics:
		return errors.New("metric_names: are about metrics, and metrics is not true")
	case len(r.Services) == 0 && r.SeverityBelow == 0 && len(r.SpanNames) == 0 && len(r.MetricNames) == 0:
		return errors.New("would remove everything: want a condition; for all services write services: [\"*\"]")
	}
	for _, patterns := range [][]string{r.Services, r.SpanNames, r.MetricNames} {
		for _, p := range patterns {
			if p == "" || strings.Contains(p[:len(p)-1], "*") {
				return fmt.Errorf("pattern %q: want a name, or the beginning of one and a star at the end", p)
			}
		}
	}
	return nil
}
