package archtest

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// registry is the file that lists every processor.
const registry = "processors/registry.go"

// CheckProcessors returns what is missing for a processor to be one: each folder
// under processors has Go files, a README.md and a line in the registry.
func CheckProcessors(fsys fs.FS) ([]Violation, error) {
	entries, err := fs.ReadDir(fsys, "processors")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing processors: %w", err)
	}
	var registered []string
	if _, err := fs.Stat(fsys, registry); err == nil {
		if registered, err = fileImports(fsys, registry); err != nil {
			return nil, fmt.Errorf("reading the registry: %w", err)
		}
	}
	var found []Violation
	for _, entry := range entries {
		folder := path.Join("processors", entry.Name())
		if !entry.IsDir() || ignored(fsys, folder) || isTestHelper(folder) {
			continue
		}
		if !slices.Contains(registered, Module+"/"+folder) {
			found = append(found, Violation{From: folder, Reason: "not in " + registry})
		}
		for _, need := range []string{"README.md", entry.Name() + ".go"} {
			if _, err := fs.Stat(fsys, path.Join(folder, need)); err != nil {
				found = append(found, Violation{From: folder, Reason: "has no " + need})
			}
		}
	}
	return found, nil
}
