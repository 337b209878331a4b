package filelog

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/zeebo/xxh3"
)

// printBytes is how many bytes a imprint covers, where there are as many.
const printBytes = 1024

// printOf returns the imprint of some bytes; the zero imprint is that of none.
func printOf(b []byte) imprint {
	if len(b) == 0 {
		return imprint{}
	}
	return imprint{len(b), xxh3.Hash(b)}
}

// of reports whether the imprint is that of the first bytes of b.
func (p imprint) of(b []byte) bool { return len(b) >= p.Bytes && printOf(b[:p.Bytes]) == p }

// describe returns what is known of a regular file.
func describe(path string, info os.FileInfo) (found, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return found{}, false
	}
	return found{inode: inode{uint64(s.Dev), s.Ino}, path: path, size: info.Size(), mtime: info.ModTime().UnixNano()}, true //nolint:unconvert // the type depends on the system
}

// end returns how far the content is known, and its prints.
func (s *state) end() (offset int64, head, tail imprint) {
	if p := s.Pending; p != nil {
		return p.To, p.Head, p.Tail
	}
	return s.Offset, s.Head, s.Tail
}

// begins reports whether a file begins with the content of the state, as far as
// its prints tell: it is the same file, or a copy.
func (s *state) begins(file io.ReaderAt, size int64) bool {
	offset, head, tail := s.end()
	return size >= offset && printed(file, head, 0) && printed(file, tail, offset-int64(tail.Bytes))
}

// keeps reports whether a file has the content of the state, of which something
// is known.
func (s *state) keeps(file io.ReaderAt, size int64) bool {
	_, head, _ := s.end()
	return head.Bytes > 0 && s.begins(file, size)
}

// printed reports whether the imprint is that of the bytes of a file at an offset.
func printed(file io.ReaderAt, p imprint, at int64) bool {
	b := make([]byte, p.Bytes)
	n, _ := file.ReadAt(b, at)
	return n == len(b) && printOf(b) == p
}

// newPrints returns the prints of a file of which nothing before an offset is read.
func newPrints(file io.ReaderAt, offset int64) (head, tail imprint, err error) {
	b := make([]byte, min(offset, printBytes))
	if _, err = file.ReadAt(b, 0); err != nil && len(b) > 0 {
		return head, tail, err
	}
	head = printOf(b)
	if _, err = file.ReadAt(b, offset-int64(len(b))); err != nil && len(b) > 0 {
		return head, tail, err
	}
	return head, printOf(b), nil
}

// maxNeighbours bounds how many files of a folder are looked at to find one that
// was moved or copied.
const maxNeighbours = 4096

// neighbours returns the regular files in the folder of a path, the latest first.
func neighbours(path string) []found {
	dir := filepath.Dir(path)
	list, err := os.Open(dir)
	if err != nil {
		return nil
	}
	names, _ := list.Readdirnames(maxNeighbours)
	_ = list.Close()
	var all []found
	for _, name := range names {
		if slices.ContainsFunc(compressed, func(suffix string) bool { return strings.HasSuffix(name, suffix) }) {
			continue
		}
		other := filepath.Join(dir, name)
		if info, err := os.Lstat(other); err == nil {
			if f, ok := describe(other, info); ok {
				all = append(all, f)
			}
		}
	}
	slices.SortFunc(all, func(a, b found) int { return int(min(max(b.mtime-a.mtime, -1), 1)) })
	return all
}

// openRegular opens a file if it is the one that is meant.
func openRegular(path string, want inode) (*os.File, int64, bool) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, false
	}
	info, err := file.Stat()
	if err == nil {
		if f, ok := describe(path, info); ok && f.inode == want {
			return file, f.size, true
		}
	}
	_ = file.Close()
	return nil, 0, false
}
