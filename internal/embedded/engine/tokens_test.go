package engine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
)

// A kill between the note of a token and the rename of the part leaves the
// token without its rows. Removing the part makes that state on purpose.
func TestTokenWithoutItsPartIsForgotten(t *testing.T) {
	e := enginetest.Start(t)
	conn := open(t, e, e.User, e.Password)
	execute(t, conn, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1000")
	insert := func(token string) {
		t.Helper()
		execute(t, conn, "INSERT INTO t SELECT number FROM numbers(10) SETTINGS insert_deduplication_token = '"+token+"'")
	}
	rows := func(want uint64, when string) {
		t.Helper()
		if n := count(t, conn, "SELECT count() FROM t"); n != want {
			t.Fatalf("%d rows %s, want %d", n, when, want)
		}
	}
	insert("a")
	insert("b")
	insert("b")
	rows(20, "of two tokens, one of them repeated")
	execute(t, conn, "ALTER TABLE t DROP PART 'all_1_1_0'")
	insert("c")
	execute(t, conn, "OPTIMIZE TABLE t FINAL")
	insert("d")
	var name string
	if err := conn.QueryRow(t.Context(), "SELECT name FROM system.parts WHERE active AND table = 't' AND level = 0").Scan(&name); err != nil {
		t.Fatal(err)
	}
	e.Kill9()
	lost, err := filepath.Glob(filepath.Join(e.DataDir, "store", "store", "*", "*", name))
	if err != nil || len(lost) != 1 {
		t.Fatalf("the part of token d: %v, %v", lost, err)
	}
	if err := os.RemoveAll(lost[0]); err != nil {
		t.Fatal(err)
	}
	e.Restart(t)
	rows(20, "after the crash")
	insert("d")
	rows(30, "after the lost insert was repeated")
	for _, token := range []string{"b", "c", "d"} {
		insert(token)
	}
	rows(30, "after what is stored was repeated")
	e.Kill9()
	e.Restart(t)
	for _, token := range []string{"b", "c", "d"} {
		insert(token)
	}
	rows(30, "after another crash")
}
