package pipelinetest

import (
	"bytes"
	"context"
	"sync"

	"github.com/goshawk-observability/goshawk/pipeline"
)

// Snapshots is a store of snapshots in memory that fails on command. It is safe
// for concurrent use.
type Snapshots struct {
	mu  sync.Mutex
	all []*pipeline.Snapshot
	// Fail is called before a snapshot is kept or read; with an error that does
	// not happen. Damage may change what is kept.
	Fail   func(step string) error
	Damage func(*pipeline.Snapshot)
}

var _ pipeline.SnapshotStore = (*Snapshots)(nil)

// Save implements pipeline.SnapshotStore.
func (s *Snapshots) Save(_ context.Context, snapshot *pipeline.Snapshot) <-chan error {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := make(chan error, 1)
	if s.Fail != nil {
		if err := s.Fail("save"); err != nil {
			done <- err
			return done
		}
	}
	kept := *snapshot
	kept.States = nil
	for _, state := range snapshot.States {
		kept.States = append(kept.States, pipeline.State{Name: state.Name, Bytes: bytes.Clone(state.Bytes)})
	}
	if s.Damage != nil {
		s.Damage(&kept)
	}
	s.all = append(s.all, &kept)
	done <- nil
	return done
}

// Load implements pipeline.SnapshotStore.
func (s *Snapshots) Load(_ context.Context, _ string, _ int32, take func(*pipeline.Snapshot) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Fail != nil {
		if err := s.Fail("load"); err != nil {
			return err
		}
	}
	for i := len(s.all) - 1; i >= 0; i-- {
		if take(s.all[i]) {
			return nil
		}
	}
	return nil
}

// Len returns how many snapshots are kept.
func (s *Snapshots) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}
