package otlpclient

import (
	"context"
	"errors"
	"io"
)

func isEnd(err error) bool { return errors.Is(err, io.EOF) }

// Slice is a source of requests that are in memory. Their bodies are not
// copied: buffers that the pump hands back are these bodies.
type Slice struct {
	requests []Request
	next     int
}

// NewSlice returns a source that yields the requests once.
func NewSlice(requests []Request) *Slice { return &Slice{requests: requests} }

// Next returns the next request.
func (s *Slice) Next(context.Context, []byte) (Request, error) {
	if s.next == len(s.requests) {
		return Request{}, io.EOF
	}
	r := s.requests[s.next]
	s.next++
	return r, nil
}
