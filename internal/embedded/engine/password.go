package engine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The users of the engine.
const (
	// User reads and writes; it is what goshawk's own processes log in as.
	User = "goshawk"
	// Reader may only SELECT from the goshawk database, within limits. See
	// ReaderPassword for its password, of which it usually needs none.
	Reader = "reader"
)

const (
	passwordFile       = "goshawk.password"
	readerPasswordFile = "reader.password"
)

// Password returns the password of User, kept in dataDir in a file only its
// owner reads. The first call makes it.
func Password(dataDir string) (string, error) { return password(dataDir, passwordFile) }

// ReaderPassword returns the password of Reader, which is empty as long as the
// engine is confined to its own files. It is known once the engine is ready.
func ReaderPassword(dataDir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dataDir, readerPasswordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the password of %s: %w", Reader, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// setReaderPassword gives Reader a password or takes it away.
func setReaderPassword(dataDir string, needed bool) (string, error) {
	if needed {
		return password(dataDir, readerPasswordFile)
	}
	err := os.Remove(filepath.Join(dataDir, readerPasswordFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("removing the password of %s: %w", Reader, err)
	}
	return "", nil
}

func password(dataDir, name string) (string, error) {
	path := filepath.Join(dataDir, name)
	for {
		text, err := os.ReadFile(path)
		if password := strings.TrimSpace(string(text)); err == nil && password != "" {
			return password, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("reading the engine's password: %w", err)
		}
		if err := makePassword(dataDir, path); err != nil {
			return "", fmt.Errorf("making the engine's password: %w", err)
		}
	}
}

// makePassword puts a new password at path unless another process was first.
// A file that exists is complete, since it is linked there, not written there.
func makePassword(dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, passwordFile+".*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(rand.Text() + rand.Text() + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		return os.Rename(file.Name(), path)
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
