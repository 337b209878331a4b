package query

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct{ requests *prometheus.CounterVec }

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "goshawk_query_requests_total",
		Help: "Requests to the query service, by route and HTTP status.",
	}, []string{"route", "status"})}
	reg.MustRegister(m.requests)
	return m
}

// routeOf is the label route of a request that was served: the pattern that it
// matched, of which there are few.
func routeOf(r *http.Request) string {
	_, path, ok := strings.Cut(r.Pattern, "/")
	switch {
	case !ok || path == "assets/":
		return "other"
	case path == "{$}":
		return "/"
	}
	return "/" + path
}

func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		// An answer that is cut off leaves by a panic.
		defer func() { m.requests.WithLabelValues(routeOf(r), strconv.Itoa(seen.status)).Inc() }()
		next.ServeHTTP(seen, r)
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher: remote read asks for it by type.
func (w *statusWriter) Flush() {
	_ = http.NewResponseController(w.ResponseWriter).Flush() // what cannot be flushed goes out later
}
