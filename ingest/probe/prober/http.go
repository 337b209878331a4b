package prober

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	phaseProcessing = "processing"
	phaseTransfer   = "transfer"
	// largestHeader bounds the headers of a response.
	largestHeader = 256 << 10
)

// httpProber sends one request, follows redirects, and judges the last answer.
type httpProber struct {
	cfg        *HTTPConfig
	conditions *conditions
	body       string
	agent      string
	dialer     *dialer
	transport  *http.Transport
}

// hopsKey is where the context of a request has its [hops].
type hopsKey struct{}

// hops follow one probe through its requests. The transport connects in
// goroutines of its own, hence the lock.
type hops struct {
	r  *Result
	mu sync.Mutex
	// What has begun and not yet ended; zero where nothing has.
	handshake, sent, answered time.Time
	redirects                 int
}

func newHTTP(cfg *HTTPConfig, d *dialer, agent string) (*httpProber, error) {
	compiled, err := cfg.compile()
	if err != nil {
		return nil, err
	}
	loaded, err := cfg.TLS.load()
	if err != nil {
		return nil, err
	}
	p := &httpProber{cfg: cfg, conditions: compiled, body: cfg.Body, agent: agent, dialer: d}
	if cfg.BodyFile != "" {
		text, err := os.ReadFile(cfg.BodyFile)
		if err != nil {
			return nil, fmt.Errorf("body_file: %w", err)
		}
		p.body = string(text)
	}
	p.transport = &http.Transport{
		// No proxy from the environment: it would be measured in place of the
		// target, and the guard would see its address.
		Proxy: nil,
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			h, _ := ctx.Value(hopsKey{}).(*hops)
			if h == nil {
				return nil, errors.New("connection without a probe")
			}
			return d.dial(ctx, h.r, "tcp", addr)
		},
		TLSClientConfig:        loaded,
		ForceAttemptHTTP2:      cfg.HTTP2,
		DisableCompression:     true,
		DisableKeepAlives:      !cfg.ReuseConnections,
		MaxResponseHeaderBytes: largestHeader,
		IdleConnTimeout:        5 * time.Minute,
		MaxIdleConnsPerHost:    1,
		TLSHandshakeTimeout:    time.Minute,
	}
	return p, nil
}

func (p *httpProber) close() { p.transport.CloseIdleConnections() }

func (p *httpProber) check(target string) error {
	_, err := parseURL(target)
	return err
}

// parseURL reads a target. One without a scheme is http, as users of
// blackbox_exporter know it.
func parseURL(target string) (*url.URL, error) {
	scheme, _, found := strings.Cut(target, "://")
	switch {
	case !found, strings.ContainsAny(scheme, "/?#"):
		target = "http://" + target
	case !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https"):
		return nil, errors.New("the target is a URL, but neither http nor https")
	}
	u, err := url.Parse(target)
	if err != nil {
		// The error of the package holds the URL, and with it perhaps a password.
		return nil, errors.New("the target is no URL")
	}
	if u.User != nil {
		return nil, errors.New("a target must not hold a user or password; a module has basic_auth")
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("%q names no host", target)
	}
	if u.Port() != "" {
		if err := checkPort(u.Port()); err != nil {
			return nil, err
		}
	}
	return u, nil
}

func (p *httpProber) probe(ctx context.Context, target string, r *Result) error {
	r.SpanName = p.cfg.Method
	r.measure(HTTPDuration, phaseResolve, phaseConnect, phaseTLS, phaseProcessing, phaseTransfer)
	r.text("network.transport", "tcp")
	r.text("http.request.method", p.cfg.Method)
	u, err := parseURL(target)
	if err != nil {
		return err
	}
	r.visiting(u)
	h := &hops{r: r}
	trace := &httptrace.ClientTrace{
		TLSHandshakeStart:    func() { h.begin(&h.handshake) },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { h.end(phaseTLS, &h.handshake) },
		GotConn:              func(httptrace.GotConnInfo) { h.begin(&h.sent) },
		GotFirstResponseByte: func() { h.end(phaseProcessing, &h.sent); h.begin(&h.answered) },
	}
	ctx = httptrace.WithClientTrace(context.WithValue(ctx, hopsKey{}, h), trace)
	req, err := p.request(ctx, u, r)
	if err != nil {
		return err
	}
	client := http.Client{Transport: p.transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		return p.redirected(h, next, via)
	}}
	resp, err := client.Do(req)
	if resp != nil {
		defer resp.Body.Close()
	}
	var found answer
	if err != nil {
		r.refusedCertificates(err)
		found.take(resp)
		found.report(r, h)
		return p.requestError(ctx, err)
	}
	found.take(resp)
	bodyErr := p.readBody(resp, &found, r)
	h.end(phaseTransfer, &h.answered)
	found.report(r, h)
	return p.judge(ctx, resp, &found, bodyErr)
}

