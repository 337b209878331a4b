package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy/xerial"
	"pgregory.net/rapid"
)

// fetchedOf makes an answer of raw bytes.
func fetchedOf(raw []byte) *Fetched {
	buffer := NewBuffer(len(raw))
	copy(buffer.B, raw)
	return &Fetched{buffer: buffer, raw: buffer.B}
}

func TestRecordBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		codec := rapid.SampledFrom([]Compression{None, Snappy, LZ4, Zstd}).Draw(t, "codec")
		blob := rapid.Custom(func(t *rapid.T) []byte {
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				return nil
			case 1:
				return []byte{}
			}
			return bytes.Repeat(rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "bytes"), rapid.IntRange(1, 60).Draw(t, "times"))
		})
		want := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Record {
			r := Record{Key: blob.Draw(t, "key"), Value: blob.Draw(t, "value"), Timestamp: rapid.Int64Range(0, 1<<45).Draw(t, "time")}
			for range rapid.IntRange(0, 3).Draw(t, "headers") {
				r.Headers = append(r.Headers, Header{rapid.String().Draw(t, "name"), blob.Draw(t, "header")})
			}
			return r
		}), 1, 20).Draw(t, "records")
		pointers := func(yield func(int, *Record) bool) {
			for i := range want {
				if !yield(i, &want[i]) {
					return
				}
			}
		}
		raw, _, err := appendBatch([]byte("before"), pointers, codec, nil)
		if err != nil {
			t.Fatal(err)
		}
		f := fetchedOf(raw[len("before"):])
		defer f.Release()
		var got []Record
		batch, memory, err := f.ReadBatch(func(r *FetchedRecord) {
			if r.Offset != int64(len(got)) {
				t.Fatalf("offset %d, want %d", r.Offset, len(got))
			}
			rec := Record{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value), Timestamp: r.Timestamp}
			for key, value := range r.Headers {
				rec.Headers = append(rec.Headers, Header{string(key), bytes.Clone(value)})
			}
			got = append(got, rec)
		})
		if err != nil {
			t.Fatal(err)
		}
		memory.Release()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if batch.Next != int64(len(want)) {
			t.Fatalf("batch ends at %d, want %d", batch.Next, len(want))
		}
		if _, _, err := f.ReadBatch(nil); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last batch: %v", err)
		}
	})
}

// rawBatch wraps an encoded body as a batch with the attributes.
func rawBatch(attributes int16, count int, body []byte) []byte {
	b := make([]byte, batchHeaderSize, batchHeaderSize+len(body))
	b = append(b, body...)
	binary.BigEndian.PutUint32(b[batchLengthAt:], uint32(len(b)-batchEpochAt))
	b[batchMagicAt] = 2
	binary.BigEndian.PutUint16(b[batchAttributesAt:], uint16(attributes))
	binary.BigEndian.PutUint32(b[batchLastDeltaAt:], uint32(count-1))
	binary.BigEndian.PutUint32(b[batchCountAt:], uint32(count))
	binary.BigEndian.PutUint32(b[batchCRCAt:], crc32.Checksum(b[batchAttributesAt:], castagnoli))
	return b
}

// TestForeignCompression reads what other clients write: gzip, and snappy with
// the framing of Java clients.
func TestForeignCompression(t *testing.T) {
	value := bytes.Repeat([]byte("goshawk "), 20_000)
	body := appendRecord(nil, &Record{Value: value}, 0, 0)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	write(t, w, body)
	closeWriter(t, w)
	for codec, encoded := range map[Compression][]byte{Gzip: zipped.Bytes(), Snappy: xerial.Encode(nil, body)} {
		f := fetchedOf(rawBatch(int16(codec), 1, encoded))
		var got []byte
		_, memory, err := f.ReadBatch(func(r *FetchedRecord) { got = bytes.Clone(r.Value) })
		if err != nil {
			t.Fatalf("%s: %v", codec, err)
		}
		memory.Release()
		f.Release()
		if !bytes.Equal(got, value) {
			t.Errorf("%s: value differs", codec)
		}
	}
}

func write(t *testing.T, w io.Writer, p []byte) {
	t.Helper()
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
}

func closeWriter(t *testing.T, w io.Closer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBombs decompress to more than a broker would take.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 1<<20)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	for range maxDecompressed>>20 + 1 {
		write(t, w, zeros)
	}
	closeWriter(t, w)
	// A snappy block that only claims to be large.
	claim := binary.AppendUvarint(nil, maxDecompressed+1)
	for codec, encoded := range map[Compression][]byte{Gzip: zipped.Bytes(), Snappy: claim} {
		f := fetchedOf(rawBatch(int16(codec), 1, encoded))
		if _, _, err := f.ReadBatch(func(*FetchedRecord) { t.Error("visited") }); err == nil {
			t.Errorf("%s: accepted", codec)
		}
		f.Release()
	}
}

