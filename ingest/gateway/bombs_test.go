package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// watchHeap reports the most that the live heap grew while f ran. The collector
// runs all along, so that what is garbage does not count.
func watchHeap(f func()) (growth int64) {
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			runtime.GC()
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			peak.Store(max(peak.Load(), now.HeapAlloc))
			time.Sleep(2 * time.Millisecond)
		}
	}()
	f()
	close(stop)
	<-stopped
	return int64(peak.Load()) - int64(before.HeapAlloc)
}

// bombs are small bodies that claim to be large ones.
func bombs(t testing.TB) map[string]request {
	t.Helper()
	const size = 256 << 20
	compress := func(w io.WriteCloser, b *bytes.Buffer, n int64) []byte {
		t.Helper()
		if _, err := io.Copy(w, io.LimitReader(zeros{}, n)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var g, z, d bytes.Buffer
	gz := compress(gzip.NewWriter(&g), &g, size/4)
	zl := compress(zlib.NewWriter(&d), &d, size/4)
	zw, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	zs := compress(zw, &z, size)

	// A zstd frame that asks for a window of 2 GiB and holds one byte.
	window := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 1 | 1<<3, 0, 0, 'x'}
	// A frame of repeated bytes, 128 KiB from four, that says how long it is.
	repeated := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x80}
	repeated = append(repeated, 0x58) // window of 2 MiB
	repeated = binary.LittleEndian.AppendUint32(repeated, 160*maxZstdBlock)
	for i := range 160 {
		header := uint32(maxZstdBlock<<3 | 1<<1)
		if i == 159 {
			header |= 1
		}
		repeated = append(repeated, byte(header), byte(header>>8), byte(header>>16), 0)
	}
	// A snappy block of a few bytes that declares 4 GiB, and one that declares
	// just what is allowed.
	snappy4G := append(binary.AppendUvarint(nil, 1<<32-1), 0, 'x')
	snappy20M := append(binary.AppendUvarint(nil, 20<<20), 0, 'x')

	proto := func(encoding string, body []byte) request {
		return request{path: "/v1/logs", contentType: contentProtobuf, encoding: encoding, body: bytes.NewReader(body)}
	}
	asJSON := func(body string) request {
		return request{path: "/v1/logs", contentType: contentJSON, body: strings.NewReader(body)}
	}
	var deep bytes.Buffer
	deepGzip := gzip.NewWriter(&deep)
	_, _ = io.WriteString(deepGzip, strings.Repeat("[", 10<<20))
	_ = deepGzip.Close()
	return map[string]request{
		"gzip 1000:1":                   proto("gzip", gz),
		"deflate 1000:1":                proto("deflate", zl),
		"zstd of 256 MiB":               proto("zstd", zs),
		"zstd window of 2 GiB":          proto("zstd", window),
		"zstd 20 MiB of repeated bytes": proto("zstd", repeated),
		"snappy declaring 4 GiB":        proto("snappy", snappy4G),
		"snappy declaring 20 MiB":       proto("snappy", snappy20M),
		"s2 of 64 MiB":                  proto("snappy", s2.Encode(nil, make([]byte, 64<<20))),
		"JSON nested 1,000,000 deep":    asJSON(`{"resourceLogs":` + strings.Repeat("[", 1_000_000)),
		"JSON nested, in gzip":          {path: "/v1/logs", contentType: contentJSON, encoding: "gzip", body: bytes.NewReader(deep.Bytes())},
		"JSON of many objects":          asJSON(`{"resourceLogs":[` + strings.Repeat("{},", 300_000) + `{}]}`),
		"protobuf groups":               proto("", bytes.Repeat([]byte{0x0b}, 1<<20)),
		"protobuf nested messages":      proto("", nestedProtobuf(5000)),
		"protobuf of empty messages":    proto("", bytes.Repeat([]byte{0x0a, 0x00}, 1<<20)),
	}
}

// nestedProtobuf is a request whose field 1 holds a field 1 and so on.
func nestedProtobuf(levels int) []byte {
	var b []byte
	for range levels {
		length := binary.AppendUvarint(nil, uint64(len(b)))
		b = append(append([]byte{0x0a}, length...), b...)
	}
	return b
}

