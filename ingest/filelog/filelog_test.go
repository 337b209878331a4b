package filelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	partitions = 4
	maxRecord  = 900 << 10
)

// kafka takes parts as Kafka and the source behind it do: a part whose id its
// partition has already is dropped. It fails on command.
type kafka struct {
	mu     sync.Mutex
	ids    map[string]string // partition and id, to the value
	lines  []string
	logs   []plog.LogRecord
	of     []map[string]any // resources
	writes int
	// fail decides what becomes of a call: whether it is written, and what the
	// producer is told.
	fail func() (write bool, err error)
	t    testing.TB
}

func newKafka(t testing.TB) *kafka { return &kafka{ids: map[string]string{}, t: t} }

func (k *kafka) Partitions(context.Context, string) (int, error) { return partitions, nil }

func (k *kafka) Produce(ctx context.Context, parts []topic.Part) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	write, err := true, ctx.Err()
	if k.fail != nil {
		write, err = k.fail()
	}
	if !write {
		return err
	}
	for i := range parts {
		k.write(&parts[i])
	}
	return err
}

func (k *kafka) write(p *topic.Part) {
	k.writes++
	key := fmt.Sprintf("%d %x", p.Partition, p.BatchID)
	if before, ok := k.ids[key]; ok {
		if before != string(p.Value) {
			k.t.Errorf("a repeated batch has other content")
		}
		return
	}
	k.ids[key] = string(p.Value)
	request := plogotlp.NewExportRequest()
	if err := request.UnmarshalProto(p.Value); err != nil {
		k.t.Error(err)
		return
	}
	events := int64(0)
	for _, r := range request.Logs().ResourceLogs().All() {
		for _, scope := range r.ScopeLogs().All() {
			for _, l := range scope.LogRecords().All() {
				events++
				k.lines = append(k.lines, l.Body().Str())
				k.logs = append(k.logs, l)
				k.of = append(k.of, r.Resource().Attributes().AsRaw())
			}
		}
	}
	if events != p.Events || len(p.Value) > maxRecord {
		k.t.Errorf("%d events are declared, %d are there, in %d bytes", p.Events, events, len(p.Value))
	}
}

func (k *kafka) set(fail func() (bool, error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = fail
}

func (k *kafka) have() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.lines)
}

// bench is a folder with logs, what reads it, and where it writes.
type bench struct {
	t     testing.TB
	dir   string
	cfg   Config
	kafka *kafka
	stop  func()
	reg   *prometheus.Registry
	tail  *Tailer
}

