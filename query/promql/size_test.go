package promql

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestTokens(t *testing.T) {
	for text, want := range map[string]int{
		"":                                   0,
		"up":                                 1,
		"sum by (job) (rate(x_total[5m]))":   14,
		`up{job="a b c (((", instance='\''}`: 10,
		"up # a comment ((((\n+ 1":           3,
		"`a\\`+1":                            3,
		`"never ends`:                        1,
		"-----1":                             6,
		`{"http.requests", "a"=~"b|c"}`:      8,
		"1e3 + 0x1F * ünicode:name_x":        5,
	} {
		if got := tokens(text); got != want {
			t.Errorf("%q has %d tokens, want %d", text, got, want)
		}
	}
	if got := tokens(`up{x="` + strings.Repeat("(", 1_000_000) + `"}`); got != 6 {
		t.Errorf("a long text in quotes counts %d", got)
	}
}

// TestDeepQuery asks what would keep the parser busy for minutes.
func TestDeepQuery(t *testing.T) {
	api := New(DefaultConfig(), NewStore(DefaultConfig(), nil, "goshawk"), "test", prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
	deep := strings.Repeat("(", 1_000_000) + "up" + strings.Repeat(")", 1_000_000)
	for name, r := range map[string]*http.Request{
		"parentheses": httptest.NewRequest(http.MethodPost, "/api/v1/query", strings.NewReader(url.Values{"query": {deep}}.Encode())),
		"signs":       httptest.NewRequest(http.MethodGet, "/api/v1/format_query?query="+strings.Repeat("-", 1_000_000)+"1", nil),
		"chain":       httptest.NewRequest(http.MethodPost, "/api/v1/parse_query", strings.NewReader("query=1"+strings.Repeat("%2B1", 500_000))),
		"selector":    httptest.NewRequest(http.MethodPost, "/api/v1/series", strings.NewReader("match[]={"+strings.Repeat("a=b,", 100_000)+"}")),
	} {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		api.Serve(w, r, "default")
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "words and signs") {
			t.Errorf("%s: status %d, %.200s", name, w.Code, w.Body)
		}
	}
}

func FuzzTokens(f *testing.F) {
	f.Add("sum by (job) (rate(x_total[5m]))")
	f.Add("\"\\")
	f.Fuzz(func(t *testing.T, text string) {
		if n := tokens(text); n > len(text) {
			t.Errorf("%d tokens in %d bytes", n, len(text))
		}
	})
}
