package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient"
	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// source reads the files and yields requests when they are due.
type source struct {
	options  Options
	signal   telemetry.Signal // of FormatProto
	report   Report
	files    []string
	file     *file
	resource []byte // of access log lines
	scope    []byte

	paced bool // events keep their own pace
	speed float64
	first int64 // recorded time that is begun's, 0 before the first event
	last  int64 // recorded time of the last request
	begun time.Time

	// held is the hit that did not belong to the last request any more.
	held     Hit
	heldLine string
	holding  bool
}

func newSource(o Options) *source {
	if o.Service == "" {
		o.Service = "web"
	}
	if o.EventsPerRequest == 0 {
		o.EventsPerRequest = 512
	}
	s := &source{options: o, files: o.Files, paced: !o.Fast && o.Rate == 0, speed: o.Speed}
	if s.speed == 0 {
		s.speed = 1
	}
	s.signal, _ = signalNamed(o.Signal) // validated where it matters
	b, mark := encode.Open(nil, 1)
	b = encode.StringAttr(b, 1, "service.name", o.Service)
	s.resource = encode.Close(b, mark)
	b, mark = encode.Open(nil, 1)
	b = encode.Bytes(b, 1, "access-log")
	s.scope = encode.Close(b, mark)
	return s
}

func (s *source) close() {
	if s.file != nil {
		s.file.close()
		s.file = nil
	}
}

// Next returns the next request.
func (s *source) Next(ctx context.Context, buf []byte) (otlpclient.Request, error) {
	for {
		if err := ctx.Err(); err != nil {
			return otlpclient.Request{}, err
		}
		if s.file == nil {
			if err := s.open(ctx); err != nil {
				return otlpclient.Request{}, err
			}
		}
		var r otlpclient.Request
		var err error
		if s.file.format == FormatAccess {
			r, err = s.nextHits(ctx, buf)
		} else {
			r, err = s.nextExport(ctx)
		}
		switch {
		case errors.Is(err, io.EOF):
			s.close()
		case err != nil:
			return otlpclient.Request{}, err
		case r.Events > 0:
			return r, nil
		}
	}
}

func (s *source) open(ctx context.Context) error {
	if len(s.files) == 0 {
		return io.EOF
	}
	f, err := openFile(ctx, s.files[0], s.options.Stdin)
	if err != nil {
		return err
	}
	s.files = s.files[1:]
	if f.format = s.options.Format; f.format == "" || f.format == FormatAuto {
		f.format = f.detect()
	}
	s.file = f
	return nil
}

// read returns the next line, or io.EOF. Malformed ones are counted and passed over.
func (s *source) read() ([]byte, error) {
	for {
		line, err := s.file.next()
		switch {
		case err == nil:
			s.report.Lines++
			return line, nil
		case errors.Is(err, errMalformed):
			s.report.Lines++
			s.malformed(err)
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return nil, io.EOF
		default:
			return nil, fmt.Errorf("reading %s after line %d: %w", s.file.name, s.file.line, err)
		}
	}
}

func (s *source) malformed(err error) {
	s.report.Malformed++
	if len(s.report.Problems) < maxProblems {
		s.report.Problems = append(s.report.Problems, fmt.Sprintf("%s:%d: %v", s.file.name, s.file.line, err))
	}
}

// nextExport reads one recorded request.
func (s *source) nextExport(ctx context.Context) (otlpclient.Request, error) {
	line, err := s.read()
	if err != nil {
		return otlpclient.Request{}, err
	}
	if len(line) == 0 {
		s.report.Empty++
		return otlpclient.Request{}, nil
	}
	var e *export
	if s.file.format == FormatProto {
		e, err = parseProto(line, s.signal)
	} else {
		e, err = parseJSON(line)
	}
	if err != nil {
		s.malformed(err)
		return otlpclient.Request{}, nil
	}
	if e.events == 0 {
		s.report.Empty++
		return otlpclient.Request{}, nil
	}
	at := e.latest()
	by, err := s.due(ctx, at)
	if err != nil {
		return otlpclient.Request{}, err
	}
	e.shift(by)
	body, err := e.marshal()
	if err != nil {
		s.malformed(fmt.Errorf("encoding: %w", err))
		return otlpclient.Request{}, nil
	}
	return otlpclient.Request{Signal: e.signal, Body: body, Events: e.events, Time: at + by}, nil
}

// nextHits reads lines of an access log until they make a request: it is full,
// or at their own pace, the next line is of another second.
func (s *source) nextHits(ctx context.Context, buf []byte) (otlpclient.Request, error) {
	type parsed struct {
		hit  Hit
		line string
	}
	var hits []parsed
	for len(hits) < s.options.EventsPerRequest {
		h, line, err := s.nextHit()
		if errors.Is(err, io.EOF) && len(hits) > 0 {
			break // the end comes again
		}
		if err != nil {
			return otlpclient.Request{}, err
		}
		if s.paced && len(hits) > 0 && h.Time.Unix() != hits[0].hit.Time.Unix() {
			s.held, s.heldLine, s.holding = h, line, true
			break
		}
		hits = append(hits, parsed{h, line})
	}
	var at int64
	for i := range hits {
		at = max(at, hits[i].hit.Time.UnixNano())
	}
	by, err := s.due(ctx, at)
	if err != nil {
		return otlpclient.Request{}, err
	}
	b, resource := encode.Open(buf, 1)
	b = append(b, s.resource...)
	b, scope := encode.Open(b, 2)
	b = append(b, s.scope...)
	for i := range hits {
		when := hits[i].hit.Time.UnixNano()
		b = appendHit(b, &hits[i].hit, hits[i].line, when+by, when+by)
	}
	b = encode.Close(encode.Close(b, scope), resource)
	return otlpclient.Request{Signal: telemetry.Logs, Body: b, Events: len(hits), Time: at + by}, nil
}

func (s *source) nextHit() (Hit, string, error) {
	if s.holding {
		s.holding = false
		return s.held, s.heldLine, nil
	}
	for {
		view, err := s.read()
		if err != nil {
			return Hit{}, "", err
		}
		if len(view) == 0 {
			s.report.Empty++
			continue
		}
		line := string(view)
		h, err := ParseHit(line)
		if err != nil {
			s.malformed(err)
			continue
		}
		return h, line, nil
	}
}

// maxGap is the longest silence that is replayed, in recorded time; a longer
// one, or a jump back by more, is passed over.
const maxGap = int64(time.Hour)

// due waits until a request whose latest event was recorded at a time is to be
// sent, and returns by how much its times are to be moved.
func (s *source) due(ctx context.Context, at int64) (int64, error) {
	now := time.Now()
	send := now
	if s.paced && at != 0 {
		if s.first == 0 {
			s.first, s.last, s.begun = at, at, now
		}
		// One event with a wild time must not hold up all that follow.
		if gap := at - s.last; gap > maxGap {
			s.first += gap - maxGap
		} else if gap < -maxGap {
			s.first += gap
		}
		s.last = at
		offset := float64(at-s.first) / s.speed
		send = s.begun.Add(time.Duration(max(min(offset, math.MaxInt64/2), math.MinInt64/2)))
		if d := time.Until(send); d > 0 {
			timer := time.NewTimer(d)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
	}
	if s.options.KeepTime || at == 0 {
		return 0, nil
	}
	return send.UnixNano() - at, nil
}
