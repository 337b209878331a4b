package migrations

import (
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

var update = flag.Bool("update", false, "rewrite expected files")

// golden compares text with a file, or rewrites the file.
func golden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s differs (-want +got); 'make golden' rewrites it:\n%s", path, diff)
	}
}

// TestFirstMigrations holds the first two migrations to the definitions of the
// tables. After a release it goes: released migrations are never rewritten, and
// the engine's test of what they add up to stays.
func TestFirstMigrations(t *testing.T) {
	var up, down string
	all := tables.All()
	for i := range all {
		up += all[i].Up() + "\n"
	}
	slices.Reverse(all)
	for i := range all {
		down += all[i].Down()
	}
	golden(t, "0001_tables.up.sql", up)
	golden(t, "0001_tables.down.sql", down)

	up, down = "", ""
	views := tables.Views()
	for i := range views {
		up += views[i].Up() + "\n"
		down += views[i].Down()
	}
	golden(t, "0002_contrib_views.up.sql", up)
	golden(t, "0002_contrib_views.down.sql", down)
}

func TestPrint(t *testing.T) {
	for name, dialect := range map[string]tables.Dialect{
		"single":  {},
		"cluster": {Database: "telemetry", Cluster: "main"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := Print(dialect)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/"+name+".sql", text)
		})
	}
}
