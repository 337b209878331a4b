package migrations

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) {
	enginetest.Child()
	os.Exit(m.Run())
}

func connect(t *testing.T) driver.Conn {
	t.Helper()
	return clickhousetest.Open(t, enginetest.Start(t))
}

func newMigrator(t *testing.T, conn driver.Conn, database string) *Migrator {
	t.Helper()
	m, err := New(conn, tables.Dialect{Database: database})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func lines(t *testing.T, conn driver.Conn, query string) []string {
	t.Helper()
	rows, err := conn.Query(context.Background(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func tableNames(t *testing.T, conn driver.Conn, database string) []string {
	return lines(t, conn, "SELECT name FROM system.tables WHERE database = '"+database+"' ORDER BY name")
}

func applied(t *testing.T, m *Migrator) (n int) {
	t.Helper()
	states, err := m.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Problem != "" {
			t.Errorf("migration %d: %s", s.Version, s.Problem)
		}
		if s.Applied {
			n++
			if s.At.IsZero() {
				t.Errorf("migration %d was applied at no time", s.Version)
			}
		}
	}
	return n
}

func TestUpAndDown(t *testing.T) {
	ctx, conn := context.Background(), connect(t)
	m := newMigrator(t, conn, "one")
	if n := applied(t, m); n != 0 {
		t.Fatalf("%d migrations are applied before the first", n)
	}
	up := func(want int) {
		t.Helper()
		done, err := m.Up(ctx)
		if err != nil || len(done) != want {
			t.Fatalf("applied %d (%v), want %d", len(done), err, want)
		}
	}
	down := func(n, want int) {
		t.Helper()
		done, err := m.Down(ctx, n)
		if err != nil || len(done) != want {
			t.Fatalf("reverted %d (%v), want %d", len(done), err, want)
		}
	}
	all := len(m.all)
	up(all)
	full := tableNames(t, conn, "one")
	up(0)
	down(1, 1)
	if n := applied(t, m); n != all-1 {
		t.Fatalf("%d are applied after one was reverted", n)
	}
	up(1)
	if diff := cmp.Diff(full, tableNames(t, conn, "one")); diff != "" {
		t.Errorf("after down and up (-want +got):\n%s", diff)
	}
	down(all+5, all)
	if diff := cmp.Diff([]string{history}, tableNames(t, conn, "one")); diff != "" {
		t.Errorf("after all was reverted (-want +got):\n%s", diff)
	}
	down(1, 0)
	up(all)
	if diff := cmp.Diff(full, tableNames(t, conn, "one")); diff != "" {
		t.Errorf("after all was applied again (-want +got):\n%s", diff)
	}
}

// TestMigrationsAddUpToTheTables holds the migrations to the definitions in Go,
// whatever migrations there will be.
func TestMigrationsAddUpToTheTables(t *testing.T) {
	ctx, conn := context.Background(), connect(t)
	if _, err := newMigrator(t, conn, "migrated").Up(ctx); err != nil {
		t.Fatal(err)
	}
	defined := tables.Dialect{Database: "defined"}
	create := []string{"CREATE DATABASE defined"}
	for _, table := range tables.All() {
		statements, err := defined.Render(table.Up())
		if err != nil {
			t.Fatal(err)
		}
		create = append(create, statements...)
	}
	for _, view := range tables.Views() {
		statements, err := defined.Render(view.Up())
		if err != nil {
			t.Fatal(err)
		}
		create = append(create, statements...)
	}
	for _, s := range create {
		if err := conn.Exec(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	shape := func(database string) []string {
		ddl := lines(t, conn, "SELECT create_table_query FROM system.tables WHERE database = '"+database+"' AND name != '"+history+"' ORDER BY name")
		for i := range ddl {
			ddl[i] = strings.ReplaceAll(ddl[i], database, "db")
		}
		return ddl
	}
	if diff := cmp.Diff(shape("defined"), shape("migrated")); diff != "" {
		t.Errorf("tables as defined and as migrated (-defined +migrated):\n%s", diff)
	}
	for _, table := range tables.All() {
		var want []string
		for _, c := range table.Columns {
			want = append(want, c.Name+" "+c.Type)
		}
		got := lines(t, conn, "SELECT concat(name, ' ', type) FROM system.columns WHERE database = 'migrated' AND table = '"+table.Name+"' ORDER BY position")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("columns of %s (-want +got):\n%s", table.Name, diff)
		}
	}
}

func TestTogetherAndInterrupted(t *testing.T) {
	ctx, conn := context.Background(), connect(t)
	var group sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		m := newMigrator(t, conn, "together")
		group.Go(func() { _, errs[i] = m.Up(ctx) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	m := newMigrator(t, conn, "together")
	if n := applied(t, m); n != len(m.all) {
		t.Errorf("%d migrations are applied, want %d", n, len(m.all))
	}

	// Every statement can be repeated: a migration that was interrupted after
	// any number of them goes through.
	for n := range 4 {
		database := fmt.Sprint("interrupted", n)
		m := newMigrator(t, conn, database)
		if err := m.prepare(ctx); err != nil {
			t.Fatal(err)
		}
		statements, err := m.dialect.Render(m.all[0].Up)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range statements[:n*len(statements)/3] {
			if err := conn.Exec(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := m.Up(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUntrustedHistory(t *testing.T) {
	ctx, conn := context.Background(), connect(t)
	m := newMigrator(t, conn, "one")
	if _, err := m.Up(ctx); err != nil {
		t.Fatal(err)
	}
	changed := newMigrator(t, conn, "one")
	changed.all = slices.Clone(changed.all)
	changed.all[0].Up += "SELECT 1;\n"
	if _, err := changed.Up(ctx); err == nil || !strings.Contains(err.Error(), "another form") {
		t.Errorf("a changed migration: %v", err)
	}
	if _, err := changed.Down(ctx, 1); err == nil {
		t.Error("a changed migration was reverted")
	}
	older := newMigrator(t, conn, "one")
	older.all = older.all[:1]
	if _, err := older.Up(ctx); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("an older program: %v", err)
	}
	if n := applied(t, m); n != len(m.all) {
		t.Errorf("%d migrations are applied, want %d", n, len(m.all))
	}
}

func TestNames(t *testing.T) {
	for name, dir := range map[string]fstest.MapFS{
		"gap":     {"0002_b.up.sql": {}, "0002_b.down.sql": {}},
		"no down": {"0001_a.up.sql": {}},
		"no name": {"0001.up.sql": {}, "0001.down.sql": {}},
	} {
		if _, err := read(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	all, err := All()
	if err != nil || len(all) < 2 {
		t.Fatalf("%d migrations, %v", len(all), err)
	}
	for _, m := range all {
		for _, d := range []tables.Dialect{{}, {Cluster: "c"}} {
			for _, text := range []string{m.Up, m.Down} {
				statements, err := d.Render(text)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range statements {
					if !strings.Contains(s, "IF NOT EXISTS") && !strings.Contains(s, "IF EXISTS") {
						t.Errorf("migration %d: cannot be repeated: %s", m.Version, s)
					}
					if d.Cluster != "" && !strings.Contains(s, "ON CLUSTER `c`") {
						t.Errorf("migration %d: runs on one node of a cluster only: %s", m.Version, s)
					}
				}
			}
		}
	}
}
