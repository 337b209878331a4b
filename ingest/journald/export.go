package journald

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxField is how much of a field is kept; journald takes any size.
const maxField = 256 << 10

// maxName is the longest name of a field, which journald bounds to 64 bytes.
const maxName = 256

// errFormat says that what journalctl prints is not its export format.
var errFormat = errors.New("what journalctl prints is not its export format")

// readEntry hands the fields of the next entry on: lines of NAME=VALUE, or of
// NAME and then eight bytes with the length of the value. Name and value are
// valid until the next field. Cut says that the value was longer.
func readEntry(r *bufio.Reader, field func(name, value []byte, cut bool)) error {
	var memory []byte
	for fields := 0; ; fields++ {
		line, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			name, _, ok := bytes.Cut(line, []byte("="))
			if !ok || len(name) > maxName {
				return errFormat
			}
			memory = append(memory[:0], line...)
			cut, err := restOfLine(r, &memory)
			if err != nil {
				return err
			}
			field(memory[:len(name)], memory[len(name)+1:], cut)
			continue
		case errors.Is(err, io.EOF) && len(line) == 0 && fields == 0:
			return io.EOF
		case err != nil:
			return fmt.Errorf("%w: %w", errFormat, err)
		}
		line = line[:len(line)-1]
		if len(line) == 0 {
			if fields == 0 {
				continue // an empty line too many
			}
			return nil
		}
		if name, value, ok := bytes.Cut(line, []byte("=")); ok {
			field(name, value[:min(len(value), maxField)], len(value) > maxField)
			continue
		}
		if len(line) > maxName {
			return errFormat
		}
		memory = append(memory[:0], line...)
		cut, err := binaryValue(r, &memory)
		if err != nil {
			return err
		}
		field(memory[:len(line):len(line)], memory[len(line):], cut)
	}
}

// restOfLine appends what is left of a line, as far as it is kept.
func restOfLine(r *bufio.Reader, line *[]byte) (cut bool, err error) {
	for {
		more, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return cut, fmt.Errorf("%w: %w", errFormat, err)
		}
		text := bytes.TrimSuffix(more, []byte("\n"))
		room := max(maxField-len(*line), 0)
		cut = cut || len(text) > room
		*line = append(*line, text[:min(len(text), room)]...)
		if err == nil {
			return cut, nil
		}
	}
}

// binaryValue appends a value that has its length before it.
func binaryValue(r *bufio.Reader, into *[]byte) (cut bool, err error) {
	var size [8]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return false, fmt.Errorf("%w: %w", errFormat, err)
	}
	n := binary.LittleEndian.Uint64(size[:])
	const most = 1 << 30 // journald takes no more than 768 MiB
	if n > most {
		return false, errFormat
	}
	kept, at := min(int(n), maxField), len(*into)
	*into = append(*into, make([]byte, kept)...)
	if _, err := io.ReadFull(r, (*into)[at:]); err != nil {
		return false, fmt.Errorf("%w: %w", errFormat, err)
	}
	if _, err := r.Discard(int(n) - kept); err != nil {
		return false, fmt.Errorf("%w: %w", errFormat, err)
	}
	if end, err := r.ReadByte(); err != nil || end != '\n' {
		return false, errFormat
	}
	return int(n) > kept, nil
}

// firstCursor returns the cursor of the first entry.
func firstCursor(text []byte) (cursor string) {
	_ = readEntry(bufio.NewReader(bytes.NewReader(text)), func(name, value []byte, _ bool) {
		if string(name) == "__CURSOR" {
			cursor = string(value)
		}
	}) // an entry that cannot be read has none
	return cursor
}
