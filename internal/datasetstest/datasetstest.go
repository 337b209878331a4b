// Package datasetstest finds labelled data for tests and benchmarks. It is no part of
// this repository: much of it may be used for evaluation only.
package datasetstest

import (
	"os"
	"path/filepath"
	"testing"
)

// Variable is the environment variable that names the folder with the data sets.
// Without it they are looked for in the folder shared/data beside the checkout.
const Variable = "GOSHAWK_TEST_DATA"

// Dir returns the folder with the data sets, empty where there is none.
func Dir() string {
	if dir := os.Getenv(Variable); dir != "" {
		return dir
	}
	root, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(root)
		if parent == root {
			return ""
		}
		root = parent
	}
	dir := filepath.Join(filepath.Dir(root), "shared", "data")
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return dir
}

// File returns the path of a file of the data sets. It skips the test where that is
// not there.
func File(t testing.TB, name string) string {
	t.Helper()
	dir := Dir()
	if dir == "" {
		t.Skipf("SKIP data sets: %s names no folder, and there is no shared/data beside the checkout", Variable)
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIP data sets: %v", err)
	}
	return path
}
