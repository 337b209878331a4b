// Package topictest has a producer that stands in for Kafka where a test wants
// to see what would have been written, or a Kafka that fails or does not answer.
package topictest

import (
	"bytes"
	"context"
	"sync"

	"github.com/goshawk-observability/goshawk/ingest/topic"
)

// Recorder is a producer that remembers what it was given, and fails or waits on
// command. It is safe for concurrent use.
type Recorder struct {
	// Entered gets a value when Produce is called, as long as there is room.
	Entered chan struct{}

	mu         sync.Mutex
	parts      []topic.Part
	produceErr error
	askErr     error
	gate       chan struct{} // where set, Produce waits until it is closed
}

// partitions is how many a topic has.
const partitions = 4

// NewRecorder makes a recorder of topics with four partitions.
func NewRecorder() *Recorder { return &Recorder{Entered: make(chan struct{}, 1000)} }

// Partitions returns how many partitions any topic has.
func (r *Recorder) Partitions(context.Context, string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return partitions, r.askErr
}

// Produce keeps copies of the parts.
func (r *Recorder) Produce(ctx context.Context, parts []topic.Part) error {
	r.mu.Lock()
	gate, err := r.gate, r.produceErr
	r.mu.Unlock()
	select {
	case r.Entered <- struct{}{}:
	default:
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range parts {
		p.Value = bytes.Clone(p.Value)
		r.parts = append(r.parts, p)
	}
	return nil
}

// Fail makes Produce and Partitions return errors from now on; nil ends that.
func (r *Recorder) Fail(produce, partitions error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.produceErr, r.askErr = produce, partitions
}

// Hold makes Produce wait until the returned function is called.
func (r *Recorder) Hold() (release func()) {
	gate := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gate = gate
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.gate == gate {
			r.gate = nil
			close(gate)
		}
	}
}

// Take returns what was recorded since the last call.
func (r *Recorder) Take() []topic.Part {
	r.mu.Lock()
	defer r.mu.Unlock()
	parts := r.parts
	r.parts = nil
	return parts
}
