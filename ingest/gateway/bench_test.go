package gateway

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
)

// acknowledger is a producer that acknowledges at once.
type acknowledger struct{}

func (acknowledger) Partitions(context.Context, string) (int, error)   { return 4, nil }
func (acknowledger) Produce(ctx context.Context, _ []topic.Part) error { return ctx.Err() }

// accessLog is a request of n access-log records of about 485 bytes, spread
// over the given number of hosts.
func accessLog(b *testing.B, n, hosts int) []byte {
	b.Helper()
	random := rand.New(rand.NewPCG(42, 1))
	logs := plog.NewLogs()
	now := time.Now()
	for h := range hosts {
		rl := logs.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutStr("service.name", "web")
		rl.Resource().Attributes().PutStr("service.namespace", "shop")
		rl.Resource().Attributes().PutStr("host.name", fmt.Sprintf("web-%02d.shop.example", h))
		rl.Resource().Attributes().PutStr("deployment.environment.name", "production")
		records := rl.ScopeLogs().AppendEmpty().LogRecords()
		for i := range n / hosts {
			path := fmt.Sprintf("/catalogue/department-%d/article-%06d?ref=home", random.IntN(40), random.IntN(1e6))
			r := records.AppendEmpty()
			r.SetTimestamp(pcommon.NewTimestampFromTime(now.Add(time.Duration(i) * time.Microsecond)))
			r.SetObservedTimestamp(r.Timestamp())
			r.SetSeverityNumber(plog.SeverityNumberInfo)
			r.SetSeverityText("INFO")
			r.Body().SetStr("GET " + path + " HTTP/1.1")
			a := r.Attributes()
			a.PutStr("client.address", fmt.Sprintf("203.0.%d.%d", random.IntN(256), random.IntN(256)))
			a.PutStr("http.request.method", "GET")
			a.PutStr("url.path", path)
			a.PutInt("http.response.status_code", 200)
			a.PutInt("http.response.body.size", int64(random.IntN(100_000)))
			a.PutStr("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
			a.PutStr("http.request.header.referer", "https://shop.example/")
			a.PutStr("network.protocol.version", "1.1")
			var t pcommon.TraceID
			var s pcommon.SpanID
			for i := range t {
				t[i] = byte(random.Uint32())
			}
			copy(s[:], t[8:])
			r.SetTraceID(t)
			r.SetSpanID(s)
		}
	}
	body, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	if err != nil {
		b.Fatal(err)
	}
	return body
}

func startBench(b *testing.B) Addrs {
	b.Helper()
	g, err := New(testConfig(), acknowledger{}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return g.Addrs()
}

// perEvent reports the CPU of sender and gateway together, which run in one
// process.
func perEvent(b *testing.B, events int, before time.Duration) {
	b.ReportMetric(float64(observetest.CPUTime(b)-before)/float64(b.N)/float64(events), "cpu-ns/event")
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(events), "ns/event")
}

// BenchmarkHTTP posts over a loopback connection, from a sender that does as
// little as it can, to a gateway whose producer acknowledges at once.
func BenchmarkHTTP(b *testing.B) {
	for _, c := range []struct{ events, hosts int }{{1000, 1}, {1000, 20}, {100, 1}, {10, 1}} {
		b.Run(fmt.Sprintf("events=%d/hosts=%d", c.events, c.hosts), func(b *testing.B) {
			address := startBench(b).HTTP.String()
			body := accessLog(b, c.events, c.hosts)
			conn, err := net.Dial("tcp", address)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			request := append(fmt.Appendf(nil, "POST /v1/logs HTTP/1.1\r\nHost: gateway\r\nUser-Agent: bench\r\n"+
				"Content-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n", len(body)), body...)
			answer := make([]byte, 4096)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			before := observetest.CPUTime(b)
			for b.Loop() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				n, err := conn.Read(answer)
				if err != nil || !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 200 ")) {
					b.Fatalf("answer %q: %v", answer[:n], err)
				}
			}
			perEvent(b, c.events, before)
		})
	}
}

// BenchmarkGRPC calls with the generated client, which encodes every request.
func BenchmarkGRPC(b *testing.B) {
	for _, events := range []int{1000, 100, 10} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			run := &running{grpc: startBench(b).GRPC.String()}
			client := collogs.NewLogsServiceClient(run.dial(b))
			request := parse(b, new(collogs.ExportLogsServiceRequest), accessLog(b, events, 1))
			b.ReportAllocs()
			before := observetest.CPUTime(b)
			for b.Loop() {
				if _, err := client.Export(b.Context(), request); err != nil {
					b.Fatal(err)
				}
			}
			perEvent(b, events, before)
		})
	}
}

// BenchmarkNetHTTP is the floor under BenchmarkHTTP: a server of the standard
// library that reads the same requests and throws them away.
func BenchmarkNetHTTP(b *testing.B) {
	for _, events := range []int{1000, 10} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			body := accessLog(b, events, 1)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			buffer := make([]byte, len(body))
			server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.ReadFull(r.Body, buffer)
			})}
			go func() { _ = server.Serve(l) }()
			defer server.Close()
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			request := append(fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n", len(body)), body...)
			before := observetest.CPUTime(b)
			for b.Loop() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				for line := ""; strings.TrimSpace(line) != "" || line == ""; {
					if line, err = r.ReadString('\n'); err != nil {
						b.Fatal(err)
					}
				}
			}
			perEvent(b, events, before)
		})
	}
}
