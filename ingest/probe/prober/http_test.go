package prober_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

func serve(t testing.TB, handle http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s.URL
}

func httpConfig(change func(*prober.HTTPConfig)) prober.Config {
	return config("http", func(c *prober.Config) {
		if change != nil {
			change(c.HTTP)
		}
	})
}

func TestHTTPConditions(t *testing.T) {
	target := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Version", "1.2.3")
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		_, _ = io.WriteString(w, "all is well")
	})
	for name, c := range map[string]struct {
		change        func(*prober.HTTPConfig)
		kind, message string
		mismatch      bool
	}{
		"plain":             {nil, "", "", false},
		"body matches":      {func(c *prober.HTTPConfig) { c.FailIfBodyMatches = []string{"ill", "is we"} }, "mismatch", `matches "is we"`, true},
		"body is without":   {func(c *prober.HTTPConfig) { c.FailIfBodyMatches = []string{"bad"} }, "", "", false},
		"body has":          {func(c *prober.HTTPConfig) { c.FailIfBodyNotMatches = []string{"^all.*well$"} }, "", "", false},
		"body has not":      {func(c *prober.HTTPConfig) { c.FailIfBodyNotMatches = []string{"bad"} }, "mismatch", `does not match "bad"`, true},
		"beyond the limit":  {func(c *prober.HTTPConfig) { c.BodyLimit, c.FailIfBodyNotMatches = 6, []string{"well"} }, "mismatch", "well", true},
		"too large":         {func(c *prober.HTTPConfig) { c.MaxBody = 10 }, "body_too_large", "10", false},
		"just not":          {func(c *prober.HTTPConfig) { c.MaxBody = 11 }, "", "", false},
		"header matches":    {func(c *prober.HTTPConfig) { c.FailIfHeaderMatches = headers("x-version", "^1", false) }, "mismatch", "X-Version", true},
		"header is without": {func(c *prober.HTTPConfig) { c.FailIfHeaderMatches = headers("x-version", "^2", false) }, "", "", false},
		"header missing":    {func(c *prober.HTTPConfig) { c.FailIfHeaderMatches = headers("x-other", "2", false) }, "mismatch", "no header X-Other", true},
		"missing allowed":   {func(c *prober.HTTPConfig) { c.FailIfHeaderMatches = headers("x-other", "2", true) }, "", "", false},
		"header has":        {func(c *prober.HTTPConfig) { c.FailIfHeaderNotMatches = headers("x-version", "^1", false) }, "", "", false},
		"header has not":    {func(c *prober.HTTPConfig) { c.FailIfHeaderNotMatches = headers("x-version", "^2", false) }, "mismatch", "X-Version", true},
		"wanted is missing": {func(c *prober.HTTPConfig) { c.FailIfHeaderNotMatches = headers("x-other", "2", false) }, "mismatch", "no header X-Other", true},
		"may be missing":    {func(c *prober.HTTPConfig) { c.FailIfHeaderNotMatches = headers("x-other", "2", true) }, "", "", false},
		"not TLS":           {func(c *prober.HTTPConfig) { c.FailIfNotSSL = true }, "ssl", "without TLS", false},
		"no TLS wanted":     {func(c *prober.HTTPConfig) { c.FailIfSSL = true }, "", "", false},
		"version":           {func(c *prober.HTTPConfig) { c.ValidHTTPVersions = []string{"HTTP/2.0"} }, "http_version", "HTTP/1.1", false},
		"status":            {func(c *prober.HTTPConfig) { c.ValidStatusCodes = []int{204, 404} }, "200", "200 OK", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, httpConfig(c.change), target)
			expect(t, r, c.kind, c.message)
			mismatch := 0.
			if c.mismatch {
				mismatch = 1
			}
			values(t, r, map[string]float64{
				prober.RegexFailed: mismatch, prober.HTTPStatus: 200, prober.HTTPContentLength: 11, prober.HTTPBodyLength: 11,
				prober.HTTPVersion: 1.1, prober.HTTPSSL: 0, prober.HTTPRedirects: 0, prober.HTTPLastModified: 1136214245,
			})
		})
	}
}

func headers(name, re string, allowMissing bool) []prober.HeaderMatch {
	return []prober.HeaderMatch{{Header: name, Regexp: re, AllowMissing: allowMissing}}
}

