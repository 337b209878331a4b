package filelog

import (
	"os"
	"path/filepath"
	"slices"
	"time"
)

// hold is a new file that may be the copy that a rotation makes before it
// truncates the file itself.
type hold struct {
	since, changed time.Time
	size           int64
}

// A file that begins as another one does is held back until it has not changed
// for holdQuiet, but for no longer than holdAtMost.
const (
	holdQuiet  = 10 * time.Second
	holdAtMost = time.Minute
)

// scan looks for files that are new, have grown, were moved, or truncated.
func (t *Tailer) scan() {
	t.now = time.Now()
	var entries []entry
	seen := make(map[inode]bool, len(t.tails))
	var fresh []found
	for _, in := range t.inputs {
		in.search(func(f found) bool {
			if seen[f.inode] {
				return true // another path of the same file
			}
			if len(seen) >= t.cfg.MaxFiles {
				t.warn("there are more files than max_files; the others are not read", "max_files", t.cfg.MaxFiles)
				return false
			}
			seen[f.inode] = true
			if tl := t.tails[f.inode]; tl != nil {
				entries = t.look(tl, f, entries)
			}
			if t.tails[f.inode] == nil {
				fresh = append(fresh, f)
			}
			return true
		})
	}
	for _, tl := range slices.Clone(t.order) {
		if !seen[tl.inode] {
			entries = t.away(tl, entries)
		}
	}
	entries = t.meet(fresh, entries)
	for inode := range t.held {
		if !seen[inode] || t.tails[inode] != nil {
			delete(t.held, inode)
		}
	}
	for _, in := range t.inputs {
		if !t.checkpoint.inputs[in.key] {
			entries = append(entries, entry{Input: in.key})
		}
	}
	if gone := t.checkpoint.forgettable(t.now); len(gone) > 0 {
		entries = append(entries, entry{Gone: gone})
	}
	t.note(false, entries...)
	t.metrics.scans.Inc()
	t.measure()
}

// look takes note of the size and path of a file that is being read.
func (t *Tailer) look(tl *tail, f found, entries []entry) []entry {
	tl.rotated = false
	if f.size > 0 && tl.Head.Bytes == 0 && tl.Pending == nil && t.beginsAsAnother(f) {
		// It was empty so far, and is being written as a copy.
		t.unbind(tl)
		delete(t.checkpoint.states, tl.ID)
		return append(entries, entry{Gone: []fileID{tl.ID}})
	}
	entries = t.grow(tl, f.size, entries)
	if f.path != tl.Path {
		if now, ok := look(tl.Path); !ok || now.inode != tl.inode {
			tl.Path = f.path
			t.metrics.renamed.Inc()
			entries = append(entries, entry{File: tl.state})
		}
	}
	if t.replaced(tl, f.mtime) {
		entries = t.truncated(tl, entries)
	}
	return entries
}

// away takes note that no path that is read leads to a file any more.
func (t *Tailer) away(tl *tail, entries []entry) []entry {
	if !tl.rotated {
		tl.rotated, tl.changed = true, t.now
		t.metrics.renamed.Inc()
	}
	if !t.open(tl) {
		t.log.Warn("a file is gone before it was read to its end, or was moved to another folder", "path", tl.Path, "offset", tl.Offset)
		return t.lose(tl, entries)
	}
	info, err := tl.file.Stat()
	if err != nil {
		return entries
	}
	entries = t.grow(tl, info.Size(), entries)
	switch {
	case t.replaced(tl, info.ModTime().UnixNano()):
		return t.truncated(tl, entries)
	case tl.ended(t.now):
		return t.lose(tl, entries)
	}
	return entries
}

// lose ends reading a file; its state is remembered in case it comes back.
func (t *Tailer) lose(tl *tail, entries []entry) []entry {
	t.unbind(tl)
	tl.Lost = t.now.Unix()
	return append(entries, entry{File: tl.state})
}

