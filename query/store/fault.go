package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"

	connection "github.com/goshawk-observability/goshawk/internal/clickhouse"
)

// Fault is an error that says how a request is answered.
type Fault struct {
	// Status is the HTTP status.
	Status  int
	Message string
}

// Error returns the message.
func (f *Fault) Error() string { return f.Message }

// Invalid is the error of a request that makes no sense.
func Invalid(format string, args ...any) error {
	return &Fault{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// Exceeded is the error of a request that would take more than it may.
func Exceeded(format string, args ...any) error {
	return &Fault{http.StatusUnprocessableEntity, fmt.Sprintf(format, args...)}
}

// Shortened bounds a text of a request that an error repeats.
func Shortened(text string) string {
	const most = 60
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// Kind is why a statement fails that a request brought about.
type Kind int

// The kinds.
const (
	_ Kind = iota
	// TooManyRows and TooMuchMemory would exceed a limit of ClickHouse.
	TooManyRows
	TooMuchMemory
	// TooLate took longer than a request may, in ClickHouse or here.
	TooLate
	// BadRegexp has a regular expression that ClickHouse does not take. Its text
	// ends with what ClickHouse says of it.
	BadRegexp
	// TooManyConditions is too large or too deep for ClickHouse.
	TooManyConditions
	// Busy came while ClickHouse had no room for it.
	Busy
)

// BusyText is the text of [Busy].
const BusyText = "ClickHouse has too many queries at the moment"

var statuses = map[Kind]int{
	TooManyRows: http.StatusUnprocessableEntity, TooMuchMemory: http.StatusUnprocessableEntity, TooLate: http.StatusGatewayTimeout,
	BadRegexp: http.StatusBadRequest, TooManyConditions: http.StatusBadRequest, Busy: http.StatusTooManyRequests,
}

var kinds = map[proto.Error]Kind{
	proto.ErrTooManyRows: TooManyRows, proto.ErrTooManyBytes: TooManyRows,
	proto.ErrMemoryLimitExceeded: TooMuchMemory,
	proto.ErrTimeoutExceeded:     TooLate, proto.ErrTooSlow: TooLate,
	proto.ErrCannotCompileRegexp: BadRegexp,
	proto.ErrTooBigAst:           TooManyConditions, proto.ErrTooDeepAst: TooManyConditions, proto.ErrTooDeepRecursion: TooManyConditions,
	proto.ErrTooManySimultaneousQueries: Busy,
}

// refusal returns the code and the words of ClickHouse where it refused a
// statement, whichever client sent it.
func refusal(err error) (code proto.Error, message string, ok bool) {
	var columns *connection.Exception
	if errors.As(err, &columns) {
		return columns.Code, columns.Message, true
	}
	var rows *clickhouse.Exception
	if errors.As(err, &rows) {
		return proto.Error(rows.Code), rows.Message, true
	}
	return 0, "", false
}

// fault returns how a request is answered whose statement failed, and the error
// itself where there is no text for it.
func (s *Store) fault(ctx context.Context, err error) error {
	if code, message, ok := refusal(err); ok {
		kind := kinds[code]
		text, ok := s.options.Texts[kind]
		switch {
		case !ok:
			return err
		case kind == BadRegexp:
			text += message
		}
		return &Fault{statuses[kind], text}
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return &Fault{statuses[TooLate], s.options.Texts[TooLate]}
	case ctx.Err() != nil:
		return ctx.Err()
	case connection.Unanswered(err):
		return &Fault{http.StatusServiceUnavailable, "ClickHouse cannot be reached at the moment"}
	}
	return err
}

// Worded returns the HTTP status and the text that a client is told of an error.
// The context is that of the request, without its timeout.
func (s *Store) Worded(ctx context.Context, err error) (int, string) {
	var fault *Fault
	switch {
	case errors.As(err, &fault):
		return fault.Status, fault.Message
	case ctx.Err() != nil:
		return 499, "the client went away" // nobody reads this; the status is for the metrics
	case errors.Is(err, context.DeadlineExceeded):
		return statuses[TooLate], s.options.Texts[TooLate]
	}
	s.log.Error("a request for "+s.options.Requests+" failed", "error", err)
	return http.StatusInternalServerError, err.Error()
}
