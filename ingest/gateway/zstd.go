package gateway

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// leastZstdWindow is the window that every decoder should support, after RFC
// 8878, and what encoders in use ask for at most at their ordinary levels.
const leastZstdWindow = 8 << 20

// zstdBytes is what the decoder is let write for a body of at most limit bytes.
// It bounds windows, too: a larger one would make no sense.
func zstdBytes(limit int64) int64 { return max(limit, leastZstdWindow) }

// maxZstdBlock is the most bytes that a block of a frame decompresses to.
const maxZstdBlock = 128 << 10

// zstdSlack is what the decoder wants to have free beyond what it writes.
const zstdSlack = maxZstdBlock + 1<<10

// newZstdDecoder makes a decoder for bodies of at most limit bytes, which is
// used by DecodeAll alone and so holds no goroutine.
func newZstdDecoder(limit int64) (*zstd.Decoder, error) {
	z, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(0),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(uint64(zstdBytes(limit))),
	)
	if err != nil {
		return nil, fmt.Errorf("making a zstd decoder: %w", err)
	}
	return z, nil
}

var (
	errZstdBlock  = errors.New("reserved block type")
	errZstdLength = errors.New("the declared length does not fit the blocks")
)

// zstdSize returns how many frames src has, and how long its content is at least
// and at most. It reads the headers of frames and blocks and decompresses
// nothing.
func zstdSize(src []byte) (frames int, least, most int64, err error) {
	for len(src) > 0 {
		var h zstd.Header
		rest, err := h.DecodeAndStrip(src)
		if err != nil {
			return 0, 0, 0, err
		}
		if h.Skippable {
			if int64(h.SkippableSize) > int64(len(rest)) {
				return 0, 0, 0, io.ErrUnexpectedEOF
			}
			src = rest[h.SkippableSize:]
			continue
		}
		var known, open int64
		if known, open, rest, err = zstdBlocks(rest); err != nil {
			return 0, 0, 0, err
		}
		if h.HasFCS {
			// The frame says how long it is; the decoder would believe it.
			if h.FrameContentSize < uint64(known) || h.FrameContentSize > uint64(known+open) {
				return 0, 0, 0, errZstdLength
			}
			known, open = int64(h.FrameContentSize), 0
		}
		frames++
		least += known
		most += known + open
		if h.HasCheckSum {
			if len(rest) < 4 {
				return 0, 0, 0, io.ErrUnexpectedEOF
			}
			rest = rest[4:]
		}
		src = rest
	}
	return frames, least, most, nil
}

// zstdBlocks walks the blocks of one frame. It returns how many bytes those have
// that say so, and how many the others have at most.
func zstdBlocks(src []byte) (known, open int64, rest []byte, err error) {
	for {
		if len(src) < 3 {
			return 0, 0, nil, io.ErrUnexpectedEOF
		}
		header := uint32(src[0]) | uint32(src[1])<<8 | uint32(src[2])<<16
		stored := int64(header >> 3)
		switch header >> 1 & 3 {
		case 0: // as it is
			known += stored
		case 1: // one byte, repeated
			known += stored
			stored = 1
		case 2: // compressed
			open += maxZstdBlock
		default:
			return 0, 0, nil, errZstdBlock
		}
		src = src[3:]
		if stored > int64(len(src)) {
			return 0, 0, nil, io.ErrUnexpectedEOF
		}
		src = src[stored:]
		if header&1 != 0 {
			return known, open, src, nil
		}
	}
}

// decodeZstd decodes with the output as the window.
func (d *decoders) decodeZstd(sc *scratch, src []byte) ([]byte, error) {
	if len(src) == 0 {
		return nil, corrupt("zstd", io.EOF)
	}
	frames, least, most, err := zstdSize(src)
	switch {
	case err != nil:
		return nil, corrupt("zstd", err)
	case least > d.limit, most > d.limit && frames > 1:
		// The decoder holds single frames to the limit, so of several it has to
		// be known beforehand that they keep to it.
		return nil, d.tooLarge()
	}
	// With a block to spare the decoder never has to make room itself.
	if err := sc.room(int(min(most, zstdBytes(d.limit)))+zstdSlack, 0); err != nil {
		return nil, err
	}
	out, err := d.zstd.DecodeAll(src, sc.bytes[:0])
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded) || err == nil && int64(len(out)) > d.limit:
		return nil, d.tooLarge()
	case err != nil:
		return nil, corrupt("zstd", err)
	}
	return out, nil
}
