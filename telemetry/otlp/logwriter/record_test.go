package logwriter

import (
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
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
	list = AppendBool(list, "yes", true)
	list = AppendBool(list, "no", false)
	list = AppendDouble(list, "half", 0.5)
	list = AppendInt(list, "small", 7)
	list = AppendInt(list, "negative", -1)
	full := Record{
		Time: 1, Observed: 2, Severity: 9, SeverityText: "INFO", Body: []byte("a\xff\xfeb€"), Attributes: list,
		TraceID: [16]byte{1}, SpanID: [8]byte{2}, EventName: "e",
	}
	records := AppendRecord(nil, &full)
	if bound := RecordBound(&full); bound < len(records) {
		t.Errorf("the bound is %d for %d bytes", bound, len(records))
	}
	records = AppendRecord(records, &Record{})
	resource := Resource(Attribute{"host.name", "b"})
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
	if l.TraceID() != [16]byte{1} || l.SpanID() != [8]byte{2} || l.EventName() != "e" {
		t.Errorf("record is %v %v %q", l.TraceID(), l.SpanID(), l.EventName())
	}
	got := l.Attributes().AsRaw()
	if got["k"] != "v" || len(got["long"].(string)) != 70_000 || got["yes"] != any(true) || got["small"] != int64(7) || got["negative"] != int64(-1) ||
		got["no"] != any(false) || got["half"] != 0.5 {
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
	full := Record{Observed: 1, Body: []byte("x"), TraceID: [16]byte{1}, SpanID: [8]byte{2}, EventName: "e"}
	broken := Record{Observed: 1, Body: []byte(strings.Repeat("x\xff", 100))}
	b := make([]byte, 0, 1<<20)
	if n := testing.AllocsPerRun(100, func() {
		b = AppendRecord(b[:0], &r)
		b = AppendRecord(b, &broken)
		b = AppendRecord(b, &full)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppendRecord(b *testing.B) {
	r := Record{Time: 1_790_000_000_000_000_001, Observed: 1_790_000_000_000_000_002, Severity: 9, SeverityText: "INFO", Body: []byte(strings.Repeat("x€ y", 30))}
	buf := make([]byte, 0, 1<<16)
	list := make([]byte, 0, 1<<12)
	b.ReportAllocs()
	for range b.N {
		list = AppendString(list[:0], "log.file.path", "/var/log/some/file.log")
		list = AppendText(list, "syslog.msgid", []byte("TCPIN"))
		list = AppendInt(list, "syslog.facility", 16)
		list = AppendBool(list, "log.record.truncated", true)
		r.Attributes = list
		buf = AppendRecord(buf[:0], &r)
	}
}