// truncated ends reading a file that has become shorter, or has other content
// than was read; what is at its path is a new one. What was not read of the
// old content is looked for in a copy.
func (t *Tailer) truncated(tl *tail, entries []entry) []entry {
	t.metrics.copied.Inc()
	t.unbind(tl)
	if t.findCopy(tl.state, tl.input) != nil {
		return append(entries, entry{File: tl.state})
	}
	t.loseRest(tl)
	delete(t.checkpoint.states, tl.ID)
	return append(entries, entry{Gone: []fileID{tl.ID}})
}

// loseRest counts what was seen of a file, but not acknowledged, and can never be
// read again.
func (t *Tailer) loseRest(tl *tail) {
	end, _, _ := tl.end()
	lost := max(end, tl.most) - tl.Offset
	if tl.busy {
		lost = tl.most - end // the rest is in memory
	}
	if lost > 0 {
		t.metrics.lost.Add(float64(lost))
		t.log.Error("lines that kafka did not acknowledge are in no file any more", "path", tl.Path, "bytes", lost)
	}
}

// findCopy goes on reading the content of a state in a copy of the file.
func (t *Tailer) findCopy(s *state, in *input) *tail {
	if _, head, _ := s.end(); head.Bytes == 0 {
		return nil // nothing is known of it
	}
	for _, f := range neighbours(s.Path) {
		other := t.tails[f.inode]
		if f.inode == s.inode {
			continue
		}
		file, size, ok := openRegular(f.path, f.inode)
		if !ok {
			continue
		}
		if !s.begins(file, size) || other != nil && other.keeps(file, size) || t.wasRead(s, f.inode, file, size) {
			_ = file.Close()
			continue
		}
		if other != nil {
			// It was an earlier copy, over which this one was written, or empty when
			// it was found.
			t.unbind(other)
			t.loseRest(other)
			t.note(false, entry{Gone: []fileID{other.ID}})
		}
		f.size, f.input = size, in
		tl := t.bind(s, f)
		t.adopt(tl, file)
		tl.rotated = true // unless the next look finds it
		return tl
	}
	return nil
}

// wasRead reports whether a file is one that is done with.
func (t *Tailer) wasRead(than *state, node inode, file *os.File, size int64) bool {
	for _, s := range t.checkpoint.states {
		if s != than && s.inode == node && s.Lost != 0 && s.begins(file, size) {
			return true
		}
	}
	return false
}

// meet begins to read files that are not being read, and finds again what was
// moved while this agent was away.
func (t *Tailer) meet(fresh []found, entries []entry) []entry {
	if len(fresh) == 0 && t.met {
		return entries
	}
	known := make(map[inode]*state)
	for _, s := range t.checkpoint.states {
		if tl := t.tails[s.inode]; tl == nil {
			if other := known[s.inode]; other == nil || other.Lost != 0 {
				known[s.inode] = s
			}
		}
	}
	slices.SortStableFunc(fresh, func(a, b found) int { return int(min(max(a.mtime-b.mtime, -1), 1)) })
	for _, f := range fresh {
		if s := known[f.inode]; s != nil {
			entries = t.again(s, f, entries)
		}
	}
	if !t.met {
		entries = t.findMoved(entries)
		t.met = true
	}
	for _, f := range fresh {
		if t.tails[f.inode] == nil && !t.holds(f) {
			entries = t.begin(f, entries)
		}
	}
	return entries
}

// again goes on with a file that was read before, if its content is the same.
func (t *Tailer) again(s *state, f found, entries []entry) []entry {
	file, size, ok := openRegular(f.path, f.inode)
	if !ok {
		return entries
	}
	f.size = size
	if s.begins(file, size) {
		t.adopt(t.bind(s, f), file)
		return append(entries, entry{File: s})
	}
	_ = file.Close()
	if s.Lost != 0 {
		// It was done with; the inode is used again.
		delete(t.checkpoint.states, s.ID)
		return append(entries, entry{Gone: []fileID{s.ID}})
	}
	return t.truncated(t.bind(s, f), entries)
}

