package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// dayFlags are the flags of a command that does at once what a job does with past
// days.
type dayFlags struct {
	config, day, tenant *string
	list                *bool
}

// newDayFlags adds the flags to a command; list says what --list does.
func newDayFlags(c *cobra.Command, list string) dayFlags {
	return dayFlags{
		config: configFlag(c),
		day:    c.Flags().String("day", "", "only this `day`, UTC, as 2026-01-31"),
		tenant: c.Flags().String("tenant", "", "only this tenant's"),
		list:   c.Flags().Bool("list", false, list),
	}
}

// chosen returns the day that is asked for, in days since 1970, 0 for all.
func (f *dayFlags) chosen() (int64, error) {
	if *f.day == "" {
		return 0, nil
	}
	at, err := time.Parse(time.DateOnly, *f.day)
	if err != nil || at.Unix() < 86400 {
		return 0, fmt.Errorf("--day: %q is no day as 2026-01-31", *f.day)
	}
	return at.Unix() / 86400, nil
}

// failuresOf is the log of a command that prints what it does: only what fails is
// logged.
func failuresOf(c *cobra.Command) *slog.Logger {
	return slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// openBoth opens both kinds of connections to ClickHouse, for a job that runs as a
// command.
func openBoth(s Settings) (clickhouse.Conn, *clickhouse.Columns, func(), error) {
	conn, err := clickhouse.Open(s.ClickHouse)
	if err != nil {
		return nil, nil, nil, err
	}
	columns, err := clickhouse.OpenColumns(s.ClickHouse)
	if err != nil {
		_ = conn.Close() // nothing was sent
		return nil, nil, nil, err
	}
	return conn, columns, func() { columns.Close(); _ = conn.Close() }, nil
}

// nothingDone says why nothing was done, which is an error where a day was asked
// for. What names what days have and refused what did not happen; state returns
// the state of the day, empty where nothing is known of it.
func nothingDone(c *cobra.Command, day int64, what, refused string, state func() (string, error)) error {
	if day == 0 {
		fmt.Fprintln(c.OutOrStdout(), "nothing is due")
		return nil
	}
	found, err := state()
	if err != nil {
		return err
	}
	if found == "" {
		return fmt.Errorf("there are no %s of %s", what, tables.Date(day))
	}
	return fmt.Errorf("%s %s: it is %s", tables.Date(day), refused, found)
}
