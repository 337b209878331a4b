package supervise

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
)

// lineLog passes on what a child prints, line by line. A line of the child's
// own log, as slog writes it, keeps its level, message and attributes; any other text, such
// as a crash, is logged as it is, within limits.
type lineLog struct {
	log *slog.Logger

	mu      sync.Mutex
	partial []byte
	// The first lines that are no log lines, and the last log line with an
	// error: the child's last words.
	words  []string
	minute time.Time
	passed int
}

const (
	maxLine = 16 << 10
	// maxLines is how many lines of one child are passed on in a minute; a
	// crash of the Go runtime alone may print thousands.
	maxLines = 200
	maxWords = 12
)

func newLineLog(log *slog.Logger) *lineLog { return &lineLog{log: log} }

// Write takes the child's output as it comes.
func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := p
	for {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			break
		}
		l.line(append(l.partial, rest[:end]...))
		l.partial = l.partial[:0]
		rest = rest[end+1:]
	}
	l.partial = append(l.partial, rest...)
	if len(l.partial) > maxLine {
		l.line(l.partial)
		l.partial = l.partial[:0]
	}
	return len(p), nil
}

// flush passes on a last line without an end.
func (l *lineLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.partial) > 0 {
		l.line(l.partial)
		l.partial = l.partial[:0]
	}
}

// last returns the child's last words to append to an error.
func (l *lineLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.words) == 0 {
		return ""
	}
	return ": " + strings.Join(l.words, "\n")
}

func (l *lineLog) line(text []byte) {
	text = bytes.TrimSpace(text[:min(len(text), maxLine)])
	if len(text) == 0 {
		return
	}
	level, message, attributes, structured := parseLine(text)
	if !structured {
		if len(l.words) < maxWords {
			l.words = append(l.words, string(text))
		}
		level, message, attributes = slog.LevelWarn, "child process printed", []slog.Attr{slog.String("line", string(text))}
	}
	if now := time.Now(); now.Sub(l.minute) >= time.Minute {
		l.minute, l.passed = now, 0
	}
	if l.passed++; l.passed > maxLines {
		return
	}
	l.log.LogAttrs(context.Background(), level, message, attributes...)
}

// parseLine reads a line of slog's JSON or text handler.
func parseLine(text []byte) (slog.Level, string, []slog.Attr, bool) {
	switch {
	case text[0] == '{':
		return parseJSON(text)
	case bytes.HasPrefix(text, []byte(slog.TimeKey+"=")):
		return parseText(string(text))
	}
	return 0, "", nil, false
}

func parseJSON(text []byte) (slog.Level, string, []slog.Attr, bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return 0, "", nil, false
	}
	var level slog.Level
	var message string
	var attributes []slog.Attr
	known := 0
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return 0, "", nil, false
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return 0, "", nil, false
		}
		switch text, _ := value.(string); key {
		case slog.TimeKey:
		case slog.LevelKey:
			if level.UnmarshalText([]byte(text)) == nil {
				known++
			}
		case slog.MessageKey:
			message = text
			known++
		default:
			attributes = append(attributes, slog.Any(key.(string), value))
		}
	}
	return level, message, attributes, known == 2
}

func parseText(text string) (slog.Level, string, []slog.Attr, bool) {
	var level slog.Level
	var message string
	var attributes []slog.Attr
	known := 0
	for text != "" {
		key, rest, ok := strings.Cut(text, "=")
		if !ok {
			return 0, "", nil, false
		}
		var value string
		if quoted, err := strconv.QuotedPrefix(rest); err != nil {
			value, _, _ = strings.Cut(rest, " ")
			rest = rest[len(value):]
		} else if value, err = strconv.Unquote(quoted); err != nil {
			return 0, "", nil, false
		} else {
			rest = rest[len(quoted):]
		}
		text = strings.TrimPrefix(rest, " ")
		switch key {
		case slog.TimeKey:
		case slog.LevelKey:
			if level.UnmarshalText([]byte(value)) == nil {
				known++
			}
		case slog.MessageKey:
			message = value
			known++
		default:
			attributes = append(attributes, slog.String(key, value))
		}
	}
	return level, message, attributes, known == 2
}
