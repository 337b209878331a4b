package promql

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/goshawk-observability/goshawk/ingest/remotewrite"
	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	sink "github.com/goshawk-observability/goshawk/sinks/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/clickhouse/migrations"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) { enginetest.MainTidy(m) }

// fixture is an engine with goshawk's tables, the sink that fills them and the
// storage that reads them.
type fixture struct {
	engine  *enginetest.Engine
	conn    driver.Conn
	columns *clickhouse.Columns
	sink    *sink.Sink
	store   *Store
	offset  int64
}

func newFixture(t testing.TB, change func(*Config)) *fixture {
	t.Helper()
	e := enginetest.Start(t)
	conn, columns := clickhousetest.Open(t, e), clickhousetest.OpenColumns(t, e)
	dialect := tables.Dialect{Database: e.Database}
	m, err := migrations.New(conn, dialect)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
	sinkConfig := sink.DefaultConfig()
	sinkConfig.Retention.Metrics = 20_000 // days: the data of tests is from long ago
	own := DefaultConfig()
	own.SeriesCache = time.Hour
	if change != nil {
		change(&own)
	}
	return &fixture{
		engine: e, conn: conn, columns: columns, store: NewStore(own, columns, e.Database),
		sink: sink.New(conn, dialect, sinkConfig, slog.New(slog.DiscardHandler), sink.NewMetrics(prom.NewRegistry())),
	}
}

// write stores an OTLP request of metrics as a record of Kafka would be.
func (f *fixture) write(tenant string, value []byte) error {
	f.offset++
	b := &telemetry.Batch{Block: telemetry.Block{
		Topic: "otlp_metrics", From: f.offset, To: f.offset + 1, Signal: telemetry.Metrics,
	}}
	b.Records = append(b.Records, telemetry.Record{Offset: f.offset, Tenant: tenant, Value: value, Declared: -1})
	otlp.Decode(b, wide())
	if len(b.Rejects) > 0 {
		return fmt.Errorf("rejected: %s", b.Rejects[0].Reason)
	}
	if err := f.sink.Write(context.Background(), b); err != nil {
		return err
	}
	known := f.store.known
	known.mu.Lock()
	defer known.mu.Unlock()
	clear(known.entries) // what is new shows at once
	known.held = 0
	return nil
}

// wide are limits that let data of any age in.
func wide() *otlp.Limits {
	limits := otlp.DefaultLimits()
	limits.MaxAge, limits.MaxFuture = 100*365*24*time.Hour, 100*365*24*time.Hour
	return &limits
}

// shift is added to the times of a remote: the data of promqltest begins at 0,
// which is no time to OTLP. It is a whole number of days.
const shift = 10_000 * 24 * time.Hour / time.Millisecond

// remote is goshawk as a storage of Prometheus: what is appended is sent by
// remote-write, translated as the gateway does it, decoded and written as the
// pipeline does it, and read from ClickHouse. Every remote is a tenant.
type remote struct {
	*fixture
	tenant string
	// answers are of the selections since the last write: promqltest evaluates each
	// query a dozen times, at other times but over the same data.
	answers map[string]*answered
}

var tenants atomic.Int64

func (f *fixture) remote() *remote {
	return &remote{fixture: f, tenant: fmt.Sprintf("tenant-%d", tenants.Add(1)), answers: map[string]*answered{}}
}

var _ storage.Storage = (*remote)(nil)

func (r *remote) AppenderV2(context.Context) storage.AppenderV2 {
	return &appender{remote: r, symbols: writev2.NewSymbolTable(), at: map[uint64]int{}}
}

func (r *remote) Appender(context.Context) storage.Appender { panic("not used") }

func (r *remote) ChunkQuerier(int64, int64) (storage.ChunkQuerier, error) { panic("not used") }
func (r *remote) StartTime() (int64, error)                               { return 0, nil }

// Close empties the tables: queries are the slower the more parts there are, and
// a script begins anew hundreds of times.
func (r *remote) Close() error {
	clear(r.answers)
	for _, table := range []string{tables.Samples, tables.Series, tables.Histograms, tables.ExponentialHistograms, tables.Exemplars} {
		if err := r.conn.Exec(context.Background(), "TRUNCATE TABLE "+r.store.table(table)); err != nil {
			return err
		}
	}
	return nil
}

func (r *remote) Querier(mint, maxt int64) (storage.Querier, error) {
	q, err := r.store.Querier(mint+int64(shift), maxt+int64(shift))
	return &shiftedQuerier{Querier: q, remote: r, asked: fmt.Sprint(mint, maxt)}, err
}

// appender gathers a request of remote-write 2.0.
type appender struct {
	remote  *remote
	symbols writev2.SymbolsTable
	request writev2.Request
	at      map[uint64]int // series of the request by hash
}

