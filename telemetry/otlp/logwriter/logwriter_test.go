package logwriter_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// read returns what pdata finds in a request.
func read(t *testing.T, value []byte) plog.Logs {
	t.Helper()
	r := plogotlp.NewExportRequest()
	if err := r.UnmarshalProto(value); err != nil {
		t.Fatal(err)
	}
	return r.Logs()
}

func TestRequest(t *testing.T) {
	t.Parallel()
	logs := []logwriter.Log{
		{
			Time: 1_790_000_000_000_000_001, Observed: 1_790_000_000_000_000_002, Severity: logwriter.SeverityWarn, SeverityText: "WARN",
			EventName: "a.b", Body: strings.Repeat("body ", 100), TraceID: [16]byte{1, 2, 15: 3},
			Attributes: []logwriter.Attribute{{"k", "v"}, {"empty", ""}, {"long", strings.Repeat("x", 70_000)}, {"ü", "€"}},
		},
		{},
	}
	value := logwriter.Request(logwriter.Resource(logwriter.Attribute{Key: "service.name", Value: "checkout"}), "scope", logs...)

	want := plog.NewLogs()
	rl := want.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "checkout")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("scope")
	for _, l := range logs {
		r := sl.LogRecords().AppendEmpty()
		r.SetTimestamp(pcommon.Timestamp(l.Time))
		r.SetObservedTimestamp(pcommon.Timestamp(l.Observed))
		r.SetSeverityNumber(plog.SeverityNumber(l.Severity))
		r.SetSeverityText(l.SeverityText)
		r.SetEventName(l.EventName)
		r.SetTraceID(pcommon.TraceID(l.TraceID))
		if l.Body != "" {
			r.Body().SetStr(l.Body)
		}
		for _, a := range l.Attributes {
			r.Attributes().PutStr(a.Key, a.Value)
		}
	}
	text := func(l plog.Logs) string {
		b, err := (&plog.JSONMarshaler{}).MarshalLogs(l)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if diff := cmp.Diff(text(want), text(read(t, value))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEmptyResource(t *testing.T) {
	t.Parallel()
	l := read(t, logwriter.Request(logwriter.Resource(), "", logwriter.Log{Body: "x"}))
	if l.LogRecordCount() != 1 || l.ResourceLogs().At(0).Resource().Attributes().Len() != 0 {
		t.Errorf("%d log records", l.LogRecordCount())
	}
}
