// Package query is the role that answers: read-only SQL over the ClickHouse
// HTTP interface, PromQL over Prometheus's, traces over those of Jaeger, Zipkin
// and Tempo, logs over Loki's, goshawk's own JSON and the first page, all on one
// port.
//
// This package listens, lets requests in and routes them. Who asks is settled
// here; what the answers are is in query/sql, query/promql, query/traces,
// query/logs, query/api and query/ledger.
package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"github.com/goshawk-observability/goshawk/dashboards/web"
	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/transport"
	"github.com/goshawk-observability/goshawk/query/api"
	queryerrors "github.com/goshawk-observability/goshawk/query/errors"
	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/promql"
	"github.com/goshawk-observability/goshawk/query/sql"
	"github.com/goshawk-observability/goshawk/query/weblog"
)

// Deps are what the role is given.
type Deps struct {
	api.Deps
	// Columns reads the samples that PromQL asks for, as the user of Conn.
	Columns *clickhouse.Columns
	// Gatherer is what /metrics shows; without it there is no /metrics.
	Gatherer prometheus.Gatherer
	// Ready says why the role or what it runs with is not ready; nil asks
	// ClickHouse alone.
	Ready func(ctx context.Context) error
}

// Server answers requests. Use New.
type Server struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	grants  *grants
	sql     *sql.Handler
	api     *api.API
	promql  *promql.API
	traces  tracing
	web     *weblog.API
	errors  *queryerrors.API
	logs    []logs.API
	tls     *transport.Certificates // nil without TLS
	metrics *metrics

	mu       sync.Mutex
	listener net.Listener
}

// New makes a server. It opens nothing but the TLS files.
func New(cfg Config, deps Deps, reg prometheus.Registerer, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Conn == nil {
		return nil, errors.New("query: there is no connection to ClickHouse")
	}
	if deps.Columns == nil {
		return nil, errors.New("query: there is no connection to ClickHouse for samples")
	}
	s := &Server{cfg: cfg, deps: deps, log: log, metrics: newMetrics(reg)}
	var err error
	if s.grants, err = newGrants(cfg); err != nil {
		return nil, err
	}
	if cfg.TLS.Enabled() {
		if s.tls, err = transport.NewCertificates(cfg.TLS, log); err != nil {
			return nil, fmt.Errorf("query.tls.%w", err)
		}
	}
	cfg.SQL.Database = deps.Database
	if cfg.SQL.Database == "" {
		cfg.SQL.Database = sql.DefaultConfig().Database
	}
	if s.sql, err = sql.New(cfg.SQL, deps.Conn, reg, log); err != nil {
		return nil, err
	}
	if s.api, err = api.New(deps.Deps, log); err != nil {
		return nil, err
	}
	s.promql = promql.New(cfg.PromQL, promql.NewStore(cfg.PromQL, deps.Columns, cfg.SQL.Database), deps.Version, reg, log)
	s.traces = newTracing(cfg, deps, reg, log)
	s.web = weblog.New(cfg.Weblog, deps.Conn, cfg.SQL.Database, reg, log)
	s.errors = queryerrors.New(cfg.Errors, deps.Conn, cfg.SQL.Database, reg, log)
	s.logs = newLogs(cfg, deps, reg, log)
	return s, nil
}

// Listen opens the port. Run does it too, where it was not done before.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("opening the port of the query service: %w", err)
	}
	s.listener = l
	return nil
}

// Addr is where the server listens, nil before Listen.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Run serves until ctx ends, then lets requests in flight end within the
// shutdown timeout.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(); err != nil {
		return err
	}
	defer s.sql.Close()
	defer func() { _ = s.promql.Close() }() // it only lets go of its metrics
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: s.cfg.Limits.ReadHeaderTimeout,
		ReadTimeout:       s.cfg.Limits.ReadTimeout,
		IdleTimeout:       s.cfg.Limits.IdleTimeout,
		MaxHeaderBytes:    int(s.cfg.Limits.MaxHeader),
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		Protocols:         protocols(),
	}
	listener := netutil.LimitListener(s.listener, s.cfg.Limits.MaxConnections)
	s.log.Info("query service listens", "address", s.Addr().String(), "tls", s.cfg.TLS.Enabled(), "tokens", len(s.cfg.Tokens))

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		var err error
		if s.tls != nil {
			server.TLSConfig = s.tls.Config("h2", "http/1.1")
			err = server.ServeTLS(listener, "", "")
		} else {
			err = server.Serve(listener)
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serving queries: %w", err)
	})
	group.Go(func() error {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
		defer cancel()
		if err := server.Shutdown(end); err != nil {
			return server.Close()
		}
		return nil
	})
	return group.Wait()
}

