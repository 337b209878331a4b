// Package replay sends recorded telemetry again: OTLP as the collector's file
// exporter writes it, or the lines of an access log, at their own pace, faster,
// or at a given rate.
//
// It reads its input as a stream, so memory does not depend on the size of the
// input, and no line can stop it: what cannot be read is counted and the first
// few are reported with their line numbers.
package replay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient"
	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// The formats of input.
const (
	// FormatAuto decides by the first line of each file.
	FormatAuto = "auto"
	// FormatJSON is one Export*ServiceRequest as OTLP JSON per line.
	FormatJSON = "otlp-json"
	// FormatProto is a sequence of Export*ServiceRequests in protobuf, each after
	// its length as four bytes, big endian. It needs Options.Signal.
	FormatProto = "otlp-proto"
	// FormatAccess is an access log, common or combined.
	FormatAccess = "access"
)

// Options say what Run sends, where, and how fast.
type Options struct {
	// Endpoint, Protocol, Compression, Token, TLS and Connections are as in
	// otlpclient.Config; zero values mean its defaults.
	Endpoint, Protocol, Compression string
	Token                           config.Secret
	TLS                             *tls.Config
	Connections                     int

	// Files are read one after the other; "-" is Stdin. gzip and zstd are
	// recognised by their first bytes.
	Files []string
	Stdin io.Reader
	// Format is one of the Format constants; "" is FormatAuto.
	Format string
	// Signal is what FormatProto holds: logs, spans or metrics.
	Signal string

	// Speed is how much faster than recorded events are sent; 0 means 1. Rate
	// sends that many events a second and Fast as many as the gateway takes:
	// both ignore Speed.
	Speed, Rate float64
	Fast        bool
	// KeepTime keeps the recorded times. Otherwise each request is moved in time
	// so that its latest event happens when it is sent.
	KeepTime bool
	// Service is the service.name of access log lines; "" is "web".
	Service string
	// EventsPerRequest bounds requests of access log lines; 0 is 512.
	EventsPerRequest int

	// Progress is where progress and the summary go, nil or Quiet for nowhere.
	Progress io.Writer
	Quiet    bool
	// Grace is how long requests in flight may be repeated after ctx ended,
	// Drain after the input ended; 0 means one second and one minute.
	Grace, Drain time.Duration
}

// Report is what a replay did.
type Report struct {
	otlpclient.Report
	// Lines is the number of lines, or messages, that were read; Malformed the
	// number of those that could not be, and Empty those without any event.
	Lines     int64 `json:"lines"`
	Malformed int64 `json:"malformed"`
	Empty     int64 `json:"empty"`
	// Problems describes the first few malformed lines.
	Problems []string `json:"problems,omitempty"`
}

// maxProblems bounds Report.Problems.
const maxProblems = 5

// Validate reports the first thing that is wrong.
func (o *Options) Validate() error {
	for _, n := range []struct {
		name  string
		value float64
	}{{"speed", o.Speed}, {"rate", o.Rate}, {"events_per_request", float64(o.EventsPerRequest)}} {
		if n.value < 0 || math.IsNaN(n.value) || math.IsInf(n.value, 0) {
			return fmt.Errorf("%s %g: want a positive number", n.name, n.value)
		}
	}
	switch o.Format {
	case "", FormatAuto, FormatJSON, FormatAccess:
	case FormatProto:
		if _, ok := signalNamed(o.Signal); !ok {
			return fmt.Errorf("signal %q: format %s needs logs, spans or metrics", o.Signal, FormatProto)
		}
	default:
		return fmt.Errorf("format %q: want %s, %s, %s or %s", o.Format, FormatAuto, FormatJSON, FormatProto, FormatAccess)
	}
	if len(o.Files) == 0 {
		return errors.New("files: want at least one, or - for the standard input")
	}
	return nil
}

func signalNamed(name string) (telemetry.Signal, bool) {
	for _, s := range telemetry.Signals {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}

func (o *Options) client() otlpclient.Config {
	c := otlpclient.DefaultConfig()
	if o.Protocol != "" {
		c.Protocol = o.Protocol
	}
	switch {
	case o.Endpoint != "":
		c.Endpoint = o.Endpoint
	case c.Protocol == otlpclient.GRPC:
		c.Endpoint = "http://127.0.0.1:4317"
	}
	c.Compression, c.Token, c.TLS = o.Compression, o.Token, o.TLS
	if o.Connections != 0 {
		c.Connections = o.Connections
	}
	return c
}

// Run replays the files until they end or ctx does. The error is nil when all
// that could be read was answered, apart from what was in flight when ctx
// ended; malformed lines are no error. A file that cannot be opened or read is.
func Run(ctx context.Context, o Options) (Report, error) {
	if err := o.Validate(); err != nil {
		return Report{}, err
	}
	client, err := otlpclient.New(o.client())
	if err != nil {
		return Report{}, err
	}
	defer client.Close()
	source := newSource(o)
	defer source.close()

	progress := o.Progress
	if o.Quiet || progress == nil {
		progress = io.Discard
	}
	background, stop := context.WithCancel(ctx)
	defer stop()
	var group errgroup.Group
	if progress != io.Discard {
		group.Go(func() error {
			client.Progress(background, progress)
			return nil
		})
	}
	pump := otlpclient.PumpOptions{Drain: o.Drain, Grace: o.Grace, Rate: o.Rate}
	if pump.Drain == 0 {
		pump.Drain = time.Minute
	}
	if pump.Grace == 0 {
		pump.Grace = time.Second
	}
	if o.Fast {
		pump.Rate = 0
	}
	err = client.Pump(ctx, source, pump)
	stop()
	_ = group.Wait() // progress does not fail

	report := source.report
	report.Report = client.Report()
	report.WriteSummary(progress)
	fmt.Fprintf(progress, "%d lines read, %d malformed, %d empty\n", report.Lines, report.Malformed, report.Empty)
	for _, p := range report.Problems {
		fmt.Fprintf(progress, "malformed: %s\n", p)
	}
	total := report.Total()
	switch {
	case err != nil:
		return report, err
	case total.Refused > 0:
		return report, fmt.Errorf("replaying: %d events were refused: %s", total.Refused, report.LastError)
	case total.Unanswered > 0 && ctx.Err() == nil:
		return report, fmt.Errorf("replaying: %d events were not acknowledged: %s", total.Unanswered, report.LastError)
	}
	return report, nil
}
