package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/internal/datasetstest"
)

// TestRate scores groups whose scores are known.
func TestRate(t *testing.T) {
	lines := []line{{template: "a <*>"}, {template: "a <*>"}, {template: "b"}, {template: "c <*>"}, {template: "c <*>"}, {template: "d"}}
	for name, c := range map[string]struct {
		pattern            []int
		texts              []string
		ga, fga, pa, ftaed float64
	}{
		"right":            {[]int{0, 0, 1, 2, 2, 3}, []string{"a <*>", "b", "c  <*><*>", "d"}, 1, 1, 1, 1},
		"other texts":      {[]int{0, 0, 1, 2, 2, 3}, []string{"a x", "b", "c <*>", "d"}, 1, 1, 4. / 6, 0.75},
		"one is split":     {[]int{0, 4, 1, 2, 2, 3}, []string{"a <*>", "b", "c <*>", "d", "a <*>"}, 4. / 6, 6. / 9, 1, 6. / 9},
		"two are together": {[]int{0, 0, 1, 1, 1, 3}, []string{"a <*>", "c <*>", "", "d"}, 3. / 6, 4. / 7, 5. / 6, 4. / 7},
	} {
		s := rate(lines, found{pattern: c.pattern, texts: c.texts})
		for i, got := range []float64{s.ga, s.fga, s.pa, s.fta} {
			if want := []float64{c.ga, c.fga, c.pa, c.ftaed}[i]; math.Abs(got-want) > 1e-9 {
				t.Errorf("%s: score %d is %v, want %v", name, i, got, want)
			}
		}
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		folder := filepath.Join(dir, fmt.Sprint("System", i))
		if err := os.Mkdir(folder, 0o750); err != nil {
			t.Fatal(err)
		}
		text := "LineId,Content,EventId,EventTemplate\n1,took 7 ms,E1,took <*> ms\n2,\"took 8, or 9\",E2,\"took <*>, or <*>\"\n"
		if err := os.WriteFile(filepath.Join(folder, "S_2k.log_structured_corrected.csv"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	if err := run(dir, 1, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "System1") || strings.Count(out.String(), "1.000  1.000  1.000  1.000") != 3 {
		t.Error(out.String())
	}
	for _, wrong := range []string{"", t.TempDir()} {
		if err := run(wrong, 0, &out); err == nil {
			t.Errorf("%q is scored", wrong)
		}
	}
	broken := filepath.Join(dir, "System0", "S_2k.log_structured_corrected.csv")
	for _, text := range []string{"", "a,b\n1,2\n", "Content,EventTemplate\n\"x", "Content,EventTemplate\n"} {
		if err := os.WriteFile(broken, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run(dir, 0, &out); err == nil || !strings.Contains(err.Error(), "S_2k.log") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestScores scores the systems of loghub, where they are there.
func TestScores(t *testing.T) {
	data := datasetstest.File(t, "loghub")
	files, err := filepath.Glob(filepath.Join(data, "*", "*_structured_corrected.csv"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d systems in %s, %v", len(files), data, err)
	}
	var mean score
	for _, file := range files {
		lines, err := read(file)
		if err != nil {
			t.Fatal(err)
		}
		s := rate(lines, find(lines))
		mean.add(&s, len(files))
	}
	if mean.ga < 0.9 || mean.fga < 0.88 || mean.pa < 0.65 || mean.fta < 0.65 {
		t.Errorf("GA %.3f, FGA %.3f, PA %.3f, FTA %.3f of %d systems", mean.ga, mean.fga, mean.pa, mean.fta, len(files))
	}
}
