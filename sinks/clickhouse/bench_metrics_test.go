package clickhouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/goshawk-observability/goshawk/benchmarks/shop"
	"github.com/goshawk-observability/goshawk/ingest/remotewrite"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// newScrapeLoad is what the gateway makes of remote-write 2.0: 20,000 series of
// 8 labels, 200 an instance, one sample of each every second, in requests of
// 2,000 samples. Handler is the label of that name of the nth sample.
func newScrapeLoad(b *testing.B, scrapes, rows int, handler func(n int) string) *load {
	const series, perRequest, perInstance = 20_000, 2_000, 200
	limits := otlp.DefaultLimits()
	split := remotewrite.Routes(remotewrite.DefaultConfig())[0].Formats[1].NewSplitter(limits, func(int64) error { return nil })
	random := rand.New(rand.NewPCG(1, 2))
	l := &load{signal: telemetry.Metrics, rows: rows}
	for n := 0; n < scrapes*series; n += perRequest {
		at := siteStart.Add(time.Duration(n/series) * time.Second)
		symbols, request := writev2.NewSymbolTable(), &writev2.Request{}
		for i := n % series; i < n%series+perRequest; i++ {
			number := n - n%series + i
			ts := writev2.TimeSeries{Metadata: writev2.Metadata{
				Type: writev2.Metadata_METRIC_TYPE_COUNTER, HelpRef: symbols.Symbolize("How long requests took."), UnitRef: symbols.Symbolize("seconds"),
			}}
			instance := i / perInstance
			for _, label := range [...]string{
				"__name__", fmt.Sprintf("http_request_duration_seconds_metric_%02d", i%perInstance/10),
				"cluster", "eu-west-1", "code", "200", "handler", handler(number),
				"instance", fmt.Sprintf("10.0.%d.%d:9100", instance/250, instance%250), "job", "node", "method", "GET", "namespace", "production",
			} {
				ts.LabelsRefs = append(ts.LabelsRefs, symbols.Symbolize(label))
			}
			ts.Samples = []writev2.Sample{{Value: random.Float64() * 1e6, Timestamp: at.UnixMilli() + int64(i%3)}}
			request.Timeseries = append(request.Timeseries, ts)
		}
		request.Symbols = symbols.Symbols()
		body, err := request.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		if err := split.Split(telemetry.Metrics, body, 1, at.UnixNano()); err != nil {
			b.Fatal(err)
		}
		for _, p := range split.Parts() {
			l.requests = append(l.requests, shop.Request{
				Signal: telemetry.Metrics, Events: int(p.Events), Time: at.UnixNano(), Body: append([]byte(nil), p.Value...),
			})
		}
		split.Reset()
	}
	return l
}

// BenchmarkMetrics reports CPU seconds per million samples of what the
// processor does with remote-write: decode the records, make the columns, and
// all of a write, with what the engine takes for it.
func BenchmarkMetrics(b *testing.B) {
	const rows, scrapes = 60_000, 60
	few := func(n int) string { return fmt.Sprintf("/api/v1/handler/%d", n%10) }
	each := func(b *testing.B, handler func(int) string, f func(*telemetry.Batch)) {
		l := newScrapeLoad(b, scrapes, rows, handler)
		block := func(i int) *telemetry.Batch {
			batch, ok := l.block()
			if !ok {
				l.next = 0
				batch, _ = l.block()
			}
			batch.Epoch = uint32(i)
			return batch
		}
		f(block(b.N)) // every series is known from here on
		var decoded, done float64
		events := 0
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			start := observetest.CPUTime(b).Seconds()
			batch := block(i)
			decoded += observetest.CPUTime(b).Seconds() - start
			n := batch.EventCount()
			start = observetest.CPUTime(b).Seconds()
			f(batch)
			done += observetest.CPUTime(b).Seconds() - start
			events += n
		}
		b.StopTimer()
		b.ReportMetric(decoded/float64(events)*1e6, "decode-CPU-s/M")
		b.ReportMetric(done/float64(events)*1e6, "sink-CPU-s/M")
	}
	b.Run("encode", func(b *testing.B) {
		s := &store{}
		sink := s.sink()
		var buffer proto.Buffer
		each(b, few, func(batch *telemetry.Batch) {
			if err := sink.encode(batch, &buffer); err != nil {
				b.Fatal(err)
			}
		})
	})
	for name, c := range map[string]struct {
		cfg     Config
		handler func(n int) string
	}{
		"write": {DefaultConfig(), few},
		// A tenant at its limit sends nothing but new series.
		"flood": {limited(1_000_000, map[string]int{"default": 1000}), func(n int) string { return fmt.Sprint("/api/v1/user/", n) }},
	} {
		b.Run(name, func(b *testing.B) {
			e, err := enginetest.New(b.TempDir())
			if err != nil {
				b.Skip("SKIPPED, needs the ClickHouse engine: ", err)
			}
			defer e.Stop()
			s := prepared(b, e)
			sink := s.limitedSink(c.cfg)
			before, events := 0.0, 0
			each(b, c.handler, func(batch *telemetry.Batch) {
				if before == 0 {
					before = cpuOf(b, e.Pid())
				}
				events += batch.EventCount()
				if err := sink.Write(context.Background(), batch); err != nil {
					b.Fatal(err)
				}
			})
			s.settle(b)
			b.ReportMetric((cpuOf(b, e.Pid())-before)/float64(events)*1e6, "server-CPU-s/M")
		})
	}
}

// encode makes the columns of all inserts of a batch without sending them.
func (s *Sink) encode(b *telemetry.Batch, buffer *proto.Buffer) error {
	s.shared.prepare(b)
	s.see(b)
	for _, prepared := range []*block{s.samples.prepare(b.Numbers), s.series.prepare(&s.shared), s.ledger.prepare(s, b)} {
		if prepared.rows == 0 {
			continue
		}
		for _, t := range prepared.cut() {
			buffer.Reset()
			if err := t.Block().Encode(buffer, 0); err != nil {
				return err
			}
		}
	}
	s.series.learn()
	s.release()
	return nil
}
