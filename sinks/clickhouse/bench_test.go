package clickhouse

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/benchmarks/shop"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// load is a sequence of decoded blocks of the bench's standard loads.
type load struct {
	signal   telemetry.Signal
	requests []shop.Request
	rows     int // events in a block
	next     int
	batch    telemetry.Batch
}

// newLoad is one of the standard loads, which benchmarks are measured with.
func newLoad(signal telemetry.Signal, events, rows int) *load {
	cfg := shop.BenchConfig{Seed: 1, Events: events, PerRequest: min(rows, 1000), Start: siteStart}
	l := &load{signal: signal, rows: rows}
	switch signal {
	case telemetry.Logs:
		l.requests = shop.BenchLogs(cfg)
	case telemetry.Spans:
		l.requests = shop.BenchSpans(cfg)
	case telemetry.Metrics:
		l.requests = shop.BenchSamples(cfg)
	}
	return l
}

// newShopLoad is what the generator's shop sends, with random ids.
func newShopLoad(t *testing.T, signal telemetry.Signal, events, rows int) *load {
	t.Helper()
	cfg := shop.DefaultConfig()
	cfg.Start, cfg.Rate = siteStart, 2000
	s, err := shop.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := &load{signal: signal, rows: rows}
	n := 0
	for until := siteStart.UnixNano(); n < events; until += int64(time.Second) {
		for {
			r, ok := s.Next(until)
			if !ok {
				break
			}
			if r.Signal == signal {
				r.Body = bytes.Clone(r.Body)
				l.requests = append(l.requests, r)
				n += r.Events
			}
		}
	}
	return l
}

// block decodes the next block; false when there is none left.
func (l *load) block() (*telemetry.Batch, bool) {
	if l.next == len(l.requests) {
		return nil, false
	}
	b := &l.batch
	b.Reset()
	from := int64(l.next)
	for events := 0; l.next < len(l.requests) && events+l.requests[l.next].Events <= l.rows; l.next++ {
		r := &l.requests[l.next]
		events += r.Events
		b.Records = append(b.Records, telemetry.Record{
			Offset: int64(l.next), ReceiveTime: r.Time, Tenant: "default", Declared: int64(r.Events), Value: r.Body,
		})
	}
	b.Block = telemetry.Block{Topic: "otlp_" + l.signal.String(), From: from, To: int64(l.next), Signal: l.signal}
	limits := otlp.DefaultLimits()
	otlp.Decode(b, &limits)
	return b, true
}

// cpuOf returns the CPU seconds of a process.
func cpuOf(t testing.TB, pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// settle waits until no merge is running.
func (s *store) settle(t testing.TB) {
	for quiet := 0; quiet < 5; {
		time.Sleep(200 * time.Millisecond)
		if s.number(t, "SELECT count() FROM system.merges") == 0 {
			quiet++
		} else {
			quiet = 0
		}
	}
}

// benchmarkSink writes blocks of a size and reports CPU seconds per million rows
// of this process and of the engine, the latter with its merges.
func benchmarkSink(b *testing.B, signal telemetry.Signal, rows int) {
	e, err := enginetest.New(b.TempDir())
	if err != nil {
		b.Skip("SKIPPED, needs the ClickHouse engine: ", err)
	}
	defer e.Stop()
	s := prepared(b, e)
	sink := s.sink()
	l := newLoad(signal, min(b.N*rows, 2_000_000), rows)
	client, written := 0.0, 0
	before := cpuOf(b, e.Pid())
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		batch, ok := l.block()
		if !ok {
			l.next = 0
			batch, _ = l.block()
		}
		batch.Epoch = uint32(i)
		start := observetest.CPUTime(b).Seconds()
		if err := sink.Write(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		client += observetest.CPUTime(b).Seconds() - start
		written += batch.EventCount()
	}
	b.StopTimer()
	server := cpuOf(b, e.Pid()) - before
	s.settle(b)
	settled := cpuOf(b, e.Pid()) - before
	million := float64(written) / 1e6
	b.ReportMetric(client/million, "client-CPU-s/M")
	b.ReportMetric(server/million, "server-CPU-s/M")
	b.ReportMetric(settled/million, "settled-CPU-s/M")
}

func BenchmarkSink(b *testing.B) {
	for _, signal := range telemetry.Signals {
		for _, rows := range []int{100_000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", signal, rows), func(b *testing.B) { benchmarkSink(b, signal, rows) })
		}
	}
}

// TestDiskSizes stores the generator's data and holds what a row takes on the
// disk, skip indexes included, to what the project promises.
func TestDiskSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: it writes 400,000 rows")
	}
	s := newStore(t)
	sink := s.sink()
	for _, c := range []struct {
		signal telemetry.Signal
		events int
		table  string
		limit  float64
	}{
		// Of fewer rows a larger share are the ends of blocks: 150,000 take 2 bytes more each.
		{telemetry.Logs, 500_000, tables.Logs, 60},
		{telemetry.Spans, 200_000, tables.Spans, 65},
		{telemetry.Metrics, 50_000, tables.Samples, 5},
	} {
		l := newShopLoad(t, c.signal, c.events, 50_000)
		for {
			b, ok := l.block()
			if !ok {
				break
			}
			if err := sink.Write(context.Background(), b); err != nil {
				t.Fatal(err)
			}
		}
		where := " WHERE active AND database = 'goshawk' AND table = '" + c.table + "'"
		s.exec(t, "OPTIMIZE TABLE "+s.dialect.Table(c.table)+" FINAL")
		if want := tables.Get(c.table).Recompress; want != "" {
			codecs := "SELECT arrayStringConcat(groupUniqArray(default_compression_codec), ' ') FROM system.parts" + where
			if got := s.text(t, codecs); got != want {
				t.Errorf("%s: merged parts have the codec %s, want %s", c.table, got, want)
			}
		}
		rows := s.number(t, "SELECT toUInt64(sum(rows)) FROM system.parts"+where)
		size := s.number(t, "SELECT toUInt64(sum(bytes_on_disk)) FROM system.parts"+where)
		perRow := float64(size) / float64(rows)
		t.Logf("%s: %.2f bytes a row (%d rows)\n%s", c.table, perRow, rows, s.text(t, fmt.Sprintf(
			"SELECT concat(column, ' ', toString(round(sum(column_data_compressed_bytes)/%d, 2))) FROM system.parts_columns%s"+
				" GROUP BY column HAVING sum(column_data_compressed_bytes) > %d ORDER BY sum(column_data_compressed_bytes) DESC",
			rows, where, rows/50)))
		if perRow >= c.limit {
			t.Errorf("%s: a row takes %.2f bytes, want below %.0f", c.table, perRow, c.limit)
		}
	}
}
