package filelog

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// found is a regular file under one of its paths.
type found struct {
	inode
	path  string
	size  int64
	mtime int64 // Unix nanoseconds
	input *input
}

// compressed are the suffixes of files whose content is not lines.
var compressed = []string{".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip"}

// search calls each for every path that the input's patterns match, until it
// says that it has enough. A symbolic link stands for what it points to.
func (in *input) search(each func(found) bool) {
	for _, pattern := range in.Include {
		if !glob(pattern, func(path string) bool {
			if f, ok := in.look(path); ok {
				return each(f)
			}
			return true
		}) {
			return
		}
	}
}

// look returns what is at a path, if that is a file to read.
func (in *input) look(path string) (found, bool) {
	if in.excludes(path) {
		return found{}, false
	}
	f, ok := look(path)
	f.input = in
	return f, ok
}

func (in *input) excludes(path string) bool {
	for _, suffix := range compressed {
		if strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return anyMatches(in.Exclude, path)
}

func anyMatches(patterns []string, path string) bool {
	for _, pattern := range patterns {
		if ok, _ := filepath.Match(pattern, path); ok || matchDeep(pattern, path) {
			return true
		}
	}
	return false
}

// look returns the regular file at a path.
func look(path string) (found, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return found{}, false
	}
	return describe(path, info)
}

// glob calls each for every path that matches the pattern, until it returns
// false, which glob then returns as well.
func glob(pattern string, each func(path string) bool) bool {
	before, after, deep := strings.Cut(pattern, "/**")
	if !deep {
		paths, _ := filepath.Glob(pattern) // the pattern was checked
		for _, p := range paths {
			if !each(p) {
				return false
			}
		}
		return true
	}
	roots, _ := filepath.Glob(before)
	if before == "" {
		roots = []string{"/"}
	}
	more := true
	for _, root := range roots {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil && d != nil && d.IsDir():
				return fs.SkipDir // what may not be read is left out
			case err != nil || d.IsDir() || !matchTail(after, path[len(root):]):
				return nil
			}
			if more = each(path); !more {
				return fs.SkipAll
			}
			return nil
		})
		if !more {
			return false
		}
	}
	return true
}

// matchDeep reports whether a path matches a pattern with **.
func matchDeep(pattern, path string) bool {
	before, after, deep := strings.Cut(pattern, "/**")
	if !deep {
		return false
	}
	depth := strings.Count(before, "/")
	at := 0
	for range depth {
		next := strings.IndexByte(path[at+1:], '/')
		if next < 0 {
			return false
		}
		at += 1 + next
	}
	ok, _ := filepath.Match(before, path[:at])
	return ok && matchTail(after, path[at:])
}

// matchTail reports whether what is below a folder matches what a pattern has
// after **: as many last names of the path as the pattern has.
func matchTail(pattern, path string) bool {
	if pattern == "" {
		return true
	}
	at := len(path)
	for range strings.Count(pattern, "/") {
		if at = strings.LastIndexByte(path[:at], '/'); at < 0 {
			return false
		}
	}
	ok, _ := filepath.Match(pattern, path[at:])
	return ok
}

// matches reports whether the input reads files at a path.
func (in *input) matches(path string) bool {
	return anyMatches(in.Include, path) && !in.excludes(path)
}
