package engine

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The engine notes the token of an insert before it puts the new part in place.
// A process that is killed in between leaves a token without its rows: the
// insert was never acknowledged, and when it is repeated it is taken for a
// repeat and dropped. Once in some fifty kills under load that loses a block.
//
// repairTokens removes such tokens. It must run before the engine starts, since
// the engine gives the number of the missing part to the next one.
func repairTokens(store string, log *slog.Logger) error {
	return filepath.WalkDir(store, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return fmt.Errorf("checking the tokens of inserts: %w", err)
		}
		if !entry.IsDir() {
			return nil
		}
		if _, ok := parsePart(entry.Name()); ok {
			return fs.SkipDir // a part holds no table
		}
		if entry.Name() != tokensDir {
			return nil
		}
		removed, err := repairTable(filepath.Dir(path))
		if err != nil {
			return fmt.Errorf("checking the tokens of inserts in %s: %w", path, err)
		}
		if removed > 0 {
			log.Warn("ClickHouse engine: removed tokens of inserts that a crash had cut short; they can be repeated now",
				"table", filepath.Base(filepath.Dir(path)), "tokens", removed)
		}
		return fs.SkipDir
	})
}

const (
	// tokensDir is the directory of a table with the logs of its tokens. A line
	// is: operation, part, token, separated by tabs.
	tokensDir    = "deduplication_logs"
	tokensPrefix = "deduplication_log_"
	tokensSuffix = ".txt"
	tokenAdded   = "1"
	tokenDropped = "2"
)

// part is what the name of a part says: the blocks of a partition that are in
// it.
type part struct {
	partition string
	min, max  int64
}

// parsePart reads partition_min_max_level, with a mutation's number behind it.
func parsePart(name string) (part, bool) {
	fields := strings.Split(name, "_")
	if len(fields) != 4 && len(fields) != 5 {
		return part{}, false
	}
	var numbers [2]int64
	for i, text := range fields[1:] {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return part{}, false
		}
		if i < len(numbers) {
			numbers[i] = n
		}
	}
	return part{fields[0], numbers[0], numbers[1]}, numbers[0] <= numbers[1]
}

// repairTable removes the tokens of one table whose part is nowhere and was
// not dropped either, and returns how many.
func repairTable(table string) (int, error) {
	entries, err := os.ReadDir(table)
	if err != nil {
		return 0, err
	}
	stored := map[string][]part{}
	for _, entry := range entries {
		if p, ok := parsePart(entry.Name()); ok {
			stored[p.partition] = append(stored[p.partition], p)
		}
	}
	covered := func(p part) bool {
		return slices.ContainsFunc(stored[p.partition], func(s part) bool { return s.min <= p.min && p.max <= s.max })
	}
	logs, err := tokenLogs(filepath.Join(table, tokensDir))
	if err != nil {
		return 0, err
	}
	// From the last line back, so that a part's drop is seen before its token.
	dropped := map[string]bool{}
	removed := 0
	for i := len(logs) - 1; i >= 0; i-- {
		content, err := os.ReadFile(logs[i])
		if err != nil {
			return removed, err
		}
		lines := bytes.SplitAfter(content, []byte("\n"))
		kept := make([][]byte, 0, len(lines))
		gone := 0
		for j := len(lines) - 1; j >= 0; j-- {
			line := lines[j]
			fields := strings.Split(strings.TrimSuffix(string(line), "\n"), "\t")
			if len(line) > 0 && (len(fields) != 3 || line[len(line)-1] != '\n') {
				gone++ // a line that was cut short
				continue
			}
			if len(fields) == 3 {
				p, ok := parsePart(fields[1])
				switch {
				case fields[0] == tokenDropped:
					dropped[fields[1]] = true
				case fields[0] == tokenAdded && ok && !dropped[fields[1]] && !covered(p):
					gone++
					continue
				}
			}
			kept = append(kept, line)
		}
		if gone == 0 {
			continue
		}
		removed += gone
		slices.Reverse(kept)
		if err := replaceFile(logs[i], bytes.Join(kept, nil)); err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// tokenLogs lists the logs of a table in the order in which they were written.
func tokenLogs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	type numbered struct {
		path   string
		number uint64
	}
	var logs []numbered
	for _, entry := range entries {
		text, isLog := strings.CutPrefix(strings.TrimSuffix(entry.Name(), tokensSuffix), tokensPrefix)
		number, err := strconv.ParseUint(text, 10, 64)
		if !isLog || err != nil {
			continue
		}
		logs = append(logs, numbered{filepath.Join(dir, entry.Name()), number})
	}
	slices.SortFunc(logs, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	paths := make([]string, len(logs))
	for i, l := range logs {
		paths[i] = l.path
	}
	return paths, nil
}

// replaceFile writes a whole file in the place of another, with its mode.
func replaceFile(path string, content []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temporary := path + ".tmp"
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
