package report

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

// Source is a log file, or another stream.
type Source struct {
	// Name is for the report and for errors.
	Name string
	// Size is how large the file is in bytes, as it lies on the disk; 0 if that is
	// not known.
	Size int64
	// Open opens it. What it returns may be compressed.
	Open func() (io.ReadCloser, error)

	// first is the time of the first line that has one; what has none, or cannot be
	// looked into, comes last.
	first int64
}

// Sources are the files of names and patterns; "-" is stdin. The earliest come
// first, which is told from the first lines of each; stdin comes last.
func Sources(patterns []string, format *accesslog.Format, stdin io.Reader) ([]Source, error) {
	var sources []Source
	seen := make(map[string]bool)
	hasStdin := false
	for _, pattern := range patterns {
		if pattern == "-" {
			if hasStdin {
				return nil, errors.New("- for standard input is given twice")
			}
			hasStdin = true
			continue
		}
		names, err := expand(pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if clean := filepath.Clean(name); !seen[clean] {
				seen[clean] = true
				s, err := file(name, format)
				if err != nil {
					return nil, err
				}
				sources = append(sources, s)
			}
		}
	}
	slices.SortStableFunc(sources, func(a, b Source) int {
		switch {
		case a.first < b.first:
			return -1
		case a.first > b.first:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	if hasStdin {
		sources = append(sources, Source{Name: "standard input", first: math.MaxInt64, Open: func() (io.ReadCloser, error) { return io.NopCloser(stdin), nil }})
	}
	return sources, nil
}

// expand returns the files that a pattern stands for: that of the name, if there
// is one.
func expand(pattern string) ([]string, error) {
	if _, err := os.Stat(pattern); err == nil || !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}, nil
	}
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern %s: %w", pattern, err)
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		info, err := os.Stat(name)
		return err == nil && info.IsDir()
	})
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no file has such a name", pattern)
	}
	return names, nil
}

func file(name string, format *accesslog.Format) (Source, error) {
	s := Source{Name: name, first: math.MaxInt64, Open: func() (io.ReadCloser, error) { return os.Open(name) }}
	f, err := os.Open(name)
	if err != nil {
		return s, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return s, err
	}
	if info.IsDir() {
		return s, fmt.Errorf("%s is a folder; give its files, or a pattern such as '%s'", name, filepath.Join(name, "*.log"))
	}
	if !info.Mode().IsRegular() {
		return s, nil // reading ahead would take lines from a pipe
	}
	s.Size = info.Size()
	s.first, err = firstTime(f, format)
	if err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// firstTime returns the time of the first line that has one, of the beginning of a
// file.
func firstTime(r io.Reader, format *accesslog.Format) (int64, error) {
	const ahead = 64 << 10
	text, closeText, err := decompress(r)
	if err != nil {
		return 0, err
	}
	defer closeText()
	head := make([]byte, ahead)
	// What is wrong with the file shows when it is read.
	n, _ := io.ReadFull(text, head)
	var p parser
	p.format = format
	for line := range bytes.Lines(head[:n]) {
		if p.parse(line) == nil && p.line.Time > 0 {
			return p.line.Time, nil
		}
	}
	return math.MaxInt64, nil
}

// decompress returns the text of what r has, which is told by its first bytes, and
// what to call when it was read.
func decompress(r io.Reader) (io.Reader, func(), error) {
	const readAhead = 256 << 10
	b := bufio.NewReaderSize(r, readAhead)
	head, err := b.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, nil, err
		}
		return z, func() { _ = z.Close() }, nil
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		const memory = 128 << 20
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(memory))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	case bytes.HasPrefix(head, []byte("BZh")):
		return bzip2.NewReader(b), func() {}, nil
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return nil, nil, errors.New("xz is not read here: use xz -dc FILE | goshawk weblog report -")
	}
	return b, func() {}, nil
}

// counted counts the bytes that are read.
type counted struct {
	io.Reader
	bytes *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}
