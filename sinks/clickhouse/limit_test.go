package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// pointOf is a point of a series, which its tenant, metric and number name.
type pointOf struct {
	tenant, metric string
	series         int
	day            int // before siteStart
}

// points of series [from, to) of a metric.
func pointsOf(tenant, metric string, from, to int) []pointOf {
	var all []pointOf
	for i := from; i < to; i++ {
		all = append(all, pointOf{tenant: tenant, metric: metric, series: i})
	}
	return all
}

// blockOf makes a block of one record per run of points of a tenant.
func blockOf(from int64, points ...pointOf) *telemetry.Batch {
	b := &telemetry.Batch{
		Block:  telemetry.Block{Topic: "otlp_metrics", Partition: 3, From: from, Signal: telemetry.Metrics},
		Scopes: []telemetry.Scope{{}},
	}
	for i, p := range points {
		if i == 0 || p.tenant != points[i-1].tenant {
			b.Records = append(b.Records, telemetry.Record{Offset: from + int64(len(b.Records)), ReceiveTime: siteStart.UnixNano(), Tenant: p.tenant, Declared: -1})
			b.Resources = append(b.Resources, telemetry.Resource{Record: uint32(len(b.Records) - 1)})
		}
		b.Records[len(b.Records)-1].Decoded++
		if i == 0 || p.tenant != points[i-1].tenant || p.metric != points[i-1].metric {
			b.Metrics = append(b.Metrics, telemetry.Metric{Name: p.metric, Kind: telemetry.Gauge, Resource: uint32(len(b.Resources) - 1)})
		}
		b.Numbers = append(b.Numbers, telemetry.NumberPoint{Point: telemetry.Point{
			Time: siteStart.AddDate(0, 0, -p.day).Add(time.Duration(from) * time.Second).UnixNano(), Metric: uint32(len(b.Metrics) - 1),
			Attrs: ranged(b, func() { str(b, "id", fmt.Sprint(p.series)) }),
		}})
	}
	b.To = from + int64(len(b.Records))
	return b
}

func limited(perTenant int, tenants map[string]int) Config {
	cfg := keeping()
	cfg.SeriesLimit = SeriesLimit{PerTenant: perTenant, Tenants: tenants}
	return cfg
}

func (s *store) limitedSink(cfg Config) *Sink { return New(s.conn, s.dialect, cfg, s.log, s.metrics) }

// balance checks that the ledger says what is in the tables, block by block.
func (s *store) balance(t interface{ Fatalf(string, ...any) }, tb testing.TB) {
	wrong := s.text(tb, `SELECT concat('block ', toString(from_offset), ' of ', tenant, ': accepted ', toString(accepted), ', stored ', toString(stored), ' of ', toString(rows),
	', rejected ', toString(rejected), ' of ', toString(events))
FROM (SELECT tenant, from_offset, sum(accepted) AS accepted, sum(stored) AS stored, sum(rejected) AS rejected FROM goshawk.ledger GROUP BY tenant, from_offset) AS l
LEFT JOIN (SELECT tenant, kafka_offset AS from_offset, count() AS rows FROM (
	SELECT tenant, kafka_offset FROM goshawk.samples UNION ALL SELECT tenant, kafka_offset FROM goshawk.histograms UNION ALL
	SELECT tenant, kafka_offset FROM goshawk.exponential_histograms UNION ALL SELECT tenant, kafka_offset FROM goshawk.summaries)
	GROUP BY tenant, from_offset) AS p USING (tenant, from_offset)
LEFT JOIN (SELECT tenant, kafka_offset AS from_offset, sum(events) AS events FROM goshawk.dead_letters GROUP BY tenant, from_offset) AS d USING (tenant, from_offset)
WHERE accepted != stored + rejected OR stored != rows OR rejected != events`)
	if wrong != "" {
		t.Fatalf("the books do not balance:\n%s", wrong)
	}
}

