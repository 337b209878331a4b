package sql

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// Fault is why a query was not answered.
type Fault struct {
	// Status is the HTTP status.
	Status int `json:"-"`
	// Code and Name are ClickHouse's, 0 and empty where it was not asked.
	Code    int    `json:"code,omitempty"`
	Name    string `json:"name,omitempty"`
	Message string `json:"message"`
	QueryID string `json:"query_id,omitempty"`
}

// refuse answers with a fault, as JSON where the client prefers that.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, f *Fault) int {
	h.metrics.refused.WithLabelValues(f.reason()).Inc()
	f.Write(w, r)
	return f.Status
}

// Write answers with the fault, as JSON where the client prefers that.
func (f *Fault) Write(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	guardAnswer(header)
	if f.Code != 0 {
		header.Set("X-ClickHouse-Exception-Code", strconv.Itoa(f.Code))
	}
	if f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable {
		header.Set("Retry-After", "1")
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		header.Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(f.Status)
		_ = json.NewEncoder(w).Encode(map[string]*Fault{"error": f}) // the client is gone
		return
	}
	header.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(f.Status)
	text := f.Message
	if f.Code != 0 {
		text = "Code: " + strconv.Itoa(f.Code) + ". " + f.Message
		if f.Name != "" {
			text += " (" + f.Name + ")"
		}
	}
	_, _ = w.Write([]byte(text + "\n")) // the client is gone
}

// reason is a short, bounded label for metrics.
func (f *Fault) reason() string {
	switch f.Status {
	case http.StatusForbidden:
		return "forbidden"
	case http.StatusTooManyRequests:
		return "too_many"
	case http.StatusGatewayTimeout:
		return "timeout"
	case http.StatusServiceUnavailable, http.StatusBadGateway:
		return "unavailable"
	}
	return "invalid"
}

// statusOf returns the HTTP status for one of ClickHouse's errors: 400 unless it is
// not the query's fault, or says more than that.
func statusOf(code int) int {
	switch proto.Error(code) {
	case proto.ErrTimeoutExceeded, proto.ErrTooSlow:
		return http.StatusGatewayTimeout
	case proto.ErrReadonly, proto.ErrAccessDenied:
		return http.StatusForbidden
	case proto.ErrTooManySimultaneousQueries, proto.ErrServerOverloaded:
		return http.StatusTooManyRequests
	case proto.ErrSocketTimeout, proto.ErrNetworkError, proto.ErrTableIsReadOnly, proto.ErrQueryWasCancelled:
		return http.StatusServiceUnavailable
	case proto.ErrAuthenticationFailed, proto.ErrSettingConstraintViolation:
		return http.StatusBadGateway
	}
	return http.StatusBadRequest
}

// exception takes ClickHouse's text of an error apart:
// Code: 62. DB::Exception: Syntax error ... (SYNTAX_ERROR) (version 26.7.2.1)
var exception = regexp.MustCompile(`(?s)^(?:Code: (\d+)\. )?(?:DB::(?:NetException|Exception|ParsingException): )?(.*?)(?: \(([A-Z0-9_]+)\))?(?: \(version [^)]*\))?$`)

// serverFault reads the error that ClickHouse answered with.
func (h *Handler) serverFault(response *http.Response) *Fault {
	text := readFault(response)
	f := &Fault{Message: text, QueryID: response.Header.Get("X-ClickHouse-Query-Id")}
	if m := exception.FindStringSubmatch(text); m != nil {
		f.Code, _ = strconv.Atoi(m[1]) // no digits, no code
		f.Message, f.Name = m[2], m[3]
	}
	if code, err := strconv.Atoi(response.Header.Get("X-ClickHouse-Exception-Code")); err == nil {
		f.Code = code
	}
	f.Status = statusOf(f.Code)
	switch {
	case f.Code == int(proto.ErrAuthenticationFailed):
		h.log.Error("ClickHouse does not know the user that SQL queries run as", "error", text)
		f.Message = "the query service cannot log in to ClickHouse; its log says more"
	case f.Code == int(proto.ErrSettingConstraintViolation):
		h.log.Error("limits of the query service are above those of its ClickHouse user", "error", text)
	case f.Code == 0 && response.StatusCode >= http.StatusInternalServerError:
		f.Status = http.StatusBadGateway
	}
	return f
}

// transportFault says why there is no answer from ClickHouse.
func (h *Handler) transportFault(r *http.Request, err error) *Fault {
	var timeout net.Error
	switch {
	case r.Context().Err() != nil:
		// Nobody reads this; the status is for the metrics.
		return &Fault{Status: 499, Message: "the client went away"}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &Fault{Status: http.StatusGatewayTimeout, Code: int(proto.ErrTimeoutExceeded), Name: proto.ErrTimeoutExceeded.String(), Message: "the query took longer than its limit"}
	}
	h.warnAway(err)
	return &Fault{Status: http.StatusServiceUnavailable, Message: "ClickHouse cannot be reached at the moment"}
}

// awayInterval is how often the log says that ClickHouse is away.
const awayInterval = 30 * time.Second

// warnAway logs that ClickHouse cannot be reached, from time to time.
func (h *Handler) warnAway(err error) {
	now, last := time.Now().UnixNano(), h.warned.Load()
	if now-last < int64(awayInterval) || !h.warned.CompareAndSwap(last, now) {
		return
	}
	// The URL says nothing but limits.
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	h.log.Warn("ClickHouse cannot be reached for SQL", "error", err)
}
