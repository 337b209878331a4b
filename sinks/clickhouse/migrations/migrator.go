package migrations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// history is the table that remembers what was done: one row for every
// migration that was applied or reverted.
const history = "schema_migrations"

// Migrator migrates one database.
type Migrator struct {
	conn    driver.Conn
	dialect tables.Dialect
	all     []Migration
}

// New makes a migrator with the migrations that this program knows.
func New(conn driver.Conn, dialect tables.Dialect) (*Migrator, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	return &Migrator{conn: conn, dialect: dialect, all: all}, nil
}

// State is what is known of one migration.
type State struct {
	Version int
	Name    string
	Applied bool
	// At is when it was applied, zero where it is not.
	At time.Time
	// Problem says why the migration cannot be trusted, empty where it can.
	Problem string
}

// Up applies what is missing and returns it.
func (m *Migrator) Up(ctx context.Context) ([]Migration, error) {
	if err := m.prepare(ctx); err != nil {
		return nil, err
	}
	states, err := m.trusted(ctx)
	if err != nil {
		return nil, err
	}
	var done []Migration
	for i, migration := range m.all {
		if states[i].Applied {
			continue
		}
		if err := m.run(ctx, &migration, migration.Up, true); err != nil {
			return done, err
		}
		done = append(done, migration)
	}
	return done, nil
}

// Down reverts the last n applied migrations and returns them. The tables they
// made go, with everything in them.
func (m *Migrator) Down(ctx context.Context, n int) ([]Migration, error) {
	if err := m.prepare(ctx); err != nil {
		return nil, err
	}
	states, err := m.trusted(ctx)
	if err != nil {
		return nil, err
	}
	var done []Migration
	for i := len(m.all) - 1; i >= 0 && len(done) < n; i-- {
		if !states[i].Applied {
			continue
		}
		if err := m.run(ctx, &m.all[i], m.all[i].Down, false); err != nil {
			return done, err
		}
		done = append(done, m.all[i])
	}
	return done, nil
}

// Status tells which migrations are applied. It changes nothing: a database
// that does not exist has none.
func (m *Migrator) Status(ctx context.Context) ([]State, error) {
	records, err := m.records(ctx)
	if err != nil {
		return nil, err
	}
	states := make([]State, len(m.all))
	for i := range m.all {
		states[i] = State{Version: m.all[i].Version, Name: m.all[i].Name}
	}
	for _, r := range records {
		if !r.applied {
			continue
		}
		if r.version > len(m.all) {
			states = append(states, State{
				Version: r.version, Name: r.name, Applied: true, At: r.at,
				Problem: "applied by a newer version of goshawk",
			})
			continue
		}
		s := &states[r.version-1]
		s.Applied, s.At = true, r.at
		if r.checksum != m.all[r.version-1].Checksum() {
			s.Problem = "applied in another form than this version of goshawk knows"
		}
	}
	return states, nil
}

// trusted is Status without a problem.
func (m *Migrator) trusted(ctx context.Context) ([]State, error) {
	states, err := m.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		if s.Problem != "" {
			return nil, fmt.Errorf("migration %04d %s: %s", s.Version, s.Name, s.Problem)
		}
	}
	return states, nil
}

// Print returns the statements of all migrations, as Up runs them on an empty
// server.
func Print(dialect tables.Dialect) (string, error) {
	all, err := All()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	write := func(title string, statements []string) {
		fmt.Fprintf(&b, "-- %s\n\n", title)
		for _, s := range statements {
			b.WriteString(s + ";\n\n")
		}
	}
	write("database and history", bootstrap(dialect))
	for _, m := range all {
		statements, err := dialect.Render(m.Up)
		if err != nil {
			return "", fmt.Errorf("migration %04d %s: %w", m.Version, m.Name, err)
		}
		write(fmt.Sprintf("%04d %s", m.Version, m.Name), statements)
	}
	return b.String(), nil
}

// bootstrap returns the statements that make what the history needs. On a
// cluster the history is one table, with a replica on every node.
func bootstrap(d tables.Dialect) []string {
	engine := "MergeTree"
	if d.Cluster != "" {
		engine = "ReplicatedMergeTree('/clickhouse/tables/{database}/" + history + "', '{shard}-{replica}')"
	}
	return []string{
		"CREATE DATABASE IF NOT EXISTS " + d.DatabaseName() + d.OnCluster(),
		"CREATE TABLE IF NOT EXISTS " + d.Table(history) + d.OnCluster() + `
(
    version UInt32,
    name String,
    checksum String,
    applied Bool,
    time DateTime64(9)
)
ENGINE = ` + engine + `
ORDER BY (version, time)
COMMENT 'migrations that were applied and reverted'`,
	}
}

func (m *Migrator) prepare(ctx context.Context) error {
	for _, s := range bootstrap(m.dialect) {
		if err := m.conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("preparing database %s: %w", m.dialect.DatabaseName(), err)
		}
	}
	return nil
}

// run runs a migration's statements and writes it into the history.
func (m *Migrator) run(ctx context.Context, migration *Migration, text string, applied bool) error {
	doing := "applying"
	if !applied {
		doing = "reverting"
	}
	statements, err := m.dialect.Render(text)
	if err != nil {
		return fmt.Errorf("%s migration %04d %s: %w", doing, migration.Version, migration.Name, err)
	}
	for _, s := range statements {
		if err := m.conn.Exec(ctx, s); err != nil {
			line, _, _ := strings.Cut(s, "\n")
			return fmt.Errorf("%s migration %04d %s: %s: %w", doing, migration.Version, migration.Name, line, err)
		}
	}
	err = m.conn.Exec(ctx, "INSERT INTO "+m.dialect.Table(history)+
		" (version, name, checksum, applied, time) SELECT {version:UInt32}, {name:String}, {checksum:String}, {applied:Bool}, now64(9)",
		clickhouse.Named("version", fmt.Sprint(migration.Version)), clickhouse.Named("name", migration.Name),
		clickhouse.Named("checksum", migration.Checksum()), clickhouse.Named("applied", fmt.Sprint(applied)))
	if err != nil {
		return fmt.Errorf("%s migration %04d %s: writing history: %w", doing, migration.Version, migration.Name, err)
	}
	return nil
}

// record is the last row of the history about one version.
type record struct {
	version        int
	name, checksum string
	applied        bool
	at             time.Time
}

// codes of exceptions that say that there is no history yet.
const (
	unknownTable    = 60
	unknownDatabase = 81
)

func (m *Migrator) records(ctx context.Context) ([]record, error) {
	rows, err := m.conn.Query(ctx, "SELECT version, argMax(name, time), argMax(checksum, time), argMax(applied, time), max(time) FROM "+
		m.dialect.Table(history)+" GROUP BY version ORDER BY version")
	if err != nil {
		if code := exceptionCode(err); code == unknownTable || code == unknownDatabase {
			return nil, nil
		}
		return nil, fmt.Errorf("reading the history of database %s: %w", m.dialect.DatabaseName(), err)
	}
	defer rows.Close()
	var records []record
	for rows.Next() {
		var r record
		var version uint32
		if err := rows.Scan(&version, &r.name, &r.checksum, &r.applied, &r.at); err != nil {
			return nil, fmt.Errorf("reading the history of database %s: %w", m.dialect.DatabaseName(), err)
		}
		r.version = int(version)
		records = append(records, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the history of database %s: %w", m.dialect.DatabaseName(), err)
	}
	return records, nil
}

func exceptionCode(err error) int32 {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return exception.Code
	}
	return 0
}
