package journald

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// state is what is remembered between runs.
type state struct {
	// ID is random, in the ids of batches: others may read the same journal.
	ID string `json:"id"`
	// Cursor is that of the last entry that Kafka has acknowledged.
	Cursor string `json:"cursor"`
	// Plan is the batch after it that may have been produced.
	Plan *plan `json:"plan,omitempty"`

	path string
}

// plan is a batch of entries.
type plan struct {
	// To is the cursor of its last entry, Count how many it has.
	To    string `json:"to"`
	Count int    `json:"count"`
	// Partitions is how many the topic had.
	Partitions int `json:"partitions"`
	// Observed is when it was read, Unix nanoseconds.
	Observed int64 `json:"observed"`
}

func loadState(path string) (state, error) {
	s := state{ID: rand.Text(), path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("reading the cursor of the journal: %w; remove %s to begin anew", err, path)
	}
	return s, nil
}

// save replaces the file. What has to outlive the machine is synced.
func (s *state) save(sync bool) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	temporary := s.path + ".new"
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("saving the cursor of the journal: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	if err == nil && sync {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(temporary, s.path)
	}
	if err != nil {
		return fmt.Errorf("saving the cursor of the journal: %w", err)
	}
	return nil
}
