package journald

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
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
)

// journalVariable names the file of the journal for a process that stands in
// for journalctl: this test binary.
const journalVariable = "GOSHAWK_TEST_JOURNAL"

func TestMain(m *testing.M) {
	if path := os.Getenv(journalVariable); path != "" {
		if err := journalctl(path, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// journalctl prints the entries of a file in the export format as journalctl
// does with these arguments.
func journalctl(path string, arguments []string) error {
	after, last, follow := "", false, false
	for _, a := range arguments {
		if cursor, ok := strings.CutPrefix(a, "--after-cursor="); ok {
			after = cursor
		}
		last = last || a == "--lines=1"
		follow = follow || a == "--follow"
	}
	shown := after == ""
	for printed := 0; ; time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		entries := bytes.SplitAfter(text, []byte("\n\n"))
		entries = entries[:len(entries)-1]
		if last {
			_, err := os.Stdout.Write(entries[len(entries)-1])
			return err
		}
		for _, e := range entries[printed:] {
			if shown {
				if _, err := os.Stdout.Write(e); err != nil {
					return err
				}
			}
			shown = shown || firstCursor(e) == after
		}
		if printed = len(entries); !follow {
			return nil
		}
		if bytes.Contains(entries[printed-1], []byte("MESSAGE=crash\n")) {
			return errors.New("crashed")
		}
	}
}

// kafka keeps what it is given, and drops a part whose id it has. It fails on
// command.
type kafka struct {
	mu     sync.Mutex
	ids    map[string]string
	bodies []string
	logs   []plog.LogRecord
	of     []map[string]any
	fail   func() (write bool, err error)
	t      *testing.T
}

func (k *kafka) Partitions(context.Context, string) (int, error) { return 4, nil }

func (k *kafka) Produce(_ context.Context, parts []topic.Part) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	write, err := true, error(nil)
	if k.fail != nil {
		write, err = k.fail()
	}
	if !write {
		return err
	}
	for _, p := range parts {
		key := fmt.Sprintf("%d %x", p.Partition, p.BatchID)
		if have, ok := k.ids[key]; ok {
			if have != string(p.Value) {
				k.t.Error("a repeated batch has other content")
			}
			continue
		}
		k.ids[key] = string(p.Value)
		request := plogotlp.NewExportRequest()
		if err := request.UnmarshalProto(p.Value); err != nil {
			k.t.Error(err)
		}
		for _, r := range request.Logs().ResourceLogs().All() {
			for _, l := range r.ScopeLogs().At(0).LogRecords().All() {
				k.bodies, k.logs, k.of = append(k.bodies, l.Body().Str()), append(k.logs, l), append(k.of, r.Resource().Attributes().AsRaw())
			}
		}
	}
	return err
}

func (k *kafka) set(fail func() (bool, error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = fail
}

type bench struct {
	t       *testing.T
	journal string
	dir     string
	cfg     Config
	kafka   *kafka
	reader  *Reader
	stop    func()
	count   int
}

func newBench(t *testing.T) *bench {
	dir := t.TempDir()
	b := &bench{t: t, journal: filepath.Join(dir, "journal"), dir: filepath.Join(dir, "state"), cfg: DefaultConfig(), kafka: &kafka{ids: map[string]string{}, t: t}}
	t.Setenv(journalVariable, b.journal)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b.cfg.Command, b.cfg.Directory = program, dir
	return b
}

// log adds an entry, whose fields are in the export format.
func (b *bench) log(fields string) {
	b.t.Helper()
	f, err := os.OpenFile(b.journal, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	b.count++
	if _, err := fmt.Fprintf(f, "__CURSOR=s=1;i=%d\n__REALTIME_TIMESTAMP=1790000000000001\n_HOSTNAME=web-1\n%s\n\n", b.count, fields); err != nil {
		b.t.Fatal(err)
	}
}

func target(p logbatch.Producer) logbatch.Target {
	return logbatch.Target{Producer: p, Topic: "logs", Tenant: "default", MaxRecord: 900 << 10, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func (b *bench) start() {
	b.t.Helper()
	r, err := New(Options{Config: b.cfg, Dir: b.dir, Registry: prometheus.NewRegistry(), Target: target(b.kafka)})
	if err != nil {
		b.t.Fatal(err)
	}
	b.reader = r
	ctx, cancel := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() { ended <- r.Run(ctx, func() { close(ready) }) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
	})
	b.t.Cleanup(b.stop)
	<-ready
}

func (b *bench) wait(want ...string) {
	b.t.Helper()
	slices.Sort(want)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		b.kafka.mu.Lock()
		have := slices.Sorted(slices.Values(b.kafka.bodies))
		b.kafka.mu.Unlock()
		if slices.Equal(have, want) {
			return
		}
		if len(have) > len(want) || time.Now().After(deadline) {
			b.t.Fatalf("entries are %q, want %q", have, want)
		}
	}
}

func TestFields(t *testing.T) {
	b := newBench(t)
	b.cfg.From = "beginning"
	binaryMessage := "a\nb\xff"
	size := binary.LittleEndian.AppendUint64(nil, uint64(len(binaryMessage)))
	b.log("MESSAGE\n" + string(size) + binaryMessage + "\nPRIORITY=3\n_SYSTEMD_UNIT=nginx.service\n_PID=42\nSYSLOG_IDENTIFIER=nginx\n_SOURCE_REALTIME_TIMESTAMP=1790000000000000\nREQUEST_ID=7\n_MACHINE_ID=x")
	b.start()
	b.wait("a\nb\uFFFD")
	l, of := b.kafka.logs[0], b.kafka.of[0]
	if of["host.name"] != "web-1" || of["service.name"] != "nginx" {
		t.Errorf("resource is %v", of)
	}
	got := l.Attributes().AsRaw()
	want := map[string]any{"systemd.unit": "nginx.service", "process.pid": int64(42), "syslog.identifier": "nginx", "journald.request_id": "7"}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("attribute %s is %v, want %v", k, got[k], v)
		}
	}
	if len(got) != len(want) || l.SeverityNumber() != 17 || l.SeverityText() != "err" || l.Timestamp() != 1790000000000000000 || l.ObservedTimestamp() == 0 {
		t.Errorf("%v %v %v %v", got, l.SeverityNumber(), l.SeverityText(), l.Timestamp())
	}
}

// TestResume begins at the end, and goes on where it stopped.
func TestResume(t *testing.T) {
	b := newBench(t)
	b.log("MESSAGE=old")
	b.start()
	for b.cursor() == "" {
		time.Sleep(time.Millisecond)
	}
	b.log("MESSAGE=one\n_COMM=a")
	b.log("MESSAGE=two\n_COMM=b")
	b.wait("one", "two")
	b.stop()
	b.log("MESSAGE=three")
	b.start()
	b.wait("one", "two", "three")
	b.log("MESSAGE=crash") // after which it is started again
	b.wait("one", "two", "three", "crash")
	b.stop()
	if got := testutil.ToFloat64(b.reader.metrics.records); got != 2 {
		t.Errorf("%v records are counted, want 2", got)
	}
}

// cursor is the one that is remembered.
func (b *bench) cursor() string {
	s, err := loadState(filepath.Join(b.dir, "cursor"))
	if err != nil {
		b.t.Fatal(err)
	}
	return s.Cursor
}

// TestRepeat stops while it is not known whether Kafka has a batch.
func TestRepeat(t *testing.T) {
	for _, written := range []bool{true, false} {
		t.Run(fmt.Sprint(written), func(t *testing.T) {
			b := newBench(t)
			b.cfg.From = "beginning"
			attempted := make(chan struct{}, 100)
			b.kafka.set(func() (bool, error) { attempted <- struct{}{}; return written, topic.ErrUnavailable })
			b.log("MESSAGE=one\n_COMM=a")
			b.log("MESSAGE=two\n_COMM=b")
			b.start()
			<-attempted
			b.stop()
			b.log("MESSAGE=three")
			b.kafka.set(nil)
			b.start()
			b.wait("one", "two", "three")
			b.stop()
			if got := testutil.ToFloat64(b.reader.metrics.repeated); got != 1 {
				t.Errorf("%v batches were repeated, want 1", got)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Command = filepath.Join(t.TempDir(), "journalctl")
	if err := cfg.missing(); err == nil || !strings.Contains(err.Error(), "agent.journald.command") {
		t.Errorf("error is %v", err)
	}
	bad := Config{From: "x", Directory: "y", Units: []string{"-x"}}
	if err := bad.Validate(); err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("errors are %v, want four", err)
	}
}

// FuzzReadEntry reads anything, and expects that memory is bounded.
func FuzzReadEntry(f *testing.F) {
	f.Add([]byte("A=b\n\nC\n\x02\x00\x00\x00\x00\x00\x00\x00x\n\n\n"))
	f.Add([]byte("A\n\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add(bytes.Repeat([]byte("x="), 1<<10))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(text), 16)
		var e entry
		for {
			e.reset()
			if err := readEntry(r, func(name, value []byte, cut bool) {
				if len(value) > maxField {
					t.Errorf("%d bytes of %q", len(value), name)
				}
				e.field(name, value, cut)
			}); err != nil {
				return
			}
			b := newBatch(&logbatch.Target{MaxRecord: 1 << 20})
			b.add(&e)
		}
	})
}

// TestRealJournal reads a journal that systemd-journal-remote wrote.
func TestRealJournal(t *testing.T) {
	program, err := exec.LookPath("journalctl")
	if err != nil {
		t.Skip("SKIP: journalctl is not installed")
	}
	const remote = "/lib/systemd/systemd-journal-remote"
	if _, err := os.Stat(remote); err != nil {
		t.Skip("SKIP: systemd-journal-remote, which writes journals, is not installed")
	}
	b := newBench(t)
	for i := range 3 {
		b.log(fmt.Sprintf("MESSAGE=message %d\nPRIORITY=4\n_BOOT_ID=0123456789abcdef0123456789abcdef", i))
	}
	dir := filepath.Join(t.TempDir(), "journal")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(b.journal)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.CommandContext(t.Context(), remote, "--output="+filepath.Join(dir, "x.journal"), "-")
	cmd.Stdin = in
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.cfg.Command, b.cfg.Directory, b.cfg.From = program, dir, "beginning"
	b.start()
	b.wait("message 0", "message 1", "message 2")
}
