package gateway

import (
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	grpcencoding "google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // registers gzip
)

// grpc lets no request in whose compression is not registered, and has one
// registry for the process, which must be filled before any server or client
// runs. The gateway decompresses by itself, under its limits; these are
// complete all the same, so that clients in the process can use them.
//
//nolint:gochecknoinits // grpc's registry is only safe to write from init
func init() {
	grpcencoding.RegisterCompressor(zstdCompressor{})
	grpcencoding.RegisterCompressor(snappyCompressor{})
}

type zstdCompressor struct{}

func (zstdCompressor) Name() string { return "zstd" }

func (zstdCompressor) Compress(w io.Writer) (io.WriteCloser, error) {
	return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
}

func (zstdCompressor) Decompress(r io.Reader) (io.Reader, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(leastZstdWindow))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

type snappyCompressor struct{}

func (snappyCompressor) Name() string { return "snappy" }

func (snappyCompressor) Compress(w io.Writer) (io.WriteCloser, error) {
	return snappy.NewBufferedWriter(w), nil
}

func (snappyCompressor) Decompress(r io.Reader) (io.Reader, error) { return snappy.NewReader(r), nil }
