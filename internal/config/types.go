package config

import (
	"fmt"
	"os"
	"strings"

	"github.com/dustin/go-humanize"
)

// Bytes is a size in bytes, written as a number or with a unit: 64MiB, 1GB.
type Bytes uint64

// UnmarshalText reads a size with or without a unit.
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil {
		return fmt.Errorf("size %q: want a number of bytes or one with a unit, such as 64MiB", text)
	}
	*b = Bytes(n)
	return nil
}

// MarshalText writes the size with a binary unit where that is exact.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String returns the size with a binary unit where that is exact.
func (b Bytes) String() string {
	for _, u := range []struct {
		name string
		size Bytes
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b >= u.size && b%u.size == 0 {
			return fmt.Sprintf("%d%s", b/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d", uint64(b))
}

// Secret is a string that is never printed. It is written in the file as the
// value itself, as file:PATH, or as env:NAME.
type Secret string

// Value returns the secret itself, read from its file or variable.
func (s Secret) Value() (string, error) {
	switch {
	case strings.HasPrefix(string(s), "file:"):
		path := strings.TrimPrefix(string(s), "file:")
		text, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("reading secret: %w", err)
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	case strings.HasPrefix(string(s), "env:"):
		name := strings.TrimPrefix(string(s), "env:")
		text, ok := os.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("reading secret: environment variable %s is not set", name)
		}
		return text, nil
	}
	return string(s), nil
}

// String masks the secret, so that it cannot reach a log by accident. Where the
// secret lives in a file or variable, that place is shown.
func (s Secret) String() string {
	switch {
	case s == "":
		return ""
	case strings.HasPrefix(string(s), "file:"), strings.HasPrefix(string(s), "env:"):
		return string(s)
	}
	return "********"
}

// GoString masks the secret in %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText masks the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
