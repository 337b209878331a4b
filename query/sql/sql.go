// Package sql serves read-only SQL over ClickHouse's HTTP interface: to a
// client it looks like a ClickHouse server that one user may only read from.
//
// Every query is checked before it is sent on (see guard.go), runs as one
// configured user with limits that the client cannot lift, and where requests
// belong to tenants it is bounded by row policies in ClickHouse itself (see
// tenant.go). Results are streamed, not held.
//
// It must not know who may ask: the caller passes a [Scope] with the request.
package sql

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/transport"
)

// Scope says for whom a query runs.
type Scope struct {
	// Tenant bounds the query to the rows of one tenant. Empty is unbounded.
	Tenant string
}

// Handler answers SQL requests.
type Handler struct {
	cfg       Config
	endpoints []*url.URL
	next      atomic.Uint32 // the endpoint that answered last
	client    *http.Client
	password  string
	// tenantPassword belongs to cfg.TenantUsername.
	tenantPassword string
	slots          chan struct{}
	policies       *policies
	metrics        *metrics
	log            *slog.Logger
	warned         atomic.Int64 // when the log said last that ClickHouse is away
}

// New makes a handler. Conn, which may be nil where no tenant will ask, is a
// connection of a user that may read system.row_policies.
func New(cfg Config, conn driver.Conn, reg prometheus.Registerer, log *slog.Logger) (*Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &Handler{
		cfg:      cfg,
		slots:    make(chan struct{}, cfg.Limits.MaxConcurrent),
		policies: &policies{conn: conn, database: cfg.Database, user: cfg.TenantUsername},
		metrics:  newMetrics(reg),
		log:      log,
	}
	var err error
	if h.password, err = cfg.Password.Value(); err != nil {
		return nil, fmt.Errorf("query.sql.password: %w", err)
	}
	if h.tenantPassword, err = cfg.TenantPassword.Value(); err != nil {
		return nil, fmt.Errorf("query.sql.tenant_password: %w", err)
	}
	for _, a := range cfg.HTTPAddresses {
		u, err := endpoint(a)
		if err != nil {
			return nil, err
		}
		h.endpoints = append(h.endpoints, u)
	}
	// For the addresses with https.
	encryption, err := transport.ClientTLS{Enabled: true, CAFile: cfg.CAFile}.Load()
	if err != nil {
		return nil, fmt.Errorf("query.sql.%w", err)
	}
	h.client = &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: cfg.DialTimeout}).DialContext,
			TLSClientConfig:     encryption,
			TLSHandshakeTimeout: cfg.DialTimeout,
			MaxIdleConnsPerHost: cfg.Limits.MaxConcurrent,
			IdleConnTimeout:     time.Minute,
			// What the client accepts is passed on, and the answer as it comes.
			DisableCompression: true,
		},
		// A redirect would carry the password elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return h, nil
}

// Close lets go of idle connections.
func (h *Handler) Close() { h.client.CloseIdleConnections() }

// timeoutGrace is how much longer than the server the proxy waits, so that the
// server's own, better error comes first.
const timeoutGrace = 3 * time.Second

// Serve answers one request for the scope. The tabular default of the answer is
// defaultFormat where neither the query nor the client names another.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, scope Scope, defaultFormat string) {
	start := time.Now()
	status := h.serve(w, r, scope, defaultFormat)
	h.metrics.observe(status, time.Since(start))
}

// serve returns the status it answered with.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, scope Scope, defaultFormat string) int {
	text, fault := h.queryText(w, r)
	if fault == nil {
		fault = check(text, scope.Tenant != "")
	}
	var settings url.Values
	if fault == nil {
		settings, fault = h.settings(r, defaultFormat)
	}
	if fault == nil && scope.Tenant != "" {
		fault = h.policies.hold(r.Context())
	}
	if fault != nil {
		return h.refuse(w, r, fault)
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return h.refuse(w, r, &Fault{
			Status: http.StatusTooManyRequests, Name: proto.ErrTooManySimultaneousQueries.String(), Code: int(proto.ErrTooManySimultaneousQueries),
			Message: fmt.Sprintf("%d queries are running, which is the limit; try again in a moment", cap(h.slots)),
		})
	}
	h.metrics.inFlight.Inc()
	defer h.metrics.inFlight.Dec()

	ctx, cancel := context.WithTimeout(r.Context(), h.cfg.Limits.MaxExecutionTime+timeoutGrace)
	defer cancel()
	response, err := h.send(ctx, r, text, settings, scope)
	if err != nil {
		return h.refuse(w, r, h.transportFault(r, err))
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return h.refuse(w, r, h.serverFault(response))
	}
	return h.stream(w, r, response, scope)
}

