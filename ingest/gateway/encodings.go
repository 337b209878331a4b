package gateway

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// encoding is a compression of a request body.
type encoding uint8

const (
	identity encoding = iota
	gzipped
	deflated
	zstandard
	snapped
)

// acceptedEncodings is told to senders that use another one.
const acceptedEncodings = "gzip, zstd, deflate, snappy, identity"

// encodingNamed returns the encoding of a Content-Encoding or grpc-encoding header.
func encodingNamed(name string) (encoding, bool) {
	switch name { // the usual spellings, without allocating
	case "", "identity":
		return identity, true
	case "gzip":
		return gzipped, true
	case "zstd":
		return zstandard, true
	}
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "identity":
		return identity, true
	case "gzip", "x-gzip":
		return gzipped, true
	case "zstd":
		return zstandard, true
	case "deflate", "zlib":
		return deflated, true
	case "snappy", "x-snappy-framed":
		return snapped, true
	}
	return identity, false
}

// decoders takes the compression off complete bodies. How long a body is
// without it is known only afterwards, but for a block of snappy, so it is
// decompressed into a scratch buffer first and copied from there. There are few of these, which bounds what
// bodies that turn out to be too long can cost, and they are used again. It is
// safe for concurrent use.
type decoders struct {
	memory *memory
	// limit is the most bytes that a body may have without its compression.
	limit int64
	// scratches are those that nobody uses. Who finds none waits for one.
	scratches chan *scratch

	zstd  *zstd.Decoder
	gzip  sync.Pool // of *gzip.Reader
	zlib  sync.Pool // of io.ReadCloser that is a zlib.Resetter
	flate sync.Pool // of io.ReadCloser that is a flate.Resetter
	snap  sync.Pool // of *snappy.Reader
}

// newDecoders makes decoders for as many bodies at a time as there are
// processors, but not for more than what fits into memory.
func newDecoders(m *memory, limit int64) (*decoders, error) {
	z, err := newZstdDecoder(limit)
	if err != nil {
		return nil, err
	}
	n := int(min(max(m.max/limit, 1), int64(runtime.GOMAXPROCS(0))))
	d := &decoders{memory: m, limit: limit, zstd: z, scratches: make(chan *scratch, n)}
	for range n {
		d.scratches <- &scratch{memory: m}
	}
	return d, nil
}

func (d *decoders) close() { d.zstd.Close() }

// trim lets go of the scratch buffers that were not used since the last call.
func (d *decoders) trim() {
	for range cap(d.scratches) {
		select {
		case sc := <-d.scratches:
			if !sc.used {
				sc.replace(nil)
			}
			sc.used = false
			d.scratches <- sc
		default:
			return
		}
	}
}

// decode returns src without its compression in a new buffer. The error is a
// *refusal.
func (d *decoders) decode(e encoding, src []byte) (*buffer, error) {
	if e == snapped && !bytes.HasPrefix(src, []byte(snappyMagic)) {
		return d.decodeSnappyBlock(src)
	}
	sc := <-d.scratches
	defer func() { d.scratches <- sc }()
	sc.used = true
	out, err := d.into(sc, e, src)
	if err != nil {
		return nil, err
	}
	b, err := d.memory.get(len(out))
	if err != nil {
		return nil, err
	}
	b.bytes = append(b.bytes, out...)
	return b, nil
}

// into decompresses into the scratch buffer.
func (d *decoders) into(sc *scratch, e encoding, src []byte) ([]byte, error) {
	switch e {
	case gzipped:
		return d.decodeGzip(sc, src)
	case zstandard:
		return d.decodeZstd(sc, src)
	case deflated:
		return d.decodeDeflate(sc, src)
	case snapped:
		return d.decodeSnappyStream(sc, src)
	}
	return nil, refuse(internalError, "encoding %d has no decoder", e)
}

// scratch is memory to decompress into. What it holds is reserved.
type scratch struct {
	memory *memory
	bytes  []byte
	used   bool
}

// room makes sure that the buffer has at least n bytes, of which the first kept
// keep their content.
func (sc *scratch) room(n, kept int) error {
	if cap(sc.bytes) >= n {
		return nil
	}
	if !sc.memory.reserve(int64(n)) {
		return errOverloaded
	}
	larger := make([]byte, n)
	copy(larger, sc.bytes[:kept])
	sc.replace(larger)
	return nil
}

// replace lets go of the memory for that of b.
func (sc *scratch) replace(b []byte) {
	old := int64(cap(sc.bytes))
	sc.bytes = b
	sc.memory.free(old)
	sc.memory.mu.Lock()
	defer sc.memory.mu.Unlock()
	sc.memory.discard(old)
}

// firstScratch is what a scratch buffer begins with.
const firstScratch = 64 << 10

