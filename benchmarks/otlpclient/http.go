package otlpclient

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// maxAnswer bounds what is read of an answer's body.
const maxAnswer = 64 << 10

// httpTransport speaks HTTP/1.1 over connections that it keeps. net/http's
// client is not used because its goroutines per connection cost more than all
// of the rest; its parser of responses is.
type httpTransport struct {
	endpoint    endpoint
	tls         *tls.Config // nil without TLS
	timeout     time.Duration
	compression string
	heads       [len(telemetry.Signals)][]byte // everything up to the length
	free        chan *httpConn
	zstd        *zstd.Encoder
	gzips       sync.Pool
}

// httpConn is one slot; its connection is nil until it is needed.
type httpConn struct {
	conn   net.Conn
	reader *bufio.Reader
	head   []byte
	body   []byte // compressed
}

// Paths are the paths of the signals below an OTLP/HTTP endpoint.
var Paths = [...]string{telemetry.Logs: "/v1/logs", telemetry.Spans: "/v1/traces", telemetry.Metrics: "/v1/metrics"}

func newHTTP(config Config, token string) (*httpTransport, error) {
	e, err := config.endpoint()
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(token, "\r\n") {
		return nil, errors.New("token: it holds a line break")
	}
	t := &httpTransport{endpoint: e, timeout: config.Timeout, compression: config.Compression, free: make(chan *httpConn, config.Connections)}
	if e.tls {
		t.tls = config.tlsConfig(e)
		t.tls.NextProtos = []string{"http/1.1"}
	}
	switch config.Compression {
	case "zstd":
		if t.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)); err != nil {
			return nil, fmt.Errorf("making a zstd encoder: %w", err)
		}
	case "gzip":
		t.gzips.New = func() any {
			w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is valid
			return w
		}
	}
	for _, signal := range telemetry.Signals {
		head := fmt.Sprintf("POST %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: goshawk-otlpclient\r\nContent-Type: application/x-protobuf\r\n", e.path, Paths[signal], e.address)
		if token != "" {
			head += "Authorization: Bearer " + token + "\r\n"
		}
		if config.Compression != "" {
			head += "Content-Encoding: " + config.Compression + "\r\n"
		}
		t.heads[signal] = []byte(head + "Content-Length: ")
	}
	for range config.Connections {
		t.free <- &httpConn{}
	}
	return t, nil
}

func (t *httpTransport) try(ctx context.Context, r Request) (answer, error) {
	var c *httpConn
	select {
	case c = <-t.free:
	case <-ctx.Done():
		return answer{}, &temporaryError{err: ctx.Err()}
	}
	defer func() { t.free <- c }()
	a, keep, err := t.exchange(ctx, c, r)
	if !keep && c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
	return a, err
}

// exchange sends one request and reads its answer; keep reports whether the
// connection can carry another one.
func (t *httpTransport) exchange(ctx context.Context, c *httpConn, r Request) (a answer, keep bool, err error) {
	deadline := time.Now().Add(t.timeout)
	if c.conn == nil {
		if err := t.dial(ctx, c, deadline); err != nil {
			return answer{}, false, &temporaryError{err: err}
		}
	}
	conn := c.conn
	if err := conn.SetDeadline(deadline); err != nil {
		return answer{}, false, &temporaryError{err: fmt.Errorf("setting a deadline: %w", err)}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	body := t.compress(c, r.Body)
	c.head = append(c.head[:0], t.heads[r.Signal]...)
	c.head = strconv.AppendInt(c.head, int64(len(body)), 10)
	c.head = append(c.head, "\r\n\r\n"...)
	if _, err := (&net.Buffers{c.head, body}).WriteTo(conn); err != nil {
		// A server that refuses a body may answer before it has read all of it.
		if a, _, readErr := t.answer(c, r); readErr == nil || errors.Is(readErr, ErrRefused) || isStatus(readErr) {
			return a, false, readErr
		}
		return answer{}, false, &temporaryError{err: fmt.Errorf("sending to %s: %w", t.endpoint.address, err)}
	}
	return t.answer(c, r)
}

func (t *httpTransport) dial(ctx context.Context, c *httpConn, deadline time.Time) error {
	dialer := net.Dialer{Deadline: deadline}
	conn, err := dialer.DialContext(ctx, "tcp", t.endpoint.address)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	if t.tls != nil {
		secure := tls.Client(conn, t.tls)
		handshake, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		if err := secure.HandshakeContext(handshake); err != nil {
			conn.Close()
			return fmt.Errorf("shaking hands with %s: %w", t.endpoint.address, err)
		}
		conn = secure
	}
	c.conn = conn
	if c.reader == nil {
		c.reader = bufio.NewReaderSize(conn, 4096)
	} else {
		c.reader.Reset(conn)
	}
	return nil
}

// compress returns the body as it goes over the wire. Repeats compress again;
// the encoders are deterministic and the gateway looks at the plain bytes.
func (t *httpTransport) compress(c *httpConn, body []byte) []byte {
	switch t.compression {
	case "zstd":
		c.body = t.zstd.EncodeAll(body, c.body[:0])
	case "gzip":
		buffer := bytes.NewBuffer(c.body[:0])
		w := t.gzips.Get().(*gzip.Writer)
		w.Reset(buffer)
		_, _ = w.Write(body) // a bytes.Buffer does not fail
		_ = w.Close()
		t.gzips.Put(w)
		c.body = buffer.Bytes()
	default:
		return body
	}
	return c.body
}

// statusError is an answer other than success.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("gateway answered %d %s", e.status, http.StatusText(e.status))
	if e.message != "" {
		text += ": " + e.message
	}
	return text
}

func isStatus(err error) bool {
	var status *statusError
	return errors.As(err, &status)
}

var postRequest = &http.Request{Method: http.MethodPost}

func (t *httpTransport) answer(c *httpConn, r Request) (a answer, keep bool, err error) {
	response, err := http.ReadResponse(c.reader, postRequest) //nolint:bodyclose // it is read to its end, or else the connection is closed
	if err != nil {
		return answer{}, false, &temporaryError{err: fmt.Errorf("reading the answer of %s: %w", t.endpoint.address, err)}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		// Without its whole body an answer is no acknowledgement: a partial
		// success may have been in what is missing.
		return answer{}, false, &temporaryError{err: fmt.Errorf("reading the answer of %s: %w", t.endpoint.address, err)}
	}
	keep = !response.Close && len(body) <= maxAnswer
	switch response.StatusCode {
	case http.StatusOK:
		a, err := parseAnswer(response.Header.Get("Content-Type"), body, r.Signal)
		if err != nil {
			return answer{}, false, fmt.Errorf("%w: reading the answer: %w", ErrRefused, err)
		}
		return a, keep, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return answer{}, keep, &temporaryError{
			err:   &statusError{response.StatusCode, statusMessage(response.Header.Get("Content-Type"), body)},
			after: retryAfter(response.Header.Get("Retry-After"), time.Now()),
		}
	}
	return answer{}, keep, fmt.Errorf("%w: %w", ErrRefused, &statusError{response.StatusCode, statusMessage(response.Header.Get("Content-Type"), body)})
}

func (t *httpTransport) close() {
	for range cap(t.free) {
		if c := <-t.free; c.conn != nil {
			c.conn.Close()
		}
	}
	if t.zstd != nil {
		_ = t.zstd.Close()
	}
}
