package ledger_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/query/ledger"
	"github.com/goshawk-observability/goshawk/query/querytest"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

var now = time.Now().UTC().Truncate(time.Second)

// books are three topics that balance: several partitions, two tenants that
// share blocks, rejects, repeats, a block with nothing stored and all tables of
// metrics.
func books() []querytest.Block {
	var all []querytest.Block
	logs := func(n uint64) map[string]uint64 { return map[string]uint64{tables.Logs: n} }
	for partition := range uint32(2) {
		for i := range uint64(5) {
			b := querytest.Block{
				Topic: "otlp_logs", Partition: partition, From: 10 + i*10, To: 20 + i*10,
				Time: now.Add(-time.Duration(5-i) * time.Minute), Tenant: "acme", Rows: logs(7 + i),
			}
			if i == 2 {
				b.Rejected, b.Repeated = 7, 4
			}
			all = append(all, b)
			b.Tenant, b.Rows, b.Rejected, b.Repeated = "zeta", logs(3), 0, 0
			if i == 3 {
				b.Rows, b.Rejected = nil, 2
			}
			all = append(all, b)
		}
	}
	for i := range uint64(3) {
		at := now.Add(-time.Duration(3-i) * time.Minute)
		all = append(all,
			querytest.Block{Topic: "otlp_spans", Tenant: "acme", From: i * 4, To: i*4 + 4, Time: at, Rows: map[string]uint64{tables.Spans: 9}, Dropped: i},
			querytest.Block{Topic: "otlp_metrics", Tenant: "acme", From: i, To: i + 1, Time: at, Rows: map[string]uint64{
				tables.Samples: 20, tables.Histograms: 3, tables.ExponentialHistograms: 2, tables.Summaries: 1,
			}})
	}
	return all
}

