package logs

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/metric"
)

// API is one of the APIs as the query service serves it.
type API interface {
	// Paths are the patterns that the API answers, for [http.ServeMux].
	Paths() []string
	// Serve answers a request for the rows of a tenant.
	Serve(w http.ResponseWriter, r *http.Request, tenant string)
}

// Answer is what a request is answered.
type Answer struct {
	ContentType string
	Body        []byte
}

// RowsHeader is the header that says how many rows ClickHouse read for an answer.
const RowsHeader = "X-Goshawk-Rows-Read"

// Serve answers a request by handle, and an error by refuse. It waits for its
// turn, and bounds the time for the answer and once more for writing it; name is
// what metrics call the request.
func (s *Store) Serve(w http.ResponseWriter, request *http.Request, tenant, name string,
	handle func(context.Context, *Reader) (Answer, error), refuse func(http.ResponseWriter, int, string),
) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	r := s.For(tenant)
	var answer Answer
	err := s.Do(request.Context(), name, r, func(ctx context.Context) (err error) {
		answer, err = handle(ctx, r)
		return err
	})
	header.Set(RowsHeader, strconv.FormatUint(r.Rows, 10))
	defer s.BoundWriting(w)()
	if err != nil {
		status, message := s.Worded(request.Context(), err)
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			header.Set("Retry-After", "1")
		}
		refuse(w, status, message)
		return
	}
	header.Set("Content-Type", answer.ContentType)
	_, _ = w.Write(answer.Body) // the client is gone
}

// Do runs a request when it is its turn, within the time that it may take.
func (s *Store) Do(ctx context.Context, name string, r *Reader, run func(context.Context) error) error {
	return s.Store.Do(ctx, func(ctx context.Context) error {
		start := time.Now()
		rows, lines := r.Rows, r.Lines
		defer func() {
			s.metrics.rows.Add(float64(r.Rows - rows))
			s.metrics.lines.Add(float64(r.Lines - lines))
			s.metrics.seconds.WithLabelValues(name).Observe(time.Since(start).Seconds())
		}()
		return run(ctx)
	})
}

// Follow lets a client follow logs until what it returns is called; false where
// too many do.
func (s *Store) Follow() (end func(), ok bool) {
	select {
	case s.tails <- struct{}{}:
	default:
		return nil, false
	}
	s.metrics.tails.Inc()
	return func() {
		<-s.tails
		s.metrics.tails.Dec()
	}, true
}

// Worded returns the HTTP status and the text that a client is told of an error.
func (s *Store) Worded(ctx context.Context, err error) (int, string) {
	var syntax *logql.Error
	var limit *metric.LimitError
	var many *metric.ManyError
	switch {
	case errors.As(err, &syntax):
		return http.StatusBadRequest, syntax.Error()
	case errors.As(err, &limit):
		return http.StatusUnprocessableEntity, limit.Message
	case errors.As(err, &many):
		return http.StatusBadRequest, many.Message
	}
	return s.Store.Worded(ctx, err)
}