// Handler routes requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	page := web.Handler()
	mux.Handle("GET /assets/", page)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost || r.URL.Query().Has("query"):
			s.granted(func(w http.ResponseWriter, r *http.Request, g grant) {
				s.sql.Serve(w, r, sql.Scope{Tenant: g.tenant}, "TabSeparated")
			})(w, r)
		case strings.Contains(r.Header.Get("Accept"), "text/html"):
			page.ServeHTTP(w, r)
		default:
			writeOK(w) // as ClickHouse does, so that its tools find a server
		}
	})
	mux.HandleFunc("/sql", s.granted(func(w http.ResponseWriter, r *http.Request, g grant) {
		s.sql.Serve(w, r, sql.Scope{Tenant: g.tenant}, sqlFormat(r))
	}))
	mux.HandleFunc("GET /api/v1/flow", s.granted(func(w http.ResponseWriter, r *http.Request, g grant) {
		s.api.ServeFlow(w, r, g.tenant)
	}))
	mux.HandleFunc("GET /api/v1/ledger", s.granted(func(w http.ResponseWriter, r *http.Request, g grant) {
		s.api.ServeLedger(w, r, g.tenant)
	}))
	for _, path := range s.promql.Paths() {
		mux.HandleFunc(path, s.granted(func(w http.ResponseWriter, r *http.Request, g grant) {
			s.promql.Serve(w, r, s.tenantOf(r, g))
		}))
	}
	mux.HandleFunc("GET /api/v1/cardinality", s.granted(func(w http.ResponseWriter, r *http.Request, g grant) {
		s.promql.ServeCardinality(w, r, s.tenantOf(r, g))
	}))
	s.routeTraces(mux)
	s.routeWeb(mux)
	for _, path := range s.errors.Paths() {
		mux.HandleFunc(path, s.granted(func(w http.ResponseWriter, r *http.Request, g grant) {
			s.errors.Serve(w, r, s.tenantOf(r, g))
		}))
	}
	s.routeLogs(mux)
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { writeOK(w) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeOK(w) })
	mux.HandleFunc("GET /readyz", s.serveReady)
	if s.deps.Gatherer != nil {
		metrics := promhttp.HandlerFor(s.deps.Gatherer, promhttp.HandlerOpts{})
		mux.HandleFunc("GET /metrics", s.granted(func(w http.ResponseWriter, r *http.Request, g grant) {
			if g.tenant != "" {
				api.WriteError(w, http.StatusForbidden, "metrics are for the operator's tokens")
				return
			}
			metrics.ServeHTTP(w, r)
		}))
	}
	return s.metrics.count(s.guardOrigin(mux))
}

func writeOK(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte("Ok.\n")) // the client is gone
}

// sqlFormat is the format of an answer that names none.
func sqlFormat(r *http.Request) string {
	accept := r.Header.Get("Accept")
	switch {
	case strings.Contains(accept, "application/json"):
		return "JSON"
	case strings.Contains(accept, "application/x-ndjson"):
		return "JSONEachRow"
	case strings.Contains(accept, "text/csv"):
		return "CSVWithNames"
	}
	return "TabSeparatedWithNames"
}

// readyTimeout bounds the check behind /readyz.
const readyTimeout = 3 * time.Second

func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	check := s.deps.Ready
	if check == nil {
		check = func(ctx context.Context) error {
			if err := s.deps.Conn.Ping(ctx); err != nil {
				return fmt.Errorf("asking ClickHouse: %w", err)
			}
			return nil
		}
	}
	if err := check(ctx); err != nil {
		api.WriteError(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	writeOK(w)
}
