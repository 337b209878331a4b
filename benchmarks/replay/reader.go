package replay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxLine bounds a line and a message: longer ones are malformed.
	maxLine = 64 << 20
	// maxWindow bounds the memory of a zstd decoder.
	maxWindow = 128 << 20
)

// errMalformed marks a line that cannot be read; the ones after it can.
var errMalformed = errors.New("malformed")

// file is one input while it is read.
type file struct {
	name    string
	format  string
	reader  *bufio.Reader
	line    int64 // of the one that was read last, from 1
	buffer  []byte
	closers []func()
}

func openFile(ctx context.Context, name string, stdin io.Reader) (*file, error) {
	f := &file{name: name}
	var raw io.Reader
	if name == "-" {
		f.name = "standard input"
		if stdin == nil {
			stdin = bytes.NewReader(nil)
		}
		raw = f.interruptible(ctx, stdin)
	} else {
		opened, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("opening the input: %w", err)
		}
		f.closers = append(f.closers, func() { _ = opened.Close() }) // it was only read
		raw = opened
	}
	if err := f.decompress(raw); err != nil {
		f.close()
		return nil, fmt.Errorf("reading %s: %w", f.name, err)
	}
	return f, nil
}

// interruptible returns a reader that fails when ctx ends although a read of a
// terminal or pipe may wait for ever. The copying goroutine ends with the next
// read that returns.
func (f *file) interruptible(ctx context.Context, from io.Reader) io.Reader {
	reader, writer := io.Pipe()
	go func() {
		_, err := io.Copy(writer, from)
		_ = writer.CloseWithError(err) // never fails; a nil error is io.EOF
	}()
	stop := context.AfterFunc(ctx, func() { _ = reader.CloseWithError(ctx.Err()) })
	f.closers = append(f.closers, func() {
		stop()
		_ = reader.Close()
	})
	return reader
}

// decompress puts the decoder before the reader that the first bytes ask for.
func (f *file) decompress(raw io.Reader) error {
	f.reader = bufio.NewReaderSize(raw, 64<<10)
	magic, err := f.reader.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(f.reader)
		if err != nil {
			return err
		}
		f.closers = append(f.closers, func() { _ = z.Close() })
		f.reader = bufio.NewReaderSize(z, 64<<10)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(f.reader, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
		f.closers = append(f.closers, z.Close)
		f.reader = bufio.NewReaderSize(z, 64<<10)
	}
	return nil
}

func (f *file) close() {
	for _, c := range f.closers {
		c()
	}
}

// detect looks at the first byte that is not blank. It asks for no more than
// there is: the rest of a pipe may come much later.
func (f *file) detect() string {
	for n := 1; ; n++ {
		if _, err := f.reader.Peek(n); err != nil {
			return FormatAccess // nothing but blanks: either format has no events in it
		}
		n = f.reader.Buffered()
		start, _ := f.reader.Peek(n) // it is there
		start = bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\xef\xbb\xbf")), " \t\r\n")
		switch {
		case len(start) == 0:
		case start[0] == '{':
			return FormatJSON
		default:
			return FormatAccess
		}
	}
}

// next returns the next line or message, a view that is valid until the next
// call. It returns io.EOF at the end, and an error that wraps errMalformed where
// only this one cannot be read.
func (f *file) next() ([]byte, error) {
	if f.format == FormatProto {
		return f.nextMessage()
	}
	f.buffer = f.buffer[:0]
	tooLong := false
	for {
		part, err := f.reader.ReadSlice('\n')
		if len(f.buffer)+len(part) > maxLine {
			tooLong = true
			f.buffer = f.buffer[:0]
		}
		whole := len(f.buffer) == 0 && err == nil
		if !whole && !tooLong {
			f.buffer = append(f.buffer, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case err != nil && len(part) == 0 && len(f.buffer) == 0 && !tooLong:
			return nil, io.EOF
		}
		f.line++
		if tooLong {
			return nil, fmt.Errorf("%w: the line is longer than %d MiB", errMalformed, maxLine>>20)
		}
		if !whole {
			part = f.buffer
		}
		if f.line == 1 {
			part = bytes.TrimPrefix(part, []byte("\xef\xbb\xbf"))
		}
		return bytes.TrimRight(part, "\r\n"), nil
	}
}

// nextMessage reads a length and that many bytes.
func (f *file) nextMessage() ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(f.reader, length[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("reading the length of message %d: %w", f.line+1, err)
	}
	f.line++
	n := int(binary.BigEndian.Uint32(length[:]))
	if n > maxLine {
		// The next length would have to be found behind it: skip it.
		if _, err := io.CopyN(io.Discard, f.reader, int64(n)); err != nil {
			return nil, fmt.Errorf("reading message %d of %d bytes: %w", f.line, n, err)
		}
		return nil, fmt.Errorf("%w: the message is longer than %d MiB", errMalformed, maxLine>>20)
	}
	if cap(f.buffer) < n {
		f.buffer = make([]byte, n)
	}
	f.buffer = f.buffer[:n]
	if _, err := io.ReadFull(f.reader, f.buffer); err != nil {
		return nil, fmt.Errorf("reading message %d of %d bytes: %w", f.line, n, err)
	}
	return f.buffer, nil
}
