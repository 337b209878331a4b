package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/goshawk-observability/goshawk/telemetry"
)

type flusher interface {
	Write([]byte) (int, error)
	Close() error
}

// written returns what a compressor makes of a body, written in small pieces so
// that it cannot know the length beforehand.
func written(t testing.TB, body []byte, make func(*bytes.Buffer) (flusher, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := make(&b)
	if err != nil {
		t.Fatal(err)
	}
	for rest := body; len(rest) > 0; {
		n := min(len(rest), 10_000)
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// compressions are all the ways in which senders compress, by what they
// declare: the header's value is what is before the space.
func compressions(t testing.TB, body []byte) map[string][]byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return map[string][]byte{
		"identity": body,
		"gzip":     written(t, body, func(b *bytes.Buffer) (flusher, error) { return gzip.NewWriter(b), nil }),
		"gzip two members": append(
			written(t, body[:len(body)/2], func(b *bytes.Buffer) (flusher, error) { return gzip.NewWriter(b), nil }),
			written(t, body[len(body)/2:], func(b *bytes.Buffer) (flusher, error) { return gzip.NewWriter(b), nil })...),
		"x-gzip":       written(t, body, func(b *bytes.Buffer) (flusher, error) { return gzip.NewWriterLevel(b, 1) }),
		"deflate zlib": written(t, body, func(b *bytes.Buffer) (flusher, error) { return zlib.NewWriter(b), nil }),
		"deflate raw":  written(t, body, func(b *bytes.Buffer) (flusher, error) { return flate.NewWriter(b, 5) }),
		"zstd known":   z.EncodeAll(body, nil),
		"zstd stream":  written(t, body, func(b *bytes.Buffer) (flusher, error) { return zstd.NewWriter(b) }),
		"zstd two frames": append(z.EncodeAll(body[:len(body)/2], nil),
			z.EncodeAll(body[len(body)/2:], nil)...),
		"snappy block":  snappy.Encode(nil, body),
		"snappy framed": written(t, body, func(b *bytes.Buffer) (flusher, error) { return snappy.NewBufferedWriter(b), nil }),
	}
}

func header(name string) string {
	for i := range name {
		if name[i] == ' ' {
			return name[:i]
		}
	}
	return name
}

func TestHTTPTakesEveryEncoding(t *testing.T) {
	g := start(t, nil)
	for _, n := range []int{1, 20, 3000} {
		protobuf, asJSON := exportRequest(t, telemetry.Logs, n)
		for contentType, body := range map[string][]byte{contentProtobuf: protobuf, contentJSON: asJSON} {
			for name, compressed := range compressions(t, body) {
				t.Run(fmt.Sprintf("%d %s %s", n, contentType, name), func(t *testing.T) {
					a := g.send(t, request{path: "/v1/logs", contentType: contentType, encoding: header(name), body: bytes.NewReader(compressed)})
					if a.status != 200 {
						t.Fatalf("status %d: %s", a.status, a.body)
					}
					if got := events(g.recorder.Take()); got != int64(n) {
						t.Errorf("%d events were produced, want %d", got, n)
					}
				})
			}
		}
	}
	if n := g.memoryInUse(); n != 0 {
		t.Errorf("%d bytes are still reserved", n)
	}
}

// TestDecodeIsTheInverse covers sizes around those at which buffers grow.
func TestDecodeIsTheInverse(t *testing.T) {
	m := newMemory(64 << 20)
	d, err := newDecoders(m, 2<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{2, 4095, 4097, firstRead - 1, firstRead, firstRead + 1, 8 * firstRead, 8*firstRead + 1, 1 << 20, 2 << 20} {
		for _, kind := range []string{"zeros", "random"} {
			body := make([]byte, n)
			if kind == "random" {
				for i := range body {
					body[i] = byte(random.Uint32())
				}
			}
			for name, compressed := range compressions(t, body) {
				enc, ok := encodingNamed(header(name))
				if !ok {
					t.Fatalf("encoding %q is not known", header(name))
				}
				if enc == identity {
					continue
				}
				out, err := d.decode(enc, compressed)
				if err != nil {
					t.Errorf("%s, %d %s: %v", name, n, kind, err)
					continue
				}
				if !bytes.Equal(out.bytes, body) {
					t.Errorf("%s, %d %s: the result differs", name, n, kind)
				}
				out.release()
			}
		}
	}
	// One byte beyond the limit is too much for every encoding.
	for name, compressed := range compressions(t, make([]byte, 2<<20+1)) {
		enc, _ := encodingNamed(header(name))
		if enc == identity {
			continue
		}
		_, err := d.decode(enc, compressed)
		var r *refusal
		if !errors.As(err, &r) || r.outcome != tooLarge {
			t.Errorf("%s: one byte too many ends with %v", name, err)
		}
	}
	d.trim()
	d.trim()
	if n := m.used.Load(); n != 0 {
		t.Errorf("%d bytes are still reserved", n)
	}
}

func TestTruncatedCompressionIsMalformed(t *testing.T) {
	m := newMemory(64 << 20)
	d, err := newDecoders(m, 2<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	body, _ := exportRequest(t, telemetry.Logs, 200)
	for name, compressed := range compressions(t, body) {
		enc, _ := encodingNamed(header(name))
		if enc == identity {
			continue
		}
		for _, n := range []int{0, 1, 3, 9, len(compressed) / 2, len(compressed) - 1} {
			out, err := d.decode(enc, compressed[:n])
			if err == nil {
				// A cut between two members or blocks cannot be seen.
				if len(out.bytes) >= len(body) {
					t.Errorf("%s: %d of %d bytes decode to everything", name, n, len(compressed))
				}
				out.release()
				continue
			}
			var r *refusal
			if !errors.As(err, &r) || r.outcome != malformed {
				t.Errorf("%s cut to %d bytes: %v", name, n, err)
			}
		}
	}
	d.trim()
	d.trim()
	if n := m.used.Load(); n != 0 {
		t.Errorf("%d bytes are still reserved", n)
	}
}

// FuzzDecode feeds any bytes to every decoder: nothing panics, nothing exceeds
// the limit and all memory comes back.
func FuzzDecode(f *testing.F) {
	for name, compressed := range compressions(f, bytes.Repeat([]byte("telemetry "), 100)) {
		enc, _ := encodingNamed(header(name))
		f.Add(byte(enc), compressed)
	}
	f.Add(byte(snapped), s2.EncodeBest(nil, make([]byte, 10_000)))
	m := newMemory(8 << 20)
	const limit = 1 << 20
	d, err := newDecoders(m, limit)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(d.close)
	f.Fuzz(func(t *testing.T, e byte, src []byte) {
		enc := encoding(e)%snapped + 1
		out, err := d.decode(enc, src)
		if err == nil {
			if len(out.bytes) > limit {
				t.Errorf("%d bytes exceed the limit", len(out.bytes))
			}
			out.release()
		} else if r := new(refusal); !errors.As(err, &r) {
			t.Errorf("the error is no refusal: %v", err)
		}
		d.trim()
		d.trim()
		if n := m.used.Load(); n != 0 {
			t.Errorf("%d bytes are still reserved", n)
		}
	})
}