// findMoved looks, after a start, for files that were being read and are at no
// path that is read.
func (t *Tailer) findMoved(entries []entry) []entry {
	for _, s := range t.checkpoint.states {
		if s.Lost != 0 || t.tails[s.inode] != nil && t.tails[s.inode].ID == s.ID {
			continue
		}
		if in := t.inputOf(s.Name); in != nil {
			if t.findInode(s, in) || t.findCopy(s, in) != nil {
				entries = append(entries, entry{File: s})
				continue
			}
			t.log.Warn("a file was moved or removed while the agent was away, and is not found in its folder", "path", s.Path, "offset", s.Offset)
		}
		s.Lost = t.now.Unix()
		entries = append(entries, entry{File: s})
	}
	return entries
}

// findInode goes on reading a file under another name in the same folder.
func (t *Tailer) findInode(s *state, in *input) bool {
	for _, f := range neighbours(s.Path) {
		if f.inode != s.inode || t.tails[f.inode] != nil {
			continue
		}
		file, size, ok := openRegular(f.path, f.inode)
		if !ok || !s.begins(file, size) {
			if ok {
				_ = file.Close()
			}
			return false
		}
		path := s.Path
		f.size, f.input = size, in
		tl := t.bind(s, f)
		t.adopt(tl, file)
		// Its path stays the last one that was read, as that of a file that is
		// moved before the eyes of the agent.
		s.Path, tl.rotated = path, true
		return true
	}
	return false
}

func (t *Tailer) inputOf(path string) *input {
	for _, in := range t.inputs {
		if in.matches(path) {
			return in
		}
	}
	return nil
}

// holds reports whether a new file has to wait, because it begins as another
// one that is being read.
func (t *Tailer) holds(f found) bool {
	if !t.checkpoint.inputs[f.input.key] || f.size == 0 {
		return false
	}
	h := t.held[f.inode]
	if h == nil {
		if !t.beginsAsAnother(f) {
			return false
		}
		h = &hold{since: t.now, changed: t.now, size: f.size}
		t.held[f.inode] = h
	}
	if f.size != h.size {
		h.size, h.changed = f.size, t.now
	}
	return t.now.Sub(h.changed) < holdQuiet && t.now.Sub(h.since) < holdAtMost
}

func (t *Tailer) beginsAsAnother(f found) bool {
	var file *os.File
	prints := map[int]imprint{}
	for _, tl := range t.order {
		_, head, _ := tl.end()
		if head.Bytes == 0 || int64(head.Bytes) > f.size || filepath.Dir(tl.Path) != filepath.Dir(f.path) {
			continue
		}
		p, ok := prints[head.Bytes]
		if !ok {
			if file == nil {
				if file, _, ok = openRegular(f.path, f.inode); !ok {
					return false
				}
				defer file.Close()
			}
			b := make([]byte, head.Bytes)
			if n, _ := file.ReadAt(b, 0); n < len(b) {
				return false
			}
			p = printOf(b)
			prints[head.Bytes] = p
		}
		if p == head {
			return true
		}
	}
	return false
}

// begin begins to read a file that is new.
func (t *Tailer) begin(f found, entries []entry) []entry {
	file, size, ok := openRegular(f.path, f.inode)
	if !ok {
		t.warn("a file cannot be opened", "path", f.path)
		return entries
	}
	s := newState(f)
	f.size = size
	var err error
	if !t.checkpoint.inputs[f.input.key] && f.input.From != "beginning" {
		s.Offset = size
		s.Head, s.Tail, err = newPrints(file, size)
	} else {
		s.Head, _, err = newPrints(file, min(size, printBytes))
	}
	if err != nil {
		_ = file.Close()
		t.warn("a file cannot be read", "path", f.path, "error", err)
		return entries
	}
	t.adopt(t.bind(s, f), file)
	return append(entries, entry{File: s})
}
