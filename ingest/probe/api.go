package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
	"github.com/goshawk-observability/goshawk/internal/transport"
)

// api answers GET /probe as blackbox_exporter does.
type api struct {
	receiver *probeReceiver
	// modules have the guard, and share no connection with those of the schedule.
	modules map[string]*prober.Module
	places  chan struct{}
	server  *http.Server
	local   bool
	// base is the context of all requests.
	cancel context.CancelFunc
}

func newAPI(r *probeReceiver) (*api, error) {
	a := &api{receiver: r, modules: map[string]*prober.Module{}, places: make(chan struct{}, r.cfg.MaxRequests)}
	o := prober.Options{UserAgent: r.agent(), Guard: &prober.Guard{}}
	if r.cfg.AllowPrivateTargets {
		o.Guard = nil
	}
	for name, cfg := range r.cfg.modules() {
		if allowed := r.cfg.OnDemandModules; len(allowed) > 0 && !slices.Contains(allowed, name) || len(allowed) == 0 && cfg.Credentials() {
			continue
		}
		m, err := prober.New(name, cfg, o)
		if err != nil {
			return nil, err
		}
		a.modules[name] = m
	}
	base, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	mux := http.NewServeMux()
	mux.HandleFunc("GET /probe", a.probe)
	a.server = &http.Server{
		Handler: mux, BaseContext: func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	return a, nil
}

// listen opens the port, on loopback where the address has no host.
func (a *api) listen() (net.Listener, error) {
	host, port, err := net.SplitHostPort(a.receiver.cfg.Listen)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "127.0.0.1"
	}
	a.local = transport.Loopback(host)
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err == nil {
		a.receiver.set.Logger.Sugar().Infow("probes on demand are answered", "address", l.Addr().String())
	}
	return l, err
}

func (a *api) serve(l net.Listener) {
	if err := a.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		a.receiver.set.Logger.Sugar().Errorw("probes on demand are no longer answered", "error", err)
	}
}

// close ends all requests and returns when no handler runs any more.
func (a *api) close() {
	a.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		_ = a.server.Close()
	}
	// Handlers hold a place each; closing a server does not wait for them.
	for range cap(a.places) {
		a.places <- struct{}{}
	}
	for _, m := range a.modules {
		m.Close()
	}
}

func (a *api) probe(w http.ResponseWriter, req *http.Request) {
	select {
	case a.places <- struct{}{}:
		defer func() { <-a.places }()
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many probes at the same time", http.StatusTooManyRequests)
		return
	}
	if host, _, err := net.SplitHostPort(req.Host); a.local && (err != nil || !transport.Loopback(host)) {
		// A page in a browser on this machine, whose name was made to resolve to
		// loopback.
		http.Error(w, "the Host header must name this machine", http.StatusForbidden)
		return
	}
	name := req.FormValue("module")
	if name == "" {
		name = "http_2xx"
	}
	module := a.modules[name]
	if module == nil {
		http.Error(w, fmt.Sprintf("there is no module %q, or it may not be used on demand", name), http.StatusBadRequest)
		return
	}
	target := req.FormValue("target")
	if err := module.Check(target); err != nil {
		http.Error(w, "target: "+err.Error(), http.StatusBadRequest)
		return
	}
	timeout := a.receiver.cfg.timeout(name)
	if given, err := scrapeTimeout(req.Header.Get("X-Prometheus-Scrape-Timeout-Seconds")); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	} else if given > 0 {
		timeout = min(timeout, given)
	}
	debug, _ := strconv.ParseBool(req.FormValue("debug"))
	result := module.Probe(req.Context(), target, timeout, debug)
	if !result.Canceled {
		r := a.receiver
		r.own.ran(result.Failure == nil)
		r.batches.add(req.Context(), finding{Result: result, site: r.cfg.Site, name: r.cfg.Name, onDemand: true})
	}
	var text bytes.Buffer
	contentType := "text/plain; version=0.0.4; charset=utf-8"
	if debug {
		contentType = "text/plain; charset=utf-8"
		fmt.Fprintf(&text, "Probe of %s with the module %s, trace %x:\n", target, name, result.TraceID)
		for _, line := range result.Log {
			text.WriteString(clean(line) + "\n")
		}
		text.WriteString("\nMetrics:\n")
	}
	appendText(&text, result.Points)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(text.Bytes())
}

// scrapeTimeout reads the header in which Prometheus says how long it waits,
// less a margin for the way back; 0 where there is none.
func scrapeTimeout(header string) (time.Duration, error) {
	if header == "" {
		return 0, nil
	}
	given, err := strconv.ParseFloat(header, 64)
	if err != nil || math.IsNaN(given) || given <= 0 {
		return 0, fmt.Errorf("X-Prometheus-Scrape-Timeout-Seconds: %q is no number of seconds", header)
	}
	const margin = 0.5
	if given > 2*margin {
		given -= margin
	} else {
		given /= 2
	}
	// Longer than anybody waits, and short enough for a duration.
	return max(time.Millisecond, time.Duration(min(given, 3600)*float64(time.Second))), nil
}
