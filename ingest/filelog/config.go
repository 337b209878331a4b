package filelog

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// Config says which files are read.
type Config struct {
	// Inputs lists what is read; empty for nothing.
	Inputs []Input `yaml:"inputs"`
	// PollInterval is the time between two looks at the files.
	PollInterval time.Duration `yaml:"poll_interval"`
	// MaxOpen bounds the files that are open at a time, MaxFiles those that are
	// read at all.
	MaxOpen  int `yaml:"max_open"`
	MaxFiles int `yaml:"max_files"`
	// MaxLine is the longest line, or event of several lines, that becomes one
	// log record. A longer one is cut into pieces.
	MaxLine config.Bytes `yaml:"max_line"`
}

// Input is a set of files that are read in the same way.
type Input struct {
	// Include are patterns of absolute paths, in which * stands for any part of
	// a name and ** for any folders. Exclude takes files out again. Compressed
	// files are left out always.
	Include []string `yaml:"include"`
	Exclude []string `yaml:"exclude"`
	// From says where a file begins that is there when the agent looks for the
	// input for the first time ever: end, the default, or beginning. Files that
	// appear later are read from their beginning.
	From string `yaml:"from"`
	// Multiline makes log records of several lines.
	Multiline Multiline `yaml:"multiline"`
	// Attributes are added to every log record, Resource to its resource.
	Attributes map[string]string `yaml:"attributes"`
	Resource   map[string]string `yaml:"resource"`
}

// Multiline says which lines are the first ones of a log record; the others
// continue it. At most one of the three rules is set; without any, every line
// is a log record.
type Multiline struct {
	// StartsWith is timestamp, for lines that begin with a time or date, or
	// not_blank, for lines that do not begin with a space or tab.
	StartsWith string `yaml:"starts_with"`
	// Literal is what first lines begin with.
	Literal string `yaml:"literal"`
	// Pattern is a regular expression that first lines match. It costs many
	// times what the other rules cost.
	Pattern string `yaml:"pattern"`
	// FlushAfter is how long the last lines of a file wait for more; 1s where
	// it is zero.
	FlushAfter time.Duration `yaml:"flush_after"`
}

// Enabled reports whether log records may have several lines.
func (m *Multiline) Enabled() bool { return m.StartsWith != "" || m.Literal != "" || m.Pattern != "" }

// DefaultConfig reads nothing.
func DefaultConfig() Config {
	return Config{Inputs: []Input{}, PollInterval: 250 * time.Millisecond, MaxOpen: 512, MaxFiles: 10_000, MaxLine: 256 << 10}
}

// The bounds of MaxLine. In one Kafka record a line can be twice as long as in
// the file, where every other byte is not UTF-8.
const (
	minLine = 64
	maxLine = 400 << 10
)

// Validate says what is wrong with the values. It opens nothing.
func (c *Config) Validate() error {
	var errs []error
	for i := range c.Inputs {
		if err := c.Inputs[i].validate(); err != nil {
			errs = append(errs, fmt.Errorf("inputs[%d].%w", i, err))
		}
	}
	if c.PollInterval < 10*time.Millisecond {
		errs = append(errs, fmt.Errorf("poll_interval: %s is less than 10ms", c.PollInterval))
	}
	if c.MaxOpen < 8 {
		errs = append(errs, fmt.Errorf("max_open: %d is less than 8", c.MaxOpen))
	}
	if c.MaxFiles < 1 {
		errs = append(errs, fmt.Errorf("max_files: %d is not positive", c.MaxFiles))
	}
	if c.MaxLine < minLine || c.MaxLine > maxLine {
		errs = append(errs, fmt.Errorf("max_line: %s is not between %d and %s", c.MaxLine, minLine, config.Bytes(maxLine)))
	}
	return errors.Join(errs...)
}

func (in *Input) validate() error {
	if len(in.Include) == 0 {
		return errors.New("include: is empty")
	}
	for _, p := range in.Include {
		if err := checkPattern(p); err != nil {
			return fmt.Errorf("include: %q %w", p, err)
		}
	}
	for _, p := range in.Exclude {
		if err := checkPattern(p); err != nil {
			return fmt.Errorf("exclude: %q %w", p, err)
		}
	}
	if in.From != "" && in.From != "end" && in.From != "beginning" {
		return fmt.Errorf("from: %q is neither end nor beginning", in.From)
	}
	if err := in.Multiline.validate(); err != nil {
		return fmt.Errorf("multiline.%w", err)
	}
	size := 0
	for key, value := range in.Attributes {
		size += len(key) + len(value)
	}
	for key, value := range in.Resource {
		size += len(key) + len(value)
	}
	if size > maxAttributes {
		return fmt.Errorf("attributes: they and the resource have %d bytes; at most %d", size, maxAttributes)
	}
	return nil
}

func checkPattern(pattern string) error {
	if !filepath.IsAbs(pattern) {
		return errors.New("is not absolute")
	}
	if _, err := filepath.Match(pattern, "/"); err != nil {
		return fmt.Errorf("is no pattern: %w", err)
	}
	before, after, deep := strings.Cut(pattern, "**")
	if deep && (!strings.HasSuffix(before, "/") || after != "" && after[0] != '/' || strings.Contains(after, "**")) {
		return errors.New("has ** more than once, or as a part of a name")
	}
	return nil
}

// maxAttributes bounds what is configured to be added.
const maxAttributes = 16 << 10

func (m *Multiline) validate() error {
	rules := 0
	for _, rule := range []string{m.StartsWith, m.Literal, m.Pattern} {
		if rule != "" {
			rules++
		}
	}
	if rules > 1 {
		return errors.New("starts_with: only one of starts_with, literal and pattern can be set")
	}
	if m.StartsWith != "" && m.StartsWith != "timestamp" && m.StartsWith != "not_blank" {
		return fmt.Errorf("starts_with: %q is neither timestamp nor not_blank", m.StartsWith)
	}
	if _, err := regexp.Compile(m.Pattern); err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	if m.FlushAfter < 0 {
		return errors.New("flush_after: is negative")
	}
	return nil
}
