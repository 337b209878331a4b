// Package store is ClickHouse as the APIs that read may use it: so many requests at
// a time, each for so long, with statements that only read and take so much. It
// says what a client is told where that does not work, and answers requests of
// those APIs that have nothing but JSON.
//
// It must not know any table.
package store

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	connection "github.com/goshawk-observability/goshawk/internal/clickhouse"
)

// Options say what the requests of an API are, and what they may take.
type Options struct {
	Limits
	// MaxStatement bounds the text of a statement, in bytes; 0 leaves it to ClickHouse.
	MaxStatement uint64
	// Settings are more settings of the statements of [Store.Read].
	Settings []connection.Setting
	// Requests is what requests are for, such as "logs". Setting is the prefix of
	// the API's settings, such as "query.logs".
	Requests, Setting string
	// Texts are what a client is told of statements that fail, by kinds, of which
	// TooLate must be there. Others that are not are answered with ClickHouse's own
	// words and the status 500.
	Texts map[Kind]string
}

// Store bounds the requests of an API and their statements. It is safe for
// concurrent use.
type Store struct {
	options  Options
	settings []connection.Setting
	slots    chan struct{}
	log      *slog.Logger
}

// New makes a store. The limits must be valid.
func New(o Options, log *slog.Logger) *Store {
	s := &Store{options: o, slots: make(chan struct{}, o.Concurrency), log: log}
	bounds := o.bounds()
	for _, key := range slices.Sorted(maps.Keys(bounds)) {
		s.settings = append(s.settings, connection.Setting{Key: key, Value: strconv.FormatUint(bounds[key], 10), Important: true})
	}
	s.settings = append(s.settings, o.Settings...)
	return s
}

// bounds are the settings of a statement.
func (o *Options) bounds() map[string]uint64 {
	bounds := map[string]uint64{
		"readonly":           2,
		"max_execution_time": uint64(o.Timeout.Seconds()) + 1,
		"max_memory_usage":   uint64(o.MaxMemory),
		"max_rows_to_read":   o.MaxRows,
	}
	if o.MaxStatement > 0 {
		bounds["max_query_size"] = o.MaxStatement
	}
	return bounds
}

// Do runs a request when it is its turn, within the time that it may take.
func (s *Store) Do(ctx context.Context, run func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return &Fault{
			Status: http.StatusServiceUnavailable,
			Message: "too many requests for " + s.options.Requests + " at a time (" + s.options.Setting + ".concurrency is " +
				strconv.Itoa(s.options.Concurrency) + ")",
		}
	}
	return run(ctx)
}

// Usage is what ClickHouse read for a request.
type Usage struct{ Rows, Bytes uint64 }

// Read runs a statement and calls block for every block of its result. Where block
// returns an error, that ends the statement and is what Read returns.
func (s *Store) Read(ctx context.Context, columns *connection.Columns, text string, parameters []connection.Parameter,
	out *connection.Output, used *Usage, block func() error,
) error {
	var ended error
	err := columns.Do(ctx, connection.Query{
		Body: text, Settings: s.settings, Parameters: parameters, Result: out.Result,
		OnResult: func(context.Context, proto.Block) error {
			ended = block()
			return ended
		},
		OnProgress: func(_ context.Context, p proto.Progress) error {
			used.Rows += p.Rows
			used.Bytes += p.Bytes
			return nil
		},
	})
	if err == nil || ended != nil {
		return ended
	}
	err = s.fault(ctx, err)
	var refused *connection.Exception
	if errors.As(err, &refused) {
		s.log.Error("a statement for "+s.options.Requests+" was refused", "error", refused.Message, "code", int(refused.Code))
		return &Fault{http.StatusInternalServerError, "ClickHouse: " + refused.Name + ": " + refused.Message}
	}
	return err
}

// BoundWriting cuts a client off that does not take its answer in the time that a
// request may take, until what it returns is called.
func (s *Store) BoundWriting(w http.ResponseWriter) (end func()) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(s.options.Timeout)) // a recorder of tests has none
	// The connection may be used again.
	return func() { _ = control.SetWriteDeadline(time.Time{}) }
}
