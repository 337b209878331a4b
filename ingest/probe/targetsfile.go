package probe

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// followInterval is how often the file of targets is looked at.
const followInterval = 2 * time.Second

// targetsFile is a file of targets as it was read last.
type targetsFile struct {
	path     string
	modified time.Time
	size     int64
	targets  []Target
}

func openTargets(path string) (*targetsFile, error) {
	f := &targetsFile{path: path}
	_, err := f.read()
	return f, err
}

// read reads the file again if it has changed, and says whether it did.
func (f *targetsFile) read() (bool, error) {
	// Before the file is read: what changes meanwhile is read once more.
	info, err := os.Stat(f.path)
	if err != nil {
		return false, err
	}
	if info.ModTime().Equal(f.modified) && info.Size() == f.size {
		return false, nil
	}
	f.modified, f.size = info.ModTime(), info.Size()
	text, err := os.ReadFile(f.path)
	if err != nil {
		return false, err
	}
	targets, err := parseTargets(text)
	if err != nil {
		return false, fmt.Errorf("%s: %w", f.path, err)
	}
	f.targets = targets
	return true, nil
}

// parseTargets reads the YAML of a file of targets.
func parseTargets(text []byte) ([]Target, error) {
	var content struct {
		Targets []Target `yaml:"targets"`
	}
	if err := config.Parse(text, &content); err != nil {
		return nil, err
	}
	return content.Targets, nil
}

// follow reads the file again when it changes. A file that cannot be used
// leaves the targets as they are.
func (r *probeReceiver) follow(ctx context.Context, f *targetsFile) {
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	gone := false
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		changed, err := f.read()
		var jobs []*job
		if err == nil && changed {
			jobs, err = r.plan(f.targets)
		}
		switch {
		case err != nil:
			// A change is told once, and so is a file that is gone.
			if !gone || !os.IsNotExist(err) {
				r.set.Logger.Sugar().Warnw("the file of targets cannot be used; the old targets stay", "error", err)
			}
			gone = os.IsNotExist(err)
		case changed:
			r.set.Logger.Sugar().Infow("the file of targets was read again", "file", f.path, "targets", len(f.targets))
			r.schedule(ctx, jobs)
			gone = false
		}
	}
}
