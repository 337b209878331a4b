package main

import (
	"context"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/clickhouse/migrations"
)

func newSchema() *cobra.Command {
	c := &cobra.Command{
		Use:   "schema",
		Short: "Create and migrate the ClickHouse tables, on one node or a cluster",
		Long: `Creates and migrates the tables. Where clickhouse.cluster is set, every statement runs ON CLUSTER, with replicated
tables under distributed ones. Migrations are versioned and can be taken back.`,
	}
	c.AddCommand(newSchemaUp(), newSchemaDown(), newSchemaStatus(), newSchemaPrint())
	return c
}

// withMigrator makes a subcommand that needs the database.
func withMigrator(use, short string, flags func(*cobra.Command), run func(*cobra.Command, *migrations.Migrator) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	path := configFlag(c)
	if flags != nil {
		flags(c)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := loadSettings(*path)
		if err != nil {
			return err
		}
		if err := s.resolve(); err != nil {
			return err
		}
		conn, err := clickhouse.Open(s.ClickHouse)
		if err != nil {
			return err
		}
		defer conn.Close()
		m, err := migrations.New(conn, s.dialect())
		if err != nil {
			return err
		}
		return run(c, m)
	}
	return c
}

func newSchemaUp() *cobra.Command {
	return withMigrator("up", "Apply the migrations that are missing", nil, func(c *cobra.Command, m *migrations.Migrator) error {
		applied, err := m.Up(c.Context())
		printMigrations(c, "applied", applied)
		return err
	})
}

func newSchemaDown() *cobra.Command {
	var n int
	return withMigrator("down", "Take back the last migrations, with the data of their tables",
		func(c *cobra.Command) { c.Flags().IntVarP(&n, "count", "n", 1, "how many migrations to take back") },
		func(c *cobra.Command, m *migrations.Migrator) error {
			taken, err := m.Down(c.Context(), n)
			printMigrations(c, "taken back", taken)
			return err
		})
}

func printMigrations(c *cobra.Command, done string, all []migrations.Migration) {
	for _, m := range all {
		fmt.Fprintf(c.OutOrStdout(), "%s %04d %s\n", done, m.Version, m.Name)
	}
	if len(all) == 0 {
		fmt.Fprintln(c.OutOrStdout(), "nothing to do")
	}
}

func newSchemaStatus() *cobra.Command {
	return withMigrator("status", "Show which migrations are applied", nil, func(c *cobra.Command, m *migrations.Migrator) error {
		states, err := m.Status(c.Context())
		if err != nil {
			return err
		}
		t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "version\tname\tstate")
		for _, s := range states {
			state := "missing"
			if s.Applied {
				state = "applied " + s.At.UTC().Format(time.RFC3339)
			}
			if s.Problem != "" {
				state += ": " + s.Problem
			}
			fmt.Fprintf(t, "%04d\t%s\t%s\n", s.Version, s.Name, state)
		}
		return t.Flush()
	})
}

func newSchemaPrint() *cobra.Command {
	c := &cobra.Command{Use: "print", Short: "Print the statements of all migrations; opens nothing", Args: cobra.NoArgs}
	path := configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := loadSettings(*path)
		if err != nil {
			return err
		}
		text, err := migrations.Print(s.dialect())
		if err != nil {
			return err
		}
		fmt.Fprint(c.OutOrStdout(), text)
		return nil
	}
	return c
}

// ensureTables applies the migrations that are missing. It tries until the
// database answers.
func ensureTables(ctx context.Context, s Settings, conn clickhouse.Conn, log *slog.Logger) error {
	m, err := migrations.New(conn, s.dialect())
	if err != nil {
		return err
	}
	return retryUntil(ctx, log, "migrating the tables", func() error {
		applied, err := m.Up(ctx)
		for _, a := range applied {
			log.Info("migration applied", "version", a.Version, "name", a.Name)
		}
		return err
	})
}