// request makes the first request.
func (p *httpProber) request(ctx context.Context, u *url.URL, r *Result) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, p.cfg.Method, u.String(), strings.NewReader(p.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", p.agent)
	if p.cfg.Compression != "" {
		req.Header.Set("Accept-Encoding", p.cfg.Compression)
	}
	for name, value := range p.cfg.Headers {
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	if b := p.cfg.BasicAuth; b != nil {
		password, err := secret(b.PasswordFile)
		if err != nil {
			return nil, failf("credentials", "basic_auth.password_file: %w", err)
		}
		req.SetBasicAuth(b.Username, password)
	}
	if p.cfg.BearerTokenFile != "" {
		token, err := secret(p.cfg.BearerTokenFile)
		if err != nil {
			return nil, failf("credentials", "bearer_token_file: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Traceparent", r.Traceparent())
	return req, nil
}

func secret(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	return strings.TrimRight(string(text), "\r\n"), err
}

// redirected decides whether a redirect is followed.
func (p *httpProber) redirected(h *hops, next *http.Request, via []*http.Request) error {
	h.end(phaseTransfer, &h.answered)
	if !p.cfg.FollowRedirects {
		return http.ErrUseLastResponse
	}
	if len(via) > p.cfg.MaxRedirects {
		return failf("redirect", "more than %d redirects", p.cfg.MaxRedirects)
	}
	if p.cfg.FailOnDowngrade && via[len(via)-1].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return failf("redirect", "https redirects to %s", next.URL.Scheme)
	}
	// Configured headers may hold keys that only the target is meant to see.
	if next.URL.Host != via[0].URL.Host || next.URL.Scheme != via[0].URL.Scheme {
		for name := range p.cfg.Headers {
			next.Header.Del(name)
		}
		next.Header.Del("Authorization")
	}
	h.redirects = len(via)
	h.r.explain("redirected to %s", next.URL.Redacted())
	h.r.visiting(next.URL)
	return nil
}

// visiting notes the URL that is asked now. Its user is left out.
func (r *Result) visiting(u *url.URL) {
	clean := *u
	clean.User, clean.Fragment, clean.RawFragment = nil, "", ""
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	r.text("url.full", clean.String())
	r.server(u.Hostname(), port)
}

// requestError tells what went wrong before there was an answer.
func (p *httpProber) requestError(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		// The URL is told elsewhere.
		err = wrapped.Err
	}
	return timeoutOr(ctx, err)
}

func (h *hops) begin(at *time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*at = time.Now()
}

func (h *hops) end(phase string, since *time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !since.IsZero() {
		h.r.phase(phase, *since, time.Now())
		*since = time.Time{}
	}
}

// answer is what is reported of the last response; zeros where there was none.
type answer struct {
	status        int
	length, body  int64
	version       float64
	ssl, mismatch bool
	modified      time.Time
	resp          *http.Response
}

func (a *answer) take(resp *http.Response) {
	if resp == nil {
		return
	}
	a.resp, a.status, a.length, a.ssl = resp, resp.StatusCode, resp.ContentLength, resp.TLS != nil
	a.version, _ = strconv.ParseFloat(fmt.Sprintf("%d.%d", resp.ProtoMajor, resp.ProtoMinor), 64)
	a.modified, _ = http.ParseTime(resp.Header.Get("Last-Modified"))
}

func (a *answer) report(r *Result, h *hops) {
	r.point(HTTPStatus, float64(a.status))
	r.point(HTTPContentLength, float64(a.length))
	r.point(HTTPBodyLength, float64(a.body))
	r.point(HTTPRedirects, float64(h.redirects))
	r.flag(HTTPSSL, a.ssl)
	r.point(HTTPVersion, a.version)
	r.flag(RegexFailed, a.mismatch)
	if !a.modified.IsZero() {
		r.point(HTTPLastModified, unixSeconds(a.modified))
	}
	if h.redirects > 0 {
		r.number("http.request.resend_count", int64(h.redirects))
	}
	if a.resp == nil {
		return
	}
	r.number("http.response.status_code", int64(a.status))
	r.number("http.response.body.size", a.body)
	r.text("network.protocol.name", "http")
	r.text("network.protocol.version", strconv.FormatFloat(a.version, 'g', -1, 64))
	if a.resp.TLS != nil {
		r.encrypted(*a.resp.TLS)
	}
	r.explain("answered %s %s", a.resp.Proto, a.resp.Status)
}

// judge returns the first reason why the answer is not good.
func (p *httpProber) judge(ctx context.Context, resp *http.Response, a *answer, bodyErr error) error {
	switch codes := p.cfg.ValidStatusCodes; {
	case len(codes) == 0 && a.status/100 != 2, len(codes) > 0 && !slices.Contains(codes, a.status):
		return failf(strconv.Itoa(a.status), "status %s is not valid", resp.Status)
	case len(p.cfg.ValidHTTPVersions) > 0 && !slices.Contains(p.cfg.ValidHTTPVersions, resp.Proto):
		return failf("http_version", "version %s is not valid", resp.Proto)
	case p.cfg.FailIfSSL && a.ssl:
		return failf("ssl", "the last answer came over TLS")
	case p.cfg.FailIfNotSSL && !a.ssl:
		return failf("ssl", "the last answer came without TLS")
	}
	if bodyErr != nil {
		return timeoutOr(ctx, bodyErr)
	}
	if resp.TLS != nil {
		return p.cfg.TLS.remaining(resp.TLS.PeerCertificates)
	}
	return nil
}