// TestBombsAreRefusedInLittleMemory sends many of each bomb at once.
func TestBombsAreRefusedInLittleMemory(t *testing.T) {
	// Two buffers of requests beside what counts as in flight: what is being
	// read and what net/http and the test's own client hold.
	const allowed = 64<<20 + 32<<20
	g := start(t, nil)
	for name, bomb := range bombs(t) {
		t.Run(name, func(t *testing.T) {
			body, err := io.ReadAll(bomb.body)
			if err != nil {
				t.Fatal(err)
			}
			transport := &http.Transport{MaxConnsPerHost: inParallel, DisableCompression: true}
			defer transport.CloseIdleConnections()
			var statuses sync.Map
			growth := watchHeap(func() {
				var all sync.WaitGroup
				for range inParallel {
					all.Go(func() {
						req, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, g.url+bomb.path, bytes.NewReader(body))
						req.Header.Set("Content-Type", bomb.contentType)
						if bomb.encoding != "" {
							req.Header.Set("Content-Encoding", bomb.encoding)
						}
						res, err := transport.RoundTrip(req)
						if err != nil {
							statuses.Store(err.Error(), true)
							return
						}
						_, _ = io.Copy(io.Discard, res.Body)
						res.Body.Close()
						statuses.Store(res.StatusCode, true)
					})
				}
				all.Wait()
			})
			if growth > allowed {
				t.Errorf("the heap grew by %d MiB", growth>>20)
			}
			statuses.Range(func(status, _ any) bool {
				switch {
				case status == 400 || status == 413 || status == 429:
				case status == 200 && (strings.Contains(name, "empty messages") || strings.Contains(name, "objects") ||
					strings.Contains(name, "repeated") || strings.Contains(name, "nested messages")):
					// Valid requests without events.
				default:
					t.Errorf("an answer is %v", status)
				}
				return true
			})
			waitFor(t, "memory to be free", func() bool { return g.memoryInUse() == 0 })
		})
	}
	if n := len(g.recorder.Take()); n != 0 {
		t.Errorf("bombs produced %d parts", n)
	}
	body, _ := exportRequest(t, telemetry.Logs, 1)
	if a := g.send(t, request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(body)}); a.status != 200 {
		t.Errorf("status is %d after the bombs", a.status)
	}
}

// TestLargeBodyIsRefusedUnread declares 100 MB and sends as much as it can.
func TestLargeBodyIsRefusedUnread(t *testing.T) {
	g := start(t, nil)
	for name, body := range map[string]io.Reader{
		"declared":     bytes.NewReader(make([]byte, 100_000_000)),
		"not declared": io.LimitReader(zeros{}, 100_000_000),
	} {
		var status int
		growth := watchHeap(func() {
			a, err := g.trySend(t.Context(), request{path: "/v1/logs", contentType: contentProtobuf, body: body})
			if err != nil {
				t.Logf("%s: the connection ended before the answer was read: %v", name, err)
			}
			status = a.status
		})
		if status != 413 && status != 0 {
			t.Errorf("%s: status is %d, want 413", name, status)
		}
		if growth > 64<<20 {
			t.Errorf("%s: the heap grew by %d MiB", name, growth>>20)
		}
	}
	waitFor(t, "the refusals to be counted", func() bool {
		return g.counter(t, "goshawk_gateway_requests_total", "http", "logs", "413") == 2
	})
}

// TestGRPCBombs sends compressed bombs and large messages over gRPC.
func TestGRPCBombs(t *testing.T) {
	g := start(t, nil)
	for name, bomb := range bombs(t) {
		if bomb.contentType != contentProtobuf || bomb.encoding == "deflate" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			body, err := io.ReadAll(bomb.body)
			if err != nil {
				t.Fatal(err)
			}
			header := http.Header{}
			message := framed(0, body)
			if bomb.encoding != "" {
				header.Set("Grpc-Encoding", bomb.encoding)
				message[0] = 1
			}
			growth := watchHeap(func() {
				var all sync.WaitGroup
				for range inParallel / 3 {
					all.Go(func() {
						code, text := g.rawCall(t, exportLogsMethod, header, bytes.NewReader(message))
						if code != "3" && code != "8" && code != "0" {
							t.Errorf("status is %s %s", code, text)
						}
					})
				}
				all.Wait()
			})
			if growth > 64<<20+64<<20 { // the clients of this test hold memory, too
				t.Errorf("the heap grew by %d MiB", growth>>20)
			}
			waitFor(t, "memory to be free", func() bool { return g.memoryInUse() == 0 })
		})
	}
}
