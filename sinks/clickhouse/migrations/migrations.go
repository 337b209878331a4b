// Package migrations brings the tables of a database to the version that this
// program knows, and back.
//
// A migration is a pair of files, NNNN_name.up.sql and NNNN_name.down.sql, whose
// statements tables.Dialect renders for a single node or a cluster. Once
// released a migration is never changed; a change of the tables is another one.
// Every statement must be harmless when it is repeated (IF NOT EXISTS, IF
// EXISTS): a migration that was interrupted is run again from its start, and two
// processes may run the same one at once.
package migrations

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed *.sql
var files embed.FS

// Migration is one step from a version to the next.
type Migration struct {
	Version int
	Name    string
	// Up and Down are statements for tables.Dialect.Render.
	Up, Down string
}

// Checksum tells whether two programs mean the same by a migration.
func (m *Migration) Checksum() string {
	sum := sha256.Sum256([]byte(m.Up + "\x00" + m.Down))
	return hex.EncodeToString(sum[:16])
}

// All returns the migrations that this program knows, in order.
func All() ([]Migration, error) { return read(files) }

func read(dir fs.FS) ([]Migration, error) {
	names, err := fs.Glob(dir, "*.up.sql")
	if err != nil {
		return nil, fmt.Errorf("listing migrations: %w", err)
	}
	slices.Sort(names)
	var all []Migration
	for _, name := range names {
		base := strings.TrimSuffix(name, ".up.sql")
		number, title, ok := strings.Cut(base, "_")
		version, err := strconv.Atoi(number)
		if !ok || err != nil || version != len(all)+1 {
			return nil, fmt.Errorf("migration %s: want the name %04d_title.up.sql", name, len(all)+1)
		}
		up, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, fmt.Errorf("reading migration %s: %w", name, err)
		}
		down, err := fs.ReadFile(dir, base+".down.sql")
		if err != nil {
			return nil, fmt.Errorf("reading migration %s: %w", name, err)
		}
		all = append(all, Migration{Version: version, Name: title, Up: string(up), Down: string(down)})
	}
	return all, nil
}
