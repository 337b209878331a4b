package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/internal/datasetstest"
)

// needGoAccess skips where it is not installed.
func needGoAccess(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("goaccess"); err != nil {
		t.Skip("goaccess is not installed")
	}
}

// check expects the same of every row, unless a plain count of the lines says that
// goaccess is wrong. Known are rows that differ for the reasons in
// docs/weblog-report.md.
func check(t *testing.T, c *comparison, known map[string]bool) {
	t.Helper()
	var table bytes.Buffer
	c.print(&table, 5)
	t.Log("\n" + table.String())
	rows := 0
	for _, panel := range compared {
		rows += len(c.goshawk[panel.name])
		for _, d := range c.differences(panel.name, panel.visitors) {
			if !d.isRight(panel.visitors) && !known[panel.name+" "+d.row] {
				t.Errorf("%s %q: goaccess %+v, goshawk %+v, plain count %+v", panel.name, d.row, d.theirs, d.ours, d.plain)
			}
		}
	}
	if rows < 1000 {
		t.Errorf("only %d rows are compared", rows)
	}
}

func TestGenerated(t *testing.T) {
	t.Parallel()
	needGoAccess(t)
	path := filepath.Join(t.TempDir(), "access.log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := newGenerator(42).write(f, 5_000); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := compare(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	check(t, c, nil)
	// A row that is wrong is noticed.
	c.goshawk.add("days", "2026-03-02", counts{hits: 1})
	if d := c.differences("days", true); len(d) != 1 {
		t.Errorf("%d days differ", len(d))
	}
}

func TestApache(t *testing.T) {
	t.Parallel()
	needGoAccess(t)
	c, err := compare(t.Context(), datasetstest.File(t, "weblog/apache_combined_10k.log"))
	if err != nil {
		t.Fatal(err)
	}
	check(t, c, map[string]bool{
		// A host that is none, written with escapes.
		`referring sites (no host)`: true,
		`referring sites \xe4\xe5\xe3\xf2\xff\xf0\xed\xee\xe5-\xec\xfb\xeb\xee.\xf0\xf4`:        true,
		`referring URLs http://\xe4\xe5\xe3\xf2\xff\xf0\xed\xee\xe5-\xec\xfb\xeb\xee.\xf0\xf4/`: true,
		"referring URLs http://\uFFFD-\uFFFD.\uFFFD/":                                           true,
	})
}

// TestSeed generates the same lines of the same seed, of the length of those of
// the measurements.
func TestSeed(t *testing.T) {
	t.Parallel()
	var logs [3]bytes.Buffer
	for i, seed := range []uint64{42, 42, 43} {
		if err := newGenerator(seed).write(&logs[i], 5000); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(logs[0].Bytes(), logs[1].Bytes()) {
		t.Error("a seed gives different lines")
	}
	if bytes.Equal(logs[0].Bytes(), logs[2].Bytes()) {
		t.Error("two seeds give the same lines")
	}
	if mean := logs[0].Len() / 5000; mean < 225 || mean > 240 {
		t.Errorf("a line has %d bytes", mean)
	}
	for line := range strings.Lines(logs[0].String()) {
		if !combined.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Fatalf("no line of the combined format: %s", line)
		}
	}
}