// queryText reads the query: the parameter, the body, or the one after the
// other, as ClickHouse does it. A form with a field query is understood too.
func (h *Handler) queryText(w http.ResponseWriter, r *http.Request) (string, *Fault) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return "", &Fault{Status: http.StatusMethodNotAllowed, Message: "want GET or POST, not " + r.Method}
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return "", badRequest("multipart requests, which carry external tables, are not allowed")
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return "", badRequest("a query must be sent without compression, not with Content-Encoding %s", e)
	}
	limit := int64(h.cfg.Limits.MaxQueryBytes)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return "", h.tooLong()
	}
	if err != nil {
		return "", badRequest("reading the query: %v", err)
	}
	text := r.URL.Query().Get("query")
	if len(body) > 0 {
		part := string(body)
		// No statement starts like this, so it can only be a form.
		if strings.HasPrefix(part, "query=") {
			form, err := url.ParseQuery(part)
			if err != nil {
				return "", badRequest("reading the form: %v", err)
			}
			part = form.Get("query")
		}
		if text != "" {
			text += "\n"
		}
		text += part
	}
	if int64(len(text)) > limit {
		return "", h.tooLong()
	}
	if strings.TrimSpace(text) == "" {
		return "", badRequest("there is no query; send it as the parameter query or as the body")
	}
	return text, nil
}

func (h *Handler) tooLong() *Fault {
	return &Fault{
		Status:  http.StatusRequestEntityTooLarge,
		Message: fmt.Sprintf("the query is longer than %s", h.cfg.Limits.MaxQueryBytes),
	}
}

// send tries the endpoints in turn, starting with the one that answered last. A
// query is sent to the next one only where no connection was made.
func (h *Handler) send(ctx context.Context, r *http.Request, text string, settings url.Values, scope Scope) (*http.Response, error) {
	user, password := h.cfg.Username, h.password
	if scope.Tenant != "" {
		user, password = h.cfg.TenantUsername, h.tenantPassword
	}
	settings.Set("query_id", queryID(scope))
	var errs []error
	first := int(h.next.Load())
	for i := range h.endpoints {
		at := (first + i) % len(h.endpoints)
		target := *h.endpoints[at]
		target.RawQuery = settings.Encode()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(text))
		if err != nil {
			return nil, err
		}
		request.Header.Set("X-ClickHouse-User", user)
		request.Header.Set("X-ClickHouse-Key", password)
		request.Header.Set("User-Agent", "goshawk")
		// Only what readFault can undo.
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			request.Header.Set("Accept-Encoding", "gzip")
		}
		response, err := h.client.Do(request)
		if err == nil {
			h.next.Store(uint32(at))
			return response, nil
		}
		errs = append(errs, err)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// queryID names the query. The row policies of tenants read the tenant from it:
// a query cannot change its own id, whatever settings it has.
func queryID(scope Scope) string {
	if scope.Tenant != "" {
		return scope.Tenant + "/" + rand.Text()
	}
	return "goshawk-" + rand.Text()
}

// passedHeaders are what a client learns from the server's answer.
var passedHeaders = []string{
	"Content-Type", "Content-Encoding",
	"X-ClickHouse-Format", "X-ClickHouse-Timezone", "X-ClickHouse-Query-Id", "X-ClickHouse-Exception-Tag",
}

// summaryHeaders count what the server read, before row policies take effect.
var summaryHeaders = []string{"X-ClickHouse-Summary", "X-ClickHouse-Progress"}

func (h *Handler) stream(w http.ResponseWriter, r *http.Request, response *http.Response, scope Scope) int {
	passed := passedHeaders
	if scope.Tenant == "" {
		passed = append(append([]string{}, passed...), summaryHeaders...)
	}
	for _, name := range passed {
		for _, value := range response.Header.Values(name) {
			w.Header().Add(name, value)
		}
	}
	guardAnswer(w.Header())
	w.WriteHeader(http.StatusOK)
	n, err := copyFlushing(w, io.LimitReader(response.Body, int64(h.cfg.Limits.MaxResponseBytes)+1))
	h.metrics.resultBytes.Add(float64(n))
	if err == nil && n > int64(h.cfg.Limits.MaxResponseBytes) {
		err = fmt.Errorf("the answer is larger than %s", h.cfg.Limits.MaxResponseBytes)
	}
	if err != nil {
		if r.Context().Err() == nil {
			h.log.Warn("SQL answer was cut off", "error", err, "query_id", response.Header.Get("X-ClickHouse-Query-Id"))
		}
		// The status is out; only a broken connection tells that this is not all.
		panic(http.ErrAbortHandler)
	}
	return http.StatusOK
}

// writeTimeout is how long a client may take to take one piece of an answer.
const writeTimeout = time.Minute

// copyFlushing copies and flushes after every read, so that a client sees rows
// as the server finds them.
func copyFlushing(w http.ResponseWriter, r io.Reader) (int64, error) {
	control := http.NewResponseController(w)
	buf := make([]byte, 64<<10)
	var total int64
	for {
		n, err := r.Read(buf)
		total += int64(n)
		if n > 0 {
			if err := control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return total, err
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return total, err
			}
			if err := control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return total, err
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// guardAnswer keeps a browser from taking what a query returns for a page.
func guardAnswer(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "no-store")
}

// readFault reads the start of an error's text.
func readFault(response *http.Response) string {
	body := io.Reader(response.Body)
	if response.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return ""
		}
		body = unzipped
	}
	var b bytes.Buffer
	_, _ = io.Copy(&b, io.LimitReader(body, 16<<10)) // what arrived is all there is to say
	return strings.TrimSpace(b.String())
}