func newAudit(t *testing.T, s *querytest.Store) *ledger.Audit {
	t.Helper()
	cfg := ledger.DefaultConfig()
	cfg.Database = s.Database
	a, err := ledger.New(s.Conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func verify(t *testing.T, a *ledger.Audit, o ledger.Options) *ledger.Report {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = now
	}
	r, err := a.Verify(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// kinds renders problems as kind topic/partition/tenant [from,to) got/want.
func kinds(r *ledger.Report) string {
	var lines []string
	for _, p := range r.Problems {
		lines = append(lines, fmt.Sprintf("%s %s/%d/%s [%d,%d) %d/%d", p.Kind, p.Topic, p.Partition, p.Tenant, p.From, p.To, p.Got, p.Want))
	}
	return strings.Join(lines, "\n")
}

// TestVerify spoils balanced books in one way at a time and wants exactly that
// named.
func TestVerify(t *testing.T) {
	s := querytest.Start(t)
	for _, b := range books() {
		s.Write(t, b)
	}
	s.Save(t)
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, s *querytest.Store)
		want  string
	}{
		{"nothing", func(*testing.T, *querytest.Store) {}, ""},
		{"a batch removed", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "ALTER TABLE goshawk.logs DELETE WHERE kafka_partition = 1 AND kafka_offset = 30 AND tenant = 'acme' SETTINGS mutations_sync = 2")
		}, "missing otlp_logs/1/acme [30,40) 0/9"},
		{"a batch removed from one of four tables", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "ALTER TABLE goshawk.histograms DELETE WHERE kafka_offset = 1 SETTINGS mutations_sync = 2")
		}, "short otlp_metrics/0/acme [1,2) 23/26"},
		{"a batch doubled", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "INSERT INTO goshawk.spans SELECT * FROM goshawk.spans WHERE kafka_offset = 4")
		}, "doubled otlp_spans/0/acme [4,8) 18/9"},
		{"a row removed", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "ALTER TABLE goshawk.logs DELETE WHERE kafka_partition = 0 AND kafka_offset = 10 AND body = 'secret of zeta 2' SETTINGS mutations_sync = 2")
		}, "short otlp_logs/0/zeta [10,20) 2/3"},
		{"a row added", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "INSERT INTO goshawk.logs SELECT * FROM goshawk.logs WHERE kafka_partition = 0 AND kafka_offset = 10 AND body = 'secret of zeta 2'")
		}, "surplus otlp_logs/0/zeta [10,20) 4/3"},
		{"rows of a block of which nothing was stored", func(t *testing.T, s *querytest.Store) {
			s.WriteRows(t, querytest.Block{Tenant: "zeta", Partition: 0, From: 40, Time: now}, tables.Logs, 2)
		}, "surplus otlp_logs/0/zeta [40,50) 2/0"},
		{"a row of the ledger removed", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "ALTER TABLE goshawk.ledger DELETE WHERE topic = 'otlp_logs' AND kafka_partition = 0 AND from_offset = 20 AND tenant = 'zeta' SETTINGS mutations_sync = 2")
		}, "orphan otlp_logs/0/zeta [20,-1) 3/0"},
		{"a block of the ledger removed", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "ALTER TABLE goshawk.ledger DELETE WHERE topic = 'otlp_spans' AND from_offset = 4 SETTINGS mutations_sync = 2")
		}, "gap otlp_spans/0/ [4,8) 0/0\norphan otlp_spans/0/acme [4,-1) 9/0"},
		{"the first block of the ledger removed", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "ALTER TABLE goshawk.ledger DELETE WHERE topic = 'otlp_spans' AND from_offset = 0 SETTINGS mutations_sync = 2")
		}, "orphan otlp_spans/0/acme [0,-1) 9/0"},
		{"the last block of the ledger removed", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "ALTER TABLE goshawk.ledger DELETE WHERE topic = 'otlp_spans' AND from_offset = 8 SETTINGS mutations_sync = 2")
		}, "unrecorded otlp_spans/0/ [8,12) 0/0\norphan otlp_spans/0/acme [8,-1) 9/0"},
		{"a block removed from everywhere", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "ALTER TABLE goshawk.ledger DELETE WHERE topic = 'otlp_spans' AND from_offset = 4 SETTINGS mutations_sync = 2")
			s.Exec(t, "ALTER TABLE goshawk.spans DELETE WHERE kafka_offset = 4 SETTINGS mutations_sync = 2")
		}, "gap otlp_spans/0/ [4,8) 0/0"},
		{"a row of the ledger doubled", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "INSERT INTO goshawk.ledger SELECT * FROM goshawk.ledger WHERE topic = 'otlp_metrics' AND from_offset = 2")
		}, "ledger_doubled otlp_metrics/0/acme [2,3) 2/1"},
		{"blocks that overlap", func(t *testing.T, s *querytest.Store) {
			b := querytest.Block{Topic: "otlp_spans", Tenant: "acme", From: 10, To: 14, Time: now, Rows: map[string]uint64{tables.Spans: 1}}
			s.Write(t, b)
		}, "overlap otlp_spans/0/ [10,12) 0/0"},
		{"an altered rejected count", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "ALTER TABLE goshawk.ledger UPDATE rejected = 6 WHERE topic = 'otlp_logs' AND kafka_partition = 0 AND from_offset = 30 AND tenant = 'acme' SETTINGS mutations_sync = 2")
		}, "unbalanced otlp_logs/0/acme [30,40) 15/16\ndead_letters otlp_logs/0/acme [30,40) 7/6"},
		{"a dead letter removed", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "ALTER TABLE goshawk.dead_letters DELETE WHERE kafka_partition = 0 AND kafka_offset = 30 AND position = 2 SETTINGS mutations_sync = 2")
		}, "dead_letters otlp_logs/0/acme [30,40) 6/7"},
		{"a dead letter doubled", func(t *testing.T, s *querytest.Store) {
			s.Exec(t, "INSERT INTO goshawk.dead_letters SELECT * FROM goshawk.dead_letters WHERE kafka_partition = 1 AND kafka_offset = 40")
		}, "dead_letters otlp_logs/1/zeta [40,50) 4/2"},
		{"what sampling deleted", func(t *testing.T, s *querytest.Store) {
			sample(t, s, "done", 9)
			deleteSpans(t, s)
		}, ""},
		{"what sampling is about to delete", func(t *testing.T, s *querytest.Store) { sample(t, s, "begun", 9) }, ""},
		{"what sampling is deleting", func(t *testing.T, s *querytest.Store) {
			sample(t, s, "begun", 9)
			deleteSpans(t, s)
		}, ""},
		{"what sampling did not delete", func(t *testing.T, s *querytest.Store) { sample(t, s, "done", 4) }, "surplus otlp_spans/0/acme [4,8) 9/5"},
		{"more than sampling deleted", func(t *testing.T, s *querytest.Store) {
			sample(t, s, "done", 4)
			deleteSpans(t, s)
		}, "missing otlp_spans/0/acme [4,8) 0/5"},
		{"more than sampling is deleting", func(t *testing.T, s *querytest.Store) {
			sample(t, s, "begun", 4)
			deleteSpans(t, s)
		}, "missing otlp_spans/0/acme [4,8) 0/5"},
		{"rows that a plan would delete that is not in the books", func(t *testing.T, s *querytest.Store) {
			sample(t, s, "done", 9)
			deleteSpans(t, s)
			s.Exec(t, "TRUNCATE TABLE goshawk.sampling")
		}, "missing otlp_spans/0/acme [4,8) 0/9"},
		{"a topic that is not configured", func(t *testing.T, s *querytest.Store) {
			s.Write(t, querytest.Block{Topic: "elsewhere", Tenant: "acme", From: 0, To: 1, Time: now})
		}, "unknown_topic elsewhere/-1/ [-1,-1) 0/0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Restore(t)
			for _, table := range []string{tables.Sampling, tables.SamplingBlocks} {
				s.Exec(t, "TRUNCATE TABLE goshawk."+table)
			}
			c.spoil(t, s)
			kafka := []ledger.KafkaPartition{{Topic: "otlp_spans", Committed: 12, End: 15}}
			r := verify(t, newAudit(t, s), ledger.Options{Kafka: kafka})
			if got := kinds(r); got != c.want {
				t.Errorf("problems:\n%s\nwant:\n%s", got, c.want)
			}
			if r.Balanced != (c.want == "") || !r.Verified {
				t.Errorf("balanced is %t, verified %t", r.Balanced, r.Verified)
			}
			var text strings.Builder
			if err := r.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text.String(), "NOT BALANCED") != (c.want != "") {
				t.Errorf("rendered as:\n%s", text.String())
			}
		})
	}
}