// stream reads what a decoder yields.
func (d *decoders) stream(sc *scratch, name string, r io.Reader) ([]byte, error) {
	// One byte more than the limit tells what is too long.
	most := int(d.limit) + 1
	for n := 0; ; {
		if n == cap(sc.bytes) {
			if n == most {
				return nil, d.tooLarge()
			}
			if err := sc.room(min(max(2*n, firstScratch), most), n); err != nil {
				return nil, err
			}
		}
		end := min(cap(sc.bytes), most)
		if n == end {
			return nil, d.tooLarge()
		}
		m, err := r.Read(sc.bytes[n:end])
		n += m
		switch {
		case err == io.EOF && int64(n) > d.limit:
			return nil, d.tooLarge()
		case err == io.EOF:
			return sc.bytes[:n], nil
		case err != nil:
			return nil, corrupt(name, err)
		}
	}
}

func (d *decoders) decodeGzip(sc *scratch, src []byte) ([]byte, error) {
	in := bytes.NewReader(src)
	r, ok := d.gzip.Get().(*gzip.Reader)
	if !ok {
		r = new(gzip.Reader)
	}
	defer d.gzip.Put(r)
	if err := r.Reset(in); err != nil {
		return nil, corrupt("gzip", err)
	}
	return d.stream(sc, "gzip", r)
}

// decodeDeflate takes the zlib format, which HTTP means by deflate, and the raw
// format, which many senders mean by it.
func (d *decoders) decodeDeflate(sc *scratch, src []byte) ([]byte, error) {
	if !hasZlibHeader(src) {
		return d.decodeRawDeflate(sc, src)
	}
	out, err := d.decodeZlib(sc, src)
	var r *refusal
	if errors.As(err, &r) && r.outcome == malformed {
		// A raw stream can begin like a zlib header by chance.
		if raw, rawErr := d.decodeRawDeflate(sc, src); rawErr == nil {
			return raw, nil
		}
	}
	return out, err
}

func hasZlibHeader(src []byte) bool {
	return len(src) >= 2 && src[0]&0x0f == 8 && (uint(src[0])<<8|uint(src[1]))%31 == 0
}

func (d *decoders) decodeZlib(sc *scratch, src []byte) ([]byte, error) {
	in := bytes.NewReader(src)
	r, ok := d.zlib.Get().(io.ReadCloser)
	var err error
	if ok {
		err = r.(zlib.Resetter).Reset(in, nil)
	} else {
		r, err = zlib.NewReader(in)
	}
	if err != nil {
		return nil, corrupt("deflate", err)
	}
	defer d.zlib.Put(r)
	return d.stream(sc, "deflate", r)
}

func (d *decoders) decodeRawDeflate(sc *scratch, src []byte) ([]byte, error) {
	in := bytes.NewReader(src)
	r, ok := d.flate.Get().(io.ReadCloser)
	if !ok {
		r = flate.NewReader(in)
	} else if err := r.(flate.Resetter).Reset(in, nil); err != nil {
		return nil, corrupt("deflate", err)
	}
	defer d.flate.Put(r)
	return d.stream(sc, "deflate", r)
}

func corrupt(name string, err error) *refusal {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refuse(malformed, "the body is declared as %s but ends early", name)
	}
	return refuse(malformed, "the body is declared as %s but is not: %v", name, err)
}

func (d *decoders) tooLarge() *refusal {
	return refuse(tooLarge, "the decompressed body has more than %d bytes, which is the most that is taken", d.limit)
}

// snappyMagic begins a stream in snappy's framing format.
const snappyMagic = "\xff\x06\x00\x00sNaPpY"

// maxSnappyRatio is more than what snappy can compress: its longest copy makes
// 64 bytes from 3.
const maxSnappyRatio = 22

// decodeSnappyStream takes the framing format.
func (d *decoders) decodeSnappyStream(sc *scratch, src []byte) ([]byte, error) {
	r, ok := d.snap.Get().(*snappy.Reader)
	if !ok {
		r = snappy.NewReader(nil)
	}
	defer d.snap.Put(r)
	r.Reset(bytes.NewReader(src))
	return d.stream(sc, "snappy", r)
}

// decodeSnappyBlock takes the block format, which begins with its length.
func (d *decoders) decodeSnappyBlock(src []byte) (*buffer, error) {
	n, err := snappy.DecodedLen(src)
	if err != nil {
		return nil, corrupt("snappy", err)
	}
	if n/maxSnappyRatio > len(src) {
		return nil, refuse(malformed, "the body is declared as snappy but is not: %d bytes cannot hold the %d that they declare", len(src), n)
	}
	if int64(n) > d.limit {
		return nil, d.tooLarge()
	}
	b, err := d.memory.get(n)
	if err != nil {
		return nil, err
	}
	out, err := snappy.Decode(b.bytes[:n], src)
	if err != nil {
		b.release()
		return nil, corrupt("snappy", err)
	}
	b.bytes = out
	return b, nil
}