func TestHTTPRequest(t *testing.T) {
	password, token := write(t, "password", []byte("s3cret\n")), write(t, "token", []byte("abc\n"))
	seen := make(chan *http.Request, 1)
	target := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Header.Set("X-Body", string(body))
		seen <- r
	})
	r := run(t, httpConfig(func(c *prober.HTTPConfig) {
		c.Method, c.Body = "PUT", "hello"
		c.Headers = map[string]string{"X-Key": "k", "host": "shop.example", "Content-Type": "text/plain"}
		c.BasicAuth = &prober.BasicAuth{Username: "me", PasswordFile: password}
	}), target+"/a?b=c#d")
	expect(t, r, "", "")
	got := <-seen
	user, pass, _ := got.BasicAuth()
	if got.Method != "PUT" || got.Header.Get("X-Body") != "hello" || got.Host != "shop.example" || got.Header.Get("X-Key") != "k" ||
		got.Header.Get("Content-Type") != "text/plain" || user != "me" || pass != "s3cret" || got.UserAgent() != "test" || got.RequestURI != "/a?b=c" {
		t.Errorf("the server saw %s %s %v of %s, user %s %s", got.Method, got.RequestURI, got.Header, got.Host, user, pass)
	}
	if want := fmt.Sprintf("00-%x-%x-01", r.TraceID, r.SpanID); got.Header.Get("Traceparent") != want {
		t.Errorf("traceparent %q, want %q", got.Header.Get("Traceparent"), want)
	}
	texts(t, r, map[string]string{
		"url.full": target + "/a?b=c", "http.request.method": "PUT", "server.address": "127.0.0.1",
		"network.protocol.name": "http", "network.protocol.version": "1.1",
	})
	numbers(t, r, map[string]int64{"http.response.status_code": 200})
	if r.SpanName != "PUT" {
		t.Errorf("the span is named %q", r.SpanName)
	}

	expect(t, run(t, httpConfig(func(c *prober.HTTPConfig) { c.BearerTokenFile = token }), target), "", "")
	if got := <-seen; got.Header.Get("Authorization") != "Bearer abc" {
		t.Errorf("authorization %q", got.Header.Get("Authorization"))
	}
	missing := run(t, httpConfig(func(c *prober.HTTPConfig) { c.BearerTokenFile = token + ".gone" }), target)
	expect(t, missing, "credentials", "bearer_token_file")
}

func TestHTTPRedirects(t *testing.T) {
	token := write(t, "token", []byte("abc"))
	strange := make(chan http.Header, 1)
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) { strange <- r.Header })
	var target string
	target = serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/twice":
			http.Redirect(w, r, "/once", http.StatusMovedPermanently)
		case "/once":
			http.Redirect(w, r, target+"/end", http.StatusTemporaryRedirect)
		case "/away":
			http.Redirect(w, r, other, http.StatusFound)
		case "/end":
			if r.Header.Get("X-Key") != "k" || r.Header.Get("Authorization") != "Bearer abc" {
				w.WriteHeader(http.StatusForbidden)
			}
		}
	})
	with := func(change func(*prober.HTTPConfig)) prober.Config {
		return httpConfig(func(c *prober.HTTPConfig) {
			c.Headers, c.BearerTokenFile = map[string]string{"X-Key": "k"}, token
			if change != nil {
				change(c)
			}
		})
	}
	r := run(t, with(nil), target+"/twice")
	expect(t, r, "", "")
	values(t, r, map[string]float64{prober.HTTPRedirects: 2, prober.HTTPStatus: 200})
	texts(t, r, map[string]string{"url.full": target + "/end"})
	numbers(t, r, map[string]int64{"http.request.resend_count": 2})
	connects := 0
	for _, p := range r.Phases {
		if p.Name == "connect" {
			connects++
		}
	}
	if connects != 3 {
		t.Errorf("%d connections for three requests; each wants its own", connects)
	}

	r = run(t, with(nil), target+"/loop")
	expect(t, r, "redirect", "more than 10 redirects")
	values(t, r, map[string]float64{prober.HTTPRedirects: 10, prober.HTTPStatus: 302})
	expect(t, run(t, with(func(c *prober.HTTPConfig) { c.MaxRedirects = 1 }), target+"/twice"), "redirect", "more than 1")
	r = run(t, with(func(c *prober.HTTPConfig) { c.FollowRedirects = false }), target+"/loop")
	expect(t, r, "302", "302 Found")
	expect(t, run(t, with(func(c *prober.HTTPConfig) { c.FollowRedirects, c.ValidStatusCodes = false, []int{302} }), target+"/loop"), "", "")

	expect(t, run(t, with(nil), target+"/away"), "", "")
	if h := <-strange; h.Get("X-Key") != "" || h.Get("Authorization") != "" || h.Get("Traceparent") == "" {
		t.Errorf("another host was told %v", h)
	}
}

