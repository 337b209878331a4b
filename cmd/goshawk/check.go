package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/internal/config"
)

func newCheck() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Validate a configuration; opens nothing",
		Args:  cobra.NoArgs,
	}
	path := configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if _, err := loadSettings(*path); err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				fmt.Fprintln(c.ErrOrStderr(), line)
			}
			return errQuiet
		}
		fmt.Fprintln(c.OutOrStdout(), "the configuration is valid")
		return nil
	}
	return c
}

func newConfig() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration, secrets masked",
		Args:  cobra.NoArgs,
	}
	path := configFlag(c)
	env := c.Flags().Bool("env", false, "list the environment variable of every setting instead")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := loadSettings(*path)
		if err != nil {
			return err
		}
		if *env {
			for _, setting := range config.Settings(&s) {
				fmt.Fprintf(c.OutOrStdout(), "%-60s %s\n", setting.Env, setting.Path)
			}
			return nil
		}
		text, err := config.Format(s)
		if err != nil {
			return err
		}
		_, err = c.OutOrStdout().Write(text)
		return err
	}
	return c
}
