package pipelinetest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/pipeline"
)

// update makes RunScripts write what comes out instead of comparing it.
var update = flag.Bool("update", false, "rewrite the expected output of scripts")

// Script is a test of a processor as text: what it is told, and what comes out
// for one batch after the other. In its file, sections start with lines such as
// "-- config --"; what is before the first one is a comment.
type Script struct {
	Comment, Config string
	Steps           []Step
}

// Step is one batch.
type Step struct{ In, Out string }

// ReadScript reads the text of a script.
func ReadScript(text string) (Script, error) {
	var s Script
	section, body := "", &strings.Builder{}
	end := func() error {
		content := body.String()
		body.Reset()
		switch section {
		case "":
			s.Comment = content
		case "config":
			s.Config = content
		case "in":
			s.Steps = append(s.Steps, Step{In: content})
		case "out":
			if len(s.Steps) == 0 {
				return fmt.Errorf("section out before any section in")
			}
			s.Steps[len(s.Steps)-1].Out = content
		default:
			return fmt.Errorf("unknown section %q", section)
		}
		return nil
	}
	for line := range strings.Lines(text) {
		name, isName := strings.CutPrefix(strings.TrimSpace(line), "-- ")
		if name, ok := strings.CutSuffix(name, " --"); isName && ok {
			if err := end(); err != nil {
				return s, err
			}
			section = name
			continue
		}
		body.WriteString(line)
	}
	return s, end()
}

// String returns the text of the script.
func (s Script) String() string {
	var b strings.Builder
	b.WriteString(s.Comment)
	b.WriteString("-- config --\n" + s.Config)
	for _, step := range s.Steps {
		b.WriteString("-- in --\n" + step.In + "-- out --\n" + step.Out)
	}
	return b.String()
}

// LoadScripts reads the scripts of a folder, by file name.
func LoadScripts(t testing.TB, dir string) map[string]Script {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("%s has no scripts", dir)
	}
	scripts := make(map[string]Script)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ReadScript(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		scripts[file] = s
	}
	return scripts
}

// RunScripts runs the scripts of a folder against a processor and compares what
// comes out. With the flag -update it writes what comes out into the scripts.
func RunScripts(t *testing.T, entry pipeline.Registration, dir string) {
	for file, s := range LoadScripts(t, dir) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			p, err := newProcessor(entry, s.Config)
			if err != nil {
				t.Fatal(err)
			}
			for i := range s.Steps {
				b, _, err := Parse(s.Steps[i].In)
				if err != nil {
					t.Fatalf("batch %d: %v", i+1, err)
				}
				if err := p.Process(t.Context(), b); err != nil {
					t.Fatalf("batch %d: %v", i+1, err)
				}
				out := Format(b)
				if *update {
					s.Steps[i].Out = out
				} else if diff := cmp.Diff(s.Steps[i].Out, out); diff != "" {
					t.Errorf("batch %d differs (- expected, + came out):\n%s", i+1, diff)
				}
			}
			if *update {
				if err := os.WriteFile(file, []byte(s.String()), 0o644); err != nil { //nolint:gosec // a test's file, for everybody
					t.Fatal(err)
				}
			}
		})
	}
}

// newProcessor makes a processor from its settings as YAML.
func newProcessor(entry pipeline.Registration, settings string) (pipeline.Processor, error) {
	cfg := entry.DefaultConfig()
	if err := config.Parse([]byte(settings), cfg); err != nil {
		return nil, err
	}
	return entry.New(cfg)
}