func mustWrite(t *testing.T, sink *Sink, b *telemetry.Batch) *telemetry.Batch {
	t.Helper()
	if err := sink.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSeriesLimit(t *testing.T) {
	s := newStore(t)
	cfg := limited(10, map[string]int{"small": 2, "free": 0})
	var log strings.Builder
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	sink := s.limitedSink(cfg)
	offset := int64(0)
	for n, c := range []struct {
		name   string
		sink   *Sink // nil: the same
		points []pointOf
		stored int
	}{
		{"below the limit", nil, pointsOf("acme", "m", 0, 8), 8},
		{"old ones and some new", nil, pointsOf("acme", "m", 4, 14), 6}, // 4-7 exist, 8 and 9 are new
		{"old ones", nil, pointsOf("acme", "m", 0, 10), 10},
		{"the same twice", nil, append(pointsOf("acme", "m", 9, 11), pointsOf("acme", "m", 9, 11)...), 2},
		{"another day", nil, []pointOf{{"acme", "m", 11, 1}, {"acme", "m", 12, 1}}, 2},
		{"another tenant", nil, append(pointsOf("acme", "n", 0, 5), pointsOf("zoo", "m", 0, 10)...), 10},
		{"a tenant of less", nil, pointsOf("small", "m", 0, 5), 2},
		{"a tenant without limit", nil, pointsOf("free", "m", 0, 500), 500},
		{"a restart", s.limitedSink(cfg), append(pointsOf("acme", "m", 5, 15), pointsOf("small", "m", 0, 1)...), 6},
		{"a restart that begins with new ones", s.limitedSink(cfg), pointsOf("acme", "n", 0, 3), 0},
		{"a restart with a higher limit", s.limitedSink(limited(11, nil)), append(pointsOf("acme", "m", 9, 15), pointsOf("small", "m", 0, 9)...), 11},
	} {
		if c.sink != nil {
			sink = c.sink
		}
		b := mustWrite(t, sink, blockOf(offset, c.points...))
		if len(b.Numbers) != c.stored {
			t.Errorf("%d, %s: %d points stored, want %d", n, c.name, len(b.Numbers), c.stored)
		}
		offset = b.To
	}
	s.balance(t, t)
	if n := s.number(t, "SELECT count() FROM goshawk.series FINAL WHERE tenant = 'acme' AND day = '2026-11-20'"); n != 11 {
		t.Errorf("%d series, want 11", n)
	}
	letters := s.text(t, "SELECT concat(toString(record_offset), ' ', tenant, ' ', toString(events), ' ', reason, toString(length(value))) FROM goshawk.dead_letters WHERE record_offset < 7 ORDER BY record_offset")
	want := strings.TrimSpace(`
1 acme 4 tenant acme has reached its limit of 10 series a day: left out 4 new series, 4 of them of metric m0
3 acme 2 tenant acme has reached its limit of 10 series a day: left out 1 new series, 1 of them of metric m0
5 acme 5 tenant acme has reached its limit of 10 series a day: left out 5 new series, 5 of them of metric n0`)
	if diff := cmp.Diff(want, letters); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if n := testutil.ToFloat64(s.metrics.refused.WithLabelValues("acme")); n < 9 {
		t.Errorf("%v series of acme are counted as refused", n)
	}
	if n := testutil.CollectAndCount(s.metrics.refused); n != 2 {
		t.Errorf("%d tenants have refused series, want 2", n)
	}
	if n := strings.Count(log.String(), "new series are refused"); n < 1 || n > 4 { // one for each sink
		t.Errorf("the log says so %d times:\n%s", n, log.String())
	}
}

// TestSeriesLimitIsShared checks the share of one of several partitions, and
// that series of other partitions are not counted.
func TestSeriesLimitIsShared(t *testing.T) {
	s := newStore(t)
	away := errors.New("away")
	answers := []error{away, nil}
	sink := func() *Sink {
		return s.limitedSink(limited(10, nil)).SharedBy(func(_ context.Context, topic string) (int, error) {
			if topic != "otlp_metrics" || len(answers) == 0 {
				t.Errorf("asked for %s again", topic)
			}
			err := answers[0]
			answers = answers[1:]
			return 4, err
		})
	}
	one := sink()
	if err := one.Write(context.Background(), blockOf(0, pointsOf("acme", "m", 0, 9)...)); !errors.Is(err, away) {
		t.Fatalf("while Kafka is away: %v", err)
	}
	b := mustWrite(t, one, blockOf(0, pointsOf("acme", "m", 0, 9)...))
	if len(b.Numbers) != 3 || !strings.Contains(b.Rejects[0].Reason, "the share of one of 4 partitions in its limit of 10 series a day") {
		t.Errorf("%d points, rejects %v", len(b.Numbers), b.Rejects)
	}
	b = mustWrite(t, one, blockOf(1, pointsOf("acme", "n", 0, 9)...))
	if len(b.Numbers) != 0 {
		t.Errorf("%d points beyond the share", len(b.Numbers))
	}
	answers = append(answers, nil)
	other := blockOf(5, pointsOf("acme", "n", 0, 9)...)
	other.Partition = 2
	if mustWrite(t, sink(), other); len(other.Numbers) != 3 {
		t.Errorf("%d points of another partition, want 3", len(other.Numbers))
	}
	s.balance(t, t)
}

// TestSeriesLimitOfEveryShape refuses points of every table, with exemplars.
func TestSeriesLimitOfEveryShape(t *testing.T) {
	s := newStore(t)
	b := sampleBlocks(3, 100)[telemetry.Metrics]
	for i := range b.Records {
		b.Records[i].Decoded = 0
	}
	count := func(p *telemetry.Point) { b.Records[b.Resources[b.Metrics[p.Metric].Resource].Record].Decoded++ }
	for i := range b.Numbers {
		count(&b.Numbers[i].Point)
	}
	for i := range b.Histograms {
		count(&b.Histograms[i].Point)
	}
	for i := range b.Exponentials {
		count(&b.Exponentials[i].Point)
	}
	for i := range b.Summaries {
		count(&b.Summaries[i].Point)
	}
	b.Records[0].Decoded += b.Rejects[0].Events
	before := b.EventCount()
	mustWrite(t, s.limitedSink(limited(1, nil)), b)
	t.Logf("%d of %d points", b.EventCount(), before)
	if b.EventCount() == 0 || b.EventCount() == before {
		t.Errorf("%d of %d points are stored", b.EventCount(), before)
	}
	s.balance(t, t)
	if n := s.number(t, "SELECT count() FROM goshawk.exemplars WHERE fingerprint NOT IN (SELECT fingerprint FROM goshawk.series)"); n != 0 {
		t.Errorf("%d exemplars of series that were refused", n)
	}
	if n := s.number(t, "SELECT count() FROM (SELECT tenant, day FROM goshawk.series GROUP BY tenant, day HAVING uniqExact(fingerprint) > 1)"); n != 0 {
		t.Errorf("%d tenants and days have more than one series", n)
	}
}

// asked is a connection that counts queries.
type asked struct {
	driver.Conn
	n int
}

func (a *asked) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	a.n++
	return a.Conn.Query(ctx, query, args...)
}