func TestBrokenBatches(t *testing.T) {
	records := func(yield func(int, *Record) bool) { yield(0, &Record{Value: []byte("value")}) }
	good, _, err := appendBatch(nil, records, None, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"flipped bit": func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"old format":  func(b []byte) []byte { b[batchMagicAt] = 1; return b },
		"count": func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[batchCountAt:], 1<<31-1)
			binary.BigEndian.PutUint32(b[batchCRCAt:], crc32.Checksum(b[batchAttributesAt:], castagnoli))
			return b
		},
		"no records": func([]byte) []byte { return rawBatch(0, 1, []byte{2, 0}) },
	} {
		t.Run(name, func(t *testing.T) {
			f := fetchedOf(append(change(slices.Clone(good)), good...))
			defer f.Release()
			batch, _, err := f.ReadBatch(func(*FetchedRecord) { t.Error("visited") })
			if err == nil || errors.Is(err, io.EOF) {
				t.Fatalf("got %v, want an error", err)
			}
			if batch.Next != 1 {
				t.Errorf("the broken batch ends at %d, want 1", batch.Next)
			}
			n := 0
			_, memory, err := f.ReadBatch(func(*FetchedRecord) { n++ })
			if err != nil || n != 1 {
				t.Fatalf("the batch behind it: %d records, %v", n, err)
			}
			memory.Release()
		})
	}
	for cut := range len(good) {
		f := fetchedOf(good[:cut])
		if _, _, err := f.ReadBatch(func(*FetchedRecord) { t.Error("visited") }); !errors.Is(err, io.EOF) {
			t.Fatalf("cut at %d: %v, want io.EOF", cut, err)
		}
		f.Release()
	}
}

func TestAbortedTransactions(t *testing.T) {
	const aborter, other = 7, 8
	batch := func(offset int64, producer int64, attributes int16, r *Record) []byte {
		b := rawBatch(attributes, 1, appendRecord(nil, r, 0, 0))
		binary.BigEndian.PutUint64(b, uint64(offset))
		binary.BigEndian.PutUint64(b[batchProducerAt:], uint64(producer))
		binary.BigEndian.PutUint32(b[batchCRCAt:], crc32.Checksum(b[batchAttributesAt:], castagnoli))
		return b
	}
	marker := func(kind byte) *Record { return &Record{Key: []byte{0, 0, 0, kind}, Value: make([]byte, 6)} }
	data := func(text string) *Record { return &Record{Value: []byte(text)} }
	const tx, control = attributeTransactional, attributeTransactional | attributeControl
	raw := slices.Concat(
		batch(0, aborter, tx, data("committed before")),
		batch(1, aborter, control, marker(1)),
		batch(2, aborter, tx, data("aborted")),
		batch(3, other, tx, data("other's")),
		batch(4, -1, 0, data("without a transaction")),
		batch(5, aborter, tx, data("aborted too")),
		batch(6, aborter, control, marker(0)),
		batch(7, aborter, tx, data("committed after")),
	)
	f := fetchedOf(raw)
	defer f.Release()
	f.aborted = []abortedTransaction{{aborter, 2}}
	var got []string
	next := int64(0)
	for {
		b, memory, err := f.ReadBatch(func(r *FetchedRecord) { got = append(got, string(r.Value)) })
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if memory != nil {
			memory.Release()
		}
		if b.Base != next {
			t.Errorf("batch at %d, want %d", b.Base, next)
		}
		next = b.Next
	}
	want := []string{"committed before", "other's", "without a transaction", "committed after"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzReadBatch feeds broken answers: nothing may panic, run for ever or take
// much memory. Checksums are repaired, so that what is behind them is reached.
func FuzzReadBatch(f *testing.F) {
	for _, codec := range []Compression{None, Snappy, LZ4, Zstd} {
		records := func(yield func(int, *Record) bool) {
			for i := range 3 {
				if !yield(i, &Record{Key: []byte("k"), Value: bytes.Repeat([]byte("value"), 100), Headers: []Header{{"h", []byte("v")}}}) {
					return
				}
			}
		}
		raw, _, err := appendBatch(nil, records, codec, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(append(raw, raw...))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) >= batchHeaderSize {
			n := int64(int32(binary.BigEndian.Uint32(raw[batchLengthAt:]))) + batchEpochAt
			if n >= batchHeaderSize && n <= int64(len(raw)) {
				binary.BigEndian.PutUint32(raw[batchCRCAt:], crc32.Checksum(raw[batchAttributesAt:n], castagnoli))
			}
		}
		answer := fetchedOf(raw)
		defer answer.Release()
		for range len(raw) + 1 {
			_, memory, err := answer.ReadBatch(func(r *FetchedRecord) {
				for key, value := range r.Headers {
					_ = fmt.Sprint(len(key), len(value))
				}
			})
			if memory != nil {
				memory.Release()
			}
			if errors.Is(err, io.EOF) {
				return
			}
		}
		t.Fatal("does not end")
	})
}
