package watchtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
)

// ErrKilled is what a job returns that was killed.
var ErrKilled = errors.New("killed")

// Killer kills jobs before any of their steps, and loses answers of Kafka.
type Killer struct {
	Random *rand.Rand
	// Steps is the first step that no look is killed before.
	Steps int
	// Reached counts steps by name; Kills are the jobs that were killed, and Losses
	// how many of them had lost an answer.
	Reached       map[string]int
	Kills, Losses int
}

// Look has a job look, and reports whether it came to the end. Step is where the
// job has what is called before each of its steps.
func (k *Killer) Look(t *testing.T, b *Bed, job Job, step *func(name string) error) bool {
	t.Helper()
	left := k.Random.IntN(k.Steps)
	*step = func(name string) error {
		k.Reached[name]++
		if left--; left == 0 {
			return ErrKilled
		}
		return nil
	}
	b.Producer.Lost = nil
	if k.Random.IntN(3) == 0 {
		b.Producer.Lost = ErrKilled
	}
	err := job.Look(context.Background())
	if err == nil {
		return true
	}
	if !errors.Is(err, ErrKilled) {
		t.Fatal(err)
	}
	if k.Kills++; b.Producer.Lost != nil {
		k.Losses++
	}
	return false
}