func TestHTTPDowngrade(t *testing.T) {
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	secure := httptest.NewTLSServer(http.RedirectHandler(plain, http.StatusFound))
	defer secure.Close()
	for downgrade, kind := range map[bool]string{false: "", true: "redirect"} {
		r := run(t, httpConfig(func(c *prober.HTTPConfig) { c.FailOnDowngrade, c.TLS.InsecureSkipVerify = downgrade, true }), secure.URL)
		expect(t, r, kind, "https redirects to http")
	}
}

func TestHTTPS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	defer s.Close()
	for http2, version := range map[bool]float64{true: 2, false: 1.1} {
		r := run(t, httpConfig(func(c *prober.HTTPConfig) { c.HTTP2, c.TLS.InsecureSkipVerify = http2, true }), s.URL)
		expect(t, r, "", "")
		values(t, r, map[string]float64{
			prober.HTTPVersion: version, prober.HTTPSSL: 1, prober.CertEarliestExpiry: unix(s.Certificate().NotAfter), prober.TLSVersionInfo: 1,
		})
		phases(t, r, prober.HTTPDuration, map[string]bool{"resolve": false, "connect": true, "tls": true, "processing": true, "transfer": true})
	}
	r := run(t, httpConfig(func(c *prober.HTTPConfig) { c.FailIfSSL, c.TLS.InsecureSkipVerify = true, true }), s.URL)
	expect(t, r, "ssl", "over TLS")
	r = run(t, httpConfig(nil), s.URL)
	expect(t, r, "certificate", "unknown authority")
	values(t, r, map[string]float64{prober.HTTPStatus: 0, prober.CertEarliestExpiry: unix(s.Certificate().NotAfter), prober.HTTPVersion: 0})
	r = run(t, httpConfig(func(c *prober.HTTPConfig) {
		c.TLS.InsecureSkipVerify, c.TLS.FailIfExpiresWithin = true, 200*365*24*time.Hour
	}), s.URL)
	expect(t, r, "certificate", "expires at")
}

func TestHTTPServersThatFail(t *testing.T) {
	hangUp := transporttest.Listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) })
	if r := run(t, httpConfig(nil), "http://"+hangUp); r.Failure == nil || r.Failure.Type != "connection_closed" {
		t.Errorf("hanging up: %v", r.Failure)
	}
	short := transporttest.Listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot a hundred")
	})
	r := run(t, httpConfig(nil), short)
	expect(t, r, "connection_closed", "reading the body")
	values(t, r, map[string]float64{prober.HTTPStatus: 200, prober.HTTPContentLength: 100, prober.HTTPBodyLength: 13})
	noHTTP := transporttest.Listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		fmt.Fprint(conn, "220 mail\r\n")
	})
	expect(t, run(t, httpConfig(nil), noHTTP), "_OTHER", "malformed")

	release := make(chan struct{})
	slow := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "first")
			w.(http.Flusher).Flush()
		}
		<-release
	})
	defer close(release)
	m := newModule(t, httpConfig(nil), nil)
	r = m.Probe(t.Context(), slow+"/header", 50*time.Millisecond, false)
	expect(t, r, "timeout", "timeout after 50ms")
	values(t, r, map[string]float64{prober.HTTPStatus: 0})
	r = m.Probe(t.Context(), slow+"/body", 50*time.Millisecond, false)
	expect(t, r, "timeout", "reading the body")
	values(t, r, map[string]float64{prober.HTTPStatus: 200})
}