func (a *appender) Append(_ storage.SeriesRef, l labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, o storage.AppendV2Options) (storage.SeriesRef, error) {
	hash := l.Hash()
	i, ok := a.at[hash]
	if !ok {
		i = len(a.request.Timeseries)
		a.at[hash] = i
		a.request.Timeseries = append(a.request.Timeseries, writev2.TimeSeries{LabelsRefs: a.symbols.SymbolizeLabels(l, nil)})
	}
	ts := &a.request.Timeseries[i]
	if st != 0 {
		st += int64(shift)
	}
	t += int64(shift)
	switch {
	case h != nil:
		ts.Histograms = append(ts.Histograms, writev2.FromIntHistogram(st, t, h))
	case fh != nil:
		ts.Histograms = append(ts.Histograms, writev2.FromFloatHistogram(st, t, fh))
	default:
		ts.Samples = append(ts.Samples, writev2.Sample{Timestamp: t, Value: v, StartTimestamp: st})
	}
	for _, e := range o.Exemplars {
		a.exemplar(ts, e)
	}
	return storage.SeriesRef(i + 1), nil
}

func (a *appender) exemplar(ts *writev2.TimeSeries, e exemplar.Exemplar) {
	ts.Exemplars = append(ts.Exemplars, writev2.Exemplar{
		LabelsRefs: a.symbols.SymbolizeLabels(e.Labels, nil), Value: e.Value, Timestamp: e.Ts + int64(shift),
	})
}

func (a *appender) Rollback() error { return nil }

func (a *appender) Commit() error {
	if len(a.request.Timeseries) == 0 {
		return nil
	}
	clear(a.remote.answers)
	a.request.Symbols = a.symbols.Symbols()
	body, err := a.request.Marshal()
	if err != nil {
		return err
	}
	formats := remotewrite.Routes(remotewrite.DefaultConfig())[0].Formats
	s := formats[1].NewSplitter(*wide(), func(int64) error { return nil })
	defer s.Reset()
	if err := s.Split(telemetry.Metrics, body, 1, time.Now().UnixNano()); err != nil {
		return err
	}
	if s.Message() != "" {
		return fmt.Errorf("refused: %s", s.Message())
	}
	for _, p := range s.Parts() {
		if err := a.remote.write(a.remote.tenant, append([]byte(nil), p.Value...)); err != nil {
			return err
		}
	}
	return nil
}

// shiftedQuerier takes back what a remote adds to times.
type shiftedQuerier struct {
	storage.Querier
	remote *remote
	asked  string // the range of time
}

func (q *shiftedQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	key := fmt.Sprint(q.asked, sorted, matchers)
	if hints != nil {
		key += fmt.Sprintf("%+v", *hints)
		moved := *hints
		moved.Start += int64(shift)
		moved.End += int64(shift)
		hints = &moved
	}
	answer := q.remote.answers[key]
	if answer == nil {
		answer = drained(q.Querier.Select(WithTenant(ctx, q.remote.tenant), sorted, hints, matchers...))
		q.remote.answers[key] = answer
	}
	return &shiftedSet{answered: answer}
}

// answered is a selection whose samples are held.
type answered struct {
	series []storage.Series
	err    error
}

func drained(set storage.SeriesSet) *answered {
	a := &answered{}
	for a.err == nil && set.Next() {
		one := set.At()
		it := one.Iterator(nil)
		for it.Next() != chunkenc.ValNone { // samples may be read as late as this
		}
		a.series, a.err = append(a.series, one), it.Err()
	}
	if a.err == nil {
		a.err = set.Err()
	}
	return a
}

type shiftedSet struct {
	*answered
	next int
}

func (s *shiftedSet) Next() bool {
	s.next++
	return s.err == nil && s.next <= len(s.series)
}

func (s *shiftedSet) Err() error                        { return s.err }
func (s *shiftedSet) Warnings() annotations.Annotations { return nil }

func (s *shiftedSet) At() storage.Series { return &shiftedSeries{s.series[s.next-1]} }

type shiftedSeries struct{ storage.Series }

func (s *shiftedSeries) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	if own, ok := it.(*shiftedIterator); ok {
		own.Iterator = s.Series.Iterator(own.Iterator)
		return own
	}
	return &shiftedIterator{s.Series.Iterator(nil)}
}

type shiftedIterator struct{ chunkenc.Iterator }

func (it *shiftedIterator) Seek(t millisecond) chunkenc.ValueType {
	return it.Iterator.Seek(t + int64(shift))
}
func (it *shiftedIterator) AtT() int64 { return it.Iterator.AtT() - int64(shift) }

func (it *shiftedIterator) AtST() int64 {
	if st := it.Iterator.AtST(); st != 0 {
		return st - int64(shift)
	}
	return 0
}

func (it *shiftedIterator) At() (int64, float64) {
	t, v := it.Iterator.At()
	return t - int64(shift), v
}

func (it *shiftedIterator) AtFloatHistogram(h *histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	t, h := it.Iterator.AtFloatHistogram(h)
	return t - int64(shift), h
}
