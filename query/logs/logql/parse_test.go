package logql_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/query/logs/logql"
)

var update = flag.Bool("update", false, "rewrite the golden file")

const golden = "testdata/parse.txt"

// TestGolden reads queries. Behind each stands what it is written as, or what is
// wrong with it.
func TestGolden(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		got.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "## ") {
			continue
		}
		query := strings.ReplaceAll(line, `\n`, "\n")
		e, err := logql.Parse(query)
		if err != nil {
			got.WriteString("  " + err.Error() + "\n")
			continue
		}
		got.WriteString("  " + e.String() + "\n")
		again(t, query, e)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), got.String()); diff != "" {
		t.Errorf("expected (-) and read (+):\n%s", diff)
	}
}

// again reads what a query is written as, which must be the same query.
func again(t *testing.T, query string, e logql.Expr) {
	t.Helper()
	second, err := logql.Parse(e.String())
	if err != nil {
		t.Fatalf("%q is written as %q, which is not read: %v", query, e, err)
	}
	if second.String() != e.String() {
		t.Fatalf("%q is written as %q, and that as %q", query, e, second)
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(golden)
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		f.Add(strings.TrimSpace(line))
	}
	f.Fuzz(func(t *testing.T, query string) {
		e, err := logql.Parse(query)
		if err != nil {
			var at *logql.Error
			if !errors.As(err, &at) || at.Line < 1 || at.Column < 1 || at.Message == "" {
				t.Fatalf("%q: %v says no place", query, err)
			}
			return
		}
		again(t, query, e)
	})
}
