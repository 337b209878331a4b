package changes

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/gateway/gatewaytest"
	"github.com/goshawk-observability/goshawk/ingest/topic/topictest"
	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter/spanwritertest"
)

// received is soon after the times in testdata.
var received = time.Date(2026, 1, 31, 13, 0, 0, 0, time.UTC)

// splitterOf returns the splitter of a path.
func splitterOf(t testing.TB, cfg Config, path string, claim func(int64) error) *splitter {
	t.Helper()
	routes, err := Routes(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range routes {
		if routes[i].Path == path {
			return routes[i].Formats[0].NewSplitter(otlp.DefaultLimits(), claim).(*splitter)
		}
	}
	t.Fatalf("there is no path %s", path)
	return nil
}

// send gives a splitter a request, whose first line is its path and whose next lines
// are its header, up to an empty line.
func send(t testing.TB, cfg Config, request string) (*splitter, error) {
	t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	lines := strings.Split(head, "\n")
	s := splitterOf(t, cfg, lines[0], spanwritertest.Unlimited)
	r := httptest.NewRequest(http.MethodPost, lines[0], nil)
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	if _, err := s.Describe(r); err != nil {
		return s, err
	}
	return s, s.Split(telemetry.Logs, []byte(body), 4, received.UnixNano())
}

// events says what is in the parts.
func events(t testing.TB, s *splitter) string {
	t.Helper()
	var text strings.Builder
	limits := otlp.DefaultLimits()
	for _, p := range s.Parts() {
		b := &telemetry.Batch{Block: telemetry.Block{Signal: telemetry.Logs}}
		b.Records = append(b.Records, telemetry.Record{Value: p.Value, Declared: p.Events, ReceiveTime: received.UnixNano()})
		otlp.Decode(b, &limits)
		if len(b.Rejects) > 0 || int64(b.EventCount()) != p.Events {
			t.Errorf("a part of %d events has %d, %d are rejected", p.Events, b.EventCount(), len(b.Rejects))
		}
		for i := range b.Logs {
			l := &b.Logs[i]
			fmt.Fprintf(&text, "%s %s %d %q\n", time.Unix(0, l.Time).UTC().Format(time.RFC3339Nano), l.EventName, l.Severity, l.Body.Str)
			for _, attrs := range [][]telemetry.Attr{b.AttrsOf(b.Resources[l.Resource].Attrs), b.AttrsOf(l.Attrs)} {
				for _, a := range attrs {
					fmt.Fprintf(&text, "  %s %q\n", a.Key, a.Value.Str)
				}
			}
		}
	}
	return text.String()
}

// TestGolden converts the reports in testdata.
func TestGolden(t *testing.T) {
	for _, file := range []string{"own", "github", "gitlab", "argocd", "kubernetes"} {
		spanwritertest.Golden(t, "testdata/"+file+".txt", func(t *testing.T, request string) string {
			s, err := send(t, DefaultConfig(), request)
			if err != nil {
				return fmt.Sprintf("error: %v\n", err)
			}
			return events(t, s) + fmt.Sprintf("answer %s\n", s.Answer())
		})
	}
}

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// TestSecrets checks who reports, where that is configured.
func TestSecrets(t *testing.T) {
	cfg := DefaultConfig()
	cfg.GitHubSecret, cfg.GitLabToken = "s3cret", "t0ken"
	push := `{"ref":"refs/heads/main","after":"abc"}`
	pipeline := `{"object_kind":"pipeline","object_attributes":{"id":1,"status":"success"}}`
	for name, c := range map[string]struct {
		request string
		ok      bool
	}{
		"GitHub":                     {"/api/v1/changes/github\nX-GitHub-Event: push\nX-Hub-Signature-256: " + sign("s3cret", push) + "\n\n" + push, true},
		"GitHub, another secret":     {"/api/v1/changes/github\nX-GitHub-Event: push\nX-Hub-Signature-256: " + sign("other", push) + "\n\n" + push, false},
		"GitHub, another body":       {"/api/v1/changes/github\nX-GitHub-Event: push\nX-Hub-Signature-256: " + sign("s3cret", push+" ") + "\n\n" + push, false},
		"GitHub, none":               {"/api/v1/changes/github\nX-GitHub-Event: push\n\n" + push, false},
		"GitHub, not hexadecimal":    {"/api/v1/changes/github\nX-GitHub-Event: push\nX-Hub-Signature-256: sha256=x\n\n" + push, false},
		"GitLab":                     {"/api/v1/changes/gitlab\nX-Gitlab-Token: t0ken\n\n" + pipeline, true},
		"GitLab, another":            {"/api/v1/changes/gitlab\nX-Gitlab-Token: other\n\n" + pipeline, false},
		"GitLab, none":               {"/api/v1/changes/gitlab\n\n" + pipeline, false},
		"goshawk's own needs no one": {"/api/v1/changes\n\n{\"kind\":\"restart\"}", true},
	} {
		s, err := send(t, cfg, c.request)
		if (err == nil) != c.ok || c.ok != (s.Accepted() == 1) {
			t.Errorf("%s: %v, %d are accepted", name, err, s.Accepted())
		}
	}
	cfg.GitHubSecret = config.Secret("file:/nowhere")
	if _, err := Routes(cfg); err == nil || !strings.Contains(err.Error(), "changes.github_secret") {
		t.Errorf("a secret that cannot be read: %v", err)
	}
}

// TestIdentity says which requests are the same.
func TestIdentity(t *testing.T) {
	identity := func(request string, later time.Duration) string {
		t.Helper()
		at := received
		defer func() { received = at }()
		received = received.Add(later)
		s, err := send(t, DefaultConfig(), request)
		if err != nil {
			t.Fatal(err)
		}
		return string(s.Identity())
	}
	const own = "/api/v1/changes\n\n"
	for name, c := range map[string]struct {
		one, other string
		later      time.Duration
		same       bool
	}{
		"an id":                   {own + `{"kind":"a","id":"1"}`, own + `{"kind":"a","id":"1"}`, time.Hour, true},
		"a time":                  {own + `{"kind":"a","time":1769860800}`, own + `{"kind":"a","time":1769860800}`, time.Hour, true},
		"neither, at once":        {own + `{"kind":"a"}`, own + `{"kind":"a"}`, time.Second, true},
		"neither, later":          {own + `{"kind":"a"}`, own + `{"kind":"a"}`, time.Hour, false},
		"one of two without":      {own + `[{"kind":"a","id":"1"},{"kind":"a"}]`, own + `[{"kind":"a","id":"1"},{"kind":"a"}]`, time.Hour, false},
		"another body":            {own + `{"kind":"a","id":"1"}`, own + `{"kind":"b","id":"1"}`, 0, false},
		"a key":                   {"/api/v1/changes\nIdempotency-Key: 7\n\n" + `{"kind":"a"}`, "/api/v1/changes\nIdempotency-Key: 7\n\n" + `{"kind":"a"}`, time.Hour, true},
		"a delivery of GitHub":    {"/api/v1/changes/github\nX-GitHub-Event: push\nX-GitHub-Delivery: 7\n\n" + `{"after":"a"}`, "/api/v1/changes/github\nX-GitHub-Event: push\nX-GitHub-Delivery: 7\n\n" + `{"after":"a"}`, time.Hour, true},
		"another delivery of the": {"/api/v1/changes/github\nX-GitHub-Event: push\nX-GitHub-Delivery: 7\n\n" + `{"after":"a"}`, "/api/v1/changes/github\nX-GitHub-Event: push\nX-GitHub-Delivery: 8\n\n" + `{"after":"a"}`, 0, false},
	} {
		if same := identity(c.one, 0) == identity(c.other, c.later); same != c.same {
			t.Errorf("%s: the same is %t", name, same)
		}
	}
}

// TestGateway sends to a gateway with tokens.
func TestGateway(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxChanges = 2
	routes, err := Routes(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := topictest.NewRecorder()
	g := gateway.DefaultConfig()
	g.OTLPGRPC, g.OTLPHTTP, g.MoreHTTP = "", "127.0.0.1:0", []string{"127.0.0.1:0"}
	g.Tokens = []gateway.TokenConfig{{Token: "x", Tenant: "acme"}, {Token: "spans", Tenant: "acme", Signals: []string{"spans"}}}
	url := "http://" + gatewaytest.Start(t, g, r, routes...).Addrs().MoreHTTP[0].String()
	one := `{"kind":"restart","id":"1"}`
	for name, c := range map[string]struct {
		path, body string
		header     map[string]string
		status     int
		text       string
	}{
		"a change":         {Path, one, map[string]string{"Authorization": "Bearer x", "Content-Type": "application/json"}, 200, `{"changes":1,"rejected":0}`},
		"token in the URL": {Path + "/github?token=x", `{"after":"a"}`, map[string]string{"X-GitHub-Event": "push"}, 200, `{"changes":1,"rejected":0}`},
		"GitLab's token":   {Path + "/gitlab", `{"object_kind":"note"}`, map[string]string{"X-Gitlab-Token": "x"}, 200, `{"changes":0,"rejected":0}`},
		"no token":         {Path, one, nil, 401, `"no token`},
		"another signal":   {Path, one, map[string]string{"Authorization": "Bearer spans"}, 403, "does not allow to send logs"},
		"a slip":           {Path, `{"kind":"restart","servcie":"x"}`, map[string]string{"Authorization": "Bearer x"}, 400, "servcie"},
		"too many":         {Path, "[" + one + "," + one + "," + one + "]", map[string]string{"Authorization": "Bearer x"}, 400, "changes.max_changes"},
	} {
		a := transporttest.Post(t, url+c.path, []byte(c.body), c.header)
		if a.Status != c.status || !strings.Contains(a.Text, c.text) {
			t.Errorf("%s: %d %s", name, a.Status, a.Text)
		}
		if parts := r.Take(); len(parts) > 0 && (c.status != 200 || parts[0].Tenant != "acme" || parts[0].Topic != "otlp_logs") {
			t.Errorf("%s: %+v", name, parts)
		}
	}
}

var errNoMemory = errors.New("no memory")

func TestMemoryIsClaimed(t *testing.T) {
	s := splitterOf(t, DefaultConfig(), Path, func(int64) error { return errNoMemory })
	if err := s.Split(telemetry.Logs, []byte(`{"kind":"a"}`), 4, 0); !errors.Is(err, errNoMemory) {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	cfg := DefaultConfig()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if (&Config{}).Validate() == nil || (&Config{MaxChanges: 1e9}).Validate() == nil {
		t.Error("no changes, or any number, are taken")
	}
}

// FuzzReport makes sure that what becomes of a report is OTLP and depends on nothing
// but the report.
func FuzzReport(f *testing.F) {
	for _, file := range []string{"own", "github", "gitlab", "argocd", "kubernetes"} {
		script, err := os.ReadFile("testdata/" + file + ".txt")
		if err != nil {
			f.Fatal(err)
		}
		for part := range strings.SplitSeq(string(script), "\n=== ") {
			_, rest, _ := strings.Cut(part, "\n")
			request, _, _ := strings.Cut(rest, "\n---")
			head, body, _ := strings.Cut(request, "\n\n")
			path, header, _ := strings.Cut(head, "\n")
			f.Add(strings.TrimPrefix(path, Path), strings.TrimPrefix(header, "X-GitHub-Event: "), body)
		}
	}
	f.Fuzz(func(t *testing.T, path, event, body string) {
		if _, ok := formats[path]; !ok || strings.ContainsAny(event, "\r\n") {
			t.Skip()
		}
		request := Path + path + "\nX-GitHub-Event: " + event + "\n\n" + body
		s, err := send(t, DefaultConfig(), request)
		again, second := send(t, DefaultConfig(), request)
		if (err == nil) != (second == nil) {
			t.Fatalf("%v, and again %v", err, second)
		}
		if first := events(t, s); first != events(t, again) {
			t.Errorf("a repeat has other events than\n%s", first)
		}
	})
}