func newBench(t testing.TB, in Input) *bench {
	b := &bench{t: t, dir: t.TempDir(), cfg: DefaultConfig(), kafka: newKafka(t)}
	b.cfg.PollInterval = 10 * time.Millisecond
	if in.Include == nil {
		in.Include = []string{b.path("app.log")}
	}
	b.cfg.Inputs = []Input{in}
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// start starts a tailer, which runs until stop, or the end of the test.
func (b *bench) start() {
	b.t.Helper()
	b.reg = prometheus.NewRegistry()
	tl, err := New(Options{Config: b.cfg, Dir: b.path("state"), Registry: b.reg, Target: logbatch.Target{
		Producer: b.kafka, Topic: "logs", Tenant: "default", MaxRecord: maxRecord,
		Resource: []logwriter.Attribute{{Key: "host.name", Value: "here"}}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.tail = tl
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	ready := make(chan struct{})
	go func() { ended <- tl.Run(ctx, func() { close(ready) }) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
	})
	b.t.Cleanup(b.stop)
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		b.t.Fatal(err)
	}
}

func (b *bench) append(name, text string) {
	b.t.Helper()
	f, err := os.OpenFile(b.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := io.WriteString(f, text); err != nil {
		b.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) rename(from, to string) {
	b.t.Helper()
	if err := os.Rename(b.path(from), b.path(to)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) remove(name string) {
	b.t.Helper()
	if err := os.Remove(b.path(name)); err != nil {
		b.t.Fatal(err)
	}
}

// copyTruncate rotates as logrotate does with that setting.
func (b *bench) copyTruncate(from, to string) {
	b.t.Helper()
	text, err := os.ReadFile(b.path(from))
	if err == nil {
		err = os.WriteFile(b.path(to), text, 0o600)
	}
	if err == nil {
		err = os.Truncate(b.path(from), 0)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// wait waits until Kafka has exactly the lines, in that order.
func (b *bench) wait(want ...string) {
	b.t.Helper()
	b.until(func(have []string) bool { return slices.Equal(have, want) }, func(have []string) string {
		return fmt.Sprintf("lines are %.300q, want %.300q", have, want)
	})
}

func (b *bench) until(ok func([]string) bool, complaint func([]string) string) {
	b.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		have := b.kafka.have()
		if ok(have) {
			return
		}
		if time.Now().After(deadline) || b.t.Failed() {
			b.t.Fatal(complaint(have))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// seen waits until the agent has looked at all files as they are now.
func (b *bench) seen() {
	b.t.Helper()
	from := testutil.ToFloat64(b.tail.metrics.scans)
	b.until(func([]string) bool { return testutil.ToFloat64(b.tail.metrics.scans) >= from+2 }, func([]string) string { return "it does not look" })
}

var errAway = fmt.Errorf("%w: away", topic.ErrUnavailable)

// away is a Kafka that takes nothing; forgetful one that takes everything and
// does not say so.
func away() (bool, error)      { return false, errAway }
func forgetful() (bool, error) { return true, errAway }

func TestWhereReadingBegins(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{Attributes: map[string]string{"a": "b"}, Resource: map[string]string{"service.name": "app"}})
	b.append("app.log", "old\n")
	b.start()
	b.append("app.log", "one\n")
	b.wait("one")
	b.stop()
	b.append("app.log", "two\n")
	b.start()
	b.wait("one", "two")
	b.append("app.log", "half")
	b.append("app.log", " a line\n")
	b.wait("one", "two", "half a line")
	l, of := b.kafka.logs[0], b.kafka.of[0]
	if got := l.Attributes().AsRaw(); len(got) != 1 || got["a"] != "b" || l.ObservedTimestamp() == 0 || l.Timestamp() != 0 {
		t.Errorf("attributes %v, observed at %d, time %d", got, l.ObservedTimestamp(), l.Timestamp())
	}
	if of["service.name"] != "app" || of["host.name"] != "here" || of["log.file.name"] != "app.log" || of["log.file.path"] != b.path("app.log") {
		t.Errorf("resource is %v", of)
	}
}

func TestBeginning(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{From: "beginning"})
	b.cfg.Inputs[0].Include = []string{b.path("*.log"), b.path("deep/**/*.log")}
	b.cfg.Inputs[0].Exclude = []string{b.path("not*")}
	b.append("app.log", "old\n")
	b.append("not.log", "excluded\n")
	b.append("app.log.gz", "compressed\n")
	b.start()
	b.wait("old")
	if err := os.MkdirAll(b.path("deep/er"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.append("deep/er/x.log", "deep\n")
	b.wait("old", "deep")
	if err := os.Symlink(b.path("deep/er/x.log"), b.path("link.log")); err != nil {
		t.Fatal(err)
	}
	b.append("deep/er/x.log", "once\n")
	b.wait("old", "deep", "once")
}

func TestRename(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{})
	b.start()
	b.append("app.log", "one\n")
	b.wait("one")
	b.kafka.set(away)
	b.append("app.log", "two\n")
	b.rename("app.log", "app.log.1")
	b.append("app.log", "three\n")
	b.append("app.log.1", "two more\n") // by a writer that has not noticed
	b.kafka.set(nil)
	b.wait("one", "two", "two more", "three")
}

func TestRenameWhileAway(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{})
	b.start()
	b.append("app.log", "one\n")
	b.wait("one")
	b.stop()
	b.append("app.log", "two\n")
	b.rename("app.log", "app.log.1")
	b.append("app.log", "three\n")
	b.start()
	b.wait("one", "two", "three")
}

func TestRemoved(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{})
	b.start()
	b.append("app.log", "one\n")
	b.wait("one")
	b.kafka.set(away)
	b.append("app.log", "two\n")
	b.remove("app.log")
	b.append("app.log", "three\n")
	b.kafka.set(nil)
	b.wait("one", "two", "three")
}

func TestCopyTruncate(t *testing.T) {
	t.Parallel()
	for _, include := range []string{"app.log", "app.log*"} {
		t.Run(include, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Input{})
			b.cfg.Inputs[0].Include = []string{b.path(include)}
			b.start()
			b.append("app.log", "one\n")
			b.wait("one")
			for i := range 4 {
				b.kafka.set(away)
				b.append("app.log", fmt.Sprintf("unread %d\n", i))
				b.copyTruncate("app.log", "app.log.1")
				b.kafka.set(nil)
				b.append("app.log", fmt.Sprintf("next, which is longer than what was there %d\n", i))
				var want []string
				for j := range i + 1 {
					want = append(want, fmt.Sprintf("unread %d", j), fmt.Sprintf("next, which is longer than what was there %d", j))
				}
				b.until(func(have []string) bool {
					return len(have) == len(want)+1 && slices.Equal(slices.Sorted(slices.Values(have[1:])), slices.Sorted(slices.Values(want)))
				}, func(have []string) string { return fmt.Sprintf("lines are %q, want %q", have, want) })
			}
		})
	}
}

func TestCopyTruncateWhileAway(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{})
	b.start()
	b.append("app.log", "one\n")
	b.wait("one")
	b.kafka.set(forgetful)
	b.append("app.log", "two\n")
	b.wait("one", "two")
	b.stop() // with a batch of which it does not know what became
	b.append("app.log", "three\n")
	b.copyTruncate("app.log", "app.log.1")
	b.append("app.log", "four\n")
	b.kafka.set(nil)
	b.start()
	b.wait("one", "two", "three", "four")
}

func TestTruncated(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{})
	b.start()
	b.append("app.log", "one\ntwo\n")
	b.wait("one", "two")
	if err := os.WriteFile(b.path("app.log"), []byte("three\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.wait("one", "two", "three")
	// Longer than before, but with other content.
	if err := os.WriteFile(b.path("app.log"), []byte("four\nfive\nsix\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.wait("one", "two", "three", "four", "five", "six")
	b.stop()
	if err := os.WriteFile(b.path("app.log"), []byte("seven\neight\nnine\nten\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.wait("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
}

// TestRepeat stops the agent while it does not know whether Kafka has a batch.
func TestRepeat(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() (bool, error){"written": forgetful, "not written": away} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Input{})
			b.start()
			b.append("app.log", "one\n")
			b.wait("one")
			attempted := make(chan struct{}, 1000)
			b.kafka.set(func() (bool, error) { attempted <- struct{}{}; return fail() })
			b.append("app.log", "two\n")
			<-attempted
			b.stop()
			b.append("app.log", "three\n")
			b.kafka.set(nil)
			b.start()
			b.wait("one", "two", "three")
			if got := testutil.ToFloat64(b.tail.metrics.repeated); got != 1 {
				t.Errorf("%v batches were repeated, want 1", got)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{})
	b.start()
	refused := false
	b.kafka.set(func() (bool, error) {
		if !refused {
			refused = true
			return false, topic.ErrRefused
		}
		return true, nil
	})
	b.append("app.log", "never\n")
	b.until(func([]string) bool { return testutil.ToFloat64(b.tail.metrics.rejected) == 1 }, func([]string) string { return "nothing was rejected" })
	b.append("app.log", "one\n")
	b.wait("one")
}

func TestLongLine(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{})
	b.start()
	long := strings.Repeat("0123456789abcdef", 10<<20/16)
	b.append("app.log", "before\n"+long+"\n"+strings.Repeat("x\xff", 100<<10)+"\nafter\n")
	b.until(func(have []string) bool { return len(have) > 0 && have[len(have)-1] == "after" }, func(have []string) string {
		return fmt.Sprintf("%d lines", len(have))
	})
	lines := b.kafka.have()
	if n := len(lines); strings.Join(lines[1:n-2], "") != long || lines[n-2] != strings.Repeat("x\uFFFD", 100<<10) {
		t.Error("the pieces are not the line")
	}
	for i, l := range b.kafka.logs {
		_, marked := l.Attributes().Get(truncatedAttribute)
		if piece := i > 0 && i < len(lines)-2; marked != piece {
			t.Errorf("line %d of %d bytes: marked is %t", i, len(lines[i]), marked)
		}
	}
	if got := testutil.ToFloat64(b.tail.metrics.truncated); int(got) != len(lines)-3 {
		t.Errorf("%v pieces are counted, want %d", got, len(lines)-3)
	}
}

func TestMultiline(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{Multiline: Multiline{StartsWith: "timestamp", FlushAfter: 300 * time.Millisecond}})
	b.start()
	b.append("app.log", "2026-11-21 12:00:00 failed\n  at a\n  at b\n2026-11-21 12:00:01 good\n")
	b.wait("2026-11-21 12:00:00 failed\n  at a\n  at b", "2026-11-21 12:00:01 good")
}

// TestManyFiles reads more files than may be open, some of them moved away.
func TestManyFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{})
	b.cfg.Inputs[0].Include = []string{b.path("*.log")}
	b.cfg.MaxOpen = 8
	b.start()
	want := map[string]bool{}
	for round := range 3 {
		for i := range 60 {
			line := fmt.Sprintf("file %d line %d", i, round)
			b.append(fmt.Sprintf("%d.log", i), line+"\n")
			want[line] = true
			if i%10 == 0 && round == 1 {
				b.rename(fmt.Sprintf("%d.log", i), fmt.Sprintf("%d.log.1", i))
			}
		}
		b.until(func(have []string) bool { return len(have) == len(want) }, func(have []string) string {
			return fmt.Sprintf("%d lines, want %d", len(have), len(want))
		})
	}
	for _, line := range b.kafka.have() {
		if !want[line] {
			t.Errorf("%q was not written, or is there twice", line)
		}
		delete(want, line)
	}
	if got := testutil.ToFloat64(b.tail.metrics.open); got > 8 {
		t.Errorf("%v files are open, want 8 at most", got)
	}
}

// TestSymlink moves a link from one file to the next, as container runtimes do.
func TestSymlink(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{})
	b.append("0.data", "one\n")
	b.start()
	if err := os.Symlink(b.path("0.data"), b.path("app.log")); err != nil {
		t.Fatal(err)
	}
	b.wait("one")
	b.append("0.data", "two\n")
	b.append("1.data", "three\n")
	if err := os.Symlink(b.path("1.data"), b.path("next")); err != nil {
		t.Fatal(err)
	}
	b.rename("next", "app.log")
	b.wait("one", "two", "three")
}

// TestReadingStops takes Kafka away: what is read and not acknowledged is bounded.
func TestReadingStops(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{From: "beginning"})
	line := strings.Repeat("x", 99) + "\n"
	b.append("app.log", strings.Repeat(line, 100_000))
	attempts := make(chan struct{}, 1000)
	b.kafka.set(func() (bool, error) { attempts <- struct{}{}; return away() })
	b.start()
	<-attempts
	<-attempts
	b.stop()
	held := 0
	for _, batch := range b.tail.batches {
		held += cap(batch.raw) + cap(batch.records) + cap(batch.value)
	}
	if held == 0 || held > 8<<20 {
		t.Errorf("%d bytes are held", held)
	}
	b.kafka.set(nil)
	b.start()
	b.until(func(have []string) bool { return len(have) == 100_000 }, func(have []string) string { return fmt.Sprint(len(have)) })
}

func TestCheckpointDamage(t *testing.T) {
	t.Parallel()
	b := newBench(t, Input{From: "beginning"})
	b.append("app.log", "one\n")
	b.start()
	b.wait("one")
	b.stop()
	path := b.path("state/checkpoint")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// A last line that was not written to its end was never relied on.
	for _, end := range []string{"0123", "00000000 {\"done\":[]}", "00000000 {\"done\":[]}\n"} {
		if err := os.WriteFile(path, append(bytes.Clone(text), end...), 0o600); err != nil {
			t.Fatal(err)
		}
		b.start()
		b.stop()
	}
	if err := os.WriteFile(path, append([]byte("00000000 {}\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	tl, err := New(Options{Config: b.cfg, Dir: b.path("state"), Registry: prometheus.NewRegistry(), Target: b.tail.target})
	if err != nil {
		t.Fatal(err)
	}
	if err := tl.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "line 1: its checksum is wrong") {
		t.Errorf("error is %v, want one about the checksum", err)
	}
	if got := b.kafka.have(); len(got) != 1 {
		t.Errorf("lines are %q", got)
	}
}

// TestRotations does at random what happens to logs and to agents, and expects
// every line once.
func TestRotations(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 1))
			b := newBench(t, Input{})
			if seed%2 == 1 {
				b.cfg.Inputs[0].Include = []string{b.path("app.log*")}
			}
			b.start()
			faulty := rand.New(rand.NewPCG(seed, 2))
			b.kafka.set(func() (bool, error) {
				switch faulty.IntN(4) {
				case 0:
					return away()
				case 1:
					return forgetful()
				}
				return true, nil
			})
			lines, rotations := 0, 0
			for range 60 {
				var text strings.Builder
				for range random.IntN(50) {
					fmt.Fprintf(&text, "line %d of many %s\n", lines, strings.Repeat("x", random.IntN(200)))
					lines++
				}
				b.append("app.log", text.String())
				b.seen()
				running := true
				if random.IntN(4) == 0 {
					b.stop()
					running = false
				}
				if random.IntN(3) == 0 {
					// Where a file is away it is found again under its next name, so
					// that no name is used twice.
					rotations++
					if random.IntN(2) == 0 {
						b.rename("app.log", fmt.Sprintf("app.log.%d", rotations))
					} else {
						b.copyTruncate("app.log", fmt.Sprintf("app.log.%d", rotations))
					}
				}
				if !running {
					b.start()
				}
				time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
			}
			b.kafka.set(nil)
			b.until(func(have []string) bool { return len(have) >= lines }, func(have []string) string {
				return fmt.Sprintf("%d lines of %d", len(have), lines)
			})
			seen := map[string]int{}
			for _, line := range b.kafka.have() {
				var n int
				if _, err := fmt.Sscanf(line, "line %d of many", &n); err != nil {
					t.Errorf("%q: %v", line, err)
				}
				if seen[fmt.Sprint(n)]++; seen[fmt.Sprint(n)] > 1 {
					t.Errorf("line %d is there twice", n)
				}
			}
			if len(seen) != lines {
				t.Errorf("%d lines are there, want %d", len(seen), lines)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := DefaultConfig()
	good.Inputs = []Input{{Include: []string{"/var/log/**/*.log"}, Exclude: []string{"/var/log/x"}, From: "end"}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for want, in := range map[string]Input{
		"include: is empty":            {},
		"is not absolute":              {Include: []string{"x"}},
		"is no pattern":                {Include: []string{"/["}},
		"exclude: \"/a**\" has **":     {Include: []string{"/x"}, Exclude: []string{"/a**"}},
		"from: \"start\"":              {Include: []string{"/x"}, From: "start"},
		"multiline.starts_with: only":  {Include: []string{"/x"}, Multiline: Multiline{StartsWith: "timestamp", Literal: "x"}},
		"multiline.starts_with: \"x\"": {Include: []string{"/x"}, Multiline: Multiline{StartsWith: "x"}},
		"multiline.pattern":            {Include: []string{"/x"}, Multiline: Multiline{Pattern: "("}},
		"multiline.flush_after":        {Include: []string{"/x"}, Multiline: Multiline{FlushAfter: -1}},
		"attributes: they":             {Include: []string{"/x"}, Attributes: map[string]string{"x": strings.Repeat("x", 20<<10)}},
	} {
		cfg := DefaultConfig()
		cfg.Inputs = []Input{in}
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
	bad := Config{}
	if err := bad.Validate(); err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("errors are %v, want four", err)
	}
	_, err := New(Options{Config: good, Registry: prometheus.NewRegistry(), Target: logbatch.Target{MaxRecord: 1 << 10}})
	if err == nil || errors.Is(err, io.EOF) {
		t.Errorf("error is %v, want one about max_line", err)
	}
}
