package logbatch

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/ingest/topic/topictest"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// decode is what pdata makes of a request with one log record.
func decode(t testing.TB, request []byte) plogotlp.ExportRequest {
	t.Helper()
	r := plogotlp.NewExportRequest()
	if err := r.UnmarshalProto(request); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecord(t *testing.T) {
	t.Parallel()
	list := AppendString(nil, "k", "v")
	list = AppendText(list, "long", []byte(strings.Repeat("x", 70_000)))
	list = AppendTrue(list, "yes")
	list = AppendInt(list, "small", 7)
	list = AppendInt(list, "negative", -1)
	full := Record{Time: 1, Observed: 2, Severity: 9, SeverityText: "INFO", Body: []byte("a\xff\xfeb€"), Attributes: list}
	records := AppendRecord(nil, &full)
	if bound := RecordBound(&full); bound < len(records) {
		t.Errorf("the bound is %d for %d bytes", bound, len(records))
	}
	records = AppendRecord(records, &Record{})
	resource := Resource(Attribute{"host.name", "a"}, Attribute{"service.name", ""}, Attribute{"host.name", "b"})
	request := AppendLogs(nil, resource, "scope", records)
	if bound := len(records) + LogsBound(resource, "scope"); bound < len(request) {
		t.Errorf("the bound is %d for %d bytes", bound, len(request))
	}
	rl := decode(t, request).Logs().ResourceLogs().At(0)
	if got := rl.Resource().Attributes().AsRaw(); len(got) != 1 || got["host.name"] != "b" {
		t.Errorf("resource is %v", got)
	}
	if got := rl.ScopeLogs().At(0).Scope().Name(); got != "scope" {
		t.Errorf("scope is %q", got)
	}
	logs := rl.ScopeLogs().At(0).LogRecords()
	if logs.Len() != 2 {
		t.Fatalf("%d records, want 2", logs.Len())
	}
	l := logs.At(0)
	if l.Timestamp() != 1 || l.ObservedTimestamp() != 2 || l.SeverityNumber() != 9 || l.SeverityText() != "INFO" || l.Body().Str() != "a\uFFFDb€" {
		t.Errorf("record is %v %v %v %v %q", l.Timestamp(), l.ObservedTimestamp(), l.SeverityNumber(), l.SeverityText(), l.Body().Str())
	}
	got := l.Attributes().AsRaw()
	if got["k"] != "v" || len(got["long"].(string)) != 70_000 || got["yes"] != any(true) || got["small"] != int64(7) || got["negative"] != int64(-1) {
		t.Errorf("attributes are %.200v", got)
	}
}

// FuzzBody checks that any bytes become a text, and one that decodes.
func FuzzBody(f *testing.F) {
	for _, s := range []string{"", "plain", "\xff", "a\xc3", "\xe2\x82\xac", "\xe2\x82", "\xf0\x9f\x92\xa9\x80ok"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list := AppendText(nil, "attribute", body)
		request := AppendLogs(nil, nil, "", AppendRecord(nil, &Record{Body: body, Attributes: list}))
		l := decode(t, request).Logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		want := strings.ToValidUTF8(string(body), replacement)
		value, _ := l.Attributes().Get("attribute")
		if l.Body().Str() != want || value.Str() != want || !utf8.ValidString(want) {
			t.Errorf("%q is %q and %q, want %q", body, l.Body().Str(), value.Str(), want)
		}
	})
}

func TestNothingIsAllocated(t *testing.T) {
	r := Record{Observed: 1, Body: []byte(strings.Repeat("x€", 100))}
	broken := Record{Observed: 1, Body: []byte(strings.Repeat("x\xff", 100))}
	b := make([]byte, 0, 1<<20)
	if n := testing.AllocsPerRun(100, func() {
		b = AppendRecord(b[:0], &r)
		b = AppendRecord(b, &broken)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// script is a producer that answers one error after the other.
type script struct {
	*topictest.Recorder
	errs []error
}

func (s *script) Produce(ctx context.Context, parts []topic.Part) error {
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		if err != nil {
			return err
		}
	}
	return s.Recorder.Produce(ctx, parts)
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	p := &script{Recorder: topictest.NewRecorder()}
	target := &Target{Producer: p, Topic: "t", Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	d := NewDelivery(target)
	parts := []topic.Part{{Events: 1}, {Events: 2}, {Events: 3}}
	refused := map[int]bool{}
	note := func(i int, _ error) { refused[i] = true }

	p.errs = []error{topic.ErrUnavailable, topic.ErrFull}
	if err := d.Deliver(t.Context(), parts, note); err != nil || len(refused) > 0 || len(p.Take()) != 3 {
		t.Errorf("%v, %d are refused", err, len(refused))
	}
	p.errs = []error{topic.ErrRefused, nil, topic.ErrUnavailable, topic.ErrRefused}
	if err := d.Deliver(t.Context(), parts, note); err != nil || len(refused) != 1 || !refused[1] || len(p.Take()) != 2 {
		t.Errorf("%v, %v are refused", err, refused)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.Fail(topic.ErrUnavailable, topic.ErrUnavailable)
	cancel()
	if err := d.Deliver(ctx, parts, note); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want that of the context", err)
	}
	if _, err := d.Partition(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want that of the context", err)
	}
	p.Fail(nil, nil)
	resource := Resource(Attribute{"host.name", "a"})
	if got, err := d.Partition(t.Context(), resource); err != nil || int(got) != otlp.PartitionOfResource(resource, 4) {
		t.Errorf("partition %d: %v", got, err)
	}
}
