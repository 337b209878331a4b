package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// sampleBlocks draws one block of each signal, with every kind of row and a
// reject, from a fixed seed.
func sampleBlocks(seed int, from int64) map[telemetry.Signal]*telemetry.Batch {
	blocks := map[telemetry.Signal]*telemetry.Batch{}
	for _, signal := range telemetry.Signals {
		blocks[signal] = rapid.Custom(func(t *rapid.T) *telemetry.Batch {
			b := &telemetry.Batch{}
			g := gen{t, b}
			switch signal {
			case telemetry.Logs:
				g.logs(from)
			case telemetry.Spans:
				g.spans(from)
			case telemetry.Metrics:
				for len(b.Histograms) == 0 || len(b.Exponentials) == 0 || len(b.Summaries) == 0 || len(b.Exemplars) == 0 {
					g.metrics(from)
				}
			}
			b.Rejects = append(b.Rejects, telemetry.Reject{Record: 0, Events: 2, Reason: "time is from the year 1970", ReasonCode: "time_too_old", Value: []byte("\x00value")})
			return b
		}).Example(seed)
	}
	return blocks
}

// failing is a connection whose nth statement from now on fails, before it was
// sent or after it was done.
type failing struct {
	driver.Conn
	after bool
	left  int
}

var errFault = errors.New("fault")

func (f *failing) Exec(ctx context.Context, query string, args ...any) error {
	f.left--
	if f.left == 0 && !f.after {
		return errFault
	}
	err := f.Conn.Exec(ctx, query, args...)
	if f.left == 0 && err == nil {
		return errFault
	}
	return err
}

// sums returns what each table holds, as a number that changes with any row.
func (s *store) sums(t testing.TB) string {
	t.Helper()
	var text string
	for _, table := range s.filled(t) {
		final := ""
		if table.Engine == "ReplacingMergeTree" {
			final = " FINAL"
		}
		text += s.text(t, fmt.Sprintf("SELECT concat('%s: ', toString(count()), ' ', toString(sum(cityHash64(*)))) FROM %s%s", table.Name, s.dialect.Table(table.Name), final)) + "\n"
	}
	return text
}

func TestRepeatedBlockIsStoredOnce(t *testing.T) {
	s := newStore(t)
	for _, b := range sampleBlocks(1, 100) {
		if err := s.sink().Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	once := s.sums(t)
	t.Log(s.counts(t))
	for range 2 {
		sink := s.sink() // a worker after a restart: it knows nothing
		for _, b := range sampleBlocks(1, 100) {
			for range 2 {
				if err := sink.Write(context.Background(), b); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if again := s.sums(t); again != once {
		t.Errorf("after writing blocks again:\n%swant\n%s", again, once)
	}
	// The same offsets of a topic that was made anew are other blocks.
	for _, b := range sampleBlocks(1, 100) {
		b.Epoch++
		if err := s.sink().Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	if again := s.sums(t); again == once {
		t.Error("a block of another epoch was taken for a repeat")
	}
}

func TestCrashAtEveryInsert(t *testing.T) {
	s := newStore(t)
	want := ""
	for step := 0; ; step++ {
		s.truncate(t)
		crashed := false
		for _, signal := range telemetry.Signals {
			// A token stays known when its table is emptied: other offsets.
			b := sampleBlocks(2, 100)[signal]
			b.Epoch = uint32(step)
			if step > 0 {
				faulty := &failing{Conn: s.conn, after: step%2 == 0, left: (step + 1) / 2}
				sink := New(faulty, s.dialect, DefaultConfig(), s.log, s.metrics)
				if err := sink.Write(context.Background(), b); err != nil {
					if !errors.Is(err, errFault) {
						t.Fatal(err)
					}
					crashed = true
				}
			}
			again := sampleBlocksEpoch(2, 100, signal, b.Epoch)
			again.Begun = true
			if err := s.sink().Write(context.Background(), again); err != nil {
				t.Fatal(err)
			}
		}
		got := s.sums(t)
		switch {
		case step == 0:
			want = got
			t.Log(s.counts(t))
		case got != want:
			t.Fatalf("crash at step %d left\n%swant\n%s", step, got, want)
		case !crashed:
			if step < 8 {
				t.Fatalf("only %d steps", step)
			}
			return
		}
	}
}

func sampleBlocksEpoch(seed int, from int64, signal telemetry.Signal, epoch uint32) *telemetry.Batch {
	b := sampleBlocks(seed, from)[signal]
	b.Epoch = epoch
	return b
}

// truncate empties the tables; they still know the tokens they saw.
func (s *store) truncate(t testing.TB) {
	t.Helper()
	for _, table := range s.filled(t) {
		s.exec(t, "TRUNCATE TABLE "+s.dialect.Table(table.Name))
	}
}

// TestKilledEngine kills the engine while a worker writes block after block, and
// lets another one go on where the first did not succeed.
func TestKilledEngine(t *testing.T) {
	s := newStore(t)
	site := newSite(3)
	var b telemetry.Batch
	rows := 0
	sink := s.sink()
	for from := int64(0); from < 400; from += 20 {
		site.logs(&b, from, 500)
		rows += len(b.Logs)
		if from%80 == 40 {
			killed := make(chan struct{})
			go func() {
				time.Sleep(time.Duration(from/20) * time.Millisecond)
				s.Kill9()
				close(killed)
			}()
			err := sink.Write(context.Background(), &b)
			<-killed
			t.Log("while killed:", err)
			s.Restart(t)
			b.Begun = true
		}
		var err error
		for range 20 {
			if err = s.sink().Write(context.Background(), &b); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := s.number(t, "SELECT count() FROM "+s.dialect.Table(tables.Logs)); n != uint64(rows) {
		t.Errorf("%d rows, want %d", n, rows)
	}
	if n := s.number(t, "SELECT toUInt64(sum(stored)) FROM "+s.dialect.Table(tables.Ledger)); n != uint64(rows) {
		t.Errorf("the ledger says %d rows, want %d", n, rows)
	}
}

// TestSeriesAreWrittenOnce checks that a worker does not describe a series again
// that it knows, and does when the block that described it failed.
func TestSeriesAreWrittenOnce(t *testing.T) {
	s := newStore(t)
	sink := s.sink()
	first := sampleBlocks(4, 100)[telemetry.Metrics]
	if err := sink.Write(context.Background(), first); err != nil {
		t.Fatal(err)
	}
	described := len(sink.series.found)
	if described == 0 {
		t.Fatal("no series was described")
	}
	second := sampleBlocks(4, 200)[telemetry.Metrics]
	if err := sink.Write(context.Background(), second); err != nil {
		t.Fatal(err)
	}
	if n := len(sink.series.found); n != 0 {
		t.Errorf("%d of %d series were described again", n, described)
	}

	faulty := &failing{Conn: s.conn, left: 1}
	sink = New(faulty, s.dialect, DefaultConfig(), s.log, s.metrics)
	if err := sink.Write(context.Background(), sampleBlocks(4, 300)[telemetry.Metrics]); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	if err := sink.Write(context.Background(), sampleBlocks(4, 300)[telemetry.Metrics]); err != nil {
		t.Fatal(err)
	}
	if n := len(sink.series.found); n != described {
		t.Errorf("after a failure %d series were described, want %d", n, described)
	}
}
