// Package prober probes one target at a time over HTTP, TCP, TLS, DNS, ICMP and
// gRPC, and says what it found as the values of gauges and the attributes of a
// span.
//
// It must not know when probes run or where results go; that is the business of
// the receiver in the folder above.
package prober

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Options are what a module does not say itself.
type Options struct {
	// Guard is asked before any address is dialled; nil allows all of them.
	Guard *Guard
	// UserAgent is sent by HTTP and gRPC.
	UserAgent string
}

// Module probes targets with the settings of one [Config]. It is safe for
// concurrent use.
type Module struct {
	name     string
	protocol protocol
}

// protocol is one of the protocols. Probe reports to the result and returns why
// the target failed. It returns soon after the context has ended.
type protocol interface {
	probe(ctx context.Context, target string, r *Result) error
	// check says what is wrong with a target. It opens nothing.
	check(target string) error
	close()
}

// New makes a module from valid settings and reads the files that they name.
func New(name string, cfg Config, o Options) (*Module, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("module %s: %w", name, err)
	}
	cfg = cfg.complete()
	d, err := newDialer(&cfg, o.Guard)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", name, err)
	}
	m := &Module{name: name}
	switch cfg.Prober {
	case "http":
		m.protocol, err = newHTTP(cfg.HTTP, d, o.UserAgent)
	case "tcp":
		m.protocol, err = newTCP(cfg.TCP, d)
	case "tls":
		m.protocol, err = newTLS(cfg.TLS, d)
	case "dns":
		m.protocol, err = newDNS(cfg.DNS, d)
	case "icmp":
		m.protocol = &icmpProber{cfg: *cfg.ICMP, dialer: d}
	case "grpc":
		m.protocol, err = newGRPC(cfg.GRPC, d, o.UserAgent)
	}
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", name, err)
	}
	return m, nil
}

// Check says what is wrong with a target for this module. It opens nothing.
func (m *Module) Check(target string) error { return m.protocol.check(target) }

// Probe probes the target once. It ends when the timeout or the context does.
// With debug the result has a log.
func (m *Module) Probe(ctx context.Context, target string, timeout time.Duration, debug bool) *Result {
	r := newResult(m.name, target, debug)
	deadline := r.Start.Add(timeout)
	bounded, cancel := context.WithDeadline(ctx, deadline)
	err := m.protocol.check(target)
	if err != nil {
		err = &Failure{Type: "target", Err: err}
	} else if err = m.protocol.probe(bounded, target, r); err != nil && !time.Now().Before(deadline) {
		// Whatever the protocol made of it: it is the timeout that ended the probe.
		// Connections may notice it before the context does.
		err = &Failure{Type: "timeout", Err: fmt.Errorf("timeout after %s: %w", timeout, err)}
	}
	cancel()
	r.Canceled = err != nil && errors.Is(ctx.Err(), context.Canceled)
	r.seal(err)
	return r
}

// Close closes connections that are kept for the next probe. No probe may run.
func (m *Module) Close() { m.protocol.close() }
