package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
)

var quiet = slog.New(slog.DiscardHandler)

func options() Options {
	return Options{
		Limits: Limits{Timeout: time.Minute, Concurrency: 1, MaxRows: 1, MaxMemory: 64 << 20}, Requests: "logs", Setting: "query.logs",
		Texts: map[Kind]string{
			TooManyRows: "rows", TooMuchMemory: "memory", TooLate: "late", BadRegexp: "regexp: ", TooManyConditions: "conditions", Busy: "busy",
		},
	}
}

func TestFault(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancel := context.WithTimeout(context.Background(), -time.Second)
	defer cancel()
	for _, c := range []struct {
		ctx  context.Context
		code int // of ClickHouse, 0 for err
		err  error
		want Fault
	}{
		{code: 158, want: Fault{422, "rows"}},
		{code: 307, want: Fault{422, "rows"}},
		{code: 241, want: Fault{422, "memory"}},
		{code: 159, want: Fault{504, "late"}},
		{code: 160, want: Fault{504, "late"}},
		{code: 427, want: Fault{400, "regexp: words"}},
		{code: 167, want: Fault{400, "conditions"}},
		{code: 168, want: Fault{400, "conditions"}},
		{code: 306, want: Fault{400, "conditions"}},
		{code: 202, want: Fault{429, "busy"}},
		{ctx: late, code: 158, want: Fault{422, "rows"}},
		{ctx: late, err: io.EOF, want: Fault{504, "late"}},
		{err: context.DeadlineExceeded, want: Fault{504, "late"}},
		{ctx: gone, err: io.EOF, want: Fault{499, "the client went away"}},
		{err: io.EOF, want: Fault{503, "ClickHouse cannot be reached at the moment"}},
		{err: errors.New("other"), want: Fault{500, "doing: other"}},
	} {
		s, ctx, all := New(options(), quiet), c.ctx, []error{c.err}
		if ctx == nil {
			ctx = context.Background()
		}
		if c.code != 0 {
			all = []error{&ch.Exception{Code: proto.Error(c.code), Message: "words"}, &clickhouse.Exception{Code: int32(c.code), Message: "words"}}
		}
		for _, err := range all {
			request := ctx
			if ctx == late {
				request = context.Background() // which has no timeout
			}
			status, message := s.Worded(request, s.fault(ctx, fmt.Errorf("doing: %w", err)))
			if got := (Fault{status, message}); got != c.want {
				t.Errorf("%d %v: %+v, want %+v", c.code, err, got, c.want)
			}
		}
	}
}

// TestNoText gives errors back that nobody foresaw, or has a text for.
func TestNoText(t *testing.T) {
	t.Parallel()
	o := options()
	delete(o.Texts, Busy)
	s := New(o, quiet)
	for _, code := range []proto.Error{proto.ErrTooManySimultaneousQueries, proto.ErrSyntaxError} {
		err := &ch.Exception{Code: code, Message: "words"}
		if got := s.fault(context.Background(), err); !errors.Is(got, error(err)) {
			t.Errorf("%s: %v", code, got)
		}
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	a := NewAPI(options(), nil, prometheus.HistogramOpts{Name: "seconds"}, prometheus.NewRegistry(), quiet)
	serveIn := func(ctx context.Context, handle func(context.Context) (any, error)) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.Serve(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx), "test", handle)
		return w
	}
	serve := func(handle func(context.Context) (any, error)) *httptest.ResponseRecorder {
		return serveIn(context.Background(), handle)
	}
	answer := func(context.Context) (any, error) { return "<a>", nil }
	if w := serve(answer); w.Code != 200 || w.Body.String() != "\"<a>\"\n" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	if w := serve(func(context.Context) (any, error) { return nil, Invalid("no %s", "sense") }); w.Code != 400 || !strings.Contains(w.Body.String(), `{"message":"no sense"}`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := serve(func(context.Context) (any, error) { return nil, context.DeadlineExceeded }); w.Code != 504 || !strings.Contains(w.Body.String(), "late") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := serve(func(context.Context) (any, error) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w := serveIn(ctx, answer) // there is no other turn
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "too many requests for logs at a time (query.logs.concurrency is 1)") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		return answer(context.Background())
	})
	if w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := serve(answer); w.Code != 200 {
		t.Errorf("the turn was not given back: %d", w.Code)
	}
}

func TestShortened(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a": "a", strings.Repeat("a", 60): strings.Repeat("a", 60), strings.Repeat("a", 61): strings.Repeat("a", 60) + "...",
		strings.Repeat("a", 59) + "é": strings.Repeat("a", 59) + "...",
	} {
		if got := Shortened(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
