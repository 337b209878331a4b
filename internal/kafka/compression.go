package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Compression is the codec of a record batch, with the numbers of the protocol.
type Compression int8

// The codecs. Gzip is read but never written.
const (
	None Compression = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

var compressionNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// String returns the codec's name.
func (c Compression) String() string {
	if c < 0 || int(c) >= len(compressionNames) {
		return fmt.Sprintf("codec %d", int8(c))
	}
	return compressionNames[c]
}

// MarshalText writes the codec's name.
func (c Compression) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the name of a codec that can be written.
func (c *Compression) UnmarshalText(text []byte) error {
	for i, name := range compressionNames {
		if name == string(text) && Compression(i) != Gzip {
			*c = Compression(i)
			return nil
		}
	}
	return fmt.Errorf("compression %q: want none, lz4, snappy or zstd", text)
}

// codecs holds the state of encoders and decoders that are worth keeping. The
// zero value works; it is safe for concurrent use.
type codecs struct {
	lz4Writers, lz4Readers sync.Pool
	gzipReaders            sync.Pool
	zstdOnce               sync.Once
	zstdEncoder            *zstd.Encoder
	zstdDecoder            *zstd.Decoder
	zstdErr                error
}

// shared is the process's codec state: pools without behaviour.
var shared codecs

func (c *codecs) zstd() error {
	c.zstdOnce.Do(func() {
		c.zstdEncoder, c.zstdErr = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
		if c.zstdErr == nil {
			c.zstdDecoder, c.zstdErr = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxDecompressed))
		}
	})
	return c.zstdErr
}

// compress appends the compressed src to dst.
func (c *codecs) compress(codec Compression, dst, src []byte) ([]byte, error) {
	switch codec {
	case None:
		return append(dst, src...), nil
	case Snappy:
		// One block without framing, which every client reads.
		start, limit := len(dst), s2.MaxEncodedLen(len(src))
		if limit < 0 {
			return dst, errors.New("compressing with snappy: too large")
		}
		dst = grow(dst, limit)
		encoded := s2.EncodeSnappy(dst[start:start+limit], src)
		return dst[:start+len(encoded)], nil
	case LZ4:
		w, _ := c.lz4Writers.Get().(*lz4.Writer)
		if w == nil {
			w = lz4.NewWriter(nil)
			if err := w.Apply(lz4.BlockSizeOption(lz4.Block256Kb), lz4.ChecksumOption(false)); err != nil {
				return dst, fmt.Errorf("compressing with lz4: %w", err)
			}
		}
		out := appender{dst}
		w.Reset(&out)
		if _, err := w.Write(src); err != nil {
			return dst, fmt.Errorf("compressing with lz4: %w", err)
		}
		if err := w.Close(); err != nil {
			return dst, fmt.Errorf("compressing with lz4: %w", err)
		}
		w.Reset(nil)
		c.lz4Writers.Put(w)
		return out.b, nil
	case Zstd:
		if err := c.zstd(); err != nil {
			return dst, err
		}
		return c.zstdEncoder.EncodeAll(src, dst), nil
	}
	return dst, fmt.Errorf("compressing with %s: not supported", codec)
}

// maxDecompressed bounds what one record batch may decompress to: far above
// what a broker accepts, far below what hurts.
const maxDecompressed = 128 << 20

var errTooLarge = fmt.Errorf("decompresses to more than %d MiB", maxDecompressed>>20)

// decompress returns what src decompresses to, in a buffer of the pool.
func (c *codecs) decompress(codec Compression, src []byte) (*Buffer, error) {
	out, err := c.decompressTo(codec, src)
	if err != nil {
		return nil, fmt.Errorf("decompressing with %s: %w", codec, err)
	}
	return out, nil
}

