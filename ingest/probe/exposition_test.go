package probe

import (
	"bytes"
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
)

func TestAppendText(t *testing.T) {
	var text bytes.Buffer
	appendText(&text, []prober.Point{
		{Name: prober.TCPDuration, Value: 0.25, Labels: []prober.Label{{Name: "phase", Value: "connect"}}},
		{Name: prober.TCPDuration, Value: 0, Labels: []prober.Label{{Name: "phase", Value: "tls"}}},
		{Name: prober.CertChainInfo, Value: 1, Labels: []prober.Label{{Name: "issuer", Value: `a "b"`}, {Name: "subject", Value: "c\\d\ne"}}},
		{Name: prober.CertEarliestExpiry, Value: 1790000000},
	})
	want := `# HELP probe_tcp_duration_seconds How long each phase took, in seconds.
# TYPE probe_tcp_duration_seconds gauge
probe_tcp_duration_seconds{phase="connect"} 0.25
probe_tcp_duration_seconds{phase="tls"} 0
# HELP probe_ssl_last_chain_info The server's own certificate.
# TYPE probe_ssl_last_chain_info gauge
probe_ssl_last_chain_info{issuer="a \"b\"",subject="c\\d\ne"} 1
# HELP probe_ssl_earliest_cert_expiry When the first of the certificates that the server presented expires, Unix seconds.
# TYPE probe_ssl_earliest_cert_expiry gauge
probe_ssl_earliest_cert_expiry 1.79e+09
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
}

// FuzzAppendText has the parser of Prometheus as its oracle.
func FuzzAppendText(f *testing.F) {
	f.Add("plain", 1.0)
	f.Add("quo\"te\\ \n\xff", math.Inf(1))
	f.Add("", math.NaN())
	f.Fuzz(func(t *testing.T, label string, value float64) {
		var text bytes.Buffer
		appendText(&text, []prober.Point{
			{Name: prober.CertChainInfo, Value: value, Labels: []prober.Label{{Name: "subject", Value: label}, {Name: "issuer", Value: "x"}}},
			{Name: prober.Success, Value: 1},
		})
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(text.Bytes()))
		if err != nil {
			t.Fatalf("%q: %v", text.String(), err)
		}
		m := families[prober.CertChainInfo].GetMetric()[0]
		if got := m.GetLabel()[0].GetValue(); got != label && utf8.ValidString(label) {
			t.Errorf("label %q, want %q", got, label)
		}
		if got := m.GetGauge().GetValue(); got != value && !math.IsNaN(value) {
			t.Errorf("value %v, want %v", got, value)
		}
		if families[prober.Success].GetMetric()[0].GetGauge().GetValue() != 1 {
			t.Error("the next line is lost")
		}
	})
}

func TestScrapeTimeout(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": 0, "10": 9500 * time.Millisecond, "1": 500 * time.Millisecond, "0.5": 250 * time.Millisecond, "1e300": time.Hour,
	} {
		if got, err := scrapeTimeout(header); err != nil || got != want {
			t.Errorf("%q: %s, %v, want %s", header, got, err, want)
		}
	}
	for _, header := range []string{"-1", "0", "NaN", "x", "10s", "-Inf"} {
		if got, err := scrapeTimeout(header); err == nil {
			t.Errorf("%q: %s, want an error", header, got)
		}
	}
}

func FuzzScrapeTimeout(f *testing.F) {
	f.Add("10")
	f.Add("0x1p-2")
	f.Add("+Inf")
	f.Fuzz(func(t *testing.T, header string) {
		got, err := scrapeTimeout(header)
		if err == nil && header != "" && (got <= 0 || got > time.Hour) {
			t.Errorf("%q: %s", header, got)
		}
	})
}
