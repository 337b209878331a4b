package main

import "github.com/spf13/cobra"

func newDeadletter() *cobra.Command {
	return &cobra.Command{Use: "deadletter", Short: "List and replay what could not be stored"}
}
