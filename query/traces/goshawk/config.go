package goshawk

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goshawk-observability/goshawk/query/traces"
)

// Config says what the API cannot know from spans. Its fields are keys of query.
type Config struct {
	BusinessLines []BusinessLine
	// BusinessAttribute is the attribute of resources that names the business line
	// of a service, empty for none.
	BusinessAttribute string
}

// BusinessLine is a part of the business and the services that work for it.
type BusinessLine struct {
	Name string `yaml:"name"`
	// Services are names, in which * stands for any text.
	Services []string `yaml:"services"`
}

// DefaultBusinessAttribute is where services say what they work for.
const DefaultBusinessAttribute = "business.line"

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	var errs []error
	seen := map[string]bool{}
	for i, l := range c.BusinessLines {
		if l.Name == "" {
			errs = append(errs, fmt.Errorf("query.business_lines[%d]: has no name", i))
		}
		if seen[l.Name] {
			errs = append(errs, fmt.Errorf("query.business_lines[%d]: there is a line %q already", i, l.Name))
		}
		seen[l.Name] = true
		if len(l.Services) == 0 {
			errs = append(errs, fmt.Errorf("query.business_lines[%d]: has no services", i))
		}
		for _, service := range l.Services {
			if service == "" {
				errs = append(errs, fmt.Errorf("query.business_lines[%d]: the name of a service is empty", i))
			}
		}
	}
	var condition traces.Condition
	if _, ok := condition.ResourceAttribute(c.BusinessAttribute); c.BusinessAttribute != "" && !ok {
		errs = append(errs, fmt.Errorf("query.business_attribute: %q has signs that a path in JSON cannot have", c.BusinessAttribute))
	}
	return errors.Join(errs...)
}

// line is a configured business line.
type line struct {
	name     string
	services *regexp.Regexp
}

func linesOf(configured []BusinessLine) []line {
	var all []line
	for _, l := range configured {
		patterns := make([]string, len(l.Services))
		for i, service := range l.Services {
			patterns[i] = strings.ReplaceAll(regexp.QuoteMeta(service), `\*`, ".*")
		}
		all = append(all, line{l.Name, regexp.MustCompile(`(?s)^(?:` + strings.Join(patterns, "|") + `)$`)})
	}
	return all
}
