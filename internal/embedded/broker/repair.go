package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// The files of the broker's directory beside the partitions.
const (
	metaFile     = "meta.json"
	topicsFile   = "topics.json"
	groupsFile   = "groups.log"
	producerFile = "pids.log"
	windowsFile  = "seq_windows.json"
	// cleanFile is there when the last stop was an orderly one.
	cleanFile = "clean"
)

// damaged is the suffix of a file that was set aside.
const damaged = ".damaged"

// repair brings the directory into a state that the broker loads completely,
// with little memory, and without ever giving an offset to a second record:
//
//   - A file of settings that cannot be read is set aside, and what it said of
//     the topics is put together again from the partitions' directories.
//   - The logs of consumer groups are cut behind their last whole entry. The
//     broker would append behind the damage, where nothing is ever read again.
//   - Every record batch is checked. A damaged one is taken out alone, where
//     the broker would drop all that follow it.
//   - Each partition gets a snapshot, with which the broker reads one segment
//     at a time. Without one, after a crash, it holds the whole log in memory.
//   - A partition never ends before the greatest offset that any group has
//     committed, and never restarts at 0 for being empty.
func repair(dir string, log *slog.Logger) error {
	if err := os.MkdirAll(filepath.Join(dir, partitionsDir), 0o700); err != nil {
		return fmt.Errorf("making the broker's directory: %w", err)
	}
	clean, err := takeCleanMark(dir)
	if err != nil {
		return err
	}
	partitions, err := scan(dir)
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return repairMeta(dir, len(partitions) > 0, log) },
		func() error { return repairSettings(dir, clean, log) },
		func() error { return repairTopics(dir, partitions, log) },
		func() error { return repairFrames(filepath.Join(dir, producerFile), log) },
		func() error { return repairFrames(filepath.Join(dir, groupsFile), log) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	committed, err := committedOffsets(filepath.Join(dir, groupsFile))
	if err != nil {
		return err
	}
	for id := range partitions {
		if err := repairPartition(dir, id, committed[id], log); err != nil {
			return fmt.Errorf("checking %s: %w", id, err)
		}
	}
	return nil
}

// takeCleanMark removes the mark, so that a crash from here on leaves none.
func takeCleanMark(dir string) (bool, error) {
	err := os.Remove(filepath.Join(dir, cleanFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("opening the broker's directory: %w", err)
	}
	return err == nil, nil
}

func setCleanMark(dir string) error {
	return os.WriteFile(filepath.Join(dir, cleanFile), nil, 0o600)
}

// storedVersion is the version of the broker's files that is understood here.
const storedVersion = 1

type storedMeta struct {
	Version   int    `json:"version"`
	ClusterID string `json:"cluster_id"`
}

// repairMeta makes sure that a directory with partitions has its main file:
// without it the broker would start an empty log over the old one.
func repairMeta(dir string, hasPartitions bool, log *slog.Logger) error {
	path := filepath.Join(dir, metaFile)
	var meta storedMeta
	ok, err := readJSON(path, &meta, log)
	if err != nil {
		return err
	}
	if ok && meta.Version > storedVersion {
		return fmt.Errorf("%s has version %d, written by a newer goshawk; this one reads version %d", path, meta.Version, storedVersion)
	}
	if ok || !hasPartitions {
		return nil
	}
	log.Warn("Kafka log: wrote a new main file", "file", path)
	return writeJSON(path, storedMeta{Version: storedVersion, ClusterID: clusterID})
}

// repairSettings sets files aside that the broker would refuse to start with.
func repairSettings(dir string, clean bool, log *slog.Logger) error {
	if !clean {
		// The state of idempotent producers is stale after a crash and would
		// refuse what they send next.
		if err := os.Remove(filepath.Join(dir, windowsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, name := range []string{"acls.json", "sasl.json", "broker_configs.json", "quotas.json", windowsFile} {
		var settings map[string]any
		if _, err := readJSON(filepath.Join(dir, name), &settings, log); err != nil {
			return err
		}
	}
	return nil
}

// readJSON reads a file into v. A file that is no JSON is set aside and counts
// as absent.
func readJSON(path string, v any, log *slog.Logger) (bool, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the broker's directory: %w", err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		aside := fmt.Sprintf("%s%s-%d", path, damaged, time.Now().Unix())
		log.Error("Kafka log: a damaged file was set aside", "file", path, "now", aside, "error", err)
		return false, os.Rename(path, aside)
	}
	return true, nil
}

// writeJSON replaces a file as a whole.
func writeJSON(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeWhole(path, text)
}

func writeWhole(path string, content []byte) error {
	temporary := path + ".tmp"
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
