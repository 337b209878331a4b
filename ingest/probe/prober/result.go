package prober

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Result is what one probe found out. It belongs to whoever receives it from
// [Module.Probe], who may read the exported fields without locking.
type Result struct {
	Target string
	Module string
	Start  time.Time
	// Duration is the time from Start to the end of the probe.
	Duration time.Duration
	// TraceID and SpanID are what the target was told in traceparent. They are
	// never zero.
	TraceID [16]byte
	SpanID  [8]byte
	// SpanName is low in cardinality, as the semantic conventions want it.
	SpanName string
	// Failure says why the probe failed; nil means success.
	Failure *Failure
	// Canceled means that the probe was ended from outside before its timeout,
	// and so says nothing about the target.
	Canceled bool
	// Points are sorted by name.
	Points     []Point
	Attributes []Attribute
	Phases     []Phase
	// Log has a line for every step where the probe was asked to explain itself.
	Log []string

	// mu guards all fields while the probe runs: the goroutine that connects may
	// outlive a request that ran into its timeout.
	mu     sync.Mutex
	sealed bool
	debug  bool

	durations string
	phases    []string
	lookup    time.Duration
	peer      netip.Addr
}

// Failure is why a probe failed.
type Failure struct {
	// Type is the value of error.type: one of few words, or a status code.
	Type string
	Err  error
}

// Error returns the message of the cause.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

func failf(kind, format string, args ...any) *Failure {
	return &Failure{Type: kind, Err: fmt.Errorf(format, args...)}
}

// Point is the value of one gauge at the end of the probe.
type Point struct {
	Name   string
	Value  float64
	Labels []Label
}

// Label is one label of a point.
type Label struct{ Name, Value string }

// Attribute is one attribute of the span. Its value is Number where IsNumber
// says so, else Text.
type Attribute struct {
	Key      string
	Text     string
	Number   int64
	IsNumber bool
}

// Phase is a part of the probe. A probe that follows redirects, or connects
// more than once, has several of the same name.
type Phase struct {
	Name       string
	Start, End time.Time
}

func newResult(module, target string, debug bool) *Result {
	r := &Result{Module: module, Target: target, Start: time.Now(), debug: debug}
	for r.TraceID == ([16]byte{}) {
		for i, half := range [2]uint64{rand.Uint64(), rand.Uint64()} {
			putUint64(r.TraceID[8*i:], half)
		}
	}
	for r.SpanID == ([8]byte{}) {
		putUint64(r.SpanID[:], rand.Uint64())
	}
	return r
}

func putUint64(b []byte, v uint64) {
	for i := range 8 {
		b[i] = byte(v >> (56 - 8*i))
	}
}

// Traceparent is the W3C header that makes the target's spans children of the
// probe's.
func (r *Result) Traceparent() string {
	return fmt.Sprintf("00-%x-%x-01", r.TraceID, r.SpanID)
}

// measure names the gauge of the phases, all of which are reported, also those
// that the probe did not reach.
func (r *Result) measure(gauge string, phases ...string) {
	r.durations, r.phases = gauge, phases
}

func (r *Result) point(name string, value float64, labels ...Label) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.sealed {
		r.Points = append(r.Points, Point{Name: name, Value: value, Labels: labels})
	}
}

func (r *Result) flag(name string, value bool, labels ...Label) {
	r.point(name, number(value), labels...)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// text sets an attribute, in place of the value that it may have already.
func (r *Result) text(key, value string) { r.attribute(Attribute{Key: key, Text: value}) }

func (r *Result) number(key string, value int64) {
	r.attribute(Attribute{Key: key, Number: value, IsNumber: true})
}

func (r *Result) attribute(a Attribute) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		return
	}
	for i := range r.Attributes {
		if r.Attributes[i].Key == a.Key {
			r.Attributes[i] = a
			return
		}
	}
	r.Attributes = append(r.Attributes, a)
}

func (r *Result) phase(name string, start, end time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		return
	}
	r.Phases = append(r.Phases, Phase{Name: name, Start: start, End: end})
	if name == phaseResolve {
		r.lookup += end.Sub(start)
	}
	r.logf("%s took %s", name, end.Sub(start))
}

func (r *Result) connecting(addr netip.AddrPort) {
	r.number("network.peer.port", int64(addr.Port()))
	r.reaching(addr.Addr())
}

func (r *Result) reaching(addr netip.Addr) {
	version := "ipv4"
	if addr.Is6() {
		version = "ipv6"
	}
	r.text("network.peer.address", addr.String())
	r.text("network.type", version)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.sealed {
		r.peer = addr
		r.logf("using address %s", addr)
	}
}

// explain adds a line to the log of a probe that was asked to explain itself.
func (r *Result) explain(format string, args ...any) {
	if !r.debug {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.sealed {
		r.logf(format, args...)
	}
}

// logf is explain for callers that hold the lock.
func (r *Result) logf(format string, args ...any) {
	if r.debug {
		r.Log = append(r.Log, fmt.Sprintf("%10.6fs %s", time.Since(r.Start).Seconds(), fmt.Sprintf(format, args...)))
	}
}

// seal ends the probe: the points that every probe has are added, and what
// straggling goroutines still report is ignored.
func (r *Result) seal(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Duration = time.Since(r.Start)
	if err != nil {
		if !errors.As(err, &r.Failure) {
			r.Failure = &Failure{Type: errorType(err)}
		}
		// The whole message, not only that of the part that has a type.
		r.Failure = &Failure{Type: r.Failure.Type, Err: err}
		r.logf("failed (%s): %v", r.Failure.Type, err)
	} else {
		r.logf("succeeded")
	}
	for _, name := range r.phases {
		var sum time.Duration
		for _, p := range r.Phases {
			if p.Name == name {
				sum += p.End.Sub(p.Start)
			}
		}
		r.Points = append(r.Points, Point{Name: r.durations, Value: sum.Seconds(), Labels: []Label{{"phase", name}}})
	}
	version, hash := 0., 0.
	if r.peer.IsValid() {
		version = 4
		if r.peer.Is6() {
			version = 6
		}
		h := fnv.New32a()
		_, _ = h.Write(r.peer.AsSlice())
		hash = float64(h.Sum32())
	}
	r.Points = append(
		r.Points,
		Point{Name: IPProtocol, Value: version},
		Point{Name: IPHash, Value: hash},
		Point{Name: Lookup, Value: r.lookup.Seconds()},
		Point{Name: Duration, Value: r.Duration.Seconds()},
		Point{Name: Success, Value: number(r.Failure == nil)},
	)
	slices.SortStableFunc(r.Points, func(a, b Point) int { return strings.Compare(a.Name, b.Name) })
	r.sealed = true
}
