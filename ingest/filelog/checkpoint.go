package filelog

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// fileID is what a file is called in batch ids. It is random, and belongs to
// the content: a file that is truncated gets another one, and a copy that is
// read on in its place keeps it.
type fileID [16]byte

// MarshalText writes the id in hexadecimal.
func (id fileID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText reads an id.
func (id *fileID) UnmarshalText(text []byte) error {
	if len(text) != 2*len(id) {
		return fmt.Errorf("%d characters, want %d", len(text), 2*len(id))
	}
	_, err := hex.Decode(id[:], text)
	return err
}

// inode tells one file of this machine from another, as long as it exists.
type inode struct {
	Dev uint64 `json:"dev"`
	Ino uint64 `json:"ino"`
}

// state is what is remembered of a file.
type state struct {
	ID fileID `json:"id"`
	inode
	// Path is where the file was last, Name what its log records say.
	Path string `json:"path"`
	Name string `json:"name"`
	// Offset is the end of what Kafka has acknowledged.
	Offset int64 `json:"offset"`
	// Inside says that Offset is within an event that was cut.
	Inside bool `json:"inside,omitempty"`
	// Head is an imprint of the first bytes, Tail one of the bytes before Offset.
	Head imprint `json:"head"`
	Tail imprint `json:"tail"`
	// Pending is what may have been produced, and is produced again until it is
	// acknowledged.
	Pending *plan `json:"pending,omitempty"`
	// Lost is when the file was last there, Unix seconds, where it is not.
	Lost int64 `json:"lost,omitempty"`
}

// plan is a batch: what is read from the state's offset on.
type plan struct {
	To int64 `json:"to"`
	// Inside says that To is within an event that was cut.
	Inside    bool  `json:"inside,omitempty"`
	Partition int32 `json:"partition"`
	// Observed is when it was read, Unix nanoseconds.
	Observed int64 `json:"observed"`
	// Sum is a hash of the bytes.
	Sum uint64 `json:"sum"`
	// Head and Tail are the prints that the state has afterwards.
	Head imprint `json:"head"`
	Tail imprint `json:"tail"`
}

// imprint is a hash of a number of bytes at a known place of a file.
type imprint struct {
	Bytes int    `json:"bytes"`
	Hash  uint64 `json:"hash"`
}

// entry is a line of the checkpoint file; one of its fields is set.
type entry struct {
	// Input says that the patterns of an input have been looked for.
	Input string `json:"input,omitempty"`
	// File replaces the state of a file.
	File *state `json:"file,omitempty"`
	// Plans are added to states, by id.
	Plans []planned `json:"plans,omitempty"`
	// Done lists states whose plans are acknowledged.
	Done []fileID `json:"done,omitempty"`
	// Gone lists states to forget.
	Gone []fileID `json:"gone,omitempty"`
}

type planned struct {
	ID   fileID `json:"id"`
	Plan *plan  `json:"plan"`
}

// checkpoint is the file in which states are remembered: lines that are
// appended, and written anew when they have become many.
type checkpoint struct {
	path   string
	file   *os.File
	size   int64
	states map[fileID]*state
	inputs map[string]bool
	// broken is set where the end of the file is not known to be good.
	broken bool
	buffer bytes.Buffer
}

// The file is written anew when it has this many bytes more than it would have
// then.
const checkpointSlack = 4 << 20

// maxEntry bounds a line that is read; a plan of a round is far below.
const maxEntry = 8 << 20

// openCheckpoint reads the file, which may be missing. A last line that is not
// whole was never relied on.
func openCheckpoint(path string) (*checkpoint, error) {
	c := &checkpoint{path: path, states: map[fileID]*state{}, inputs: map[string]bool{}}
	old, err := os.Open(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("opening the checkpoint: %w", err)
	default:
		err := c.replay(old)
		_ = old.Close()
		if err != nil {
			return nil, fmt.Errorf("reading the checkpoint %s: %w", path, err)
		}
	}
	if err := c.rewrite(); err != nil {
		return nil, err
	}
	return c, nil
}

// replay applies the lines of a file up to the first that is not whole. One
// that is followed by others is damage, after which nothing can be relied on.
func (c *checkpoint) replay(r io.Reader) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		e, err := parseEntry(line)
		if err != nil {
			if _, more := lines.Peek(1); more == io.EOF {
				return nil
			}
			return fmt.Errorf("line %d: %w; remove the file to begin anew, which reads files as those of new inputs", number, err)
		}
		c.apply(&e)
	}
}