func (c *codecs) decompressTo(codec Compression, src []byte) (*Buffer, error) {
	switch codec {
	case Snappy:
		return decompressSnappy(src)
	case LZ4:
		r, _ := c.lz4Readers.Get().(*lz4.Reader)
		if r == nil {
			r = lz4.NewReader(nil)
		}
		r.Reset(bytes.NewReader(src))
		out, err := readAll(r, len(src)*4)
		r.Reset(nil)
		c.lz4Readers.Put(r)
		return out, err
	case Zstd:
		if err := c.zstd(); err != nil {
			return nil, err
		}
		var header zstd.Header
		size := len(src) * 4
		if err := header.Decode(src); err == nil && header.HasFCS {
			if header.FrameContentSize > maxDecompressed {
				return nil, errTooLarge
			}
			size = int(header.FrameContentSize)
		}
		out := NewBuffer(min(size, 8<<20))
		b, err := c.zstdDecoder.DecodeAll(src, out.B[:0])
		if err != nil {
			out.Release()
			return nil, err
		}
		out.B = b
		return out, nil
	case Gzip:
		r, _ := c.gzipReaders.Get().(*gzip.Reader)
		if r == nil {
			r = new(gzip.Reader)
		}
		if err := r.Reset(bytes.NewReader(src)); err != nil {
			return nil, err
		}
		out, err := readAll(r, len(src)*4)
		c.gzipReaders.Put(r)
		return out, err
	}
	return nil, errors.New("not supported")
}

// xerialMagic starts the framing that Java clients put around snappy blocks:
// magic, version and compatible version, then blocks with a length each.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

// snappyRatio is more than snappy can compress: a copy of 64 bytes takes 3. A
// block that claims more is not given the memory that it asks for.
const snappyRatio = 32

func decompressSnappy(src []byte) (*Buffer, error) {
	if !bytes.HasPrefix(src, xerialMagic) {
		n, err := s2.DecodedLen(src)
		if err != nil {
			return nil, err
		}
		if n > maxDecompressed || n > snappyRatio*len(src) {
			return nil, errTooLarge
		}
		out := NewBuffer(n)
		if _, err := s2.Decode(out.B, src); err != nil {
			out.Release()
			return nil, err
		}
		return out, nil
	}
	total := 0
	if err := xerialBlocks(src, func(block []byte) error {
		n, err := s2.DecodedLen(block)
		if total += n; err == nil && (total > maxDecompressed || n > snappyRatio*len(block)) {
			err = errTooLarge
		}
		return err
	}); err != nil {
		return nil, err
	}
	out := NewBuffer(total)
	at := 0
	err := xerialBlocks(src, func(block []byte) error {
		n, err := s2.DecodedLen(block)
		if err == nil {
			_, err = s2.Decode(out.B[at:at+n], block)
		}
		at += n
		return err
	})
	if err != nil {
		out.Release()
		return nil, err
	}
	return out, nil
}

func xerialBlocks(src []byte, visit func([]byte) error) error {
	const header = 16
	if len(src) < header {
		return io.ErrUnexpectedEOF
	}
	for src = src[header:]; len(src) > 0; {
		r := reader{b: src}
		n := int(r.int32())
		block := r.take(n)
		if r.bad {
			return io.ErrUnexpectedEOF
		}
		if err := visit(block); err != nil {
			return err
		}
		src = r.b
	}
	return nil
}

// readAll reads r to its end. Size is a guess.
func readAll(r io.Reader, size int) (*Buffer, error) {
	out := NewBuffer(min(max(size, 512), 8<<20))
	n := 0
	for {
		if n == len(out.B) {
			if n >= maxDecompressed {
				out.Release()
				return nil, errTooLarge
			}
			larger := NewBuffer(2 * n)
			copy(larger.B, out.B)
			out.Release()
			out = larger
		}
		m, err := r.Read(out.B[n:])
		n += m
		if err == io.EOF {
			out.B = out.B[:n]
			return out, nil
		}
		if err != nil {
			out.Release()
			return nil, err
		}
	}
}

// appender is an io.Writer that appends.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// grow returns b with room for n more bytes in its length.
func grow(b []byte, n int) []byte {
	if need := len(b) + n; need > cap(b) {
		larger := make([]byte, len(b), max(need, 2*cap(b)))
		copy(larger, b)
		b = larger
	}
	return b[:len(b)+n]
}
