package gateway

import (
	"net/http"
	"strings"
)

// origins are the web pages that may send from a browser; none by default. A
// browser names the page in the Origin header, and other senders have none, so
// refusing unknown origins keeps pages from writing to a gateway on the
// visitor's own machine.
type origins struct {
	all   bool
	known map[string]bool
}

func newOrigins(cfg CORSConfig) origins {
	o := origins{known: make(map[string]bool, len(cfg.AllowedOrigins))}
	for _, origin := range cfg.AllowedOrigins {
		if origin == "*" {
			o.all = true
		}
		o.known[strings.ToLower(origin)] = true
	}
	return o
}

// allow reports whether the request may be taken, and tells the browser so.
func (o *origins) allow(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	if !o.all && !o.known[strings.ToLower(origin)] {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Expose-Headers", "Retry-After")
	return true
}

// preflight answers a browser's question whether it may send. It reports
// whether the request was such a question from a known page.
func (o *origins) preflight(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Origin") == "" || r.Header.Get("Access-Control-Request-Method") == "" || !o.allow(w, r) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Content-Encoding")
	h.Set("Access-Control-Max-Age", "7200")
	w.WriteHeader(http.StatusNoContent)
	return true
}
