package query

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/goshawk"
	"github.com/goshawk-observability/goshawk/query/logs/loki"
)

// newLogs makes the APIs for logs, over one store.
func newLogs(cfg Config, deps Deps, reg prometheus.Registerer, log *slog.Logger) []logs.API {
	store := logs.NewStore(cfg.Logs, deps.Columns, cfg.SQL.Database, reg, log)
	return []logs.API{loki.New(store, deps.Version), goshawk.New(store)}
}

func (s *Server) routeLogs(mux *http.ServeMux) {
	for _, api := range s.logs {
		for _, path := range api.Paths() {
			mux.HandleFunc(path, s.granted(func(w http.ResponseWriter, r *http.Request, g grant) {
				api.Serve(w, r, s.tenantOf(r, g))
			}))
		}
	}
}