// TestFloodOfSeries checks that an attack costs a query for each block and no
// more memory than the caches are allowed.
func TestFloodOfSeries(t *testing.T) {
	s := newStore(t)
	cfg := limited(100, nil)
	cfg.SeriesCache = 1000
	conn := &asked{Conn: s.conn}
	sink := New(conn, s.dialect, cfg, s.log, s.metrics)
	now := siteStart
	sink.now = func() time.Time { return now }
	mustWrite(t, sink, blockOf(0, pointsOf("acme", "m", 0, 100)...))
	for n := range 20 {
		conn.n = 0
		b := mustWrite(t, sink, blockOf(int64(n+1), append(pointsOf("acme", "m", 0, 100), pointsOf("acme", "flood", 5000*n, 5000*(n+1))...)...))
		if len(b.Numbers) != 100 {
			t.Fatalf("%d points are stored, want 100", len(b.Numbers))
		}
		if conn.n > 2 {
			t.Errorf("block %d: %d queries", n, conn.n)
		}
		l := sink.series.limits
		if kept := l.refused.young.size() + l.refused.old.size(); kept > 1000 || len(l.days) != 1 {
			t.Fatalf("%d refused series and %d counts are kept", kept, len(l.days))
		}
	}
	// What is remembered is not asked for again, until it is time to look again.
	last := func(offset int64) *telemetry.Batch {
		return mustWrite(t, sink, blockOf(offset, pointsOf("acme", "flood", 99_900, 100_000)...))
	}
	if conn.n = 0; len(last(50).Numbers) != 0 || conn.n != 0 {
		t.Errorf("%d queries about series that were just refused", conn.n)
	}
	s.exec(t, "ALTER TABLE goshawk.series DELETE WHERE metric = 'm' SETTINGS mutations_sync = 2")
	if len(last(51).Numbers) != 0 {
		t.Error("points of series that were just refused are stored")
	}
	now = now.Add(refusedFor)
	if n := len(last(52).Numbers); n != 100 {
		t.Errorf("when series were deleted %d points of new ones are stored, want 100", n)
	}
	s.balance(t, t)
}

func TestTenantLabelsAreBounded(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	for i := range 3 * maxTenantLabels {
		m.refuse(fmt.Sprint("tenant", i), 1)
	}
	m.refuse("\xff", 1)
	if n := testutil.CollectAndCount(m.refused); n != maxTenantLabels+1 {
		t.Errorf("%d labels", n)
	}
	if n := testutil.ToFloat64(m.refused.WithLabelValues(otherTenants)); n != 2*maxTenantLabels+1 {
		t.Errorf("%v series of other tenants", n)
	}
}

func TestShortened(t *testing.T) {
	for name, want := range map[string]string{
		"m": "m", strings.Repeat("x", 200): strings.Repeat("x", 200), strings.Repeat("x", 201): strings.Repeat("x", 200) + "...",
		strings.Repeat("x", 199) + "ü": strings.Repeat("x", 199) + "...",
	} {
		if got := shortened(name); got != want {
			t.Errorf("shortened(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestSeriesLimitConfig(t *testing.T) {
	cfg := DefaultConfig()
	if err := cfg.Validate(); err != nil || cfg.SeriesLimit.of("anybody") != 1_000_000 {
		t.Fatalf("default: %v, %d", err, cfg.SeriesLimit.of("anybody"))
	}
	cfg.SeriesLimit = SeriesLimit{PerTenant: -1, Tenants: map[string]int{"acme": -2, "zoo": 0}}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("negative limits are taken")
	}
	for _, want := range []string{"sinks.clickhouse.series_limit.per_tenant: -1 is negative", "sinks.clickhouse.series_limit.tenants.acme: -2 is negative"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
