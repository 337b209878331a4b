package filelog

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// tail is a file that is being read.
type tail struct {
	*state
	input    *input
	resource []byte // encoded
	// file is nil where it is not open; used says when it was read last.
	file *os.File
	used uint64
	// size is that of the last look, and changed when it last was another one.
	// most is the greatest that was seen of the same content.
	size    int64
	most    int64
	changed time.Time
	// mtime is the modification time at which the content was last compared with
	// what was read.
	mtime int64
	// rotated is set where no path that is read leads to the file any more.
	rotated bool
	// tried is the size at which there was no complete event.
	tried int64
	// after is what has to be read to its end first: what this file replaced.
	after *tail
	// busy is set while a batch is under way, which is in memory by then.
	busy bool
}

// rotatedGrace is how long a file that was moved away may still grow before its
// last line counts as complete, and the file as done.
const rotatedGrace = 10 * time.Second

// drained reports whether everything that is in the file is acknowledged, apart
// from an incomplete last event.
func (t *tail) drained() bool {
	return t.Pending == nil && (t.size <= t.Offset || t.tried == t.size)
}

// waits reports whether the last event should be taken as it is.
func (t *tail) waits(now time.Time) bool {
	switch {
	case t.rotated:
		return now.Sub(t.changed) < rotatedGrace
	case t.input.first != nil:
		return now.Sub(t.changed) < t.input.flushAfter
	}
	return true
}

// ready reports whether there may be something to send.
func (t *tail) ready(now time.Time) bool {
	switch {
	case t.Pending != nil:
		return true
	case t.after != nil && !t.after.drained():
		return false
	case t.size <= t.Offset:
		return false
	}
	return t.tried != t.size || !t.waits(now)
}

// grow takes note of a size. The imprint of a file's beginning is taken as soon as
// there is one: a copy is known by it, should nothing else be read before.
func (t *Tailer) grow(tl *tail, size int64, entries []entry) []entry {
	if size == tl.size {
		return entries
	}
	tl.size, tl.changed = size, t.now
	if tl.Head.Bytes == 0 && tl.Pending == nil && t.open(tl) {
		if head, _, err := newPrints(tl.file, min(size, printBytes)); err == nil {
			tl.Head = head
			entries = append(entries, entry{File: tl.state})
		}
	}
	return entries
}

// replaced reports whether the file has other content than was read or seen. It
// looks again only where the file was changed.
func (t *Tailer) replaced(tl *tail, mtime int64) bool {
	if end, _, _ := tl.end(); tl.size < end {
		return true
	}
	if mtime == tl.mtime || !t.open(tl) {
		return false
	}
	tl.mtime = mtime
	return !tl.begins(tl.file, tl.size)
}

// ended reports whether a file that was moved away is done.
func (t *tail) ended(now time.Time) bool {
	return t.rotated && t.Pending == nil && t.size <= t.Offset && !t.waits(now)
}

// newState makes the state of a file that is new.
func newState(f found) *state {
	s := &state{inode: f.inode, Path: f.path, Name: f.path}
	_, _ = rand.Read(s.ID[:]) // it cannot fail
	return s
}

// bind begins to read a file.
func (t *Tailer) bind(s *state, f found) *tail {
	s.inode, s.Path, s.Lost = f.inode, f.path, 0
	tl := &tail{state: s, input: f.input, size: f.size, changed: t.now, tried: -1}
	tl.resource = t.resourceOf(f.input, s.Name)
	t.tails[f.inode] = tl
	t.order = append(t.order, tl)
	for _, other := range t.order {
		if other != tl && other.Name == s.Name && (other.rotated || other.Path != other.Name) && !other.drained() {
			tl.after = other
		}
	}
	return tl
}

// unbind ends reading a file, of which the state stays.
func (t *Tailer) unbind(tl *tail) {
	t.closeFile(tl)
	delete(t.tails, tl.inode)
	for i, other := range t.order {
		if other == tl {
			t.order = append(t.order[:i], t.order[i+1:]...)
			break
		}
	}
	for _, other := range t.order {
		if other.after == tl {
			other.after = nil
		}
	}
}

// resourceOf returns the resource of the lines of a file.
func (t *Tailer) resourceOf(in *input, name string) []byte {
	all := append([]logwriter.Attribute{}, t.target.Resource...)
	all = append(all, in.resource...)
	return logbatch.Resource(append(all,
		logwriter.Attribute{Key: "log.file.name", Value: filepath.Base(name)},
		logwriter.Attribute{Key: "log.file.path", Value: name})...)
}

// open makes sure that the file is open. Where its path leads to another file
// by now, the file is looked for in the same folder.
func (t *Tailer) open(tl *tail) bool {
	t.clock++
	tl.used = t.clock
	if tl.file != nil {
		return true
	}
	file, size, ok := openRegular(tl.Path, tl.inode)
	if !ok {
		for _, f := range neighbours(tl.Path) {
			if f.inode == tl.inode {
				file, size, ok = openRegular(f.path, f.inode)
				break
			}
		}
	}
	if !ok {
		return false
	}
	t.adopt(tl, file)
	tl.size = max(tl.size, size)
	return true
}

// adopt gives the tail its open file, and closes another where there are too
// many: preferably one that can be found again by its path.
func (t *Tailer) adopt(tl *tail, file *os.File) {
	tl.file = file
	t.opened++
	if t.opened <= t.cfg.MaxOpen {
		return
	}
	var oldest *tail
	for _, other := range t.order {
		if other.file == nil || other == tl {
			continue
		}
		if oldest == nil || oldest.rotated && !other.rotated || oldest.rotated == other.rotated && other.used < oldest.used {
			oldest = other
		}
	}
	if oldest != nil {
		t.closeFile(oldest)
	}
}

func (t *Tailer) closeFile(tl *tail) {
	if tl.file != nil {
		_ = tl.file.Close() // it was only read
		tl.file = nil
		t.opened--
	}
}
