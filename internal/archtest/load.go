package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Load reads the imports of every package of the module whose root is fsys. It
// reads all files whatever their build constraints, so that an arrow cannot
// hide behind one; it leaves out other modules in the tree and folders that the
// go command ignores.
func Load(fsys fs.FS) ([]Package, error) {
	imports := map[string]map[string]bool{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != "." && ignored(fsys, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		found, err := fileImports(fsys, name)
		if err != nil {
			return err
		}
		folder := path.Dir(name)
		if imports[folder] == nil {
			imports[folder] = map[string]bool{}
		}
		for _, imported := range found {
			imports[folder][imported] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading imports: %w", err)
	}
	var packages []Package
	for _, folder := range slices.Sorted(maps.Keys(imports)) {
		packages = append(packages, Package{Path: folder, Imports: slices.Sorted(maps.Keys(imports[folder]))})
	}
	return packages, nil
}

// ignored reports whether a folder is none of the module's: hidden, ignored by
// the go command, fetched by a package manager, or a module of its own.
func ignored(fsys fs.FS, folder string) bool {
	base := path.Base(folder)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules" || folder == "bin" {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(folder, "go.mod"))
	return err == nil
}

// fileImports returns the import paths of one Go file.
func fileImports(fsys fs.FS, name string) ([]string, error) {
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	paths := make([]string, 0, len(file.Imports))
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		paths = append(paths, imported)
	}
	return paths, nil
}
