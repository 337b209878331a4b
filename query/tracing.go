package query

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/query/traces/goshawk"
	"github.com/goshawk-observability/goshawk/query/traces/jaeger"
	"github.com/goshawk-observability/goshawk/query/traces/tempo"
	"github.com/goshawk-observability/goshawk/query/traces/zipkin"
)

// tracing are the APIs for traces, over one store.
type tracing struct {
	all   []traces.API
	tempo traces.API
}

func newTracing(cfg Config, deps Deps, reg prometheus.Registerer, log *slog.Logger) tracing {
	store := traces.NewStore(cfg.Traces, deps.Columns, cfg.SQL.Database, reg, log)
	t := tracing{tempo: tempo.New(store, deps.Version)}
	t.all = []traces.API{jaeger.New(store), jaeger.NewGRPC(store), zipkin.New(store), t.tempo, goshawk.New(cfg.business(), store)}
	return t
}

// sharedPath is where both Jaeger and Tempo have a trace. Without a prefix it is
// Jaeger's, and Tempo's where protobuf is asked for, which Jaeger does not have.
const sharedPath = "GET /api/traces/{id}"

func (s *Server) routeTraces(mux *http.ServeMux) {
	for _, api := range s.traces.all {
		for _, path := range api.Paths() {
			mux.HandleFunc(path, s.granted(func(w http.ResponseWriter, r *http.Request, g grant) {
				answers := api
				if path == sharedPath && tempo.Protobuf(r) {
					answers = s.traces.tempo
				}
				answers.Serve(w, r, s.tenantOf(r, g))
			}))
		}
	}
}

// protocols are those that the port speaks: gRPC needs HTTP/2, without TLS too.
func protocols() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return &p
}