func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull) && len(line) < maxEntry:
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("a line is longer than %d bytes", maxEntry)
		case err == io.EOF && len(line) > 0:
			return nil, io.EOF
		default:
			return nil, err
		}
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// parseEntry reads a line: eight hexadecimal digits of a CRC, a space, JSON.
func parseEntry(line []byte) (e entry, err error) {
	const sum = 8
	if len(line) < sum+2 || line[sum] != ' ' {
		return e, errors.New("it has no checksum")
	}
	text := line[sum+1 : len(line)-1]
	want, err := strconv.ParseUint(string(line[:sum]), 16, 32)
	if err != nil || uint32(want) != crc32.Checksum(text, castagnoli) {
		return e, errors.New("its checksum is wrong")
	}
	err = json.Unmarshal(text, &e)
	return e, err
}

func (c *checkpoint) apply(e *entry) {
	if e.Input != "" {
		c.inputs[e.Input] = true
	}
	if e.File != nil {
		c.states[e.File.ID] = e.File
	}
	for _, p := range e.Plans {
		if s := c.states[p.ID]; s != nil {
			s.Pending = p.Plan
		}
	}
	for _, id := range e.Done {
		if s := c.states[id]; s != nil {
			s.done()
		}
	}
	for _, id := range e.Gone {
		delete(c.states, id)
	}
}

// done takes note that the plan is acknowledged.
func (s *state) done() {
	if p := s.Pending; p != nil {
		s.Offset, s.Inside, s.Head, s.Tail, s.Pending = p.To, p.Inside, p.Head, p.Tail, nil
	}
}

// write applies the entries and appends them. What has to outlive the machine,
// because something is done that relies on it, is synced. After an error the
// states are as if it had succeeded; the next call writes them all.
func (c *checkpoint) write(sync bool, entries ...entry) error {
	c.buffer.Reset()
	for i := range entries {
		c.apply(&entries[i])
		if !c.broken {
			if err := appendEntry(&c.buffer, &entries[i]); err != nil {
				return err
			}
		}
	}
	if c.broken || c.size > checkpointSlack {
		return c.rewrite()
	}
	n, err := c.file.Write(c.buffer.Bytes())
	c.size += int64(n)
	if err == nil && sync {
		err = unix.Fdatasync(int(c.file.Fd()))
	}
	if err != nil {
		c.broken = true
		return fmt.Errorf("writing the checkpoint: %w", err)
	}
	return nil
}

func appendEntry(b *bytes.Buffer, e *entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("writing the checkpoint: %w", err)
	}
	fmt.Fprintf(b, "%08x ", crc32.Checksum(text, castagnoli))
	b.Write(text)
	b.WriteByte('\n')
	return nil
}

// rewrite writes all states to a new file, which takes the place of the old one
// once it is on disk.
func (c *checkpoint) rewrite() error {
	if err := c.replace(); err != nil {
		c.broken = true
		return fmt.Errorf("writing the checkpoint: %w", err)
	}
	c.broken, c.size = false, 0
	return nil
}

func (c *checkpoint) replace() error {
	c.buffer.Reset()
	for input := range c.inputs {
		if err := appendEntry(&c.buffer, &entry{Input: input}); err != nil {
			return err
		}
	}
	for _, s := range c.states {
		if err := appendEntry(&c.buffer, &entry{File: s}); err != nil {
			return err
		}
	}
	temporary := c.path + ".new"
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(c.buffer.Bytes())
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(temporary, c.path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(c.path))
	}
	if err != nil {
		_ = file.Close()
		return err
	}
	if c.file != nil {
		_ = c.file.Close()
	}
	c.file = file
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// forgetAfter is how long a file may be away before it is a new one when it
// comes back, maxLost how many such files are remembered.
const (
	forgetAfter = 24 * time.Hour
	maxLost     = 10_000
)

// forgettable returns the states of files that have been away for too long, and
// of the longest away where there are too many.
func (c *checkpoint) forgettable(now time.Time) []fileID {
	var lost []*state
	for _, s := range c.states {
		if s.Lost != 0 {
			lost = append(lost, s)
		}
	}
	slices.SortFunc(lost, func(a, b *state) int { return int(b.Lost - a.Lost) })
	var gone []fileID
	for i, s := range lost {
		if i >= maxLost || now.Unix()-s.Lost > int64(forgetAfter/time.Second) {
			gone = append(gone, s.ID)
		}
	}
	return gone
}

func (c *checkpoint) close() error { return c.file.Close() }
