package sampling

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/query/ledger"
	"github.com/goshawk-observability/goshawk/sinks/clickhouse/migrations"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

const (
	topic = "otlp_spans"
	// today is a day that is over for long enough, at the time of the job.
	today    = int64(20_000)
	dayNanos = int64(86400e9)
)

// fixture is an engine with goshawk's tables and a job.
type fixture struct {
	*enginetest.Engine
	conn    clickhouse.Conn
	columns *clickhouse.Columns
	dialect tables.Dialect
	job     *Job
	next    [2]uint64 // offset of the next block of each partition
	ids     uint64    // of spans
	hours   float64   // after the end of today
	blocks  int       // that store makes of a partition
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	e := enginetest.Start(t)
	f := &fixture{
		Engine: e, conn: clickhousetest.Open(t, e), columns: clickhousetest.OpenColumns(t, e), dialect: tables.Dialect{Database: e.Database}, hours: 7, blocks: 4,
	}
	m, err := migrations.New(f.conn, f.dialect)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Enabled = true
	f.job = f.newJob(cfg)
	return f
}

// empty takes all rows away.
func (f *fixture) empty(t testing.TB) {
	t.Helper()
	for _, table := range []string{tables.Spans, tables.Traces, tables.Ledger, tables.Sampling, tables.SamplingBlocks, tables.SamplingTraces} {
		if err := f.conn.Exec(context.Background(), "TRUNCATE TABLE "+f.dialect.Table(table)); err != nil {
			t.Fatal(err)
		}
	}
	f.next, f.ids = [2]uint64{}, 0
}

func (f *fixture) newJob(cfg Config) *Job {
	j := New(cfg, f.conn, f.columns, f.dialect, topic, func(string) int { return 3000 }, slog.New(slog.DiscardHandler), NewMetrics(prometheus.NewRegistry()))
	j.now = func() time.Time {
		return time.Unix((today+1)*86400, 0).Add(time.Duration(f.hours * float64(time.Hour)))
	}
	return j
}

// trace is a trace of spans that follow each other.
type trace struct {
	id            [16]byte
	service, name string // empty where there is no root
	failed        bool
	unassembled   bool
	spans         []span
}

type span struct {
	id          uint64
	start, took int64 // nanoseconds
}

func (tr *trace) began() int64 { return tr.spans[0].start }

func (tr *trace) duration() int64 {
	last := int64(0)
	for _, s := range tr.spans {
		last = max(last, s.start+s.took)
	}
	return last - tr.began()
}

func (tr *trace) day() int64 { return tr.began() / dayNanos }

func (tr *trace) random() uint64 { return binary.BigEndian.Uint64(tr.id[8:]) & (1<<56 - 1) }

// generate makes traces that begin on a day: of operations of different speed,
// some that fail, some without a root, some that were not assembled, and some
// that go on after midnight.
func (f *fixture) generate(r *rand.Rand, day int64, n int) []*trace {
	var all []*trace
	for i := range n {
		tr := &trace{service: fmt.Sprintf("it's service %d", i%3), name: fmt.Sprintf("GET /%d?", i%5), failed: r.IntN(50) == 0, unassembled: r.IntN(60) == 0}
		binary.BigEndian.PutUint64(tr.id[:], r.Uint64())
		binary.BigEndian.PutUint64(tr.id[8:], r.Uint64())
		if r.IntN(40) == 0 {
			tr.service, tr.name = "", ""
		}
		at := day*dayNanos + r.Int64N(dayNanos-1e9)
		if r.IntN(30) == 0 {
			at = (day+1)*dayNanos - 1 - r.Int64N(1e9)
		}
		for range 2 + r.IntN(3) {
			f.ids++
			took := r.Int64N(int64(i%5+1)*2e8) + 1e6
			tr.spans = append(tr.spans, span{f.ids, at, took})
			at += took
		}
		all = append(all, tr)
	}
	return all
}

// store writes traces as blocks of both partitions, and a row about each in the
// table traces with what of it is new.
func (f *fixture) store(t testing.TB, tenant string, traces []*trace) {
	t.Helper()
	var parts [2][]*trace
	for _, tr := range traces {
		parts[tr.id[0]%2] = append(parts[tr.id[0]%2], tr)
	}
	for partition, part := range parts {
		for block := range slices.Chunk(part, len(part)/f.blocks+1) {
			f.block(t, tenant, uint32(partition), block)
		}
	}
}

func (f *fixture) block(t testing.TB, tenant string, partition uint32, traces []*trace) {
	t.Helper()
	offset := f.next[partition]
	f.next[partition] += 10
	stored, first, last := uint64(0), int64(math.MaxInt64), int64(0)
	at := func(ns int64) time.Time { return time.Unix(0, ns).UTC() }
	f.insert(t, "INSERT INTO "+f.dialect.Table(tables.Spans)+" (tenant, bucket, service, time, duration_ns, name, status, trace_id, span_id, parent_span_id, attributes, retention_days, kafka_partition, kafka_offset)", func(add func(...any)) {
		for _, tr := range traces {
			for i, s := range tr.spans {
				status, parent := "ok", make([]byte, 8)
				if tr.failed && i == len(tr.spans)-1 {
					status = "error"
				}
				if i > 0 || tr.name == "" {
					parent[0] = 1
				}
				add(tenant, at(s.start).Truncate(30*time.Minute), "service", at(s.start), s.took, "name", status, string(tr.id[:]), string(binary.BigEndian.AppendUint64(nil, s.id)), string(parent),
					map[string]string{"http.route": fmt.Sprint(s.id)}, uint16(3000), partition, offset)
				stored, first, last = stored+1, min(first, s.start), max(last, s.start)
			}
		}
	})
	f.insert(t, "INSERT INTO "+f.dialect.Table(tables.Traces)+" (tenant, trace_id, time, end_time, root_span_id, root_service, root_name, spans, errors, retention_days, kafka_partition, kafka_offset)", func(add func(...any)) {
		for _, tr := range traces {
			if tr.unassembled || tr.id == [16]byte{} {
				continue
			}
			root, failed := make([]byte, 8), uint32(0)
			if tr.name != "" {
				root[0] = 1
			}
			if tr.failed {
				failed = 1
			}
			add(tenant, string(tr.id[:]), at(tr.began()), at(tr.began()+tr.duration()), string(root), tr.service, tr.name, uint32(len(tr.spans)), failed, uint16(3000), partition, offset)
		}
	})
	if stored == 0 {
		first = 0
	}
	err := f.conn.Exec(context.Background(), "INSERT INTO "+f.dialect.Table(tables.Ledger)+` (time, tenant, topic, kafka_partition, from_offset, to_offset, records, accepted, stored, min_time, max_time, retention_days)
SELECT now64(9), ?, ?, ?, ?, ?, 10, ?, ?, fromUnixTimestamp64Nano(?), fromUnixTimestamp64Nano(?), 3000`, tenant, topic, partition, offset, offset+10, stored, stored, first, last)
	if err != nil {
		t.Fatal(err)
	}
}