// sample writes into the books of sampling that rows of a block go.
func sample(t *testing.T, s *querytest.Store, state string, removed int) {
	t.Helper()
	s.Exec(t, "INSERT INTO goshawk.sampling_blocks (tenant, day, plan, removed, kafka_offset, retention_days) VALUES ('acme', today(), 7, ?, 4, 30)", removed)
	s.Exec(t, "INSERT INTO goshawk.sampling (tenant, day, run, plan, state, retention_days) VALUES ('acme', today(), 1, 7, ?, 30)", state)
}

// deleteSpans deletes the spans of that block.
func deleteSpans(t *testing.T, s *querytest.Store) {
	t.Helper()
	s.Exec(t, "ALTER TABLE goshawk.spans DELETE WHERE kafka_offset = 4 SETTINGS mutations_sync = 2")
}

func TestVerifyTotals(t *testing.T) {
	s := querytest.Start(t)
	want := ledger.Counts{}
	for _, b := range books() {
		s.Write(t, b)
		want.Blocks++
		want.Records += b.To - b.From
		for _, n := range b.Rows {
			want.Stored += n
		}
		want.Rejected += b.Rejected
		want.Dropped += b.Dropped
		want.Repeated += b.Repeated
	}
	want.Accepted = want.Stored + want.Rejected + want.Dropped
	a := newAudit(t, s)
	kafka := []ledger.KafkaPartition{
		{Topic: "otlp_spans", Committed: 12, End: 15},
		{Topic: "otlp_logs", Partition: 0, Committed: 60, End: 60},
		{Topic: "otlp_logs", Partition: 7, Committed: -1, End: 4},
	}
	summary, err := a.Summary(context.Background(), ledger.Options{Now: now, Kafka: kafka})
	if err != nil {
		t.Fatal(err)
	}
	if summary.Totals != want || !summary.Balanced || summary.Verified || summary.Lag != 7 {
		t.Errorf("summary: %+v, balanced %t, lag %d; want %+v\n%s", summary.Totals, summary.Balanced, summary.Lag, want, kinds(summary))
	}
	want.Found, want.DeadLettered = want.Stored, want.Rejected
	full := verify(t, a, ledger.Options{Kafka: kafka})
	if full.Totals != want || !full.Balanced || full.Lag != 7 {
		t.Errorf("full audit: %+v, balanced %t, lag %d; want %+v", full.Totals, full.Balanced, full.Lag, want)
	}
	one := verify(t, a, ledger.Options{Tenant: "zeta"})
	if one.Totals.Accepted != 28 || !one.Balanced || len(one.Partitions) != 2 {
		t.Errorf("the audit of one tenant: %+v, %s", one.Totals, kinds(one))
	}
	recent := verify(t, a, ledger.Options{Since: now.Add(-150 * time.Second)})
	// Two blocks of each partition of logs, for two tenants, and two of the others.
	if recent.Totals.Blocks != 12 || !recent.Balanced {
		t.Errorf("the audit of the last minutes: %+v, %s", recent.Totals, kinds(recent))
	}
}

