package store

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"

	connection "github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/api"
)

// API answers requests with JSON, from rows. It is safe for concurrent use.
type API struct {
	*Store
	conn    connection.Conn
	seconds *prometheus.HistogramVec
}

// NewAPI makes an API. The metric says how long requests took.
func NewAPI(o Options, conn connection.Conn, metric prometheus.HistogramOpts, reg prometheus.Registerer, log *slog.Logger) *API {
	metric.Buckets = []float64{.005, .02, .1, .5, 2, 10, 60}
	a := &API{Store: New(o, log), conn: conn, seconds: prometheus.NewHistogramVec(metric, []string{"request"})}
	reg.MustRegister(a.seconds)
	return a
}

// Serve answers a request with what handle returns when it is its turn; name is
// what the metric calls it.
func (a *API) Serve(w http.ResponseWriter, r *http.Request, name string, handle func(context.Context) (any, error)) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	var body bytes.Buffer
	err := a.Do(r.Context(), func(ctx context.Context) error {
		start := time.Now()
		answer, err := handle(ctx)
		a.seconds.WithLabelValues(name).Observe(time.Since(start).Seconds())
		if err != nil {
			return err
		}
		encoder := json.NewEncoder(&body)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(answer)
	})
	if err != nil {
		status, message := a.Worded(r.Context(), err)
		api.WriteError(w, status, message)
		return
	}
	header.Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(body.Bytes()) // the client is gone
}

// Each runs a statement and calls take for every row. The values of "?" are bound.
func (a *API) Each(ctx context.Context, take func(connection.Row) error, statement string, args []any) error {
	settings := clickhouse.Settings{}
	for key, value := range a.options.bounds() {
		settings[key] = value
	}
	bounded := clickhouse.Context(ctx, clickhouse.WithSettings(settings))
	if err := connection.Each(bounded, a.conn, "reading "+a.options.Requests, take, statement, args...); err != nil {
		return a.fault(ctx, err)
	}
	return nil
}