// follow has a block without spans come behind the others: the last block of a
// partition is left alone.
func (f *fixture) follow(t testing.TB) {
	t.Helper()
	for partition := range f.next {
		f.block(t, "", uint32(partition), nil)
	}
}

func (f *fixture) insert(t testing.TB, statement string, fill func(add func(...any))) {
	t.Helper()
	batch, err := f.conn.PrepareBatch(context.Background(), statement)
	if err != nil {
		t.Fatal(err)
	}
	fill(func(values ...any) {
		if err := batch.Append(values...); err != nil {
			t.Fatal(err)
		}
	})
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

// thresholds are those of a day, as they are defined: an operation's durations in
// order, the one at the quantile.
func thresholds(traces []*trace, day int64, quantile float64) map[[2]string]int64 {
	durations := map[[2]string][]int64{}
	for _, tr := range traces {
		if !tr.unassembled && tr.day() == day {
			key := [2]string{tr.service, tr.name}
			durations[key] = append(durations[key], tr.duration())
		}
	}
	all := map[[2]string]int64{}
	for key, d := range durations {
		slices.Sort(d)
		all[key] = d[min(int(quantile*float64(len(d))), len(d)-1)]
	}
	return all
}

// want are the spans that are kept, with their probabilities, where the days of
// all traces are thinned by a rule.
func want(traces []*trace, rule Rule) map[uint64]float64 {
	slow := map[int64]map[[2]string]int64{}
	all := map[uint64]float64{}
	for _, tr := range traces {
		if slow[tr.day()] == nil {
			slow[tr.day()] = thresholds(traces, tr.day(), rule.SlowQuantile)
		}
		p := rule.Probability
		switch {
		case tr.failed, tr.unassembled, tr.duration() > slow[tr.day()][[2]string{tr.service, tr.name}]:
			p = 1
		case tr.random() < 1<<56-uint64(math.Round(p*(1<<56))):
			continue
		}
		for _, s := range tr.spans {
			all[s.id] = p
		}
	}
	return all
}

// found are the spans that are there, with their probabilities.
func (f *fixture) found(t testing.TB, tenant string) map[uint64]float64 {
	t.Helper()
	rows, err := f.conn.Query(context.Background(), "SELECT reinterpretAsUInt64(reverse(span_id)), sampling_probability FROM "+f.dialect.Table(tables.Spans)+" WHERE tenant = ?", tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[uint64]float64{}
	for rows.Next() {
		var id uint64
		var p float64
		if err := rows.Scan(&id, &p); err != nil {
			t.Fatal(err)
		}
		if _, ok := all[id]; ok {
			t.Errorf("span %d is there twice", id)
		}
		all[id] = p
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// traces are the traces of the table traces, with their probabilities.
func (f *fixture) traces(t testing.TB, tenant string) map[[16]byte]float64 {
	t.Helper()
	rows, err := f.conn.Query(context.Background(), "SELECT hex(trace_id), min(sampling_probability) FROM "+f.dialect.Table(tables.Traces)+" WHERE tenant = ? GROUP BY trace_id", tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[[16]byte]float64{}
	for rows.Next() {
		var id string
		var p float64
		if err := rows.Scan(&id, &p); err != nil {
			t.Fatal(err)
		}
		raw, err := hex.DecodeString(id)
		if err != nil {
			t.Fatal(err)
		}
		all[[16]byte(raw)] = p
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// wantTraces are those of the traces that are kept.
func wantTraces(traces []*trace, rule Rule) map[[16]byte]float64 {
	kept := want(traces, rule)
	all := map[[16]byte]float64{}
	for _, tr := range traces {
		if p, ok := kept[tr.spans[0].id]; ok && !tr.unassembled {
			all[tr.id] = p
		}
	}
	return all
}

// audit holds the ledger against the tables.
func (f *fixture) audit(t testing.TB) *ledger.Report {
	t.Helper()
	cfg := ledger.DefaultConfig()
	cfg.Database = f.Database
	a, err := ledger.New(f.conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Verify(context.Background(), ledger.Options{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Balanced {
		t.Fatalf("the books do not balance: %+v", r.Problems)
	}
	return r
}

func (f *fixture) pass(t testing.TB, only Selection) []Result {
	t.Helper()
	var all []Result
	if err := f.job.Pass(context.Background(), only, func(r Result) { all = append(all, r) }); err != nil {
		t.Fatal(err)
	}
	return all
}