// TestVerifyPending wants what is being written left out, and named once it was
// committed.
func TestVerifyPending(t *testing.T) {
	s := querytest.Start(t)
	for _, b := range books() {
		s.Write(t, b)
	}
	s.WriteRows(t, querytest.Block{Tenant: "acme", Partition: 0, From: 60, Time: now}, tables.Logs, 4)
	s.WriteRows(t, querytest.Block{Tenant: "acme", Partition: 9, From: 0, Time: now}, tables.Logs, 4)
	a := newAudit(t, s)
	for _, kafka := range [][]ledger.KafkaPartition{nil, {{Topic: "otlp_logs", Partition: 0, Committed: 60, End: 70}}} {
		r := verify(t, a, ledger.Options{Kafka: kafka})
		if !r.Balanced || r.Totals.Pending != 2 {
			t.Errorf("%d pending, problems: %s", r.Totals.Pending, kinds(r))
		}
	}
	r := verify(t, a, ledger.Options{Kafka: []ledger.KafkaPartition{
		{Topic: "otlp_logs", Partition: 0, Committed: 70, End: 70}, {Topic: "otlp_logs", Partition: 9, Committed: 2, End: 2},
	}})
	want := "unrecorded otlp_logs/0/ [60,70) 0/0\norphan otlp_logs/0/acme [60,-1) 4/0\n" +
		"unrecorded otlp_logs/9/ [0,2) 0/0\norphan otlp_logs/9/acme [0,-1) 4/0"
	if got := kinds(r); got != want {
		t.Errorf("problems:\n%s\nwant:\n%s", got, want)
	}
}

// TestVerifyLedgerExpired wants events that outlive the ledger's rows not to be
// orphans.
func TestVerifyLedgerExpired(t *testing.T) {
	s := querytest.Start(t)
	for i := range uint64(3) {
		s.Write(t, querytest.Block{
			Topic: "otlp_logs", Tenant: "acme", From: i, To: i + 1, Time: now.AddDate(0, 0, int(i)), RetentionDays: 10,
			Rows: map[string]uint64{tables.Logs: 6},
		})
	}
	s.Exec(t, "ALTER TABLE goshawk.ledger DELETE WHERE from_offset = 0 SETTINGS mutations_sync = 2")
	a := newAudit(t, s)
	if r := verify(t, a, ledger.Options{Now: now.AddDate(0, 0, 3)}); kinds(r) != "orphan otlp_logs/0/acme [0,-1) 6/0" {
		t.Errorf("while the ledger's row should be there: %s", kinds(r))
	}
	if r := verify(t, a, ledger.Options{Now: now.AddDate(0, 0, 10)}); !r.Balanced || r.Totals.Blocks != 2 {
		t.Errorf("when it has expired: %s", kinds(r))
	}
}

// TestVerifyExpired wants rows past their retention not to be missed, and rows
// that are too many to be named all the same.
func TestVerifyExpired(t *testing.T) {
	s := querytest.Start(t)
	b := querytest.Block{
		Topic: "otlp_logs", Tenant: "acme", From: 0, To: 5, Time: now, Rejected: 4, RetentionDays: 10,
		Rows: map[string]uint64{tables.Logs: 6},
	}
	s.Write(t, b)
	a := newAudit(t, s)
	s.Exec(t, "ALTER TABLE goshawk.logs DELETE WHERE body LIKE '%1' SETTINGS mutations_sync = 2")
	s.Exec(t, "ALTER TABLE goshawk.dead_letters DELETE WHERE position = 0 SETTINGS mutations_sync = 2")
	if r := verify(t, a, ledger.Options{Now: now.AddDate(0, 0, 9)}); r.ProblemCount != 2 || r.Totals.Expired != 0 {
		t.Errorf("before the end of retention: %s", kinds(r))
	}
	if r := verify(t, a, ledger.Options{Now: now.AddDate(0, 0, 11)}); !r.Balanced || r.Totals.Expired != 1 {
		t.Errorf("after the end of retention: %s", kinds(r))
	}
	s.WriteRows(t, b, tables.Logs, 6)
	if r := verify(t, a, ledger.Options{Now: now.AddDate(0, 0, 11)}); kinds(r) != "surplus otlp_logs/0/acme [0,5) 11/6" {
		t.Errorf("too many rows after the end of retention: %s", kinds(r))
	}
}
