package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient"
	"github.com/goshawk-observability/goshawk/test/cluster"
)

// bed starts clusters and cleans up after them; it is the harness's testing.TB.
type bed struct {
	cleanups []func()
	failed   bool
}

// stopped is what Fatal panics with and within recovers.
type stopped struct{ err error }

// within runs f with a bed and cleans up.
func within(e *env, f func(*bed) ([]measurement, error)) (measured []measurement, err error) {
	if err := os.Setenv(cluster.BinaryEnv, e.binary); err != nil {
		return nil, err
	}
	b := &bed{}
	defer func() {
		if r := recover(); r != nil {
			s, ok := r.(stopped)
			if !ok {
				panic(r)
			}
			err = s.err
		}
		for i := len(b.cleanups) - 1; i >= 0; i-- {
			b.cleanups[i]()
		}
	}()
	return f(b)
}

func (b *bed) Helper() {}
func (b *bed) Log(args ...any) {
	fmt.Fprintln(os.Stderr, args...)
}

func (b *bed) Errorf(format string, args ...any) {
	b.failed = true
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

func (b *bed) Fatal(args ...any) {
	b.failed = true
	panic(stopped{errors.New(fmt.Sprint(args...))})
}

func (b *bed) Fatalf(format string, args ...any) {
	b.failed = true
	panic(stopped{fmt.Errorf(format, args...)})
}

func (b *bed) Skipf(format string, args ...any) { b.Fatalf(format, args...) }
func (b *bed) Failed() bool                     { return b.failed }
func (b *bed) Cleanup(f func())                 { b.cleanups = append(b.cleanups, f) }

func (b *bed) TempDir() string {
	// Beside the checkout, not in /tmp, which may be in memory.
	if err := os.MkdirAll(".cache", 0o755); err != nil {
		b.Fatal(err)
	}
	dir, err := os.MkdirTemp(".cache", "bench-*")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// few is the number of connections of a load that does not say otherwise; the
// peers' figures were measured with as many.
const few = 2

// send posts the requests over so many connections to the address, as fast as
// they are acknowledged.
func send(ctx context.Context, address string, requests []otlpclient.Request, connections int) (time.Duration, error) {
	cfg := otlpclient.DefaultConfig()
	cfg.Endpoint = "http://" + address
	cfg.Connections = connections
	client, err := otlpclient.New(cfg)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	began := time.Now()
	next := make(chan otlpclient.Request, connections)
	failed := make(chan error, connections)
	for range connections {
		go func() {
			var first error
			for r := range next {
				if first != nil {
					continue
				}
				outcome, err := client.Send(ctx, r)
				if err == nil && outcome.Rejected > 0 {
					err = fmt.Errorf("%d events were rejected: %s", outcome.Rejected, outcome.Message)
				}
				first = err
			}
			failed <- first
		}()
	}
	for _, r := range requests {
		next <- r
	}
	close(next)
	var errs []error
	for range connections {
		errs = append(errs, <-failed)
	}
	return time.Since(began), errors.Join(errs...)
}

// role is a process tree, and what its figures are called.
type role struct {
	name string
	pid  int
}

// rolesOf returns what events pass on their way.
func rolesOf(c *cluster.Cluster) []role {
	var roles []role
	for _, name := range []string{"gateway", "broker", "process", "clickhouse"} {
		roles = append(roles, role{name, c.Pid(name)})
	}
	return roles
}

// usages sums the usage of the roles.
func usages(roles []role) (usage, error) {
	var total usage
	for _, r := range roles {
		u, err := usageOf(r.pid)
		if err != nil {
			return usage{}, err
		}
		total.CPU += u.CPU
		total.RSS += u.RSS
	}
	return total, nil
}

const mib = 1 << 20
