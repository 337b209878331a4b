// Package archtest holds the rules about which package may import which, and
// finds the imports that break them. The layout of the tree shows the
// architecture; this package keeps the layout true.
//
// Files of tests are free to import what they need, and so are the packages
// that exist for tests, whose names end in "test".
package archtest

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Module is the path of the module whose packages are checked.
const Module = "github.com/goshawk-observability/goshawk"

// Package is one package and what its files that are not tests import.
type Package struct {
	// Path is the folder of the package in the module, with slashes.
	Path string
	// Imports are full import paths, sorted, each once.
	Imports []string
}

// Violation is one forbidden arrow, or a folder that breaks the layout.
type Violation struct {
	// From is the folder in the module.
	From string
	// To is the forbidden import: a folder of the module, or the full path of a
	// package outside of it. It is empty when no import is at fault.
	To string
	// Reason says which rule is broken and what would be allowed.
	Reason string
}

// String renders the violation as one line: the arrow, then the reason.
func (v Violation) String() string {
	if v.To == "" {
		return v.From + ": " + v.Reason
	}
	return fmt.Sprintf("%s -> %s: %s", v.From, v.To, v.Reason)
}

// Check returns every import of the packages that a rule forbids, in the order
// of the packages.
func (r Rules) Check(packages []Package) []Violation {
	var found []Violation
	for _, p := range packages {
		zone, ok := r.zone(p.Path)
		if !ok {
			found = append(found, Violation{From: p.Path, Reason: "no rule covers this folder: give it a zone in internal/archtest/rules.go"})
			continue
		}
		for _, imported := range p.Imports {
			if reason := r.forbids(p.Path, zone, imported); reason != "" {
				to, _ := inModule(imported)
				if to == "" {
					to = imported
				}
				found = append(found, Violation{From: p.Path, To: to, Reason: reason})
			}
		}
	}
	return found
}

// forbids returns why a package must not import a path, or "".
func (r Rules) forbids(from string, zone Zone, imported string) string {
	if isTestHelper(from) {
		return ""
	}
	if zone.Tests && imported == "testing" {
		return ""
	}
	to, ours := inModule(imported)
	if !ours {
		for _, restricted := range r.Restricted {
			if !under(imported, restricted.Import) {
				continue
			}
			if !slices.ContainsFunc(restricted.Only, func(pattern string) bool { return matches(pattern, from) }) {
				return fmt.Sprintf("only %s may import %s", strings.Join(restricted.Only, ", "), restricted.Import)
			}
		}
		if imported == "testing" {
			return "what ships must not depend on the testing package; a package for tests has a name that ends in \"test\""
		}
		return ""
	}
	if isTestHelper(to) && !zone.Tests {
		return "what ships must not depend on a package for tests"
	}
	if zone.Own && under(to, own(zone.Pattern, from)) {
		return ""
	}
	for _, pattern := range zone.Allowed {
		if matches(pattern, to) {
			return ""
		}
	}
	if len(zone.Allowed) == 0 {
		return zone.Pattern + " may import no other folder of this module"
	}
	return fmt.Sprintf("%s may import only %s", zone.Pattern, strings.Join(zone.Allowed, ", "))
}

// zone returns the first zone that a folder falls into.
func (r Rules) zone(folder string) (Zone, bool) {
	for _, zone := range r.Zones {
		if matches(zone.Pattern, folder) {
			return zone, true
		}
	}
	return Zone{}, false
}

// own returns the folder that a pattern such as "processors/*/..." has matched
// with its fixed and starred elements: the component to which a folder belongs.
func own(pattern, folder string) string {
	elements := strings.Split(strings.TrimSuffix(pattern, "/..."), "/")
	return strings.Join(strings.Split(folder, "/")[:len(elements)], "/")
}

// matches reports whether a folder matches a pattern: "*" stands for one path
// element, "/..." at the end for any number of further elements, also none.
func matches(pattern, folder string) bool {
	if pattern == "..." {
		return true
	}
	prefix, open := strings.CutSuffix(pattern, "/...")
	want, have := strings.Split(prefix, "/"), strings.Split(folder, "/")
	if len(have) < len(want) || len(have) > len(want) && !open {
		return false
	}
	for i, element := range want {
		if element != "*" && element != have[i] {
			return false
		}
	}
	return true
}

// inModule returns the folder of an import of this module; the root is ".".
func inModule(imported string) (string, bool) {
	if imported == Module {
		return ".", true
	}
	return strings.CutPrefix(imported, Module+"/")
}

// under reports whether a path is a parent or a path below it.
func under(p, parent string) bool {
	return p == parent || strings.HasPrefix(p, parent+"/")
}

// isTestHelper reports whether a folder of the module holds code for tests.
func isTestHelper(folder string) bool {
	return strings.HasSuffix(path.Base(folder), "test") || under(folder, "test")
}