func TestHTTPConnectionsAreReusedOnlyWhenAsked(t *testing.T) {
	var opened atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	for reuse, want := range map[bool]int64{false: 3, true: 1} {
		opened.Store(0)
		m := newModule(t, httpConfig(func(c *prober.HTTPConfig) { c.ReuseConnections = reuse }), nil)
		for range 3 {
			expect(t, m.Probe(t.Context(), s.URL, long, false), "", "")
		}
		if got := opened.Load(); got != want {
			t.Errorf("reuse %t: %d connections, want %d", reuse, got, want)
		}
		m.Close()
	}
}

func TestHTTPCompression(t *testing.T) {
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			_, _ = io.WriteString(w, "plain")
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, strings.Repeat("packed ", 1000))
		_ = z.Close()
	})
	r := run(t, httpConfig(func(c *prober.HTTPConfig) { c.FailIfBodyNotMatches = []string{"^plain$"} }), target)
	expect(t, r, "", "")
	r = run(t, httpConfig(func(c *prober.HTTPConfig) { c.Compression, c.FailIfBodyNotMatches = "gzip", []string{"^packed"} }), target)
	expect(t, r, "", "")
	values(t, r, map[string]float64{prober.HTTPBodyLength: 7000})
}

func TestHTTPTargets(t *testing.T) {
	for target, message := range map[string]string{
		"http://":                     "names no host",
		"ftp://h.test/":               "neither http nor https",
		"unix:///run/x":               "neither http nor https",
		"http://user:secret@h.test/":  "basic_auth",
		"http://h.test:99999/":        "no port",
		"http://a b/":                 "no URL",
		"http://h.test/%zz":           "no URL",
		"https://me:pa%zz@h.test:1/x": "no URL",
	} {
		r := run(t, httpConfig(nil), target)
		expect(t, r, "target", message)
		if strings.Contains(r.Failure.Error(), "secret") {
			t.Errorf("%s: the message tells the password: %v", target, r.Failure)
		}
	}
}

func TestHTTPTargetsWithoutScheme(t *testing.T) {
	target := strings.TrimPrefix(serve(t, func(http.ResponseWriter, *http.Request) {}), "http://")
	for _, spelling := range []string{target, "HTTP://" + target, target + "/?next=https://h.test"} {
		expect(t, run(t, httpConfig(nil), spelling), "", "")
	}
}

func TestAddressFamilies(t *testing.T) {
	both := []netip.Addr{netip.MustParseAddr("::ffff:127.0.0.1"), netip.MustParseAddr("::1")}
	v6 := transporttest.Listen(t, "tcp6", "[::1]:0", nil)
	_, port, _ := net.SplitHostPort(v6)
	v4 := transporttest.Listen(t, "tcp4", "127.0.0.1:"+port, nil)
	_ = v4
	for name, c := range map[string]struct {
		prefer   string
		fallback bool
		found    []netip.Addr
		version  float64
		kind     string
	}{
		"prefer 4":              {"ip4", false, both, 4, ""},
		"prefer 6":              {"ip6", false, both, 6, ""},
		"only 4, prefer 6":      {"ip6", true, both[:1], 4, ""},
		"only 6, prefer 4":      {"ip4", true, both[1:], 6, ""},
		"only 4, want 6":        {"ip6", false, both[:1], 0, "resolve"},
		"only 6, want 4":        {"ip4", false, both[1:], 0, "resolve"},
		"no address whatsoever": {"ip4", true, nil, 0, "resolve"},
	} {
		m := newModule(t, config("tcp", func(cfg *prober.Config) { cfg.PreferredIPProtocol, cfg.IPProtocolFallback = c.prefer, c.fallback }), nil)
		m.SetLookup(func(_ context.Context, _, host string) ([]netip.Addr, error) {
			if len(c.found) == 0 {
				return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
			}
			return c.found, nil
		})
		r := m.Probe(t.Context(), "shop.example:"+port, long, false)
		t.Log(name)
		expect(t, r, c.kind, "")
		values(t, r, map[string]float64{prober.IPProtocol: c.version})
		phases(t, r, prober.TCPDuration, map[string]bool{"resolve": true, "connect": c.kind == ""})
		if lookup, _ := find(r, prober.Lookup); lookup <= 0 {
			t.Errorf("looking up took %v", lookup)
		}
	}
}
