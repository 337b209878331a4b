package pipeline

import (
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// Registration makes a kind of processor known under a name. All of them are
// listed in one place, processors/registry.go.
type Registration struct {
	// Name is what configurations call the processor.
	Name string
	// Summary says in one sentence what it does.
	Summary string
	// DefaultConfig returns a pointer to a struct with the defaults. Where the
	// struct has a method Validate, it is called after the configuration is
	// read.
	DefaultConfig func() any
	// After names the processors whose rows it needs: a chain has them before it.
	After []string
	// New makes a processor from what DefaultConfig returned, filled in. It is
	// called once for each partition: processors share nothing.
	New func(config any) (Processor, error)
}

// Registry finds processors by name.
type Registry struct{ entries []Registration }

// NewRegistry returns a registry of the given processors. Two of the same name
// are a mistake in the program.
func NewRegistry(entries ...Registration) (*Registry, error) {
	seen := map[string]bool{}
	for _, e := range entries {
		switch {
		case e.Name == "" || e.Summary == "" || e.DefaultConfig == nil || e.New == nil:
			return nil, fmt.Errorf("processor %q: registration is not complete", e.Name)
		case seen[e.Name]:
			return nil, fmt.Errorf("processor %q: registered twice", e.Name)
		}
		for _, name := range e.After {
			if !seen[name] {
				return nil, fmt.Errorf("processor %q: needs %q, which is not registered before it", e.Name, name)
			}
		}
		seen[e.Name] = true
	}
	return &Registry{entries: slices.Clone(entries)}, nil
}

// Entries lists what is registered, in the order of registration.
func (r *Registry) Entries() []Registration { return slices.Clone(r.entries) }

// Names lists the names of what is registered.
func (r *Registry) Names() []string {
	names := make([]string, len(r.entries))
	for i := range r.entries {
		names[i] = r.entries[i].Name
	}
	return names
}

// Chain is the processors of one pipeline as a configuration lists them: each
// element is a processor's name with its settings, such as "- drop: {...}".
type Chain []map[string]any

// Factory makes the processors of a chain, once for each partition.
type Factory func() ([]NamedProcessor, error)

// Build checks a chain and returns a factory for it. The error names the
// element, and the nearest name where a name is not known.
func (r *Registry) Build(chain Chain) (Factory, error) {
	type step struct {
		entry  Registration
		config any
	}
	steps := make([]step, 0, len(chain))
	for i, element := range chain {
		if len(element) != 1 {
			return nil, fmt.Errorf("processors[%d]: want one processor, such as \"- drop: {}\"", i)
		}
		for name, settings := range element {
			entry, err := r.find(name)
			if err != nil {
				return nil, fmt.Errorf("processors[%d]: %w", i, err)
			}
			for _, needed := range entry.After {
				if !slices.ContainsFunc(steps, func(s step) bool { return s.entry.Name == needed }) {
					return nil, fmt.Errorf("processors[%d]: %s needs the rows of %s: list \"- %s: {}\" before it", i, name, needed, needed)
				}
			}
			cfg, err := entry.configure(settings)
			if err != nil {
				return nil, fmt.Errorf("processors[%d]: %s: %w", i, name, err)
			}
			steps = append(steps, step{entry, cfg})
		}
	}
	factory := func() ([]NamedProcessor, error) {
		processors := make([]NamedProcessor, 0, len(steps))
		for _, s := range steps {
			p, err := s.entry.New(s.config)
			if err != nil {
				return nil, fmt.Errorf("making processor %s: %w", s.entry.Name, err)
			}
			processors = append(processors, NamedProcessor{s.entry.Name, p})
		}
		return processors, nil
	}
	// What New finds wrong with the settings is known now, not when a
	// partition is assigned.
	if _, err := factory(); err != nil {
		return nil, err
	}
	return factory, nil
}

func (r *Registry) find(name string) (Registration, error) {
	for _, e := range r.entries {
		if e.Name == name {
			return e, nil
		}
	}
	err := fmt.Errorf("unknown processor %q", name)
	if nearest := config.Nearest(name, r.Names()); nearest != "" {
		err = fmt.Errorf("unknown processor %q; did you mean %q?", name, nearest)
	}
	return Registration{}, err
}

// configure fills the defaults from settings.
func (e *Registration) configure(settings any) (any, error) {
	cfg := e.DefaultConfig()
	if settings != nil {
		text, err := yaml.Marshal(settings)
		if err != nil {
			return nil, fmt.Errorf("reading settings: %w", err)
		}
		if err := config.Parse(text, cfg); err != nil {
			return nil, err
		}
	}
	if v, ok := cfg.(config.Validator); ok {
		if err := v.Validate(); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}

// ErrNothingToRun says that no pipeline is configured.
var ErrNothingToRun = errors.New("no pipeline is configured")
