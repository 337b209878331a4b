package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// LibraryVariable is the environment variable that names the library's file.
const LibraryVariable = "GOSHAWK_EMBEDDED_CLICKHOUSE_LIBRARY"

const (
	libraryFile = "libchdb.so"
	// libraryInTree is where `make engine` puts the library in the source tree.
	libraryInTree = "deploy/clickhouse/node_modules/@chdb/lib-linux-x64-gnu/" + libraryFile
)

// MissingLibraryError says that the engine library was found nowhere.
type MissingLibraryError struct {
	// Tried are the places that were looked at.
	Tried []string
}

func (e *MissingLibraryError) Error() string {
	text := "the ClickHouse engine library " + libraryFile + " was not found"
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		text += fmt.Sprintf(" (it is fetched for linux/amd64 only; this is %s/%s)", runtime.GOOS, runtime.GOARCH)
	}
	text += ": run 'make engine' to fetch it, or set embedded.clickhouse.library or " + LibraryVariable +
		" to its path, or set clickhouse.addresses to a ClickHouse server"
	for _, place := range e.Tried {
		text += "\n  looked at " + place
	}
	return text
}

// FindLibrary returns the path of the engine library. Configured, the value of
// embedded.clickhouse.library, wins, then the environment; either must exist
// where it is set. Otherwise the library is looked for next to the executable
// and in the source tree around the executable and the working directory.
func FindLibrary(configured string) (string, error) {
	for _, named := range []struct{ path, by string }{
		{configured, "embedded.clickhouse.library"},
		{os.Getenv(LibraryVariable), LibraryVariable},
	} {
		if named.path == "" {
			continue
		}
		if !isFile(named.path) {
			return "", fmt.Errorf("%s: %s is not a file", named.by, named.path)
		}
		return filepath.Abs(named.path)
	}
	var places []string
	if executable, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(executable); err == nil {
			executable = target
		}
		dir := filepath.Dir(executable)
		places = append(places, filepath.Join(dir, libraryFile), filepath.Join(dir, "..", libraryInTree))
	}
	if dir, err := os.Getwd(); err == nil {
		for {
			places = append(places, filepath.Join(dir, libraryInTree))
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	for _, place := range places {
		if isFile(place) {
			return filepath.Abs(place)
		}
	}
	return "", &MissingLibraryError{Tried: places}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
