package query

import (
	"net/http"
)

// routeWeb routes what is asked about web servers and their visitors.
func (s *Server) routeWeb(mux *http.ServeMux) {
	for _, path := range s.web.Paths() {
		mux.HandleFunc(path, s.granted(func(w http.ResponseWriter, r *http.Request, g grant) {
			s.web.Serve(w, r, s.tenantOf(r, g))
		}))
	}
}
