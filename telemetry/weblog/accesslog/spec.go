package accesslog

import (
	"fmt"
	"slices"
	"strings"
)

// Names lists the formats that have a name, which are also those that a
// Detector knows.
func Names() []string {
	var names []string
	for _, f := range known() {
		names = append(names, f.name)
	}
	return names
}

// New returns the format of a configuration string: a name such as combined, or
// nginx:, apache:, envoy: or w3c: and the server's own configuration string.
func New(spec string) (*Format, error) {
	spec = strings.TrimSpace(spec)
	if i := slices.IndexFunc(known(), func(f *Format) bool { return f.name == spec }); i >= 0 {
		return known()[i], nil
	}
	kind, template, _ := strings.Cut(spec, ":")
	template = strings.TrimSpace(template)
	switch kind {
	case "nginx":
		return Nginx(template)
	case "apache":
		return Apache(template)
	case "envoy":
		return Envoy(template)
	case "w3c":
		return W3C(template)
	}
	return nil, fmt.Errorf("access log format %q: want nginx:, apache:, envoy: or w3c: and the format as the server has it, or one of %s",
		spec, strings.Join(Names(), ", "))
}
